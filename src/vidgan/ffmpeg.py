"""FFmpeg as a program of its own, with filters that the library in PyAV was built without: the extra `metrics`."""

from vidgan.errors import MissingExtra


def program() -> str:
    """The path of the program that comes with imageio-ffmpeg. Raises MissingExtra."""
    try:
        import imageio_ffmpeg
    except ImportError as missing:
        raise MissingExtra("imageio-ffmpeg", "metrics") from missing
    path: str = imageio_ffmpeg.get_ffmpeg_exe()
    return path
