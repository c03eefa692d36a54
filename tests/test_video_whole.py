"""An output is whole or not there: places, settings, failures, verification, memory."""

import os
import subprocess
import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import av
import pytest

import videos
from test_video_writer import copy, left_in, presented
from videos import Film
from vidgan import video
from vidgan.errors import BadOption, BadOutput


@pytest.mark.parametrize(
    "encoding",
    [
        video.Encoding(codec="theora"),
        video.Encoding(crf=52),
        video.Encoding(crf=-1),
        video.Encoding(preset="warp"),
        video.Encoding(codec="vp9", preset="veryfast"),
        video.Encoding(codec="ffv1", crf=3),
    ],
)
def test_settings_that_mean_nothing_are_refused(tmp_path, encoding):
    path = videos.write(tmp_path / "in.mp4")
    with pytest.raises(BadOption):
        copy(path, tmp_path / "out.mkv", encoding=encoding)
    assert left_in(tmp_path) == ["in.mp4"]


def test_places_where_nothing_can_be_written_are_refused_before_any_work(tmp_path):
    path = videos.write(tmp_path / "in.mp4")
    (tmp_path / "there.mp4").write_text("precious")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to(path)
    for name, word in {
        "in.mp4": "input itself",
        "link.mp4": "input itself",
        "there.mp4": "exists already",
        "folder.mp4": "is a folder",
        "nowhere/out.mp4": "no folder",
        "out.gif": "does not write",
        "out": "does not write",
        "out.webm": "does not go into",
    }.items():
        encoding = video.Encoding(codec="h264") if name == "out.webm" else video.Encoding()
        with pytest.raises(BadOutput, match=word) as caught:
            video.Writer(
                tmp_path / name, source=video.probe(path), width=64, height=48, encoding=encoding,
                overwrite=word == "input itself",
            )  # fmt: skip
        assert caught.value.remedy
    assert (tmp_path / "there.mp4").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_without_rights_is_refused(tmp_path):
    path = videos.write(tmp_path / "in.mp4")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(BadOutput, match="nothing can be written"):
        copy(path, locked / "out.mp4")


def write_and_fail(source_path: Path, path: Path, error: BaseException, *, after: int) -> None:
    """Write `after` frames, then raise `error` as if the network, the user or the machine had."""
    source = video.probe(source_path)
    with video.Writer(path, source=source, width=64, height=48, overwrite=True) as writer:
        for frame in islice(video.read(source), after):
            writer.write(frame)
        raise error


def test_overwriting_replaces_only_when_the_new_file_is_whole(tmp_path):
    path, out = videos.write(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    out.write_text("old")
    with pytest.raises(RuntimeError, match="network"):
        write_and_fail(path, out, RuntimeError("the network failed"), after=1)
    assert out.read_text() == "old" and left_in(tmp_path) == ["in.mp4", "out.mp4"]
    copy(path, out, overwrite=True)
    assert len(presented(out)) == 10 and left_in(tmp_path) == ["in.mp4", "out.mp4"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), MemoryError()])
def test_an_interrupted_output_leaves_nothing(tmp_path, error):
    path = videos.write_in_company(tmp_path / "in.mkv")
    with pytest.raises(type(error)):
        write_and_fail(path, tmp_path / "out.mkv", error, after=7)
    assert left_in(tmp_path) == ["in.mkv"]


def write_nothing(path: Path, source_path: Path) -> None:
    with video.Writer(path, source=video.probe(source_path), width=64, height=48):
        pass


def test_an_output_without_frames_is_refused_and_leaves_nothing(tmp_path):
    path = videos.write(tmp_path / "in.mp4")
    with pytest.raises(BadOutput, match="no frame"):
        write_nothing(tmp_path / "out.mp4", path)
    assert left_in(tmp_path) == ["in.mp4"]


class LossyMuxer:
    """Stands before a real muxer and quietly loses a packet of one kind, or moves it in time."""

    def __init__(self, output: av.container.OutputContainer, kind: str, delay: int | None) -> None:
        self._output, self._kind, self._delay, self.num_harmed = output, kind, delay, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._output, name)

    def mux(self, packets: av.Packet | Iterable[av.Packet]) -> None:
        for packet in [packets] if isinstance(packets, av.Packet) else packets:
            if not self.num_harmed and packet.stream.type == self._kind and (packet.pts or 0) > 200:
                self.num_harmed += 1
                if self._delay is None:
                    continue
                packet.pts += self._delay
            self._output.mux(packet)


def write_harmed(source_path: Path, path: Path, kind: str, delay: int | None) -> None:
    source = video.probe(source_path)
    with video.Writer(path, source=source, width=64, height=48) as writer:
        muxer = writer._output = LossyMuxer(writer._output, kind, delay)
        for frame in video.read(source):
            writer.write(frame)
    assert muxer.num_harmed == 1


@pytest.mark.parametrize(
    ("kind", "delay", "word"),
    [
        ("video", None, "49 frames"),
        ("video", 7, "is shown at"),
        ("audio", None, "not whole"),
        ("subtitle", None, "not whole"),
    ],
)
def test_verification_catches_what_went_missing(tmp_path, kind, delay, word):
    path = videos.write_in_company(tmp_path / "in.mkv")
    with pytest.raises(BadOutput, match=word):
        write_harmed(path, tmp_path / "out.mkv", kind, delay)
    assert left_in(tmp_path) == ["in.mkv"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_memory_does_not_grow_with_length(tmp_path):
    """Peak memory of the identity, for 300 and 3,000 frames with sound, each in a process of its own."""
    program = """
import resource, sys
from pathlib import Path
from vidgan import video
source = video.probe(Path(sys.argv[1]))
with video.Writer(Path(sys.argv[2]), source=source, width=source.width, height=source.height) as writer:
    for frame in video.read(source):
        writer.write(frame)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
    peaks = []
    for num_frames in (300, 3000):
        path = tmp_path / f"{num_frames}.mkv"
        film = Film(width=160, height=120, times=tuple(range(num_frames)), options={"preset": "ultrafast"})
        pictures = [videos.picture(i, 160, 120) for i in range(8)]
        with av.open(str(path), "w") as container:
            stream, sound = videos.add_film(container, film), videos.add_sound(container, "pcm_s16le", "eng")
            videos.encode_tone(container, sound, seconds=num_frames // 25)
            videos.encode(container, stream, film, (pictures[i % 8] for i in range(num_frames)))
        command = [sys.executable, "-c", program, str(path), str(tmp_path / f"out{num_frames}.mkv")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment())
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 12, peaks


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
