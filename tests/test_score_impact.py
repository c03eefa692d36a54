"""Findings matched, counted and judged: every value here is worked out by hand."""

import math

import numpy as np
import pytest

from vidgan.analysers import Finding
from vidgan.geometry import Map
from vidgan.score import ARMS, Gauge, Impact, Search, pooled
from vidgan.score.blocks import blocks, estimate, share
from vidgan.score.matching import differences, overlap, pairs, size

UPRIGHT = Map.similarity((100, 100), (400, 400), scale=4.0)


def at(x: float, y: float = 0.0, *, side: float = 10.0, label: str = "") -> Finding:
    return Finding((x, y, x + side, y + side), 1.0, label)


def kinds(bicubic, network, truth) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for difference in differences(bicubic, network, truth):
        found.setdefault(difference.kind, []).append(difference.finding)
    return found


def test_overlap_is_intersection_over_union():
    some, others = (
        [Finding((0, 0, 2, 2))],
        [Finding((1, 0, 3, 2)), Finding((0, 0, 2, 2)), Finding((2, 2, 3, 3))],
    )
    assert overlap(some, others).tolist() == [[pytest.approx(1 / 3), 1.0, 0.0]]
    assert overlap([], others).shape == (0, 3)
    assert overlap([Finding((1, 1, 1, 1))], [Finding((1, 1, 1, 1))]).tolist() == [[0.0]], (
        "a point is no thing"
    )


def test_the_nearest_pair_first_and_each_thing_once():
    assert pairs([at(0), at(1)], [at(1)]) == {1: 0}
    assert pairs([at(0), at(1)], [at(1), at(0)]) == {0: 1, 1: 0}
    assert pairs([at(0)], [at(4)]) == {}, "6 of 14 is less than a half"
    assert pairs([at(0)], [at(3)]) == {0: 0}, "7 of 13 is more"


def test_what_is_read_must_be_the_same_but_for_capitals_and_spaces():
    assert pairs([at(0, label="Exit 7")], [at(0, label="EXIT7")]) == {0: 0}
    assert pairs([at(0, label="EXIT 1")], [at(0, label="EXIT 7")]) == {}


def test_with_a_reference_each_kind_of_difference():
    truth = [at(0), at(100), at(200), at(300)]
    bicubic = [at(0), at(100), at(200), at(500), at(600)]
    network = [at(0), at(102), at(300), at(501), at(700)]
    assert kinds(bicubic, network, truth) == {
        "gained": [at(300)],
        "lost": [at(200)],
        "moved": [at(102)],  # 8 of 12 are common: the same thing, no longer at its place
        "invented": [at(700)],
        "dispelled": [at(600)],
    }  # the false alarm at 500 is raised by both


def test_a_word_that_is_read_wrongly_is_lost_and_invented():
    found = kinds([at(0, label="7")], [at(0, label="1")], [at(0, label="7")])
    assert found == {"lost": [at(0, label="7")], "invented": [at(0, label="1")]}


def test_without_a_reference_what_appears_is_gained_and_nothing_is_called_invented():
    assert kinds([at(0), at(50)], [at(2), at(90)], None) == {
        "gained": [at(90)],
        "lost": [at(50)],
        "moved": [at(2)],
    }


def test_on_empty_footage_everything_is_a_false_alarm():
    assert kinds([at(0)], [at(0), at(90)], []) == {"invented": [at(90)]}
    assert kinds([at(0), at(90)], [at(0)], []) == {"dispelled": [at(90)]}


@pytest.mark.parametrize(("side", "name"), [(127, "small"), (128, "medium"), (383, "medium"), (384, "large")])
def test_sizes_are_cocos_in_pixels_of_the_source(side, name):
    assert size((0, 0, side, side), 4.0) == name


def test_a_figure_over_two_blocks_lies_between_them():
    """Of two blocks, both draws are the same one in half of all draws: the ends are the blocks themselves."""
    values = np.array([[1.0, 1], [1, 1], [5, 1], [5, 1]])
    found = estimate(values, [0, 0, 1, 1], lambda sums: share(sums[..., 0], sums[..., 1]))
    assert (found.value, found.low, found.high) == (3.0, 1.0, 5.0)
    # A hundred frames instead of two in each second prove nothing more.
    many = estimate(
        values.repeat(50, axis=0), np.repeat([0, 0, 1, 1], 50), lambda s: share(s[..., 0], s[..., 1])
    )
    assert (many.low, many.high) == (1.0, 5.0)


def test_a_single_block_has_no_interval_and_nothing_no_figure():
    one = estimate(np.ones((3, 2)), [0, 0, 0], lambda sums: share(sums[..., 0], sums[..., 1]))
    assert (one.value, one.low, one.high) == (1.0, None, None)
    assert estimate(np.zeros((3, 2)), [0, 1, 2], lambda sums: share(sums[..., 0], sums[..., 1])) is None


def test_the_interval_of_many_independent_blocks_is_that_of_the_normal_distribution():
    values = np.random.default_rng(1).normal(10, 2, 400)
    counts = np.stack([values, np.ones(400)], axis=1)
    found = estimate(counts, range(400), lambda sums: share(sums[..., 0], sums[..., 1]))
    error = 1.96 * values.std() / math.sqrt(400)
    assert found.high - found.low == pytest.approx(2 * error, rel=0.08)


def test_all_figures_of_a_video_share_what_is_drawn(monkeypatch):
    """Drawing takes seconds where there are hours of video, and a page has hundreds of figures."""
    drawings, new = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawings.append(seed) or new(seed))
    counts = new(1).integers(1, 9, (41, 2)).astype(float)
    first = estimate(counts, range(41), lambda sums: share(sums[..., 0], sums[..., 1]))
    other = estimate(counts, range(41), lambda sums: share(sums[..., 1], sums[..., 0]))
    assert other.value == pytest.approx(1 / first.value)
    assert other.low == pytest.approx(1 / first.high, rel=1e-3), "of the same draws"
    assert len(drawings) == 1


def test_blocks_are_seconds():
    assert blocks([0.0, 0.5, 0.999, 1.0, 2.5]) == [0, 0, 0, 1, 2]


def impact(*studies, num_frames: int, per_block: int = 1) -> Impact:
    return Impact(
        source="a.mp4",
        enhanced="b.mp4",
        reference="c.mp4",
        way=UPRIGHT,
        seconds=[index / per_block for index in range(num_frames)],
        block=[index // per_block for index in range(num_frames)],
        studies=studies,
        protocol={},
    )


def search(arms: dict[str, list[list[Finding]]], **more) -> Search:
    """What is not said of an arm is that it finds nothing."""
    num_frames = len(next(iter(arms.values())))
    reference = ["reference"] if "reference" in arms else []
    findings = {name: arms.get(name, [[]] * num_frames) for name in (*ARMS[:-1], *reference)}
    return Search(name="things", title="things", protocol="", findings=findings, **more)


def test_agreement_and_the_recovered_gap_by_hand():
    """Bicubic has 1 of 4 and no false alarm: F1 2/5. The network has 3 of 4 and one false alarm: F1 6/8."""
    there = [[at(0), at(100)], [at(0), at(100)]]
    found = search({
        "reference": there,
        "bicubic": [[at(0)], []],
        "enhanced": [[at(0), at(100)], [at(0), at(300)]],
    })  # fmt: skip
    told = impact(found, num_frames=2, per_block=2)
    figures = {name: value and value.value for name, value in told.agreement(found, "enhanced").items()}
    assert figures == {"f1": 0.75, "recall": 0.75, "precision": 0.75, "false_alarms": 50.0}
    assert told.agreement(found, "bicubic")["f1"].value == pytest.approx(0.4)
    assert told.recovered(found, "enhanced").value == pytest.approx(0.35 / 0.6)
    assert told.recovered(found, "reference").value == 1
    assert told.recovered(found, "source").value == pytest.approx(-0.4 / 0.6), "harm is told as such"
    assert {kind: row["all"].value for kind, row in told.rates(found).items()} == {
        "gained": 100.0, "lost": 0.0, "moved": 0.0, "invented": 50.0, "dispelled": 0.0,
    }  # fmt: skip
    assert told.rates(found)["gained"]["small"].value == 100.0


def outcome(study, num_frames: int) -> str:
    return impact(study, num_frames=num_frames).verdict(study).outcome


def test_finding_more_of_what_is_there_helped_and_less_harmed():
    there, half = [[at(0), at(100)]] * 8, [[at(0)]] * 8
    better = search({"reference": there, "bicubic": half, "Lanczos": half, "enhanced": there})
    worse = search({"reference": there, "bicubic": there, "enhanced": half})
    assert outcome(better, 8) == "helped"
    assert outcome(worse, 8) == "harmed"
    assert impact(better, worse, num_frames=8).sentence == (
        "It helped: better than bicubic for things; worse than bicubic for things."
    )
    assert impact(worse, num_frames=8).sentence == "It did not help; worse than bicubic for things."


def test_what_lanczos_does_as_well_is_no_help():
    there, half = [[at(0), at(100)]] * 8, [[at(0)]] * 8
    found = search({"reference": there, "bicubic": half, "Lanczos": there, "enhanced": there})
    assert outcome(found, 8) == "same"
    assert "Lanczos does as well" in impact(found, num_frames=8).verdict(found).words


def test_a_difference_that_comes_and_goes_did_not_help():
    there = [[at(0), at(100)]] * 8
    mixed = search({
        "reference": there,
        "bicubic": [[at(0)], [at(0), at(100)]] * 4,
        "enhanced": [[at(0), at(100)], [at(0)]] * 4,
    })  # fmt: skip
    assert outcome(mixed, 8) == "same"
    assert impact(mixed, num_frames=8).sentence.startswith("It did not help; no difference")


def test_too_few_seconds_are_no_proof():
    found = search({"reference": [[at(0)]] * 4, "enhanced": [[at(0)]] * 4})
    assert outcome(found, 4) == "short"
    assert "4 of the 5 seconds" in impact(found, num_frames=4).sentence
    silent = [search({"enhanced": [[]] * number}, empty=True) for number in range(6)]
    assert outcome(silent[4], 4) == "short"
    assert "did not help" not in impact(silent[4], num_frames=4).sentence
    assert outcome(silent[5], 5) == "same"


def test_inventing_harms_empty_footage_and_finding_more_without_a_reference_is_unknown():
    invented = {"enhanced": [[at(0)]] * 8}
    assert outcome(search(invented, empty=True), 8) == "harmed"
    assert outcome(search({"bicubic": [[at(0)]] * 8}, empty=True), 8) == "helped"
    unknown = search(invented)
    assert outcome(unknown, 8) == "unknown"
    assert "to find more is not better" in impact(unknown, num_frames=8).sentence
    assert outcome(search({"enhanced": [[]] * 8}), 8) == "nothing"


def test_what_only_the_source_as_it_is_shows_is_told():
    """As a face that was turned on its side: nothing was found after the turn, which is not that nothing is there."""
    turned = search({"source": [[at(0)]] * 8})
    words = impact(turned, num_frames=8).verdict(turned).words
    assert words == "nothing found, neither after bicubic nor after the network; 8 in the source as it is"
    nowhere = search({"enhanced": [[]] * 8})
    assert "source" not in impact(nowhere, num_frames=8).verdict(nowhere).words


def gauge(**values: list[float]) -> Gauge:
    return Gauge(name="corners", title="corners", protocol="", values=values)


def test_a_number_is_judged_by_how_near_it_is_to_the_references():
    """Higher is not better: beyond the reference is as far off as below it."""
    near = gauge(bicubic=[0.2] * 8, enhanced=[0.5] * 8, reference=[0.6] * 8)
    beyond = gauge(bicubic=[0.5] * 8, enhanced=[0.9] * 8, reference=[0.6] * 8)
    assert (outcome(near, 8), outcome(beyond, 8)) == ("helped", "harmed")
    assert impact(near, num_frames=8).recovered(near, "enhanced").value == pytest.approx(0.75)


def test_moments_without_a_number_in_one_version_count_in_none():
    found = gauge(bicubic=[math.nan, 0.2], enhanced=[0.9, 0.4], reference=[0.9, 0.6])
    told = impact(found, num_frames=2)
    assert told.mean(found, "enhanced").value == 0.4
    assert outcome(gauge(bicubic=[math.nan], enhanced=[1.0], reference=[1.0]), 1) == "nothing"


def test_a_source_too_small_for_a_number_takes_no_verdict_away():
    found = gauge(source=[math.nan] * 8, bicubic=[0.2] * 8, enhanced=[0.5] * 8, reference=[0.6] * 8)
    told = impact(found, num_frames=8)
    assert outcome(found, 8) == "helped" and told.mean(found, "enhanced").value == pytest.approx(0.5)
    assert told.mean(found, "source") is None
    assert told.recovered(found, "source") is None
    some = gauge(source=[math.nan, 0.1], bicubic=[0.2, 0.2], enhanced=[0.5, 0.3], reference=[0.6, 0.6])
    told = impact(some, num_frames=2)
    assert (told.mean(some, "source").value, told.mean(some, "enhanced").value) == (0.1, 0.4)
    assert told.recovered(some, "source").value == pytest.approx(
        -0.25
    )  # of the one moment at which it has a value


def test_pooled_clips_keep_their_seconds_apart():
    found = search({"reference": [[at(0)]] * 2, "enhanced": [[at(0)], []]})
    clips = [impact(found, num_frames=2, per_block=2)] * 3
    together = pooled(clips, "three clips")
    assert together.block == [0, 0, 1, 1, 2, 2]
    assert len(together.seconds) == 6
    assert together.agreement(together.studies[0], "enhanced")["recall"].value == 0.5


def test_json_and_csv_tell_boxes_on_the_output_and_in_the_source():
    found = search({"reference": [[at(40, 80, side=160)]], "enhanced": [[at(40, 80, side=160)]]})
    told = impact(found, num_frames=1)
    (difference,) = told.as_json()["analysers"][0]["differences"]
    assert difference["box"] == [40, 80, 200, 240] and difference["source_box"] == [10, 20, 50, 60]
    assert (difference["kind"], difference["size"]) == ("gained", "medium")
    lines = told.as_csv().splitlines()
    assert lines[1] == "0.000000,things,enhanced,1,1,,medium,40.0,80.0,200.0,240.0,10.0,20.0,50.0,60.0"
    assert len(lines) == 3
