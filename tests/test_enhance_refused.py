"""`vidgan enhance` when it cannot, or must not go on: one clear error, the right exit code, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import videos
from enhancing import door, make_models, names
from videos import Film
from vidgan import checkpoint, cli
from vidgan.generators.recurrent import Generator


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def enhance(models, tmp_path, monkeypatch):
    """vidgan enhance WORDS in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)
    return door(models)


# --- what cannot be


def make_bad(name: str) -> str:
    """Make an input that is no whole video; gives its path."""
    path = Path(name)
    if name == "audio.mp4":
        with av.open(name, "w") as container:
            videos.encode_tone(container, videos.add_sound(container, "aac", "eng"), seconds=1)
    elif name == "cover.m4a":
        with av.open(name, "w", format="mp4") as container:
            sound, cover = videos.add_sound(container, "aac", "eng"), container.add_stream("png")
            cover.width, cover.height, cover.pix_fmt = 32, 24, "rgb24"
            cover.disposition = av.stream.Disposition.attached_pic
            packet = av.Packet(videos.png(videos.picture(0, 32, 24)))
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = cover, 0, 0, True
            container.mux(packet)
            videos.encode_tone(container, sound, seconds=1)
    elif name == "frameless.mp4":
        with av.open(name, "w") as container:
            videos.add_film(container, Film())
            videos.encode_tone(container, videos.add_sound(container, "aac", "eng"), seconds=1)
    elif name == "cut.mp4":
        whole = videos.write(Path("whole.mp4"))
        path.write_bytes(whole.read_bytes()[:2000])
        whole.unlink()
    elif name == "folder.mp4":
        path.mkdir()
    elif name != "missing.mp4":
        path.write_bytes({
            "empty.mp4": b"",
            "text.mp4": b"Dear diary,\nno video today.\n",
            "noise.mp4": np.random.default_rng(0).bytes(5000),
            "list.mp4": b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n",
            "script.mp4": b"ffconcat version 1.0\nfile whole.mp4\n",
        }[name])  # fmt: skip
    return name


@pytest.mark.parametrize(("name", "word"), [
    ("missing.mp4", "does not exist"),
    ("empty.mp4", "is empty"),
    ("text.mp4", "is a text file"),
    ("noise.mp4", "no video that can be read"),
    ("cut.mp4", "cut off"),
    ("audio.mp4", "holds no video"),
    ("frameless.mp4", "holds no video"),
    ("cover.m4a", "holds no video, only audio"),
    ("folder.mp4", "no video in"),
    ("list.mp4", "HLS playlist"),
    ("script.mp4", "ffconcat script"),
])  # fmt: skip
def test_an_input_that_is_no_video_is_one_error_and_leaves_nothing(enhance, capsys, name, word):
    make_bad(name)
    before = names()
    assert enhance(name, "out.mp4", "--json") == 1
    printed = capsys.readouterr()
    found, remedy = printed.err.splitlines()
    assert found.startswith("vidgan enhance: ") and name in found and word in found
    assert "only audio and" not in found
    assert remedy.strip() and printed.out == ""
    assert names() == before


@pytest.mark.parametrize(("target", "word"), [
    ("in.mp4", "the input itself"),
    ("./in.mp4", "the input itself"),
    ("link.mp4", "the input itself"),
    ("hard.mp4", "the input itself"),
    ("there.mp4", "exists already"),
    ("nowhere/out.mp4", "is no folder"),
    ("out.gif", "does not write .gif"),
    ("out", "without a suffix"),
])  # fmt: skip
def test_an_output_that_must_not_be_is_one_error_and_harms_nothing(enhance, capsys, target, word):
    videos.write(Path("in.mp4"))
    Path("there.mp4").write_text("precious")
    Path("link.mp4").symlink_to("in.mp4")
    os.link("in.mp4", "hard.mp4")
    before = {name: Path(name).read_bytes() for name in names()}
    words = ("--overwrite",) if "itself" in word else ()
    assert enhance("in.mp4", target, *words) == 1
    found, remedy = capsys.readouterr().err.splitlines()
    assert word in found and remedy.strip()
    assert {name: Path(name).read_bytes() for name in names()} == before


@pytest.mark.parametrize("words", [
    "--scale 0", "--scale 17", "--scale nan", "--scale 2 --size 4k", "--size big", "--size 101x75", "--size ''",
    "--size 20000x20000", "--crop 10x10", "--crop ''", "--crop 99x99+0+0", "--flip x", "--rotate inf",
    "--canvas big", "--orientation left", "--device tpu", "--precision int8", "--precision fp16 --device cpu",
    "--fp32 --precision bf16", "--tile 5", "--tile x", "--threads -1", "--codec theora", "--crf 52", "--crf -1",
    "--preset warp", "--start -1", "--start soon", "--duration 0", "--bogus", "third.mp4",
    "--device cuda" if not torch.cuda.is_available() else "--device mps",
])  # fmt: skip
def test_options_that_cannot_be_exit_2_and_leave_nothing(enhance, capsys, words):
    videos.write(Path("in.mp4"))
    assert enhance("in.mp4", "out.mp4", *(word.strip("'") for word in words.split())) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.strip() for line in lines)
    assert names() == ["in.mp4"]


def test_a_part_without_a_frame_is_an_error(enhance, capsys):
    videos.write(Path("in.mp4"))
    assert enhance("in.mp4", "out.mp4", "--start", 100) == 1
    assert "0.40 s long" in capsys.readouterr().err
    assert names() == ["in.mp4"]


@pytest.mark.parametrize(("name", "word"), [
    ("nonesuch", "there is no model"),
    ("missing.safetensors", "there are no weights"),
    ("pickle.pth", "is for a network that vidgan does not know"),
    ("foreign.safetensors", "not one of vidgan's model files"),
    ("other.safetensors", "which this version does not have"),
    ("wider.safetensors", "does not fit"),
    ("cut.safetensors", "is not a safetensors file"),
])  # fmt: skip
def test_weights_of_another_network_are_one_error(enhance, capsys, models, name, word):
    videos.write(Path("in.mp4"))
    tensors, header = checkpoint.load_tensors(models / "tiny.safetensors")
    card = checkpoint.read_card(header, models)
    make = {
        "pickle.pth": lambda path: torch.save(tensors, path),
        "foreign.safetensors": lambda path: checkpoint.save_tensors(tensors, {}, path),
        "other.safetensors": lambda path: _save(tensors, card.model_copy(update={"generator": "odd"}), path),
        "wider.safetensors": lambda path: _save(
            tensors, card.model_copy(update={"config": {"features": 32}}), path
        ),
        "cut.safetensors": lambda path: path.write_bytes((models / "tiny.safetensors").read_bytes()[:-50]),
    }
    if name in make:
        make[name](Path(name))
    before = names()
    assert cli.main(["enhance", "in.mp4", "out.mp4", "--model", name]) == 1
    found, remedy = capsys.readouterr().err.splitlines()
    assert word in found and remedy.strip()
    assert names() == before


def _save(tensors: dict[str, torch.Tensor], card: checkpoint.Card, path: Path) -> None:
    checkpoint.save_tensors(tensors, {checkpoint.HEADER: card.model_dump_json()}, path)


@pytest.mark.parametrize(
    "name", ["a b.mp4", "ünï 漢字.mp4", "-dash.mp4", "p%03d%s.mp4", "x:y;*[1]#.mp4", "file:in.mp4"]
)
def test_a_name_is_only_a_name(enhance, name):
    if sys.platform == "win32" and ":" in name:
        pytest.skip("no such names here")
    videos.write(Path("in.mp4"), Film(times=range(2))).rename(name)
    assert enhance("-i", name, "-o", f"out {name}", "--scale", 1) == 0
    assert names() == sorted([name, f"out {name}"])


# --- interrupted, killed, full

NOTHING_KEPT = "stopped before the first segment was whole: nothing is kept"


def test_ctrl_c_before_a_segment_is_closed_leaves_nothing_and_an_older_output_as_it_was(
    enhance, capsys, monkeypatch
):
    folded, calls = Generator.folded, []

    def interrupted(self, frame, memory=None):
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return folded(self, frame, memory)

    videos.write(Path("in.mp4"))
    Path("out.mp4").write_text("precious")
    monkeypatch.setattr(Generator, "folded", interrupted)
    assert enhance("in.mp4", "out.mp4", "--overwrite", "--sidecar") == 130
    assert capsys.readouterr().err.splitlines() == [NOTHING_KEPT, "vidgan enhance: interrupted"]
    assert names() == ["in.mp4", "out.mp4"] and Path("out.mp4").read_text() == "precious"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [("SIGINT", 130, "vidgan enhance: interrupted\n"), ("SIGTERM", 143, ""), ("SIGHUP", 129, "")],
)
def test_a_real_signal_ends_all_threads_and_cleans_up_where_nothing_is_kept_yet(
    tmp_path, models, sent, code, told
):
    source = videos.write(tmp_path / "in.mp4", Film(times=range(400)))
    words = [
        "enhance",
        "in.mp4",
        "out.mp4",
        "--scale",
        "16",
        "--json",
        "--model",
        models / "tiny.safetensors",
    ]
    # Heard also where the tests are a shell's background job, which has Ctrl-C ignored, or under nohup.
    before = {
        number: signal.signal(number, handler)
        for number, handler in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGHUP, signal.SIG_DFL),
        )
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "vidgan", *map(str, words)], cwd=tmp_path, text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, stdout=-1, stderr=-1,
    )  # fmt: skip
    for number, handler in before.items():
        signal.signal(number, handler)
    began = time.monotonic()
    while not (partial := list(tmp_path.glob(".out*"))) and time.monotonic() < began + 60:
        time.sleep(0.01)
    assert partial and process.poll() is None
    process.send_signal(getattr(signal, sent))
    out, err = process.communicate(timeout=60)
    # A signal that comes before the folder is locked has nothing to tell of.
    assert (process.returncode, out, err.removeprefix(f"{NOTHING_KEPT}\n")) == (code, "", told)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX limits")
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_disk_that_is_full_from_the_beginning_is_one_error_and_leaves_nothing(enhance, capsys, suffix):
    import resource

    videos.write(Path("in.mp4"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        code = enhance("in.mp4", f"out.{suffix}", "--crf", 0, "--quiet", model="tiny")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    found, remedy = capsys.readouterr().err.splitlines()
    assert code == 1 and "could not be written" in found and "space" in remedy
    assert names() == ["in.mp4"]


@pytest.mark.parametrize(("word", "is_name"), [("-dash.mp4", True), ("--fidelty", False)])
def test_a_name_that_begins_with_a_dash_is_told_where_to_stand(capsys, word, is_name):
    assert cli.main(["enhance", word, "out.mp4"]) == 2
    assert ("comes after --" in capsys.readouterr().err) == is_name
