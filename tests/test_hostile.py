"""Files that mean harm, or are only damaged: a good output or one clear error, within time and memory.

Of Linux: processes are forked, and their memory is bounded.
"""

import os
import resource
import signal
import struct
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import av
import pytest

import hostile
import hostile_files
import videos
from enhancing import door, make_models, names
from hostile import Outcome
from videos import Film
from vidgan import cli, video
from vidgan.errors import BadVideo, VidganError, printable
from vidgan.video import files

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and reads /proc")
TINY = Film(width=32, height=24, times=range(3))


# --- thousands


def test_two_thousand_damaged_files_end_in_a_good_output_or_one_clear_error():
    """A failing case tells the command that makes it again."""
    outcomes = list(hostile.run_many(0, range(2000)))
    faults = [outcome.told for outcome in outcomes if outcome.is_fault]
    assert faults == [], "\n".join(faults)
    counts = Counter(outcome.ended for outcome in outcomes)
    assert len({outcome.number for outcome in outcomes}) == 2000
    # All of the ways through were gone.
    assert counts["output"] > 300 and counts["good"] > 20 and counts["error by command"] > 20
    assert min(counts["BadVideo"], counts["BadWeights"], counts["BadRecipe"]) > 100


def test_sixty_of_them_go_through_the_command_line():
    assert sum(hostile.make_case(0, number).by_command for number in range(2000)) in range(55, 61)


def test_a_case_is_the_same_every_time():
    hostile.originals.cache_clear()
    before = [hostile.make_case(3, number).data for number in range(40)]
    hostile.originals.cache_clear()
    again = [hostile.make_case(3, number) for number in range(40)]
    # torch's older form holds the addresses of what was written
    assert all(case.name == "old.pth" or case.data == data for case, data in zip(again, before, strict=True))


def _misbehave(pipe, whole) -> None:
    """A worker that crashes in case 1 and hangs in case 2."""
    os.setsid()
    while True:
        case = pipe.recv()
        if case.number == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(1000 if case.number == 2 else 0)
        pipe.send(Outcome(number=case.number, ended="good"))


def test_a_crash_and_a_hang_are_failures_and_not_the_end_of_the_run(monkeypatch):
    monkeypatch.setattr(hostile, "_work", _misbehave)
    [first] = hostile.run_many(0, range(1))  # from now on what workers fork from is up
    assert first.ended == "good"
    outcomes = {outcome.number: outcome for outcome in hostile.run_many(0, range(6), seconds=12)}
    assert sorted(outcomes) == list(range(6))
    assert [number for number, outcome in outcomes.items() if outcome.is_fault] in ([1, 2], [2, 1])
    assert "crashed with -11" in outcomes[1].told and "--seed 0 --case 1" in outcomes[1].told
    assert "not done after 12 s" in outcomes[2].told


# --- sizes that are only announced


@contextmanager
def little_memory(num_bytes: int):
    """No more than that can be allocated beside what is."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def y4m(width: int, height: int) -> bytes:
    return f"YUV4MPEG2 W{width} H{height} F25:1 C420jpeg\nFRAME\n".encode() + bytes(1000)


def raw_avi(folder: Path, width: int, height: int) -> bytes:
    """Uncompressed pictures of that size, as its header says."""
    data = hostile_files.container_bytes("mjpeg.avi", folder).replace(b"MJPG", bytes(4))
    at = data.find(b"strf") + 12
    return data[:at] + struct.pack("<ii", width, height) + data[at + 8 :]


def flash(width: int, height: int) -> bytes:
    """Two pictures of Sorenson's H.263, whose size is in the pictures: 17 bits of a mark, then it, in 16 bits each."""
    bits = f"{1:017b}{0:05b}{0:08b}{1:03b}{width:016b}{height:016b}{0:02b}{0:01b}{10:05b}{0:01b}"
    picture = b"\x12" + int(bits.ljust(80, "0"), 2).to_bytes(10, "big") + b"\x55\xaa" * 200
    data = b"FLV\x01\x01\0\0\0\x09" + bytes(4)
    for time_ms in (0, 40):
        tag = b"\x09" + len(picture).to_bytes(3, "big") + time_ms.to_bytes(3, "big") + bytes(4) + picture
        data += tag + struct.pack(">I", len(tag))
    return data


@pytest.mark.parametrize("name", ["a.y4m", "a.avi", "a.flv"])
@pytest.mark.parametrize("side", [100_000, 60_000, 9_000])
def test_a_header_of_any_size_allocates_nothing(tmp_path, name, side):
    path = tmp_path / name
    side = min(side, 65_535) if name == "a.flv" else side
    path.write_bytes(
        {"a.y4m": y4m, "a.flv": flash}[name](side, side) if name != "a.avi" else raw_avi(tmp_path, side, side)
    )
    video.probe(videos.write(tmp_path / "warm.mp4"))
    with little_memory(400 << 20), pytest.raises(BadVideo):
        video.probe(path)


def test_the_flash_of_these_tests_is_a_video_where_it_is_small(tmp_path):
    """Else the refusals above would prove nothing."""
    path = tmp_path / "a.flv"
    path.write_bytes(flash(300, 200))
    assert (video.probe(path).width, video.probe(path).height) == (300, 200)


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".mov"])
def test_more_streams_than_anybody_needs_are_refused(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"a{suffix}"
    film = Film(width=32, height=24, times=(0,), codec="mpeg4", options={})
    with av.open(str(path), "w") as container:
        streams = [videos.add_film(container, film) for _ in range(12)]
        for stream in streams:
            videos.encode(container, stream, film)
    monkeypatch.setattr(files, "MOST_STREAMS", 12)
    assert len(video.probe(path).others) == 11
    monkeypatch.setattr(files, "MOST_STREAMS", 11)
    with pytest.raises(BadVideo, match="more than 11 streams"):
        video.probe(path)
    monkeypatch.setattr(files, "MOST_STREAMS", 3)
    with pytest.raises(BadVideo, match="more than 3 streams"):
        video.probe(path)


# --- time


@pytest.mark.parametrize("name", ["h264.ts", "ffv1.mkv"])
def test_a_demuxer_that_is_stuck_is_an_error_and_no_early_end(tmp_path, monkeypatch, name):
    path = tmp_path / name
    path.write_bytes(hostile_files.container_bytes(name, tmp_path))
    source = video.probe(path)
    monkeypatch.setattr(files, "READ_SECONDS", 1e-9)
    with pytest.raises(BadVideo, match="given nothing"):
        list(video.read(source))
    monkeypatch.setattr(files, "OPEN_SECONDS", 1e-9)
    with pytest.raises(BadVideo, match="given nothing"):
        video.probe(path)


def test_streams_beside_the_film_that_are_stuck_are_not_left_out_in_silence(tmp_path, monkeypatch):
    path = tmp_path / "a.mkv"
    path.write_bytes(hostile_files.container_bytes("h264.mkv", tmp_path))
    source = video.probe(path)
    frames = list(video.read(source))
    monkeypatch.setattr(files, "READ_SECONDS", 1e-9)
    writer = video.Writer(tmp_path / "out.mkv", source=source, width=32, height=24)
    with pytest.raises(VidganError, match="given nothing"), writer:  # noqa: PT012
        for frame in frames:
            writer.write(frame)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mkv"]


# --- words and names


def test_a_stream_cannot_command_the_terminal(tmp_path):
    film = Film(width=32, height=24, times=range(2), metadata={"title": "a\x1b]0;b\x07\nc \u6f22"})
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        streams = [videos.add_film(container, film) for _ in range(2)]
        for stream in streams:
            videos.encode(container, stream, film)
    [other] = video.probe(tmp_path / "a.mkv").others
    assert "a\\x1b]0;b\\x07\\nc \u6f22" in str(other)
    error = VidganError("found \x1b[2J", "mend\nit")
    assert str(error) == "found \\x1b[2J\n  mend\\nit"


def test_bytes_that_are_no_text_are_written_out():
    assert printable(os.fsdecode(b"caf\xe9")) == "caf\\udce9"


@pytest.fixture
def enhance(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return door(make_models(tmp_path_factory.mktemp("models")))


@pytest.mark.parametrize(
    "name", ['it\'s "quoted".mp4', " blank .mp4", os.fsdecode(b"caf\xe9.mp4"), "$(rm).mp4"]
)
def test_any_name_will_do_with_a_sidecar(enhance, name):
    videos.write(Path(name), TINY)
    assert enhance("-i", name, "-o", f"out {name}", "--scale", 1, "--sidecar") == 0
    assert names() == sorted([name, f"out {name}", f"out {name}.json"])


@pytest.mark.parametrize("words", [
    "enhance in.mp4 LONG.mp4", "enhance LONG.mp4 out.mp4", "enhance in.mp4 out.mp4 --model LONG",
    "enhance in.mp4 out.mp4 --model LONG.pth", "train LONG --dry-run", "train LONG.toml --dry-run",
    "compare LONG.mp4 in.mp4", "prepare LONG data",
])  # fmt: skip
def test_a_name_that_is_too_long_is_one_error(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    videos.write(Path("in.mp4"), TINY)
    assert cli.main(words.replace("LONG", "x" * 300).split()) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "too long" in lines[0] and "mistake of ours" not in lines[0]
    assert set(names()) <= {"in.mp4", "data"}
