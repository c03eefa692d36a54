"""Small whole files of every kind that is read: what tests/hostile.py does damage to.

Made here with PyAV, the same bytes every time; nothing in them goes through vidgan but the weights.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

import videos
from vidgan import checkpoint
from vidgan.generators import compact, recurrent, rrdb

WIDTH, HEIGHT, NUM_FRAMES = 32, 24, 6
_X264 = {
    "preset": "ultrafast",
    "x264-params": "asm=0:threads=1",
}  # with its assembly, not always the same bytes
_X265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=none:frame-threads=1"}
_PLAYER = {"fflags": "+bitexact"}  # no dates and no random numbers


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A container and what is in it."""

    film: str  # FFmpeg's encoder
    pixel_format: str = "yuv420p"
    width: int = WIDTH
    height: int = HEIGHT
    sound: str | None = None
    text: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    company: bool = False  # chapters, tags, a font and a cover


CONTAINERS = {
    "h264.mp4": Kind(film="libx264", sound="aac", text="mov_text", options=tuple(_X264.items()), company=True),
    # x265 writes outside its memory at widths of 33 to 48 pixels
    "hevc.mov": Kind(film="libx265", width=64, height=64, sound="pcm_s16le", options=tuple(_X265.items())),
    "prores.mov": Kind(film="prores_ks", pixel_format="yuv422p10le"),
    "ffv1.mkv": Kind(film="ffv1", pixel_format="yuv444p", sound="flac", text="ass", company=True),
    "h264.mkv": Kind(film="libx264", sound="libmp3lame", text="subrip", options=tuple(_X264.items())),
    "vp9.webm": Kind(
        film="libvpx-vp9", sound="libopus", text="webvtt", options=(("deadline", "realtime"), ("cpu-used", "8"))
    ),
    "mpeg4.avi": Kind(film="mpeg4", sound="libmp3lame"),
    "mjpeg.avi": Kind(film="mjpeg", pixel_format="yuvj420p", sound="pcm_s16le"),
    "h264.ts": Kind(film="libx264", sound="mp2", options=tuple(_X264.items())),
    "mpeg2.mpg": Kind(film="mpeg2video", sound="mp2"),
    "flv1.flv": Kind(film="flv", sound="libmp3lame"),
    "wmv2.wmv": Kind(film="wmv2", sound="libmp3lame"),
    "vp8.ogg": Kind(film="libvpx", sound="libopus", options=(("deadline", "realtime"), ("cpu-used", "8"))),
    "h263.3gp": Kind(film="h263", width=128, height=96, sound="aac"),
    "vp8.ivf": Kind(film="libvpx", options=(("deadline", "realtime"), ("cpu-used", "8"))),
    "mpeg2.mxf": Kind(film="mpeg2video", sound="pcm_s16le"),
    "ffv1.nut": Kind(film="ffv1", sound="aac"),
    "raw.y4m": Kind(film="wrapped_avframe"),
    "picture.gif": Kind(film="gif", pixel_format="rgb8"),
}  # fmt: skip
PHOTOS = {"photo.jpg": "mjpeg", "photo.png": "png", "photo.webp": "libwebp"}
_FORMATS = {".mkv": "matroska", ".ts": "mpegts", ".mpg": "mpeg", ".wmv": "asf", ".y4m": "yuv4mpegpipe"}


def container_bytes(name: str, folder: Path) -> bytes:
    """One of CONTAINERS; `folder` is written into meanwhile."""
    kind, path = CONTAINERS[name], folder / name
    film = videos.Film(
        width=kind.width,
        height=kind.height,
        times=range(NUM_FRAMES),
        codec=kind.film,
        pixel_format=kind.pixel_format,
        options=dict(kind.options),
    )
    form = _FORMATS.get(path.suffix, path.suffix[1:])
    with av.open(str(path), "w", format=form, container_options=_PLAYER) as container:
        stream = videos.add_film(container, film)
        stream.codec_context.thread_count = 1
        sound = None if kind.sound is None else videos.add_sound(container, kind.sound, "eng")
        text = None if kind.text is None else videos.add_text(container, kind.text, "eng")
        if kind.company:
            container.metadata.update(title="A walk", artist="Nobody")
            container.set_chapters([videos.chapter(1, 0, 100, "Out"), videos.chapter(2, 100, 240, "Back")])
            if path.suffix == ".mkv":
                container.add_attachment("font.ttf", "application/x-truetype-font", b"not really a font")
                container.add_attachment("cover.png", "image/png", videos.png(videos.picture(0, 16, 12)))
        if sound is not None:
            _encode_tone(container, sound)
        if text is not None:
            videos.encode_text(container, text)
        videos.encode(container, stream, film)
    data = path.read_bytes()
    path.unlink()
    return data


def photo_bytes(name: str) -> bytes:
    """One of PHOTOS."""
    encoder = av.CodecContext.create(PHOTOS[name], "w")
    encoder.width, encoder.height, encoder.time_base, encoder.thread_count = WIDTH, HEIGHT, Fraction(1, 25), 1
    encoder.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24", "libwebp": "yuv420p"}[PHOTOS[name]]
    picture = av.VideoFrame.from_ndarray(videos.picture(0, WIDTH, HEIGHT), format="rgb24")
    picture = picture.reformat(format=encoder.pix_fmt)
    picture.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def weight_bytes(folder: Path) -> dict[str, bytes]:
    """Model files of ours, and a .pth of each layout and network that foreign.py knows."""
    torch.manual_seed(0)
    small = recurrent.Generator(recurrent.Config(features=8, blocks=1))
    others = {
        "compact": compact.Generator(compact.Config(scale=2, features=8, blocks=1)),
        "rrdb": rrdb.Generator(rrdb.Config(scale=4, features=8, blocks=1, growth=4)),
    }
    checkpoint.save_generator(small, checkpoint.card_of(small), folder / "recurrent.safetensors")
    for name, generator in others.items():
        checkpoint.save_generator(generator, checkpoint.card_of(generator), folder / f"{name}.safetensors")
        torch.save({"params_ema": generator.state_dict()}, folder / f"{name}.pth")
    old = {"params": others["compact"].state_dict()}
    torch.save(old, folder / "old.pth", _use_new_zipfile_serialization=False)
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("*.pth")])
    data = {file.name: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    return data


def recipe_bytes() -> dict[str, bytes]:
    """The recipes that come with the project."""
    root = Path(__file__).resolve().parent.parent
    files = [*(root / "recipes").glob("*.toml"), *(root / "src/vidgan/recipe").glob("*.toml")]
    return {file.name: file.read_bytes() for file in sorted(files)}


def _encode_tone(container: av.container.OutputContainer, stream: av.AudioStream) -> None:
    """A quarter of a second at 48 kHz."""
    context = stream.codec_context
    context.open(strict=False)
    size = context.frame_size or 1024
    for start in range(0, 12000, size):
        samples = np.sin(np.arange(start, start + size) * 0.05)
        if "p" not in context.format.name or context.format.name.startswith("s16"):
            samples = (samples * 9000).astype(np.int16)
        else:
            samples = (samples * 0.3).astype(np.float32)
        name = "s16" if samples.dtype == np.int16 else "fltp"
        frame = av.AudioFrame.from_ndarray(samples[None], format=name, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
