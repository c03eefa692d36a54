"""What a predictor takes for normal: by predictors whose mistakes are known by hand."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from test_training import moving, recipe, stage, still
from vidgan import anomaly, checkpoint, stream
from vidgan.errors import BadOption, BadVideo, BadWeights
from vidgan.generators import predictor, recurrent
from vidgan.recipe import Augment, Data, Losses, Network
from vidgan.training import calibrating, ground, loop
from vidgan.training import run as running

CPU = torch.device("cpu")


def stays(ahead: int = 1) -> predictor.Generator:
    """A predictor that says of every frame that it stays as it is."""
    generator = predictor.Generator(predictor.Config(ahead=ahead, features=16, blocks=1))
    with torch.no_grad():
        generator.tail.weight.zero_()
    return generator.eval().requires_grad_(False)


def normal(*, ahead: int = 1, usual: float = 0.0025, size: tuple[int, int] = (40, 60)) -> anomaly.Normal:
    expected = torch.full((-(-size[0] // 4), -(-size[1] // 4)), usual)
    return anomaly.Normal(stays(ahead), anomaly.Usual(expected, size, 1.5, 0.01, 100, 0.0), CPU)


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_shot_of_the_fewest_frames_has_one_score(ahead):
    model = normal(ahead=ahead)
    scores = [model.read(grey(0.5)).score for _ in range(model.fewest)]
    assert [score is None for score in scores] == [True] * (model.fewest - 1) + [False]


def grey(level: float, height: int = 40, width: int = 60) -> torch.Tensor:
    return torch.full((3, height, width), level)


@pytest.mark.parametrize(("ahead", "silent"), [(1, 4), (4, 7)])
def test_the_first_frames_of_a_shot_have_no_score(ahead, silent):
    """Four must be seen for a prediction, and its frame be reached."""
    model = normal(ahead=ahead)
    for _ in range(2):
        readings = [model.read(grey(0.5)) for _ in range(silent + 2)]
        assert [reading.score is None for reading in readings] == [True] * silent + [False] * 2
        assert all((reading.heat is None) == (reading.score is None) for reading in readings)
        model.forget()


def test_a_still_video_is_as_expected_and_a_flash_is_not():
    """A tenth of the range is four times the usual squared error: twice as wrong. Then it fades by quarters."""
    model = normal()
    for _ in range(5):
        calm = model.read(grey(0.5))
    assert calm.score == 0
    assert model.read(grey(0.6)).score == pytest.approx(2 / 4, rel=1e-4)
    assert model.read(grey(0.6)).score == pytest.approx(2 / 4 * 3 / 4, rel=1e-4)


def test_a_shot_s_first_score_stands_for_itself():
    model = normal()
    for _ in range(4):
        model.read(grey(0.5))
    assert model.read(grey(0.6)).score == pytest.approx(2.0, rel=1e-4)


def test_the_heat_says_where_and_its_largest_value_is_the_score():
    model = normal(size=(120, 180))
    for _ in range(6):
        model.read(grey(0.5, 120, 180))
    changed = grey(0.5, 120, 180)
    changed[:, 56:60, 80:84] = 0.9  # row 14 and column 20 of the squares
    reading = model.read(changed)
    assert reading.heat.dtype == np.float32 and reading.heat.shape == (30, 45)
    expected = np.zeros((30, 45), bool)
    expected[7:22, 13:28] = True  # 60 pixels around it
    np.testing.assert_array_equal(reading.heat > 0, expected)
    assert reading.heat.max() == pytest.approx(reading.score, rel=1e-5)


def test_bytes_and_floats_are_read_alike():
    clip = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (6, 3, 40, 60), dtype=np.uint8))
    one, other = normal(), normal()
    for frame in clip:
        first, second = one.read(frame), other.read(frame.float() / 255)
    assert first.score == pytest.approx(second.score, rel=1e-5)


@pytest.mark.parametrize("size", [(80, 120), (40, 60), (17, 31), (1, 1)])
def test_a_frame_of_any_size_is_looked_at_at_the_size_of_training(size):
    model = normal()
    readings = [model.read(grey(level, *size)) for level in (0.5, 0.5, 0.5, 0.5, 0.6)]
    assert readings[-1].score == pytest.approx(2.0, rel=1e-3)
    assert readings[-1].heat.shape == (10, 15)


def test_it_keeps_no_more_of_a_long_video_than_of_a_short_one():
    foresight = anomaly.Foresight(stays(4), (16, 16), CPU)
    for _ in range(40):
        foresight.error(grey(0.5, 16, 16))
        assert len(foresight._coming) <= 4


def noisy(seed: int, frames: int = 40, deviation: float = 10.0) -> list[torch.Tensor]:
    noise = np.random.default_rng(seed).normal(128, deviation, (frames, 1, 40, 60)).round().clip(0, 255)
    return list(torch.from_numpy(noise.astype(np.uint8)).expand(-1, 3, -1, -1))


def test_what_is_usual_of_noise_is_twice_its_variance():
    """The frame before is as noisy as this one."""
    usual = anomaly.calibrated(stays(), [noisy(0)], [noisy(1)], device=CPU, tick=lambda: None)
    variance = (10 / 255) ** 2
    assert float(usual.expected.mean()) == pytest.approx(2 * variance * (1 + anomaly.FLOOR), rel=0.05)
    assert usual.size == (40, 60) and usual.frames == 36


def test_without_its_margin_the_threshold_leaves_the_stated_share_of_held_out_frames_above_it():
    held_out = [noisy(seed, 60) for seed in (1, 2, 3)]
    usual = anomaly.calibrated(stays(), [noisy(0)], held_out, device=CPU, tick=lambda: None)
    model = anomaly.Normal(stays(), usual, CPU)
    scores = []
    for clip in held_out:
        model.forget()
        scores += [model.read(frame).score for frame in clip][4:]
    assert usual.frames == len(scores) == 168 and usual.false_alarms == anomaly.FALSE_ALARMS
    assert 0 < np.mean(np.array(scores) > usual.threshold / anomaly.MARGIN * (1 - 1e-6)) <= 2 / 168
    assert usual.above == np.mean(np.array(scores) > usual.threshold)


def test_what_is_usual_in_one_place_is_not_in_another():
    """Noise on the left alone: a change there counts less than on the right."""
    clip = [torch.cat([frame, torch.full((3, 40, 180), 128, dtype=torch.uint8)], 2) for frame in noisy(0)]
    usual = anomaly.calibrated(stays(), [clip], [clip], device=CPU, tick=lambda: None)
    assert usual.expected[:, 0].min() > 10 * usual.expected[:, -1].max()


def test_a_cut_between_two_clips_is_nothing_unusual():
    dark, bright = ([grey(level)] * 12 for level in (0.2, 0.8))
    noise = noisy(0)
    usual = anomaly.calibrated(stays(), [noise, dark, bright], [dark, bright], device=CPU, tick=lambda: None)
    assert usual.threshold == 0


def test_a_cut_within_a_clip_is_nothing_unusual_either():
    """As in a recording that goes on elsewhere: to watch it begins anew there, and so does what sets the threshold."""
    there, elsewhere = noisy(1, 60), [frame // 3 for frame in noisy(2, 60)]
    apart, joined = (
        anomaly.calibrated(stays(), clips, clips, device=CPU, tick=lambda: None)
        for clips in ([there, elsewhere], [there + elsewhere])
    )
    assert joined.frames == apart.frames == 112 and joined.threshold == apart.threshold
    assert torch.equal(joined.expected, apart.expected)


def test_clips_that_are_too_short_are_named():
    with pytest.raises(BadVideo, match="no clip has the 8 frames"):
        anomaly.calibrated(stays(4), [noisy(0, 7)], [noisy(1, 7)], device=CPU, tick=lambda: None)


def saved(generator, path, usual: anomaly.Usual | None = None):
    checkpoint.save_generator(generator, checkpoint.card_of(generator), path)
    if usual is not None:
        anomaly.save(usual, path)
    return path


def test_a_model_file_gives_the_same_scores_back(tmp_path):
    generator = predictor.Generator(predictor.Config(ahead=2, features=16, blocks=1)).half().float().eval()
    usual = anomaly.calibrated(generator, [noisy(0)], [noisy(1)], device=CPU, tick=lambda: None)
    again = anomaly.load(saved(generator, tmp_path / "model.safetensors", usual), CPU)
    assert (again.threshold, again.false_alarms) == (usual.threshold, usual.false_alarms)
    model = anomaly.Normal(generator, usual, CPU)
    for frame in noisy(2, 8):
        assert again.read(frame).score == model.read(frame).score


def test_a_calibrated_file_can_be_trained_further(tmp_path):
    usual = anomaly.Usual(torch.ones(10, 15), (40, 60), 1.5, 0.01, 100, 0.0)
    path = saved(stays(), tmp_path / "model.safetensors", usual)
    assert checkpoint.load_generator(path).config == stays().config


def test_a_file_that_is_no_such_model_is_refused_with_what_to_do(tmp_path):
    small = recurrent.Generator(recurrent.Config(features=16, blocks=1))
    with pytest.raises(BadWeights, match="enhances frames and predicts none") as caught:
        anomaly.load(saved(small, tmp_path / "enhances.safetensors"), CPU)
    assert "recipes/anomaly.toml" in caught.value.remedy
    with pytest.raises(BadWeights, match="its training did not end") as caught:
        anomaly.load(saved(stays(), tmp_path / "early.safetensors"), CPU)
    assert "once more" in caught.value.remedy
    (tmp_path / "noise.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(BadWeights):
        anomaly.load(tmp_path / "noise.safetensors", CPU)
    with pytest.raises(BadWeights):
        anomaly.load(tmp_path / "nowhere.safetensors", CPU)


@pytest.mark.parametrize("damage", [
    {"size": [40, 64]}, {"size": [40]}, {"threshold": "high"}, {"threshold": float("nan")}, {"frames": None},
    {"frames": float("inf")},
])  # fmt: skip
def test_a_damaged_header_is_told_of(tmp_path, damage):
    path = saved(
        stays(),
        tmp_path / "model.safetensors",
        anomaly.Usual(torch.ones(10, 15), (40, 60), 1.5, 0.01, 100, 0.0),
    )
    tensors, header = checkpoint.load_tensors(path)
    told = json.loads(header[anomaly.HEADER]) | damage
    checkpoint.save_tensors(tensors, header | {anomaly.HEADER: json.dumps(told)}, path)
    with pytest.raises(BadWeights, match="damaged header"):
        anomaly.load(path, CPU)


def test_a_header_nested_without_end_is_told_of(tmp_path):
    usual = anomaly.Usual(torch.ones(10, 15), (40, 60), 1.5, 0.01, 100, 0.0)
    path = saved(stays(), tmp_path / "model.safetensors", usual)
    tensors, header = checkpoint.load_tensors(path)
    checkpoint.save_tensors(tensors, header | {anomaly.HEADER: '{"size": ' * 100_000}, path)
    with pytest.raises(BadWeights, match="damaged header"):
        anomaly.load(path, CPU)


def test_a_predictor_enhances_nothing():
    with pytest.raises(BadOption, match="enhances none"):
        stream.checked(stays())


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A short training against a discriminator, and its folder."""
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path / "no weights"))
    weights = Losses(l1=1.0, gradient_difference=0.5, motion_difference=0.01)
    told = recipe(
        generator=Network(name="predictor", config={"ahead": 2, "features": 16, "blocks": 1}),
        data=Data(train=[tmp_path / "a"], val=[tmp_path / "b"], busiest_of=2),
        augment=Augment(oriented=True, reverse=0.0),
        faithful=stage(weights, steps=30, frames=5, crop=64, roll_in=0.0, lr=3e-3),
        realistic=stage(Losses(l1=1.0, game=0.01), steps=4, frames=4, crop=64, roll_in=0.0, lr=1e-3),
        ema=0.9,
    )
    folder = tmp_path / "run"
    folder.mkdir()
    save_file({"a": moving(12, 80)}, folder / "train.store")
    save_file({"b": moving(12, 80, 2)}, folder / "val.store")
    setup = ground.Setup(say=lambda line: None, tick=still, workers=0)
    return loop.train(running.create(told), folder, setup), folder, setup


def test_training_ends_with_a_model_that_knows_what_is_usual(trained):
    run, folder, setup = trained
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    judged = [row["val_psnr_y"] for row in rows if "val_psnr_y" in row]
    assert judged[-1] > judged[0] + 0.2, "it predicts better than that everything stays"
    assert any("val_accuracy" in row for row in rows), "it played against a discriminator"
    weights = folder / "checkpoints" / "best.safetensors"
    calibrating.calibrate(weights, run.recipe.data, folder, setup)
    model = anomaly.load(weights, CPU)
    usual = [model.read(frame).score for frame in moving(12, 80, 2).permute(0, 3, 1, 2)]
    model.forget()
    thrice = [model.read(frame).score for frame in moving(36, 80, 2)[::3].permute(0, 3, 1, 2)]
    assert max(usual[5:]) <= model.threshold < max(thrice[5:]), "three times as fast is not usual"
    before = weights.read_bytes()
    calibrating.calibrate(weights, run.recipe.data, folder, setup)
    assert weights.read_bytes() == before, "once is enough"
