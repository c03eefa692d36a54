"""Sound that the output, or its players, do not know is written in a form that they do, in step with the film."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import videos
from test_video_streams import clicks_of, packets_of, write_with_sound_of
from test_video_writer import copy, presented
from videos import Film
from vidgan import video

CLICKS = [0.5, 1.0, 1.5]
FORMS = {".mp4": "aac", ".m4v": "aac", ".mov": "aac", ".mkv": "flac", ".webm": "opus", ".avi": "pcm_s16le"}


def with_tone(path: Path, codec: str) -> Path:
    """Two seconds of film, and the clicks."""
    film = Film(times=tuple(range(50)), codec="mpeg4" if path.suffix == ".avi" else "libx264", options={})
    with av.open(str(path), "w") as container:
        stream, tone = videos.add_film(container, film), videos.add_sound(container, codec, "eng")
        if codec == "alac":
            tone.format = "s16p"  # of 24 bits AVI would keep 16
        videos.encode_tone(container, tone, seconds=2)
        videos.encode(container, stream, film)
    return path


def sound_of(path: Path) -> tuple[str, str, int, np.ndarray]:
    """Codec, layout, rate, and (channels, samples) as they are heard."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        width = len(stream.layout.channels)
        samples = [
            f.to_ndarray() if f.format.is_planar else f.to_ndarray().reshape(-1, width).T for f in frames
        ]
        return stream.codec.canonical_name, stream.layout.name, stream.rate, np.concatenate(samples, 1)


@pytest.mark.parametrize(
    ("codec", "source", "targets"),
    [
        ("adpcm_ms", ".avi", [".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi"]),
        ("adpcm_ima_wav", ".avi", [".mp4", ".mkv", ".avi"]),
        ("pcm_mulaw", ".avi", [".mp4", ".mkv"]),
        ("pcm_s16be", ".mov", [".mp4", ".avi"]),
        ("aac", ".mp4", [".webm"]),
        ("libopus", ".mkv", [".mov", ".avi"]),
        ("flac", ".mkv", [".mov", ".webm"]),
    ],
)
def test_sound_is_written_in_a_form_that_is_known_and_stays_in_step(tmp_path, codec, source, targets):
    path = with_tone(tmp_path / f"in{source}", codec)
    for target in targets:
        out = tmp_path / f"out{target}"
        said = copy(path, out)
        assert sound_of(out)[0] == FORMS[target]
        assert len([line for line in said if line.endswith(f"is written as {FORMS[target]}")]) == 1
        assert clicks_of(out) == pytest.approx(CLICKS, abs=0.001)
        assert presented(out) == presented(path)


@pytest.mark.parametrize(
    ("codec", "source", "target"),
    [
        ("pcm_s16le", ".mkv", ".mov"),
        ("pcm_s16le", ".mp4", ".mp4"),
        ("pcm_s16le", ".mp4", ".m4v"),
        ("aac", ".mp4", ".mkv"),
    ],
)
def test_sound_that_is_known_is_not_touched(tmp_path, codec, source, target):
    path, out = with_tone(tmp_path / f"in{source}", codec), tmp_path / f"out{target}"
    assert not [line for line in copy(path, out) if "is written as" in line]
    assert b"".join(packets_of(out, "audio")) == b"".join(packets_of(path, "audio"))


@pytest.mark.parametrize(
    ("codec", "source", "target"),
    [("pcm_mulaw", ".avi", ".mkv"), ("alac", ".mov", ".avi"), ("alac", ".mkv", ".avi")],
)
def test_where_nothing_need_be_lost_no_sample_is(tmp_path, codec, source, target):
    """Matroska's times are rounded to milliseconds: no sample is put in or left out for that."""
    path, out = with_tone(tmp_path / f"in{source}", codec), tmp_path / f"out{target}"
    copy(path, out)
    assert np.array_equal(sound_of(out)[3], sound_of(path)[3])


def test_a_part_is_cut_to_the_sample(tmp_path):
    path, out = with_tone(tmp_path / "in.avi", "adpcm_ms"), tmp_path / "out.mkv"
    copy(path, out, start=0.4, duration=0.88)
    assert sound_of(out)[3].shape == (1, 42240)
    whole = sound_of(path)[3]
    assert np.array_equal(sound_of(out)[3], whole[:, 19200 : 19200 + 42240])


def test_an_mp4_with_sound_that_no_muxer_writes_there_keeps_it(tmp_path):
    """As cameras name their files: what a .mp4 is called says nothing of what it holds."""
    path, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    with_tone(tmp_path / "in.mov", "pcm_mulaw").rename(path)
    assert "audio stream 1 (pcm_mulaw, eng) is written as aac" in copy(path, out)
    assert sound_of(out)[0] == "aac"
    assert clicks_of(out) == pytest.approx(CLICKS, abs=0.001)


def test_of_24_bits_none_is_lost(tmp_path):
    path, out = tmp_path / "in.mov", tmp_path / "out.mkv"
    values = np.arange(19200, dtype=np.int32) * 8191 % 2**23
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, Film()), container.add_stream("pcm_f32be", rate=48000)
        sound.layout = "mono"
        samples = (values[None] / 2**23).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux([*sound.encode(frame), *sound.encode(None)])
        videos.encode(container, stream, Film())
    copy(path, out)
    assert sound_of(out)[0] == "flac"
    assert np.array_equal(sound_of(out)[3], values[None] << 8)


def test_what_a_decoder_gives_late_is_heard_too(tmp_path):
    path, out = tmp_path / "in.wmv", tmp_path / "out.mkv"
    film = Film(times=tuple(range(50)), codec="mpeg4", options={})
    with av.open(str(path), "w") as container:
        stream, tone = videos.add_film(container, film), videos.add_sound(container, "wmav2", "eng")
        tone.bit_rate = 64000
        videos.encode_tone(container, tone, seconds=2)
        videos.encode(container, stream, film)
    copy(path, out)
    assert sound_of(out)[3].shape == sound_of(path)[3].shape


def edges_of(path: Path) -> list[float]:
    """When it gets loud and quiet, in seconds on the file's clock, whichever way the file tells a pause."""
    loud: list[float] = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()[0].astype(float)
            level = (
                0.05 if frame.format.name.startswith("flt") else 0.05 * np.iinfo(frame.to_ndarray().dtype).max
            )
            loud += list(
                frame.pts * frame.time_base + np.flatnonzero(np.abs(samples) > level) / frame.sample_rate
            )
    times = np.sort(np.array(loud, float))
    breaks = np.flatnonzero(np.diff(times) > 0.1)
    return [times[0], *times[np.stack([breaks, breaks + 1], 1).ravel()], times[-1]]


@pytest.mark.parametrize(("codec", "target"), [("flac", ".mov"), ("pcm_s16le", ".mp4"), ("alac", ".avi")])
def test_late_sound_stays_late_and_a_pause_is_as_long(tmp_path, codec, target):
    path = write_with_sound_of(tmp_path / "in.mkv", [*range(3, 8), *range(13, 20)], codec)
    out = tmp_path / f"out{target}"
    video.Writer(out, source=video.probe(path), width=64, height=48).rehearse()
    copy(path, out)
    assert len(edges_of(out)) == 4
    assert edges_of(out) == pytest.approx(edges_of(path), abs=0.004)


def test_what_cannot_be_decoded_is_silence_and_said(tmp_path):
    path, out = tmp_path / "in.mkv", tmp_path / "out.mov"
    film = Film(times=tuple(range(50)))
    with av.open(str(path), "w") as container:
        stream, tone = videos.add_film(container, film), videos.add_sound(container, "flac", "eng")
        for number, packet in enumerate(tone_packets(tone)):
            container.mux(spoilt(packet) if number == 3 else packet)
        videos.encode(container, stream, film)
    said = copy(path, out)
    assert "audio stream 1 (flac, eng): 1 packet could not be decoded; silence fills the gap" in said
    assert clicks_of(out) == pytest.approx([0.5, 1.0, 1.5], abs=0.001)


@pytest.mark.parametrize(("start", "is_said"), [(0.0, True), (0.3, False)])
def test_short_packets_that_cannot_be_decoded_move_nothing(tmp_path, start, is_said):
    """Two of 21 ms, each shorter than what sound may be off its film."""
    path, out = tmp_path / "in.mkv", tmp_path / "out.webm"
    film = Film(times=tuple(range(50)))
    with av.open(str(path), "w") as container:
        stream, tone = videos.add_film(container, film), videos.add_sound(container, "aac", "eng")
        packets = [packet for frame in tone_frames() for packet in tone.encode(frame)]
        for number, packet in enumerate([*packets, *tone.encode(None)]):
            container.mux(spoilt(packet) if number in (5, 9) else packet)
        videos.encode(container, stream, film)
    said = copy(path, out, start=start)
    assert any("2 packets could not be decoded" in line for line in said) == is_said
    assert clicks_of(out) == pytest.approx([click - start for click in CLICKS], abs=0.002)


def spoilt(packet: av.Packet) -> av.Packet:
    other = av.Packet(b"no sound at all")
    other.pts, other.dts, other.time_base = packet.pts, packet.dts, packet.time_base
    other.duration, other.stream = packet.duration, packet.stream
    return other


def tone_packets(tone: av.AudioStream) -> Iterable[av.Packet]:
    for frame in tone_frames():
        yield from tone.encode(frame)
    yield from tone.encode(None)


def tone_frames() -> Iterable[av.AudioFrame]:
    for start in range(0, 96000, 960):
        t = np.arange(start, start + 960)
        loud = (t % 24000 < 480) & (t >= 24000)
        samples = np.where(loud, 16000 * np.sin(t * 0.2), 0).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        yield frame


def test_sound_may_change_its_rate_and_channels_on_the_way(tmp_path):
    """As broadcasts do between two programmes."""
    path, out = tmp_path / "in.ts", tmp_path / "out.webm"
    film = Film(times=tuple(range(50)))
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, film), container.add_stream("mp2", rate=48000)
        sound.layout = "mono"
        videos.encode(container, stream, film)
        for rate, layout, begin in ((48000, "mono", 0), (32000, "stereo", 1)):
            encoder = av.CodecContext.create("mp2", "w")
            encoder.sample_rate, encoder.layout, encoder.format = rate, layout, "s16"
            width = encoder.layout.nb_channels
            samples = np.full((1, rate * width), 8000, np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.pts = packet.dts = round(packet.pts * 90000 / rate) + begin * 90000
                packet.time_base, packet.stream = Fraction(1, 90000), sound
                container.mux(packet)
    copy(path, out)
    codec, layout, rate, samples = sound_of(out)
    assert (codec, layout, rate) == ("opus", "mono", 48000)
    assert samples.shape[1] / rate == pytest.approx(2, abs=0.06)


@pytest.mark.parametrize(
    ("codec", "layout", "target", "expected"),
    [
        ("ac3", "5.1(side)", ".webm", "5.1"),
        ("pcm_s16le", "4 channels", ".mp4", "4.0"),
        ("flac", "stereo", ".webm", "stereo"),
    ],
)
def test_channels_stay_where_they_can(tmp_path, codec, layout, target, expected):
    path, out = tmp_path / "in.mkv", tmp_path / f"out{target}"
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, Film()), container.add_stream(codec, rate=48000)
        sound.layout = layout
        width = sound.codec_context.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 19200 * width), np.int16), format="s16", layout=layout
        )
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux([*sound.encode(frame), *sound.encode(None)])
        videos.encode(container, stream, Film())
    copy(path, out)
    assert sound_of(out)[1] == expected


def test_more_channels_than_there_are_names_for_are_not_carried_and_said(tmp_path):
    path, out = tmp_path / "in.mkv", tmp_path / "out.mp4"
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, Film()), container.add_stream("pcm_s16le", rate=48000)
        sound.layout = "12 channels"
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 19200 * 12), np.int16), format="s16", layout="12 channels"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        container.mux([*sound.encode(frame), *sound.encode(None)])
        videos.encode(container, stream, Film())
    said = copy(path, out)
    assert any(
        "is not carried: mp4 cannot hold it, and aac does not take its channels" in line for line in said
    )


def test_sound_that_this_ffmpeg_cannot_write_is_not_carried_and_said(tmp_path, monkeypatch):
    """One that a system brings may lack what PyAV's own has."""
    monkeypatch.setattr("vidgan.video.sound._ENCODERS", {"opus": "libmissing"})
    said = copy(with_tone(tmp_path / "in.mp4", "aac"), tmp_path / "out.webm")
    assert any("is not carried: webm cannot hold it, and nothing here encodes opus" in line for line in said)


def test_sound_of_a_rate_that_the_form_does_not_have_is_as_long(tmp_path):
    path, out = tmp_path / "in.mkv", tmp_path / "out.webm"
    with av.open(str(path), "w") as container:
        stream, sound = videos.add_film(container, Film()), container.add_stream("flac", rate=44100)
        sound.layout = "mono"
        samples = np.full((1, 17640), 8000, np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, 0, Fraction(1, 44100)
        container.mux([*sound.encode(frame), *sound.encode(None)])
        videos.encode(container, stream, Film())
    copy(path, out)
    assert sound_of(out)[2:3] == (48000,)
    assert sound_of(out)[3].shape == (1, 19200)
