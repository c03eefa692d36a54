"""Companions that containers fail on at their very end: empty, unnamed, overlapping, too fast, of no duration."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.subtitles.subtitle import SubtitleSet

import enhancing
import videos
from test_video_streams import packets_of, texts_of
from test_video_writer import copy, presented
from videos import Film
from vidgan import video
from vidgan.video.subtitles import TextConverter

MILLISECOND = Fraction(1, 1000)


def with_sound(path: Path, *, seconds: int) -> Path:
    """Three seconds of film, and sound from the beginning on."""
    film = Film(times=tuple(range(75)))
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, film), videos.add_sound(container, "aac", "eng")
        videos.encode_tone(container, sound, seconds=seconds)
        videos.encode(container, stream, film)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_that_has_ended_before_the_part_is_left_out_and_said(tmp_path, suffix):
    path, out = with_sound(tmp_path / "in.mp4", seconds=1), tmp_path / f"out{suffix}"
    said = copy(path, out, start=2.0, duration=0.4)
    assert len(presented(out)) == 10
    is_said = [line for line in said if "the audio stream (aac) has nothing in this part" in line]
    assert bool(is_said) == (suffix != ".mkv")


def pcm(path: Path, layout: str) -> Path:
    film = Film(codec="mpeg4", options={}) if path.suffix == ".avi" else Film()
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, film), container.add_stream("pcm_s16le", rate=48000)
        sound.layout = layout
        channels = sound.codec_context.layout.nb_channels
        samples = np.arange(19200 * channels, dtype=np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        videos.encode(container, stream, film)
    return path


@pytest.mark.parametrize(
    ("source", "layout"), [("in.avi", "stereo"), ("in.mkv", "stereo"), ("in.mkv", "5.1")]
)
def test_channels_that_are_only_counted_are_named(tmp_path, source, layout):
    path, out = pcm(tmp_path / source, layout), tmp_path / "out.mov"
    copy(path, out)
    assert b"".join(packets_of(out, "audio")) == b"".join(packets_of(path, "audio"))
    with av.open(str(out)) as container:
        assert container.streams.audio[0].codec_context.layout.name == layout


def with_texts(path: Path, lines: Sequence[tuple[int, int, str]]) -> Path:
    film = Film(times=tuple(range(75)))
    with av.open(str(path), "w") as container:
        stream, texts = videos.add_film(container, film), videos.add_text(container, "ass", "eng")
        for number, (start, end, words) in enumerate(lines):
            line = f"{number},0,Default,,0,0,0,,{words}".encode()
            packet = texts.codec_context.encode_subtitle(SubtitleSet.create(line, 0, end - start, start))
            packet.stream, packet.time_base = texts, MILLISECOND
            packet.pts, packet.dts, packet.duration = start, start, end - start
            container.mux(packet)
        videos.encode(container, stream, film)
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize(("lines", "expected"), [
    (
        [(200, 1500, "one"), (500, 900, "two"), (600, 2500, "three")],
        [(0.2, 0.5, "one"), (0.5, 0.6, "one\ntwo"), (0.6, 0.9, "one\ntwo\nthree"), (0.9, 1.5, "one\nthree"),
         (1.5, 2.5, "three")],
    ),
    ([(200, 700, "one"), (200, 700, "two")], [(0.2, 0.7, "one\ntwo")]),
    ([(200, 700, "one"), (700, 900, "two")], [(0.2, 0.7, "one"), (0.7, 0.9, "two")]),
])  # fmt: skip
def test_lines_that_overlap_are_shown_together_when_they_are_shown(tmp_path, suffix, lines, expected):
    path, out = with_texts(tmp_path / "in.mkv", lines), tmp_path / f"out{suffix}"
    copy(path, out)
    found = texts_of(out)
    assert [words for *_, words in found] == [words for *_, words in expected]
    for (start, end, _), (begins, ends, _) in zip(found, expected, strict=True):
        assert (start, end) == (pytest.approx(begins, abs=0.002), pytest.approx(ends, abs=0.002))


def test_a_line_that_comes_too_late_moves_no_other(tmp_path):
    path = with_texts(tmp_path / "in.mkv", [(200, 400, "late"), (500, 900, "one")])
    with av.open(str(path)) as source, av.open(str(tmp_path / "out.mp4"), "w") as output:
        texts = source.streams.subtitles[0]
        converter = TextConverter(output, texts, "mov_text")
        made = []
        for packet in reversed([packet for packet in source.demux(texts) if packet.size]):
            tick = packet.time_base
            made += converter.convert(packet, packet.pts * tick, packet.duration * tick)
        made += converter.rest()
    assert [(packet.pts, packet.duration) for packet in made] == [(500, 400)]


@pytest.mark.parametrize(("codec", "source", "suffix"), [
    ("timed_id3", "in.ts", ".mp4"), ("klv", "in.ts", ".mov"), ("scte_35", "in.ts", ".mov"),
    ("bin_data", "in.mp4", ".avi"),
])  # fmt: skip
def test_data_that_a_container_promises_and_does_not_hold_is_named(tmp_path, codec, source, suffix):
    path, out, film = tmp_path / source, tmp_path / f"out{suffix}", Film(times=tuple(range(25)))
    with av.open(str(path), "w") as container:
        stream, data = videos.add_film(container, film), container.add_data_stream(codec)
        data.time_base = MILLISECOND
        for number in range(10):
            packet = av.Packet(b"DATA%04d" % number + b"x" * 20)
            packet.stream, packet.time_base, packet.is_keyframe = data, MILLISECOND, True
            packet.pts, packet.dts, packet.duration = number * 100, number * 100, 100
            container.mux(packet)
        videos.encode(container, stream, film)
    said = copy(path, out)
    assert any("data stream" in line and "cannot hold it" in line for line in said)
    assert len(presented(out)) == 25


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_film_is_found_again_where_ffmpeg_would_take_the_other(tmp_path, suffix):
    path, out, tick = tmp_path / "in.mkv", tmp_path / f"out{suffix}", MILLISECOND
    reordered = {"crf": "20", "bf": "2", "preset": "medium"}
    films = [
        Film(times=range(0, 400, 40), time_base=tick),
        Film(times=videos.UNEQUAL_TIMES, time_base=tick, width=32, height=32, options=reordered),
    ]
    with av.open(str(path), "w") as container:
        streams = [videos.add_film(container, film) for film in films]
        for film, stream in zip(films, streams, strict=True):
            videos.encode(container, stream, film)
    source = video.probe(path)
    copy(path, out)
    with av.open(str(out)) as container:
        assert container.streams.best("video").width != source.width  # or nothing was tested
    assert packets_of(out, "video", 0) == packets_of(path, "video", 0)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_film_is_found_again_after_one_that_has_nothing_in_the_part(tmp_path, suffix):
    path, out = tmp_path / "in.mkv", tmp_path / f"out{suffix}"
    once = {"crf": "12", "preset": "ultrafast", "g": "100"}  # one key frame, before the part
    films = [Film(times=range(50), width=32, height=32, options=once), Film(times=range(50))]
    with av.open(str(path), "w") as container:
        streams = [videos.add_film(container, film) for film in films]
        streams[1].disposition = Disposition.default
        for film, stream in zip(films, streams, strict=True):
            videos.encode(container, stream, film)
    assert video.probe(path).width == 64  # or nothing was tested
    said = copy(path, out, start=1.0, duration=0.4)
    assert any("the video stream (h264) has nothing in this part" in line for line in said) == (
        suffix == ".mp4"
    )
    with av.open(str(out)) as container:
        sizes = [stream.width for stream in container.streams.video]
    assert sizes == ([64] if suffix == ".mp4" else [32, 64])


@pytest.mark.parametrize("where", ["stream", "file"])
def test_a_time_code_is_left_out_where_it_would_be_wrong(tmp_path, where):
    told = {"timecode": "01:00:00:00"}
    film = Film(metadata=told if where == "stream" else {})
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        container.metadata.update(told if where == "file" else {})
        videos.encode(container, videos.add_film(container, film), film)
    said = copy(tmp_path / "in.mkv", tmp_path / "out.mkv", start=0.2)
    assert said == ["the time code is left out: it counts from the source's first frame"]
    with av.open(str(tmp_path / "out.mkv")) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
    assert "timecode" not in {key.lower() for key in tags}


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_a_time_code_of_more_frames_than_it_can_count_is_left_out_and_said(tmp_path, suffix):
    fast = Film(time_base=Fraction(1, 300), rate=Fraction(300), metadata={"timecode": "01:00:00:00"})
    path, out = videos.write(tmp_path / "in.mkv", fast), tmp_path / f"out{suffix}"
    said = copy(path, out)
    assert f"the time code is left out: {suffix} counts up to 255 frames a second" in said
    assert len(presented(out)) == 10


def test_a_time_code_counts_what_av1_is_given_not_what_its_rate_control_is_told(tmp_path):
    fast = Film(time_base=Fraction(1, 300), rate=Fraction(300), metadata={"timecode": "01:00:00:00"})
    path, out = videos.write(tmp_path / "in.mkv", fast), tmp_path / "out.mp4"
    said = copy(path, out, encoding=video.Encoding(codec="av1"))
    assert "the time code is left out: .mp4 counts up to 255 frames a second" in said


def test_raw_dv_has_the_rate_of_its_frames_not_of_its_clock(tmp_path):
    path = tmp_path / "in.dv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 25)
        for number in range(3):
            frame = videos.to_yuv(videos.picture(number, 720, 576), Film(), number)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert video.probe(path).average_rate == 25
    copy(path, tmp_path / "out.mp4")
    assert presented(tmp_path / "out.mp4") == [Fraction(number, 25) for number in range(3)]


def test_sound_whose_packets_say_no_duration_keeps_its_last_one(tmp_path):
    path, film = tmp_path / "in.mkv", Film(times=tuple(range(25)))
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, film), container.add_stream("alac", rate=48000)
        sound.layout = "mono"
        for start in range(0, 48000, 4096):
            frame = av.AudioFrame.from_ndarray(
                np.full((1, 4096), start // 2, np.int16), format="s16p", layout="mono"
            )
            frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        videos.encode(container, stream, film)
    copy(path, tmp_path / "out.mp4")
    assert packets_of(tmp_path / "out.mp4", "audio") == packets_of(path, "audio")


def test_vp9_takes_clocks_that_are_finer_than_its_own(tmp_path):
    tick = Fraction(1, 9_999_991)
    times = [number * 333_333 + number for number in range(40)]
    source = videos.write(tmp_path / "in.nut", Film(times=times, time_base=tick, codec="ffv1", options={}))
    out = tmp_path / "out.webm"
    assert enhancing.door(enhancing.make_models(tmp_path))(source, out, "--scale", "1") == 0
    for found, time in zip(presented(out), times, strict=True):
        assert abs(found - time * tick) <= MILLISECOND


def test_av1_takes_more_frames_a_second_than_its_rate_control_knows(tmp_path):
    fast = Film(time_base=Fraction(1, 300), rate=Fraction(300))
    path = videos.write(tmp_path / "in.mp4", fast)
    copy(path, tmp_path / "out.mkv", encoding=video.Encoding(codec="av1"))
    assert len(presented(tmp_path / "out.mkv")) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(("part", "expected"), [
    ({}, ["Before", "Out", "Mark", "Back"]),
    ({"start": 0.2, "duration": 0.2}, ["Mark"]),
    ({"start": 0.24, "duration": 0.12}, []),
])  # fmt: skip
def test_a_chapter_of_no_length_is_carried_where_its_instant_is(tmp_path, suffix, part, expected):
    path, out, film = tmp_path / "in.mkv", tmp_path / f"out{suffix}", Film(times=range(25))
    spans = [(0, 0, "Before"), (0, 120, "Out"), (200, 200, "Mark"), (400, 900, "Back")]
    with av.open(str(path), "w") as container:
        stream = videos.add_film(container, film)
        container.set_chapters([videos.chapter(n, *span) for n, span in enumerate(spans, start=1)])
        videos.encode(container, stream, film)
    copy(path, out, **part)
    with av.open(str(out)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == expected
