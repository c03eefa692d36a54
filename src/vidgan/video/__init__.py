"""Video in, video out: the one room that speaks to FFmpeg (through PyAV)."""

from vidgan.video.codec import compress, decode_all, turn_upright
from vidgan.video.colour import Colour
from vidgan.video.containers import CONTAINERS
from vidgan.video.encoders import Encoding, size_multiple
from vidgan.video.film import Film
from vidgan.video.pictures import jpeg_bytes, png_bytes, write_png
from vidgan.video.probe import OtherStream, Source, probe
from vidgan.video.reader import read
from vidgan.video.writer import Writer

__all__ = [
    "CONTAINERS",
    "Colour",
    "Encoding",
    "Film",
    "OtherStream",
    "Source",
    "Writer",
    "compress",
    "decode_all",
    "jpeg_bytes",
    "png_bytes",
    "probe",
    "read",
    "size_multiple",
    "turn_upright",
    "write_png",
]
