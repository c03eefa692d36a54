"""What is measured of frames, and what becomes of it: values and intervals known by hand, or from other programs."""

import math
import re
import subprocess
from fractions import Fraction

import cv2
import numpy as np
import pytest
from scipy.signal import convolve2d

import videos
import vidgan
from footage import nature
from test_compare import exact
from vidgan import ffmpeg, video
from vidgan.metrics.single import blocking, detail, grey, noise_floor
from vidgan.score import Event
from vidgan.video.codec import compress
from vidgan.watching import measures, moments, rules
from vidgan.watching.events import Tracker, Where
from vidgan.watching.moments import Moment, View
from vidgan.watching.rules import Rule
from watched import HEIGHT, RATE, WIDTH, black, lossless, pan, with_events


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return lossless(tmp_path_factory.mktemp("film") / "film.mkv", with_events())


@pytest.fixture(scope="module")
def seen(film):
    return vidgan.analyze(film)


def frames_of(found, kind: str) -> list[tuple[int, int]]:
    return [(event.first, event.last) for event in found.of_kind(kind)]


def seconds_of(found, kind: str) -> list[tuple[float, float]]:
    return [(round(event.start, 3), round(event.end, 3)) for event in found.of_kind(kind)]


# -- scores -----------------------------------------------------------------------------------------


def test_luma_is_that_of_opencv():
    pixels = nature(3)
    assert np.abs(grey(pixels) - cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(float)).max() < 0.6
    assert np.abs(grey(pixels.astype(np.uint16) * 257) - grey(pixels)).max() < 1e-3, "16 bits, the same range"


def test_noise_is_immerkaers_formula_in_blocks():
    """By scipy: the mean absolute response to his mask, times sqrt(pi / 2) / 6."""
    luma = grey(nature(5))
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = np.abs(convolve2d(luma, mask, mode="valid"))
    blocks = [
        response[y : y + 32, x : x + 32].mean()
        for y in range(0, response.shape[0] - 31, 32)
        for x in range(0, response.shape[1] - 31, 32)
    ]
    assert noise_floor(luma) == pytest.approx(
        math.sqrt(math.pi / 2) / 6 * np.percentile(blocks, 10), rel=1e-4
    )


@pytest.mark.parametrize("sigma", [3, 8, 20])
def test_noise_of_a_known_sigma_is_found_on_a_smooth_picture(sigma):
    y, x = np.mgrid[0:240, 0:320]
    smooth = (110 + 30 * np.sin(x / 40) + 20 * np.cos(y / 50)).astype(np.float32)
    noisy = smooth + np.random.default_rng(1).normal(0, sigma, smooth.shape).astype(np.float32)
    assert noise_floor(noisy) == pytest.approx(0.95 * sigma, rel=0.05)
    assert noise_floor(smooth) < 0.1


def test_sharpness_falls_with_every_blur():
    luma = grey(nature(6))
    found = [detail(luma)] + [detail(cv2.GaussianBlur(luma, (0, 0), sigma)) for sigma in (0.7, 1, 2, 4)]
    assert found == sorted(found, reverse=True) and found[0] > 5 * found[-1]


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2", "mjpeg"])
def test_a_codec_of_8x8_blocks_makes_blocks(codec):
    """On the grid as stored; noticed also where the grid does not begin at the corner."""
    clip = pan(7, 4)
    crushed = compress(clip, codec=codec, crf=28)[3]
    clean = blocking(grey(clip[3]))
    assert blocking(grey(crushed)) > clean + 0.3
    assert blocking(grey(crushed[3:, 5:])) > clean + 0.3


def test_exposure_is_counted():
    pixels = np.full((64, 64, 3), 100, np.uint8)
    pixels[:16], pixels[16:24] = 255, 10
    scores = measures.plane(pixels).scores
    assert scores["bright"] == pytest.approx(25) and scores["dark"] == pytest.approx(12.5)
    assert scores["exposure"] == pytest.approx((16 * 255 + 8 * 10 + 40 * 100) / 64, abs=1e-3)


@pytest.mark.parametrize("pixels", [1, 4])
@pytest.mark.parametrize("seconds", [0.04, 0.1])
def test_motion_is_the_share_of_the_diagonal_a_second(pixels, seconds):
    large = nature(8, 240, 340)
    looks = measures.Neighbours(motion=True)
    looks.see(grey(large[:, :320]), 0.0, begins_shot=True)
    found = looks.see(grey(large[:, pixels : 320 + pixels]), seconds, begins_shot=False)["motion"]
    assert found == pytest.approx(100 * pixels / math.hypot(240, 320) / seconds, rel=0.12)


def test_motion_needs_a_frame_before_it_in_the_same_shot():
    looks = measures.Neighbours(motion=True)
    one, two = (grey(nature(seed)) for seed in (1, 2))
    assert math.isnan(looks.see(one, 0.0, begins_shot=True)["motion"])
    assert math.isnan(looks.see(two, 0.04, begins_shot=True)["motion"])
    assert looks.see(two, 0.08, begins_shot=False)["motion"] == 0


def test_a_slow_fade_is_no_repeat():
    """Each frame is as good as the last one, and the third is not the first: held against the run's first."""
    looks = measures.Neighbours(motion=False)
    base = grey(nature(1))
    repeats = [looks.see(base + 0.06 * index, index / 25, begins_shot=False)["repeats"] for index in range(9)]
    assert repeats == [0, 1, 2, 0, 1, 2, 0, 1, 2], "0.18 code values are another picture, 0.12 are not"


# -- events -----------------------------------------------------------------------------------------


def test_what_was_put_in_is_found_to_the_frame(seen):
    assert frames_of(seen, "black") == [(20, 29), (95, 95)]
    assert frames_of(seen, "frozen") == [(50, 74)]
    assert frames_of(seen, "duplicates") == [(85, 85)]
    assert seconds_of(seen, "black") == [(0.8, 1.2), (3.8, 3.84)]
    assert seconds_of(seen, "frozen") == [(2.0, 3.0)]
    assert seen.of_kind("frozen")[0].score == pytest.approx(1.0)
    # Back from a single black frame is as large a change as into it, and so no cut to FFmpeg's measure.
    assert frames_of(seen, "shot") == [(0, 19), (20, 29), (30, 94), (95, 105)]
    assert {event.kind for event in seen.events} == {"black", "frozen", "duplicates", "shot"}
    assert seen.end == pytest.approx(106 / RATE) and seen.complete
    assert "black 2 (0.4 s)" in seen.sentence and "4 shots" in seen.sentence


def filtered(path, filters: str) -> str:
    command = [ffmpeg.program(), "-hide_banner", "-i", str(path), "-vf", filters, "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_black_stretches_are_those_of_ffmpegs_blackdetect(film, seen):
    told = filtered(film, "blackdetect=d=0:pix_th=0.10:pic_th=0.98")
    found = re.findall(r"black_start:([\d.]+) black_end:([\d.]+)", told)
    assert [tuple(map(float, pair)) for pair in found] == seconds_of(seen, "black")


def test_frozen_stretches_are_those_of_ffmpegs_freezedetect(film, seen):
    """It takes black for frozen as well; we call that black."""
    told = filtered(film, "freezedetect=n=-60dB:d=0.5")
    starts, ends = (re.findall(rf"freeze_{word}: ([\d.]+)", told) for word in ("start", "end"))
    assert [(float(a), float(b)) for a, b in zip(starts, ends, strict=True)] == seconds_of(seen, "frozen")


def test_focus_noise_exposure_and_motion_make_events(tmp_path):
    """Half a second of each, between what is fit, and nothing else."""
    good = pan(1, 15)
    soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 4) for frame in good])
    noisy = good + np.random.default_rng(0).normal(0, 12, good.shape)
    fast = np.stack([np.roll(good[0], 12 * index, axis=1) for index in range(15)])
    parts = [good, soft, good, noisy, good, good * 0.15, good, good * 3.0, good, fast, good]
    found = vidgan.analyze(lossless(tmp_path / "in.mkv", np.concatenate(parts).clip(0, 255).astype(np.uint8)))
    expected = {"soft": (15, 29), "noisy": (45, 59), "dark": (75, 89), "bright": (105, 119)}
    for kind, frames in expected.items():
        assert frames_of(found, kind) == [frames], kind
    ((first, last),) = frames_of(found, "motion")
    assert abs(first - 136) <= 1 and abs(last - 149) <= 1, "the first frame of the pan has nothing before it"
    assert {event.kind for event in found.events} == {*expected, "motion", "shot"}


def test_copies_here_and_there_are_one_event(tmp_path):
    """Every fifth frame twice, as 24 frames a second are shown on 30: one event, and how many."""
    frames = pan(2, 60)
    frames[4::5] = frames[3::5]
    (event,) = vidgan.analyze(lossless(tmp_path / "in.mkv", frames)).of_kind("duplicates")
    assert (event.first, event.last, event.score) == (4, 59, 12)
    assert event.start == event.worst == pytest.approx(4 / 25), "the copy, not what it is one of"


RULE = Rule(kind=rules.FROZEN, score="", limit=10, release=8, least=0.3, gap=0.2)
STILL = View(64, 48, None)


def tracked(values: list[float], rule: Rule = RULE, every: float = 0.1) -> list[Event]:
    tracker = Tracker(rule, pictures=False)
    ended = [
        tracker.see(Moment(index, index * every, np.empty(0), STILL), value)
        for index, value in enumerate(values)
    ]
    ended.append(tracker.end(len(values) * every))
    return [noted.event for noted in ended if noted is not None]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 10, 10, 10, 0], [(1, 3)]),
        ([0, 10, 8, 8, 7, 7, 7, 7], [(1, 3)]),  # it goes on down to the release
        ([8, 8, 8, 8, 8], []),  # and does not begin there
        ([10, 10, 0, 0], []),  # too short
        ([10, 10, 0, 0, 10], [(0, 4)]),  # interrupted for no longer than the gap
        ([10, 10, 10, 0, 0, 0, 10, 10, 10], [(0, 2), (6, 8)]),
        ([10, 10, math.nan, 10, 10], [(0, 4)]),  # no value is like a gap
        ([math.nan] * 5, []),
        ([10] * 6, [(0, 5)]),
    ],
)
def test_a_stretch_begins_at_the_limit_and_ends_at_the_release(values, expected):
    assert [(event.first, event.last) for event in tracked(values)] == expected


def test_an_event_knows_its_worst_frame():
    (event,) = tracked([10, 12, 30, 11, 0, 0, 0])
    assert (event.score, event.worst) == (30, pytest.approx(0.2))
    assert (event.start, event.end) == (0, pytest.approx(0.4))


@pytest.mark.parametrize(("values", "expected"), [
    ([10, 10, 10, 10, None, None, None, 0, 0, 0], [(0, 3, 0.0, 0.4)]),  # what nobody judged is no part of it
    ([10, 10, None, None, 10, 0], [(0, 4, 0.0, 0.5)]),  # but between two that are
    ([10, None, None, None, None, 0], []),  # nor does it make one long enough
    ([10, 10, 10, 10, None, None], [(0, 3, 0.0, 0.4)]),
])  # fmt: skip
def test_frames_that_nobody_judged_belong_to_an_event_that_goes_on(values, expected):
    tracker = Tracker(RULE, pictures=False)
    ended = []
    for index, value in enumerate(values):
        moment = Moment(index, index / 10, np.empty(0), STILL)
        ended.append(tracker.pass_over(moment) if value is None else tracker.see(moment, value))
    ended.append(tracker.end(len(values) / 10))
    found = [noted.event for noted in ended if noted is not None]
    assert [(e.first, e.last, e.start, pytest.approx(e.end)) for e in found] == expected


def test_a_place_is_the_hottest_cell_and_what_is_joined_to_it():
    """Of 64x48 pixels in 8x6 cells: the spot at x 2..3, y 1..2, and not the cooler one far away."""
    heat = np.zeros((6, 8), np.float32)
    heat[1, 2], heat[2, 3], heat[5, 7] = 9, 5, 6
    assert STILL.box(heat, 4.0) == (16, 8, 32, 24)
    assert STILL.box(heat, 100.0) == (16, 8, 24, 16), "where nothing reaches the limit: the hottest"
    tracker = Tracker(RULE, pictures=False)
    for index in range(4):
        tracker.see(Moment(index, index / 10, np.empty(0), STILL), 10.0 + index, Where(heat, 4.0))
    assert tracker.end(0.4).event.box == (16, 8, 32, 24)


# -- videos of every kind ---------------------------------------------------------------------------


def test_times_are_those_of_the_file(tmp_path):
    """Unequal ones; the last frame is shown as long as the file says."""
    frames = pan(3, 10)
    path = lossless(tmp_path / "vfr.mkv", frames, times=videos.UNEQUAL_TIMES, time_base=Fraction(1, 1000))
    found = vidgan.analyze(path)
    assert [round(1000 * second) for second in found.times] == list(videos.UNEQUAL_TIMES)
    assert found.of_kind("shot")[0].end == found.end > 0.433


def test_a_frozen_stretch_is_as_long_as_it_is_shown(tmp_path):
    """Three frames of one picture, shown for a second and a half in all."""
    frames = np.concatenate([pan(1, 3)[:2], np.repeat(pan(2, 1), 3, 0), pan(4, 2)])
    times = (0, 40, 80, 500, 1000, 1580, 1620)
    path = lossless(tmp_path / "vfr.mkv", frames, times=times, time_base=Fraction(1, 1000))
    assert seconds_of(vidgan.analyze(path), "frozen") == [(0.08, 1.58)]


def test_a_turned_video_is_shown_upright(tmp_path):
    """Stored on its side: a quarter turn clockwise, as phones do."""
    film = videos.Film(width=96, height=64, display_matrix=(0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
    path = videos.write(tmp_path / "turned.mp4", film)
    source = video.probe(path)
    assert source.orientation != 1
    shown = moments.view(source)
    assert (shown.width, shown.height) == (64, 96)
    found = vidgan.analyze(path)
    assert (found.width, found.height) == (64, 96)
    stored = next(video.read(source)).pixels
    small = Moment(0, 0.0, stored, shown).small
    assert np.abs(small.astype(int) - video.turn_upright(stored, source.orientation)).max() <= 1


def test_one_frame_is_a_shot_and_no_more(tmp_path):
    found = vidgan.analyze(lossless(tmp_path / "one.mkv", pan(1, 1)))
    assert frames_of(found, "shot") == [(0, 0)] and len(found.events) == 1
    assert found.end == pytest.approx(0.04)
    assert math.isnan(found.scores["change"][0]) and found.frame(0)["change"] is None


def test_deep_colours_are_measured_on_the_same_scale(tmp_path):
    """Ten bits: the same picture gives the same numbers, but for what eight bits round."""
    frames = [pan(1, 2)[0]] * 2
    shallow = vidgan.analyze(exact(tmp_path / "8.mkv", frames))
    deep = vidgan.analyze(
        exact(tmp_path / "10.mkv", [f.astype(np.uint16) * 257 for f in frames], pixel_format="yuv444p10le")
    )
    for name in ("sharpness", "noise", "exposure"):
        assert deep.scores[name][0] == pytest.approx(shallow.scores[name][0], rel=0.15), name


def test_all_black_is_one_event(tmp_path):
    found = vidgan.analyze(lossless(tmp_path / "black.mkv", black(20)))
    assert [event.kind for event in found.events] == ["shot", "black"]
    assert (found.width, found.height) == (WIDTH, HEIGHT)
