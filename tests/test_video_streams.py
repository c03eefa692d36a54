"""What travels beside the film arrives, in sync, or is named."""

from dataclasses import replace
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from test_video_writer import copy, presented
from videos import Film
from vidgan import video
from vidgan.errors import BadOutput
from vidgan.video.streams import Companions


def packets_of(path: Path, kind: str, number: int = 0) -> list[bytes]:
    with av.open(str(path)) as container:
        stream = [s for s in container.streams if s.type == kind][number]
        return [bytes(packet) for packet in container.demux(stream) if packet.size]


def texts_of(path: Path, number: int = 0) -> list[tuple[float, float, str]]:
    """(start, end, words) of what a subtitle stream shows."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[number]
        for packet in container.demux(stream):
            shown = stream.decode2(packet) if packet.size else None
            for rect in shown or ():
                words = rect.dialogue.decode().strip()
                if words:
                    start = float(packet.pts * packet.time_base)
                    found.append((start, start + float(packet.duration * packet.time_base), words))
    return found


def tags_of(path: Path) -> list[tuple[str, str | None, int]]:
    hidden = av.stream.Disposition.default  # MP4 always switches on the first stream of a kind
    with av.open(str(path)) as container:
        return [(s.type, s.metadata.get("language"), s.disposition & ~hidden) for s in container.streams]


WORDS = [(0.2, 0.7, "Good morning"), (1.0, 1.6, "Zwei\nZeilen \u00fc")]


def test_matroska_to_matroska_loses_nothing(tmp_path):
    path, out = videos.write_in_company(tmp_path / "in.mkv"), tmp_path / "out.mkv"
    assert copy(path, out) == []
    assert tags_of(out) == tags_of(path)
    for kind in ("audio", "subtitle"):
        for number in (0, 1):
            assert packets_of(out, kind, number) == packets_of(path, kind, number)
    with av.open(str(path)) as before, av.open(str(out)) as after:
        assert after.chapters() == before.chapters()
        tags = {key: value for key, value in before.metadata.items() if key != "ENCODER"}
        assert tags.items() <= after.metadata.items()
        assert after.streams.video[0].metadata["title"] == "The film"
        assert after.streams.attachments[0].data == before.streams.attachments[0].data
        assert after.streams.attachments[0].name == "font.ttf"
    assert packets_of(out, "video", 1) == packets_of(path, "video", 1)  # the cover


def test_matroska_to_mp4_converts_the_texts_and_names_what_is_lost(tmp_path):
    path, out = videos.write_in_company(tmp_path / "in.mkv"), tmp_path / "out.mp4"
    said = copy(path, out)
    assert [line.split(" is ")[1] for line in said] == [
        "written as mov_text",
        "written as mov_text",
        "not carried: mp4 has no room for files",
    ]
    for number in (0, 1):
        assert texts_of(out, number) == WORDS
        assert packets_of(out, "audio", number) == packets_of(path, "audio", number)
    with av.open(str(out)) as container:
        assert [s.metadata["language"] for s in container.streams.audio] == ["eng", "ger"]
        assert [s.metadata["language"] for s in container.streams.subtitles] == ["eng", "ger"]
        assert container.streams.audio[1].disposition & av.stream.Disposition.comment
        assert container.streams.subtitles[1].disposition & av.stream.Disposition.forced
        assert [(c["start"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()] == [
            (0, "Out"),
            (Fraction(9, 10), "Back"),
        ]
        assert container.metadata["title"] == "A walk"
        assert any(s.disposition & av.stream.Disposition.attached_pic for s in container.streams)


@pytest.mark.parametrize(("suffix", "form"), [(".mkv", "subrip"), (".webm", "webvtt"), (".mov", "mov_text")])
def test_mp4_texts_go_anywhere(tmp_path, suffix, form):
    path = videos.write_in_company(tmp_path / "in.mp4", subtitles=("mov_text", "mov_text"), audio="libopus")
    out = tmp_path / f"out{suffix}"
    copy(path, out)
    with av.open(str(out)) as container:
        assert {s.codec_context.name for s in container.streams.subtitles} <= {form, "srt", "subrip"}
    assert texts_of(out, 0) == texts_of(out, 1) == WORDS
    assert presented(out) == presented(path)


def test_chapters_of_mp4_do_not_arrive_twice(tmp_path):
    path = videos.write_in_company(tmp_path / "in.mp4", subtitles=("mov_text", "mov_text"))
    said = copy(path, tmp_path / "out.mp4")
    assert said == []
    assert tags_of(tmp_path / "out.mp4") == tags_of(path)


def test_a_container_without_room_names_every_loss(tmp_path):
    path = videos.write_in_company(tmp_path / "in.mkv")
    said = copy(path, tmp_path / "out.webm")
    for what in ("attachment stream 5", "cover picture stream 6"):
        assert sum(line.startswith(what) and "not carried" in line for line in said) == 1


def clicks_of(path: Path) -> list[float]:
    """When the bursts of the test tone begin, in seconds on the file's clock."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    rate = frames[0].sample_rate
    begin = float(frames[0].pts * frames[0].time_base)
    samples = np.concatenate([frame.to_ndarray()[0].astype(np.float32) for frame in frames])
    samples = samples / (np.abs(samples).max() or 1)
    loud = np.flatnonzero(np.abs(samples) > 0.3)
    starts = loud[np.concatenate([[True], np.diff(loud) > rate // 10])]
    return [begin + start / rate for start in starts]


@pytest.mark.parametrize(
    ("source", "target"), [(".mkv", ".mkv"), (".mkv", ".mp4"), (".mp4", ".mkv"), (".mp4", ".mp4")]
)
def test_sound_stays_in_sync(tmp_path, source, target):
    forms = ("mov_text", "mov_text") if source == ".mp4" else ("subrip", "ass")
    path, out = videos.write_in_company(tmp_path / f"in{source}", subtitles=forms), tmp_path / f"out{target}"
    copy(path, out)
    assert clicks_of(out) == pytest.approx([0.5, 1.0, 1.5], abs=0.003)
    assert presented(out) == presented(path)


@pytest.mark.parametrize("target", [".mkv", ".mp4", ".mov", ".avi"])
@pytest.mark.parametrize("sound", ["pcm_s16le", "mp2"])
def test_sound_that_a_container_cuts_or_names_anew_is_known_again(tmp_path, target, sound):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        film = Film(times=tuple(range(50)))
        stream = videos.add_film(container, film)
        tone = videos.add_sound(container, sound, "eng")
        videos.encode_tone(container, tone, seconds=2)
        videos.encode(container, stream, film)
    said = copy(path, tmp_path / f"out{target}")
    if not any("not carried" in line for line in said):
        assert clicks_of(tmp_path / f"out{target}") == pytest.approx([0.5, 1.0, 1.5], abs=0.015)


@pytest.mark.parametrize("target", [".mkv", ".mp4"])
def test_a_part_is_cut_at_one_instant_in_every_stream(tmp_path, target):
    path, out = videos.write_in_company(tmp_path / "in.mkv"), tmp_path / f"out{target}"
    copy(path, out, start=0.4, duration=0.9)
    assert presented(out) == [Fraction(i, 25) for i in range(23)]
    assert clicks_of(out) == pytest.approx([0.1, 0.6], abs=0.003)
    assert texts_of(out) == [
        (0.0, pytest.approx(0.3), "Good morning"),
        (pytest.approx(0.6), pytest.approx(0.9), "Zwei\nZeilen \u00fc"),
    ]
    with av.open(str(out)) as container:
        spans = [(c["start"] * c["time_base"], c["end"] * c["time_base"]) for c in container.chapters()]
    assert spans == [(0, Fraction(1, 2)), (Fraction(1, 2), Fraction(9, 10))]


def test_a_second_film_is_copied_untouched(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        films = [Film(), Film(width=32, height=32)]
        streams = [videos.add_film(container, film) for film in films]
        streams[0].disposition = av.stream.Disposition.default
        for film, stream in zip(films, streams, strict=True):
            videos.encode(container, stream, film)
    assert copy(path, tmp_path / "out.mp4") == []
    assert packets_of(tmp_path / "out.mp4", "video", 1) == packets_of(path, "video", 1)


def test_a_tag_that_is_added_does_not_push_out_the_source_s_own(tmp_path):
    path = videos.write_in_company(tmp_path / "in.mkv")  # its comment is spelled COMMENT there
    copy(path, tmp_path / "out.mkv", metadata={"comment": "made larger"})
    copy(tmp_path / "out.mkv", tmp_path / "again.mkv", metadata={"comment": "made larger"})
    for name in ("out.mkv", "again.mkv"):
        with av.open(str(tmp_path / name)) as container:
            assert container.metadata["COMMENT"] == "made for a test; made larger"


def test_tags_that_mp4_has_no_word_for_are_kept(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        container.metadata.update(title="A walk", camera_serial="42")
        videos.encode(container, videos.add_film(container, Film()), Film())
    assert copy(path, tmp_path / "out.mp4", metadata={"made_with": "vidgan"}) == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        held = {key.lower(): value for key, value in container.metadata.items()}
    assert (held["title"], held["camera_serial"], held["made_with"]) == ("A walk", "42", "vidgan")


def write_with_sound_of(
    path: Path, moments: range | list[int], sound: str = "aac", jitter: tuple[int, ...] = (0,)
) -> Path:
    """Two seconds of film, and of its sound only the packets that begin in these tenths of a second.

    jitter  milliseconds that packets are late, in turn
    """
    film = Film(times=tuple(range(50)))
    tenths, late = set(moments), cycle(jitter)
    with av.open(str(path), "w") as container:
        stream, tone = videos.add_film(container, film), videos.add_sound(container, sound, "eng")
        videos.encode(container, stream, film)
        size = 960
        for start in range(0, 96000, size):
            samples = np.full((1, size), 0.1, np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            for packet in tone.encode(frame):
                if int(packet.pts * packet.time_base * 10) in tenths:
                    packet.pts = packet.dts = packet.pts + 48 * next(late)
                    container.mux(packet)
    return path


@pytest.mark.parametrize("sound", ["aac", "ac3", "mp2"])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize(("moments", "words"), [
    (range(7, 20), "begins at 0.7"),
    ([*range(8), *range(13, 20)], r"breaks off at 0\.(79|8)"),
], ids=["late", "gap"])  # fmt: skip
def test_avi_refuses_sound_that_it_would_move_before_any_work(tmp_path, moments, words, suffix, sound):
    path = write_with_sound_of(tmp_path / f"in{suffix}", moments, sound)
    source = video.probe(path)
    writer = video.Writer(tmp_path / "out.avi", source=source, width=64, height=48)
    with pytest.raises(BadOutput, match=words) as refused:
        writer.rehearse()
    assert "audio stream 1" in refused.value.found and ".mkv or .mp4" in refused.value.remedy
    with pytest.raises(BadOutput, match=words):
        copy(path, tmp_path / "out.avi")
    assert not (tmp_path / "out.avi").exists()
    copy(path, tmp_path / "out.mkv")


@pytest.mark.parametrize("sound", ["aac", "ac3", "mp2", "pcm_s16le"])
@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".ts"])
def test_avi_takes_sound_without_a_pause_from_anywhere(tmp_path, sound, suffix):
    if sound == "pcm_s16le" and suffix == ".ts":
        pytest.skip("MPEG-TS holds no PCM of this kind")
    path = write_with_sound_of(tmp_path / f"in{suffix}", range(20), sound)
    for part in ({}, {"start": 0.41}, {"start": 0.7, "duration": 0.5}):
        writer = video.Writer(
            tmp_path / "out.avi", source=video.probe(path), width=64, height=48, overwrite=True, **part
        )
        writer.rehearse()
        copy(path, tmp_path / "out.avi", overwrite=True, **part)


@pytest.mark.parametrize("sound", ["aac", "mp2", "pcm_s16le"])
def test_avi_takes_sound_whose_packets_are_a_little_late_in_turn(tmp_path, sound):
    """As recorders of live sound write them: never off by more than 6 ms, however long it is."""
    path = write_with_sound_of(tmp_path / "in.mkv", range(20), sound, jitter=(0, 6, 4, 2))
    video.Writer(tmp_path / "out.avi", source=video.probe(path), width=64, height=48).rehearse()


def test_sound_that_begins_within_a_frame_of_an_avi_does_so_in_mp4(tmp_path):
    """MP4's clock of the whole file is finer than the film's 40 ms."""
    path = write_with_sound_of(tmp_path / "in.avi", range(20), "ac3")
    said = copy(path, tmp_path / "out.mp4", start=1.3)
    assert not [line for line in said if "begins at" in line]


@pytest.mark.parametrize("target", [".mp4", ".mkv", ".mov"])
def test_late_sound_stays_late_and_is_told_where_it_does_not(tmp_path, monkeypatch, target):
    path, out = write_with_sound_of(tmp_path / "in.mkv", range(7, 20)), tmp_path / f"out{target}"
    copy(path, out)
    with av.open(str(out)) as container:
        first = next(packet for packet in container.demux(audio=0) if packet.size)
        assert float(first.pts * first.time_base) == pytest.approx(0.704, abs=0.002)
    carried = Companions.carried

    def expecting_it_sooner(self):
        return [replace(stream, begins=stream.begins and Fraction(0)) for stream in carried(self)]

    monkeypatch.setattr(Companions, "carried", expecting_it_sooner)
    said = copy(path, tmp_path / f"again{target}")
    assert any("begins at 0.70" in line and "should at 0.000 s" in line for line in said)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_text_that_is_shown_beyond_the_part_ends_with_it(tmp_path, suffix):
    path = videos.write_in_company(tmp_path / "in.mkv")
    begin, end, _ = max(WORDS, key=lambda words: words[1] - words[0])
    middle = round((begin + end) / 2, 2)
    out = tmp_path / f"out{suffix}"
    copy(path, out, duration=middle)
    assert max(until for number in (0, 1) for _, until, _ in texts_of(out, number)) == pytest.approx(
        middle, abs=0.01
    )
