"""The command line, with verbs that only remember what they were asked."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from vidgan import cli
from vidgan.errors import BadVideo


@dataclass(frozen=True, kw_only=True)
class EnhanceOptions:
    """What the command promises the verb; a test below holds it against the verb's own."""

    input: Path
    output: Path
    model: str = "auto"
    fidelity: float | None = None
    restore: float | None = None
    denoise: float | None = None
    steady: float = 0.0
    consistent: bool = False
    trust: Path | None = None
    scale: float | None = None
    size: str | None = None
    rotate: float = 0.0
    flip: str | None = None
    crop: str | None = None
    canvas: str = "expand"
    orientation: str = "upright"
    device: str = "auto"
    precision: str = "auto"
    backend: str = "auto"
    tile: str = "auto"
    memory: str | None = None
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    start: float = 0.0
    duration: float | None = None
    overwrite: bool = False
    start_over: bool = False
    mark: bool = True
    sidecar: bool = False
    json: bool = False
    quiet: bool = False
    threads: int = 0
    started: float | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    recipe: str | Path = "default"
    videos: tuple[Path, ...] = ()
    out: Path | None = None
    overrides: tuple[str, ...] = ()
    minutes: float | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0
    dry_run: bool = False
    change: bool = False


class Verb(ModuleType):
    """A verb that remembers the options of every run, or raises what it is told to."""

    def __init__(self, name: str, options: type) -> None:
        super().__init__(name)
        self.Options = options
        self.asked: list = []
        self.error: BaseException | None = None

    def run(self, options) -> None:
        self.asked.append(options)
        if self.error is not None:
            raise self.error


@pytest.fixture
def enhance(monkeypatch):
    verb = Verb("vidgan.verbs.enhance", EnhanceOptions)
    monkeypatch.setitem(sys.modules, verb.__name__, verb)
    return verb


@pytest.fixture
def train(monkeypatch):
    verb = Verb("vidgan.verbs.train", TrainOptions)
    monkeypatch.setitem(sys.modules, verb.__name__, verb)
    return verb


def asked(verb: Verb, *words: str):
    assert cli.main([verb.__name__.rpartition(".")[2], *words]) == 0
    return verb.asked[-1]


def error_of(capsys, *words: str, code: int = 2) -> list[str]:
    """The lines on stderr of a command that must fail, with nothing on stdout."""
    assert cli.main(list(words)) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err.splitlines()


# --- what the words become


def test_two_paths_are_enough(enhance):
    assert asked(enhance, "in.mp4", "out.mkv") == EnhanceOptions(input=Path("in.mp4"), output=Path("out.mkv"))


@pytest.mark.parametrize(("words", "changed"), [
    ("--model large", {"model": "large"}),
    ("-n mine.safetensors", {"model": "mine.safetensors"}),
    ("--model_name large", {"model": "large"}),
    ("--model-path w.safetensors", {"model": "w.safetensors"}),
    ("--model_path=w.safetensors", {"model": "w.safetensors"}),
    ("-s 2.5", {"scale": 2.5}),
    ("--scale 0.25", {"scale": 0.25}),
    ("--outscale 16", {"scale": 16.0}),
    ("--size 1080p", {"size": "1080p"}),
    ("--size 641x359", {"size": "641x359"}),
    ("--rotate -90", {"rotate": -90.0}),
    ("--rotate 12.5", {"rotate": 12.5}),
    ("--flip h", {"flip": "h"}),
    ("--flip hv", {"flip": "hv"}),
    ("--crop 64x32+8+4", {"crop": "64x32+8+4"}),
    ("--canvas inscribed --orientation keep", {"canvas": "inscribed", "orientation": "keep"}),
    ("--restore 0 --fidelity 0.5 --device cpu", {"restore": 0.0, "fidelity": 0.5, "device": "cpu"}),
    ("--precision bf16", {"precision": "bf16"}),
    ("--fp32", {"precision": "fp32"}),
    ("--fp32 --precision fp32", {"precision": "fp32"}),
    ("-t 0", {"tile": "off"}),
    ("--tile off", {"tile": "off"}),
    ("--tile 0256", {"tile": "256"}),
    ("--codec hevc --crf 18 --preset slow", {"codec": "hevc", "crf": 18.0, "preset": "slow"}),
    ("--start 90 --duration 1.5", {"start": 90.0, "duration": 1.5}),
    ("--start 01:30 --duration 1:02:03.5", {"start": 90.0, "duration": 3723.5}),
    ("--trust map.mp4", {"trust": Path("map.mp4")}),
    ("--overwrite --sidecar", {"overwrite": True, "sidecar": True}),
    ("--start-over --no-mark", {"start_over": True, "mark": False}),
    ("--json --quiet", {"json": True, "quiet": True}),
    ("-q --threads 3", {"quiet": True, "threads": 3}),
])  # fmt: skip
def test_every_flag_reaches_the_verb(enhance, words, changed):
    usual = EnhanceOptions(input=Path("in.mp4"), output=Path("out.mp4"))
    assert asked(enhance, "in.mp4", "out.mp4", *words.split()) == dataclasses.replace(usual, **changed)
    assert asked(enhance, *words.split(), "in.mp4", "out.mp4") == dataclasses.replace(usual, **changed)


@pytest.mark.parametrize(
    "words", ["-i in.mp4 -o out.mp4", "--output out.mp4 in.mp4", "-i in.mp4 out.mp4", "-- in.mp4 out.mp4"]
)
def test_input_and_output_may_come_by_place_or_as_options(enhance, words):
    assert asked(enhance, *words.split()) == EnhanceOptions(input=Path("in.mp4"), output=Path("out.mp4"))


@pytest.mark.parametrize(("name", "words", "expected"), [
    ("clip.mp4", "", "clip_out.mp4"),
    ("clip.take2.MOV", "--suffix big", "clip.take2_big.MOV"),
    ("clip.webm", "--suffix=", "clip.webm"),
    ("clip.flv", "", "clip.flv_out.mkv"),
    ("clip", "", "clip_out.mkv"),
])  # fmt: skip
def test_in_an_output_folder_the_file_is_named_after_the_input(enhance, tmp_path, name, words, expected):
    assert asked(enhance, f"elsewhere/{name}", str(tmp_path), *words.split()).output == tmp_path / expected


def test_a_real_esrgan_command_line_works_and_says_what_it_ignores(enhance, capsys):
    words = """-i in.mp4 -o out.mp4 -s 2 --suffix out -t 0 --tile_pad 10 --pre_pad 0 --face_enhance --fp32
        -dn 0.5 --fps 24 --ffmpeg_bin ffmpeg --num_process_per_gpu 2 --extract_frame_first -g 0
        --ext auto --alpha_upsampler realesrgan"""
    options = asked(enhance, *words.split())
    assert options == EnhanceOptions(
        input=Path("in.mp4"), output=Path("out.mp4"), scale=2.0, tile="off", precision="fp32"
    )
    ignored = [line.split()[2] for line in capsys.readouterr().err.splitlines()]
    assert sorted(ignored) == sorted([
        "--tile-pad", "--pre-pad", "--face-enhance", "--denoise-strength", "--fps", "--ffmpeg-bin",
        "--num-process-per-gpu", "--extract-frame-first", "--gpu-id", "--ext", "--alpha-upsampler",
    ])  # fmt: skip


def test_flags_that_are_not_needed_are_not_advertised(capsys):
    assert cli.main(["enhance", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--scale" in shown
    assert "pad" not in shown
    assert "ffmpeg" not in shown


def test_train_passes_on_its_recipe_and_changes(train):
    assert asked(train, "fast.toml") == TrainOptions(recipe="fast.toml")
    assert asked(train, "--videos", "mine") == TrainOptions(videos=(Path("mine"),))
    assert asked(train, "--videos", "mine", "--from", "fast", "--minutes", "30") == TrainOptions(
        recipe="finetune", videos=(Path("mine"),), overrides=("start=fast",), minutes=30.0
    )
    words = "fast.toml --out runs/a --set steps=3 --set optimizer.lr=1e-4 --device cpu --threads 1 --dry_run"
    assert asked(train, *words.split()) == TrainOptions(
        recipe="fast.toml",
        out=Path("runs/a"),
        overrides=("steps=3", "optimizer.lr=1e-4"),
        device="cpu",
        threads=1,
        dry_run=True,
        change=False,
    )


@pytest.mark.parametrize(("verb", "promised"), [("enhance", EnhanceOptions), ("train", TrainOptions)])
def test_the_verbs_own_options_are_the_promised_ones(verb, promised):
    options = pytest.importorskip(f"vidgan.verbs.{verb}").Options
    ours = {field.name: field.default for field in dataclasses.fields(promised)}
    theirs = {field.name: field.default for field in dataclasses.fields(options)}
    assert theirs == ours


# --- what cannot be


@pytest.mark.parametrize("model", [
    "realesr-animevideov3", "RealESRGAN_x4plus", "RealESRGAN_x2plus", "RealESRNet_x4plus",
    "RealESRGAN_x4plus_anime_6B", "realesr-general-x4v3", "weights/RealESRGAN_x4plus.pth",
])  # fmt: skip
def test_another_projects_model_is_named_and_ours_offered(enhance, capsys, model):
    assert error_of(capsys, "enhance", "a.mp4", "b.mp4", "-n", model) == [
        f"vidgan enhance: {model} is a model of Real-ESRGAN, which vidgan does not hold",
        "  Give the path of its .pth file, or use --model fast.",
    ]


@pytest.mark.parametrize(("words", "part"), [
    ("", "INPUT is missing"),
    ("a.mp4", "OUTPUT is missing"),
    ("-i a.mp4", "OUTPUT is missing"),
    ("-o b.mp4", "INPUT is missing"),
    ("a.mp4 b.mp4 c.mp4", "c.mp4"),
    ("-i a.mp4 -o b.mp4 c.mp4", "c.mp4 is one path too many"),
    ("a.mp4 no_such_folder/", "there is no folder no_such_folder/"),
    ("a.mp4 b.mp4 --scal 2", "--scal"),
    ("a.mp4 b.mp4 --scale", "--scale"),
    ("a.mp4 b.mp4 --scale 0", "--scale"),
    ("a.mp4 b.mp4 --scale 16.1", "--scale"),
    ("a.mp4 b.mp4 --scale nan", "--scale"),
    ("a.mp4 b.mp4 --scale two", "--scale"),
    ("a.mp4 b.mp4 --rotate inf", "--rotate"),
    ("a.mp4 b.mp4 --crf nan", "--crf"),
    ("a.mp4 b.mp4 --flip x", "'x' is not one of 'h', 'v', 'hv'"),
    ("a.mp4 b.mp4 --device gpu", "--device"),
    ("a.mp4 b.mp4 --precision int8", "--precision"),
    ("a.mp4 b.mp4 --fp32 --precision bf16", "contradict"),
    ("a.mp4 b.mp4 --tile -1", "--tile -1"),
    ("a.mp4 b.mp4 --tile many", "--tile many"),
    ("a.mp4 b.mp4 --threads -1", "--threads"),
    ("a.mp4 b.mp4 --start x", "--start x is not a time"),
    ("a.mp4 b.mp4 --start -1", "--start -1 is not a time"),
    ("a.mp4 b.mp4 --start 1:2:3:4", "--start 1:2:3:4 is not a time"),
    ("a.mp4 b.mp4 --duration nan", "--duration nan is not a time"),
    ("a.mp4 b.mp4 --duration 0", "no frames"),
])  # fmt: skip
def test_a_command_that_cannot_be_exits_2_with_one_clear_error(enhance, capsys, words, part):
    lines = error_of(capsys, "enhance", *words.split())
    assert len(lines) == 2
    assert lines[0].startswith("vidgan enhance: ")
    assert part in lines[0]
    assert lines[1].startswith("  ")
    assert enhance.asked == []


@pytest.mark.parametrize("words", [
    "enhance  b.mp4", "enhance a.mp4 ", "enhance -i  -o ", "enhance -- a.mp4 ", "enhance a.mp4 b.mp4 --trust=",
    "prepare  data", "train --videos d --out ", "export fast ", "compare  b.mp4", "analyze a.mp4 --clips=",
])  # fmt: skip
def test_an_empty_word_is_not_taken_for_the_current_folder(enhance, capsys, words):
    found, remedy = error_of(capsys, *words.split(" "))
    assert ("is empty" in found or "given nothing" in found) and "variable" in remedy and enhance.asked == []


@pytest.mark.parametrize("override", ["steps", "=3", " =3"])
def test_an_override_must_set_something(train, capsys, override):
    assert "sets nothing" in error_of(capsys, "train", "fast.toml", "--set", override)[0]


def test_an_unknown_command_suggests_the_one_that_was_meant(capsys):
    assert "'enhance'" in error_of(capsys, "enhanse", "a.mp4", "b.mp4")[0]


# --- how a verb can end


def test_the_users_mistake_is_two_lines_and_its_own_exit_code(enhance, capsys):
    enhance.error = BadVideo("a.mp4 holds no video", "Give a file with a video stream.")
    assert error_of(capsys, "enhance", "a.mp4", "b.mp4", code=1) == [
        "vidgan enhance: a.mp4 holds no video",
        "  Give a file with a video stream.",
    ]


def test_a_mistake_without_a_remedy_is_one_line(enhance, capsys):
    enhance.error = BadVideo("a.mp4 holds no video")
    assert error_of(capsys, "enhance", "a.mp4", "b.mp4", code=1) == ["vidgan enhance: a.mp4 holds no video"]


def test_our_mistake_asks_for_a_report_and_hides_the_traceback(enhance, capsys):
    enhance.error = ZeroDivisionError("division by zero")
    lines = error_of(capsys, "enhance", "a.mp4", "b.mp4", code=1)
    assert "ZeroDivisionError: division by zero" in lines[0]
    assert "--debug" in lines[1]


@pytest.mark.parametrize("error", [ZeroDivisionError("division by zero"), BadVideo("a.mp4 holds no video")])
@pytest.mark.parametrize("way", ["flag", "variable"])
def test_debug_shows_the_traceback(enhance, capsys, monkeypatch, way, error):
    enhance.error = error
    if way == "variable":
        monkeypatch.setenv("VIDGAN_DEBUG", "1")
    assert cli.main(["enhance", "a.mp4", "b.mp4", *(["--debug"] if way == "flag" else [])]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_what_nohup_has_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert cli.main(["--version"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_an_interruption_says_so_and_exits_130(enhance, capsys):
    enhance.error = KeyboardInterrupt()
    assert error_of(capsys, "enhance", "a.mp4", "b.mp4", code=130) == ["vidgan enhance: interrupted"]


# --- the door itself, as a process of its own


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], ["torch", "av", "numpy", "pydantic", "rich"]),
        (["enhance", "--help"], ["torch", "av", "numpy", "rich"]),  # typer itself checks values with pydantic
        (["enhance", "only.mp4"], ["torch", "av", "numpy", "rich"]),
    ],
)
def test_help_and_wrong_commands_import_nothing_heavy(words, heavy):
    code = (
        "import json, sys\n"
        "from vidgan.cli import main\n"
        f"main({words})\n"
        f"print(json.dumps([name for name in {heavy} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


def test_no_words_at_all_show_the_help(capsys):
    assert cli.main([]) == 0
    assert "enhance" in capsys.readouterr().out


def test_the_version_names_what_a_report_needs():
    done = subprocess.run(
        [sys.executable, "-m", "vidgan", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("vidgan 0.1.0 (Python 3.")
    assert "torch 2." in done.stdout
    assert "PyAV 1" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="a closed pipe is another error elsewhere")
@pytest.mark.parametrize("words", [["enhance", "a.mp4", "b.mp4"], ["--help"]])
def test_a_reader_that_leaves_early_is_no_error_message(words):
    code = (
        "import sys, types\n"
        "verb = types.ModuleType('vidgan.verbs.enhance')\n"
        "verb.Options = dict\n"
        "verb.run = lambda options: print('x' * 100)\n"  # less than a buffer: the pipe breaks at the flush
        "sys.modules[verb.__name__] = verb\n"
        "from vidgan.cli import main\n"
        f"sys.exit(main({json.dumps(words)}))\n"
    )
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([sys.executable, "-c", code], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")
