"""Video in, video out: the one room that speaks to FFmpeg (through PyAV)."""

from vidgan.video.codec import decode, decode_all, in_eight_bits, turn_upright
from vidgan.video.containers import CONTAINERS
from vidgan.video.encoders import Choice, Encoding, check_any, choose, size_multiple
from vidgan.video.film import Film
from vidgan.video.needs import of_decoder, of_encoder
from vidgan.video.pictures import jpeg_bytes, write_png
from vidgan.video.probe import Source, metadata, probe
from vidgan.video.reader import Seen, can_be_sought, read, read_after
from vidgan.video.segments import SegmentWriter
from vidgan.video.timing import origin_of
from vidgan.video.writer import Writer, check_place

__all__ = [
    "CONTAINERS",
    "Choice",
    "Encoding",
    "Film",
    "Seen",
    "SegmentWriter",
    "Source",
    "Writer",
    "can_be_sought",
    "check_any",
    "check_place",
    "choose",
    "decode",
    "decode_all",
    "in_eight_bits",
    "jpeg_bytes",
    "metadata",
    "of_decoder",
    "of_encoder",
    "origin_of",
    "probe",
    "read",
    "read_after",
    "size_multiple",
    "turn_upright",
    "write_png",
]
