"""Video in, video out: the one room that speaks to FFmpeg (through PyAV)."""

from vidgan.video.codec import compress, decode_all
from vidgan.video.colour import Colour
from vidgan.video.probe import OtherStream, Source, probe
from vidgan.video.reader import read

__all__ = ["Colour", "OtherStream", "Source", "compress", "decode_all", "probe", "read"]
