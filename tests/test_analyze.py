"""`vidgan analyze` from file to files: what it writes, refuses, cuts out, and what a stopped one has seen."""

import csv
import json
import os
import signal
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from torch.nn import functional as F

import enhancing
import videos
import vidgan
from vidgan import cli, video
from vidgan.errors import BadOption, BadOutput, BadVideo, BadWeights, MissingExtra
from vidgan.verbs import analyze
from vidgan.video import decode_all
from vidgan.watching import clips, measures
from watched import HEIGHT, WIDTH, lossless, pan, with_events

LEFT, TOP, SIDE = 96, 32, 32  # of the red square that is unusual


class Read(NamedTuple):
    score: float | None
    heat: np.ndarray | None


class Red:
    """Stands for a model of normal footage: nothing normal is red. It reads nothing on a shot's first frame."""

    threshold, false_alarms, fewest = 0.5, 0.01, 2

    def __init__(self) -> None:
        self.num_forgotten, self.is_first = 0, True

    def read(self, frame: torch.Tensor) -> Read:
        assert frame.shape[0] == 3 and frame.min() >= 0 and frame.max() <= 1
        was_first, self.is_first = self.is_first, False
        if was_first:
            return Read(None, None)
        red = ((frame[0] > 0.8) & (frame[1] < 0.2)).float()
        heat = F.adaptive_avg_pool2d(red[None, None], tuple(side // 16 for side in red.shape))[0, 0]
        return Read(float(heat.max()), heat.numpy())

    def forget(self) -> None:
        self.num_forgotten, self.is_first = self.num_forgotten + 1, True


@pytest.fixture
def red(monkeypatch) -> Red:
    normal = Red()
    monkeypatch.setattr(analyze.anomaly, "load", lambda path, device: normal)
    return normal


@pytest.fixture
def film(tmp_path) -> Path:
    return lossless(tmp_path / "film.mkv", with_events())


def with_red(count: int = 60, first: int = 20, last: int = 34) -> np.ndarray:
    frames = pan(1, count)
    frames[first : last + 1, TOP : TOP + SIDE, LEFT : LEFT + SIDE] = (255, 0, 0)
    return frames


# -- what is written --------------------------------------------------------------------------------


def test_json_and_csv_say_the_same_for_every_frame(tmp_path, film):
    told, table = tmp_path / "out.json", tmp_path / "out.csv"
    assert cli.main(["analyze", str(film), "--json", str(told), "--csv", str(table), "-q"]) == 0
    found, lines = json.loads(told.read_text()), list(csv.DictReader(table.read_text().splitlines()))
    assert len(found["frames"]) == len(lines) == found["num_frames"] == 106
    for row, line in zip(found["frames"], lines, strict=True):
        assert row.keys() == line.keys()
        for name, value in row.items():
            assert (line[name] == "") == (value is None)
            assert value is None or float(line[name]) == pytest.approx(value, abs=1e-6)
    assert [row["time"] for row in found["frames"][:3]] == [0, 0.04, 0.08]
    assert {"time", "sharpness", "noise", "blockiness", "exposure", "motion"} <= found["frames"][0].keys()
    frozen = next(event for event in found["events"] if event["kind"] == "frozen")
    assert (frozen["start"], frozen["end"], frozen["first_frame"], frozen["last_frame"]) == (2, 3, 50, 74)
    assert found["complete"] and found["protocol"] and found["kinds"]["black"]["protocol"]
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob(".*"))


def test_python_gives_what_json_says(film, tmp_path):
    found = vidgan.analyze(film)
    assert json.loads("".join(found.json_lines())) == found.as_json()
    assert found.scores["dark"][25] == 100


def test_events_are_printed_and_json_on_standard_output_is_alone(film, capsys):
    assert cli.main(["analyze", str(film)]) == 0
    out = capsys.readouterr().out
    assert "frozen" in out and "0:02.00" in out and "1.00" in out and "4 shots" in out
    assert cli.main(["analyze", str(film), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["num_frames"] == 106


# -- what is refused --------------------------------------------------------------------------------


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        videos.encode_tone(container, videos.add_sound(container, "aac", "eng"), seconds=1)
    return path


def tiny(path: Path) -> Path:
    return lossless(path.with_suffix(".mkv"), pan(1, 3)[:, :40, :40])


def text(path: Path) -> Path:
    path.write_text("no video at all")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (sound_only, "no video, only audio"),
        (tiny, "40x40: too small"),
        (text, "a text file"),
        (lambda path: path, "does not exist"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_two_lines(tmp_path, capsys, make, words):
    report = tmp_path / "out.html"
    assert cli.main(["analyze", str(make(tmp_path / "in.mp4")), "--report", str(report), "-q"]) == 1
    err = capsys.readouterr().err
    assert words in err and len(err.splitlines()) == 2 and not report.exists()


def test_a_place_that_is_the_video_or_no_file_is_refused(film, tmp_path):
    with pytest.raises(BadOutput, match="one of the files that are read"):
        vidgan.analyze(film, report=film)
    with pytest.raises(BadOutput, match="one of the files that are read"):
        vidgan.analyze(film, report=film.with_name(f"{film.name}.json"))
    with pytest.raises(BadOutput, match="cannot be written"):
        vidgan.analyze(film, report=tmp_path / "nowhere" / "out.html")
    with pytest.raises(BadWeights):
        vidgan.analyze(film, realism=tmp_path / "nothing")
    with pytest.raises(BadOption, match="without --realism"):
        vidgan.analyze(film, realism_every=2)


def test_a_video_that_breaks_off_is_analysed_as_far_as_it_goes(tmp_path):
    path = videos.write(tmp_path / "in.mkv", videos.Film(times=range(50)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = vidgan.analyze(path)
    assert 10 < len(found.times) < 50
    assert any("cut off" in note for note in found.notes) and found.as_json()["notes"]


def test_without_opencv_motion_is_left_out_and_the_rest_is_there(film, monkeypatch, capsys):
    def absent(extra: str) -> None:
        raise MissingExtra("opencv-python-headless", extra)

    monkeypatch.setattr(measures.opencv, "load", absent)
    assert cli.main(["analyze", str(film)]) == 0
    out = capsys.readouterr().out
    assert (
        'Left out: motion: opencv-python-headless is not installed. Install it with: pip install "vidgan['
        in out
    )
    assert "frozen" in out


def test_without_a_shot_long_enough_for_a_prediction_the_anomaly_is_left_out(tmp_path, red):
    path = lossless(tmp_path / "one.mkv", pan(1, 1))
    assert vidgan.analyze(path, normal="model").left_out == {"anomaly": "needs 2 frames of one shot"}
    assert not vidgan.analyze(lossless(tmp_path / "two.mkv", pan(1, 2)), normal="model").left_out


# -- what a network made ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """A source, and what vidgan made of it, with a sidecar."""
    folder = tmp_path_factory.mktemp("made")
    models = enhancing.make_models(folder)
    source = enhancing.write_soft(folder / "small.mp4", videos.Film(times=range(4)))
    assert enhancing.door(models)(source, folder / "large.mp4", "--sidecar") == 0
    return source, folder / "large.mp4"


def test_a_video_that_a_network_made_is_refused_and_its_source_is_named(made):
    source, large = made
    with pytest.raises(BadVideo, match="made by a neural network") as caught:
        vidgan.analyze(large)
    assert str(source) in caught.value.remedy and "--enhanced" in caught.value.remedy
    assert len(vidgan.analyze(source).times) == 4


def test_the_mark_in_the_file_is_enough(made, tmp_path):
    for suffix in (".mp4", ".mkv"):
        alone = tmp_path / f"alone{suffix}"
        with av.open(str(made[1])) as source, av.open(str(alone), "w") as target:
            target.metadata.update(source.metadata)
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        with pytest.raises(BadVideo, match="made by a neural network"):
            vidgan.analyze(alone)


def test_when_asked_the_networks_work_is_analysed_and_the_result_says_so(made):
    found = vidgan.analyze(made[1], enhanced=True)
    assert len(found.times) == 4 and "neural network" in found.protocol["pictures"]


# -- what is not normal -----------------------------------------------------------------------------


def test_what_is_unusual_is_an_event_with_a_place(tmp_path, red):
    path = lossless(tmp_path / "in.mkv", with_red())
    found = vidgan.analyze(path, normal="model")
    (event,) = found.of_kind("anomaly")
    assert (event.first, event.last) == (20, 34)
    assert event.box == (LEFT, TOP, LEFT + SIDE, TOP + SIDE)
    assert event.score == pytest.approx(1.0)
    frames = found.as_json()["frames"]
    assert frames[0]["anomaly"] is None and frames[19]["anomaly"] == 0 and frames[20]["anomaly"] == 1
    assert "for 1 % of false alarms" in found.kind(event).protocol


def test_the_place_is_on_the_video_as_it_is_shown(tmp_path, red):
    """Stored on its side, and turned for the model: the box lies where a player shows it."""
    turn = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # a quarter clockwise
    film = videos.Film(width=WIDTH, height=HEIGHT, times=range(60), display_matrix=turn)
    path = videos.write(tmp_path / "in.mp4", film, with_red())
    found = vidgan.analyze(path, normal="model")
    assert (found.width, found.height) == (HEIGHT, WIDTH)
    (event,) = found.of_kind("anomaly")
    clockwise = video.probe(path).orientation == 6
    across = HEIGHT - TOP - SIDE if clockwise else TOP
    down = LEFT if clockwise else WIDTH - LEFT - SIDE
    assert np.abs(np.array(event.box) - [across, down, across + SIDE, down + SIDE]).max() <= 16


def test_a_cut_makes_the_model_forget(tmp_path, red):
    vidgan.analyze(
        lossless(tmp_path / "in.mkv", np.concatenate([pan(1, 10), pan(2, 10), pan(3, 10)])), normal="x"
    )
    assert red.num_forgotten == 3, "at two cuts and at the end"


# -- clips ------------------------------------------------------------------------------------------


def with_sound(path: Path) -> Path:
    """Four seconds: still from 1.6 to 2.4, and a tone."""
    frames = pan(1, 100)
    frames[40:60] = frames[40]
    film = videos.Film(width=WIDTH, height=HEIGHT, times=range(100))
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, film), videos.add_sound(container, "aac", "eng")
        videos.encode_tone(container, sound, seconds=4)
        videos.encode(container, stream, film, frames)
    return path


def test_a_clip_holds_exactly_its_frames_and_the_sound(tmp_path):
    source, folder = with_sound(tmp_path / "in.mp4"), tmp_path / "clips"
    found = vidgan.analyze(source, clips=folder)
    (event,) = found.of_kind("frozen")
    assert (event.first, event.last) == (40, 59)
    number = found.events.index(event) + 1
    assert found.clips == {number: f"{number:04}-frozen-00m01s.mp4"}
    clip = folder / found.clips[number]
    frames, whole = decode_all(clip), decode_all(source)
    assert len(frames) == 20 + 2 * 25
    assert np.abs(frames.astype(int) - whole[15:85]).mean() < 3, "a frame beside it would be 9 off"
    with av.open(str(clip)) as container:
        times = [frame.time for frame in container.decode(video=0)]
        assert times == pytest.approx([index / 25 for index in range(70)], abs=1e-3)
    with av.open(str(clip)) as container:
        seconds = sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))
        assert seconds == pytest.approx(70 / 25, abs=0.1)
    assert found.as_json()["events"][number - 1]["clip"] == clip.name
    assert [file.name for file in folder.iterdir()] == [clip.name]


def test_clips_are_not_written_over_unless_asked(tmp_path):
    source, folder = with_sound(tmp_path / "in.mp4"), tmp_path / "clips"
    vidgan.analyze(source, clips=folder)
    before = [file.stat().st_mtime_ns for file in folder.iterdir()]
    with pytest.raises(BadOutput, match="holds clips already"):
        vidgan.analyze(source, clips=folder)
    assert [file.stat().st_mtime_ns for file in folder.iterdir()] == before
    assert len(vidgan.analyze(source, clips=folder, overwrite=True).clips) == 1


def test_anomalies_are_what_is_cut_out_where_somebody_looks_for_them(tmp_path, red):
    frames = with_red()
    frames[44:58] = frames[44]  # still, and so an event of another kind
    path = lossless(tmp_path / "in.mkv", frames)
    found = vidgan.analyze(path, normal="model", clips=tmp_path / "clips")
    assert found.of_kind("frozen") and [name[5:] for name in found.clips.values()] == ["anomaly-00m00s.mkv"]
    assert len(decode_all(tmp_path / "clips" / found.clips[2])) == 60, "from 0.8 - 1 to 1.4 + 1 s"


def test_the_first_clip_of_a_recording_that_begins_at_an_hour_begins_at_0(tmp_path):
    film = videos.Film(times=range(90_000, 90_020))
    frames = [videos.picture(0, film.width, film.height)] * 20
    found = vidgan.analyze(videos.write(tmp_path / "in.mp4", film, frames), clips=tmp_path / "clips")
    clip = list(video.read(video.probe(tmp_path / "clips" / found.clips[2])))
    assert [frame.seconds for frame in clip] == [Fraction(number, 25) for number in range(20)]


def test_odd_sides_lose_nothing(tmp_path):
    frames = np.repeat(pan(1, 1)[:, :101, :151], 20, axis=0)
    found = vidgan.analyze(lossless(tmp_path / "in.mkv", frames), clips=tmp_path / "clips")
    (name,) = found.clips.values()
    assert decode_all(tmp_path / "clips" / name).shape == (20, 101, 151, 3)


def test_stretched_pixels_are_kept(tmp_path):
    """Matroska and WebM hold them for H.264 alone; odd sides are none of its."""
    told = {"codec": "libx264", "pixel_format": "yuv444p", "sample_aspect": Fraction(4, 3)}
    film = videos.Film(width=101, height=65, times=range(20), **told)
    found = vidgan.analyze(videos.write(tmp_path / "in.mkv", film), clips=tmp_path / "clips")
    assert found.clips
    for name in found.clips.values():
        clip = video.probe(tmp_path / "clips" / name)
        assert (clip.width, clip.height, clip.sample_aspect) == (101, 65, Fraction(4, 3))
    even = replace(clip, path=tmp_path / "in.webm", width=100, height=64)
    assert (
        clips._form(even)[0] == ".mkv" and clips._form(replace(even, sample_aspect=Fraction(1)))[0] == ".webm"
    )


def test_a_failing_disk_costs_a_clip_and_not_the_analysis(tmp_path, film, monkeypatch, capsys):
    def fails(*told: object, **more: object) -> None:
        raise BadOutput("no room on the disk", "Make room.")

    monkeypatch.setattr(clips, "Writer", fails)
    told = tmp_path / "out.json"
    words = ["analyze", str(film), "--clips", str(tmp_path / "clips"), "--json", str(told)]
    assert cli.main(words) == 1
    assert "no room on the disk" in capsys.readouterr().err
    assert json.loads(told.read_text())["num_frames"] == 106


# -- stopped ----------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_video_there_and_what_was_seen_is_told(tmp_path, film, monkeypatch, number, code):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    see, calls = measures.Neighbours.see, []

    def counted(self, *told, **more):
        calls.append(1)
        if len(calls) == 70:
            os.kill(os.getpid(), number)
        return see(self, *told, **more)

    monkeypatch.setattr(measures.Neighbours, "see", counted)
    told, report = tmp_path / "out.json", tmp_path / "out.html"
    words = ["analyze", str(film), "--json", str(told), "--report", str(report), "-q"]
    try:
        if code == 130:
            assert cli.main(words) == code
        else:
            with pytest.raises(SystemExit) as caught:
                cli.main(words)
            assert caught.value.code == code
    finally:
        signal.signal(signal.SIGINT, before)
    found = json.loads(told.read_text())
    assert found["num_frames"] == len(calls) == 70 and not found["complete"]
    assert "Stopped at 2.8 s" in found["verdict"] and "Stopped at 2.8 s" in report.read_text()
    assert next(e for e in found["events"] if e["kind"] == "frozen")["end"] == pytest.approx(2.8)


def test_clips_and_a_result_have_places_of_their_own(film, tmp_path):
    place = tmp_path / "found"
    for kind in ("report", "json", "csv"):
        with pytest.raises(BadOption, match="for the clips and for a result"):
            analyze.run(analyze.Options(video=film, clips=place, **{kind: place}))
    assert not place.exists()
