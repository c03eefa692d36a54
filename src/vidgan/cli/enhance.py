"""`vidgan enhance`: its words and options."""

import math
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from vidgan.cli.app import Debug, Device, Threads, app, finite
from vidgan.enhancing.naming import name_for
from vidgan.errors import BadOption

STARTED = time.monotonic()  # before anything heavy is imported: start-up is counted from here


def _not_needed(parameter: typer.CallbackParam, value: str | None) -> None:
    if value:
        typer.echo(f"vidgan enhance: {parameter.opts[0]} is not needed, ignored", err=True)


# What Real-ESRGAN's script takes and we have no use for: its users' command lines go on working.
NotNeeded = Annotated[str | None, typer.Option(hidden=True, callback=_not_needed)]


@app.command(short_help="Make a video larger, upright and better.")
def enhance(
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="INPUT", help="The video to enhance, or a folder of videos.", show_default=False
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Argument(
            metavar="OUTPUT",
            help="The video to write, or a folder for it or for all of them.",
            show_default=False,
        ),
    ] = None,
    *,
    input_option: Annotated[
        str | None, typer.Option("--input", "-i", metavar="INPUT", help="INPUT, as an option.")
    ] = None,
    output_option: Annotated[
        str | None, typer.Option("--output", "-o", metavar="OUTPUT", help="OUTPUT, as an option.")
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-n",
            "--model-name",
            "--model-path",
            metavar="NAME|FILE",
            help="A network that comes with vidgan, or a checkpoint of your own (.safetensors, .pth); balanced is "
            "steadier than fast, and slower. auto is fast; "
            "from 960x540 pixels on, fast-x2 where no more than twice the size is wanted.",
        ),
    ] = "auto",
    fidelity: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            metavar="0..1",
            help="From realistic (0) to faithful (1): less invented detail, less sharpness.",
            show_default="the network as it is",
        ),
    ] = None,
    restore: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            metavar="0..1",
            help="Repair what a poor lens, a dark room or a strong codec did: not at all (0) to fully (1).",
            show_default="0 to 0.5, by how damaged the video looks",
        ),
    ] = None,
    denoise: Annotated[
        float | None,
        typer.Option(
            "--denoise-strength",
            "--denoise",
            "-dn",
            min=0,
            max=1,
            callback=finite,
            metavar="0..1",
            help="Only with realesr-general-x4v3.pth: 0 keeps noise, 1 removes it; its -wdn- file must lie beside it.",
            show_default=False,
        ),
    ] = None,
    steady: Annotated[
        float,
        typer.Option(
            min=0,
            max=0.9,
            callback=finite,
            metavar="0..0.9",
            help="Less flicker: how much of the frame before, moved along, is mixed into the next. Try 0.36.",
        ),
    ] = 0.0,
    consistent: Annotated[
        bool,
        typer.Option(
            "--consistent", help="Make the output, shrunk again, match the input; reports how well it does."
        ),
    ] = False,
    trust: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A second video: how much of each pixel is invented, as colours. Takes about twice the time; "
            "the network needs its faithful twin beside it.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            "-s",
            "--outscale",
            min=0.25,
            max=16,
            callback=finite,
            metavar="F",
            help="How many times larger: any number from 0.25 to 16. By default the network's own: "
            "4, or 2 of fast-x2.",
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH|1080p|4k", help="The output's size, instead of --scale.")
    ] = None,
    crop: Annotated[
        str | None, typer.Option(metavar="WxH+X+Y", help="Take this part, in pixels of the upright source.")
    ] = None,
    flip: Annotated[
        Literal["h", "v", "hv"] | None, typer.Option(help="Mirror left-right (h), top-bottom (v) or both.")
    ] = None,
    rotate: Annotated[
        float, typer.Option(metavar="DEG", callback=finite, help="Turn clockwise by any angle.")
    ] = 0.0,
    canvas: Annotated[
        Literal["expand", "keep", "inscribed"],
        typer.Option(help="For free angles: show every corner, keep the size, or leave no empty corner."),
    ] = "expand",
    orientation: Annotated[
        Literal["upright", "keep"],
        typer.Option(
            help="Turn the pixels of a rotated file upright, or keep pixels and rotation as stored."
        ),
    ] = "upright",
    start: Annotated[str, typer.Option(metavar="SECONDS", help="Begin here; HH:MM:SS also.")] = "0",
    duration: Annotated[
        str | None,
        typer.Option(metavar="SECONDS", help="Make this much; HH:MM:SS also.", show_default=False),
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "fp16"], typer.Option(help="The network's number format.")
    ] = "auto",
    backend: Annotated[
        Literal["auto", "torch", "openvino", "onnxruntime"],
        typer.Option(help="What computes the network; auto is the quickest of those that are installed."),
    ] = "auto",
    fp32: Annotated[bool, typer.Option("--fp32", help="The same as --precision fp32.")] = False,
    tile: Annotated[
        str,
        typer.Option(
            "--tile", "-t", metavar="auto|off|N", help="Work in tiles of N by N input pixels, to save memory."
        ),
    ] = "auto",
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="The most memory to take, as 3G or 800M: tiles, queues and the encoder are made to fit.",
            show_default=False,
        ),
    ] = None,
    threads: Threads = 0,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The video codec. By default H.264, for 10-bit sources HEVC; in .webm VP9 or AV1, in .avi MPEG-4.",
        ),
    ] = None,
    crf: Annotated[
        float | None,
        typer.Option(min=0, max=63, callback=finite, metavar="N", help="Lower is better, and a larger file."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="The codec's speed, as it calls it: slow, fast.")
    ] = None,
    suffix: Annotated[
        str, typer.Option(metavar="WORD", help="In an OUTPUT folder, the file is named <input>_WORD.")
    ] = "out",
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Videos of a folder to make at a time.")] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace OUTPUT if it exists.")] = False,
    start_over: Annotated[
        bool,
        typer.Option(
            "--start-over", help="Throw away what a stopped run has kept, instead of going on from it."
        ),
    ] = False,
    no_mark: Annotated[
        bool,
        typer.Option(
            "--no-mark", help="Leave out of the metadata that a network altered the video, which, and how."
        ),
    ] = False,
    sidecar: Annotated[
        bool, typer.Option("--sidecar", help="Write OUTPUT.json too: geometry, settings, hashes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    debug: Debug = False,
    tile_pad: NotNeeded = None,
    pre_pad: NotNeeded = None,
    face_enhance: Annotated[bool, typer.Option("--face-enhance", hidden=True, callback=_not_needed)] = False,
    fps: NotNeeded = None,
    ffmpeg_bin: NotNeeded = None,
    num_process_per_gpu: NotNeeded = None,
    extract_frame_first: Annotated[
        bool, typer.Option("--extract-frame-first", hidden=True, callback=_not_needed)
    ] = False,
    gpu_id: Annotated[str | None, typer.Option("--gpu-id", "-g", hidden=True, callback=_not_needed)] = None,
    ext: NotNeeded = None,
    alpha_upsampler: NotNeeded = None,
) -> None:
    """Make a video larger, upright and better.

    Every frame keeps its time; sound, subtitles, chapters and metadata come along.
    Stopped by Ctrl-C, a crash or a full disk, the same command goes on where it was.
    """
    source, target = _ends([input, output], input_option, output_option)
    if fp32 and precision not in ("auto", "fp32"):
        raise BadOption(f"--fp32 and --precision {precision} contradict each other", "Leave one of them out.")
    first = _seconds("--start", start)
    length = None if duration is None else _seconds("--duration", duration)
    if length == 0:
        raise BadOption("--duration 0 asks for no frames", "Give a longer one, or leave it out.")
    is_folder = Path(source).is_dir()
    if jobs > 1 and not is_folder:
        raise BadOption(f"--jobs {jobs}: {source} is one video", "Leave it out, or name a folder of videos.")
    destination = Path(target) if is_folder else _file_for(Path(source), target, suffix)
    name, tile_size = _not_another_projects(model), _tile(tile)
    _share_the_cores()

    from vidgan.verbs.enhance import Options, run

    work: Callable[[Options], object] = run
    if is_folder:
        from vidgan.verbs.enhance import run_folder

        work = partial(run_folder, suffix=suffix, jobs=jobs)
    work(
        Options(
            input=Path(source),
            output=destination,
            model=name,
            fidelity=fidelity,
            restore=restore,
            denoise=_denoise(denoise, name),
            steady=steady,
            consistent=consistent,
            trust=None if trust is None else Path(trust),
            scale=scale,
            size=size,
            rotate=rotate,
            flip=flip,
            crop=crop,
            canvas=canvas,
            orientation=orientation,
            device=device,
            precision="fp32" if fp32 else precision,
            backend=backend,
            tile=tile_size,
            memory=memory,
            codec=codec,
            crf=crf,
            preset=preset,
            start=first,
            duration=length,
            overwrite=overwrite,
            start_over=start_over,
            mark=not no_mark,
            sidecar=sidecar,
            json=as_json,
            quiet=quiet,
            threads=threads,
            started=STARTED,
        )
    )


def _share_the_cores() -> None:
    """Threads of the network that wait for each other sleep, and leave their core to the decoder and the encoder.

    OpenMP's own way is to spin: on two busy cores the same video took twice the processor's time. It is read when torch
    is loaded, and not again.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("KMP_BLOCKTIME", "0")  # the same to Intel's and LLVM's OpenMP


def _ends(given: list[str | None], source: str | None, target: str | None) -> tuple[str, str]:
    """INPUT and OUTPUT, each given once, by its place or as an option."""
    places = [word for word in given if word is not None]
    needed = 2 - sum(option is not None for option in (source, target))
    if len(places) > needed:
        raise BadOption(f"{places[-1]} is one path too many", "Give one INPUT and one OUTPUT.")
    if len(places) < needed:
        missing = "INPUT" if source is None and not places else "OUTPUT"
        raise BadOption(f"{missing} is missing", "vidgan enhance INPUT OUTPUT")
    rest = iter(places)
    return next(rest) if source is None else source, next(rest) if target is None else target


def _file_for(source: Path, target: str, suffix: str) -> Path:
    """The output file: the target itself, or a name of ours inside it if it is a folder."""
    path = Path(target)
    if path.is_dir():
        return path / name_for(source, suffix)
    if target.endswith(("/", os.sep)):
        raise BadOption(f"there is no folder {target}", "Create it first, or name a file.")
    return path


def _not_another_projects(model: str) -> str:
    if Path(model).name.lower().startswith("realesr") and not Path(model).is_file():
        raise BadOption(
            f"{model} is a model of Real-ESRGAN, which vidgan does not hold",
            "Give the path of its .pth file, or use --model fast.",
        )
    return model


def _denoise(strength: float | None, model: str) -> float | None:
    """Where the model is none that can be mixed so, Real-ESRGAN's script passes over it, too."""
    if strength is not None and "general-x4v3" not in Path(model).name:
        typer.echo(
            "vidgan enhance: --denoise-strength is for realesr-general-x4v3.pth alone, ignored; see --fidelity",
            err=True,
        )
        return None
    return strength


def _seconds(option: str, text: str) -> float:
    """90, 1.5, 01:30 or 1:02:03.5 -> seconds."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = [math.nan]
    if len(parts) > 3 or not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise BadOption(f"{option} {text} is not a time", "Give seconds, as 90 or 1.5, or HH:MM:SS.")
    return sum(number * 60**power for power, number in enumerate(reversed(numbers)))


def _tile(text: str) -> str:
    """auto, off or a number of pixels; 0 is off, as Real-ESRGAN's users write it."""
    if text in ("auto", "off"):
        return text
    if not (text.isascii() and text.isdigit()):
        raise BadOption(f"--tile {text} is no size of a tile", "Give auto, off or a number of pixels.")
    return str(int(text)) if int(text) else "off"
