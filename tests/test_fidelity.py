"""The dial between realistic and faithful, and outputs that give their input again."""

import json

import pytest
import torch

import vidgan
from footage import moving
from test_compare import exact
from vidgan import backprojection, blending, checkpoint, cli
from vidgan.errors import BadWeights
from vidgan.generators import compact, recurrent


def saved(path, seed: int, config=None):
    """A model file with random weights."""
    torch.manual_seed(seed)
    generator = recurrent.Generator(config or recurrent.Config(features=16, blocks=1))
    checkpoint.save_generator(generator, checkpoint.card_of(generator), path, dtype=torch.float32)
    return checkpoint.load_generator(path)


@pytest.fixture
def twins(tmp_path):
    return saved(tmp_path / "mine.safetensors", 1), saved(tmp_path / "mine-faithful.safetensors", 2)


@pytest.fixture
def clip(tmp_path):
    return exact(tmp_path / "clip.mkv", list(moving(1, 4, 48, 64)))


def test_the_ends_of_the_dial_are_the_two_models_and_its_middle_their_mean(twins, tmp_path):
    realistic, faithful = (twin.state_dict() for twin in twins)
    for fidelity in (0.0, 0.25, 1.0):
        found = blending.load(tmp_path / "mine.safetensors", fidelity=fidelity).state_dict()
        for name, weight in found.items():
            expected = (1 - fidelity) * realistic[name] + fidelity * faithful[name]
            torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-7)


def test_a_run_s_checkpoint_finds_the_faithful_one_beside_it(tmp_path):
    saved(tmp_path / "best.safetensors", 1)
    faithful = saved(tmp_path / "faithful.safetensors", 2)
    found = blending.load(tmp_path / "best.safetensors", fidelity=1)
    assert all(torch.equal(found.state_dict()[name], value) for name, value in faithful.state_dict().items())


def test_a_model_without_a_twin_and_twins_of_two_kinds_are_errors(tmp_path):
    saved(tmp_path / "alone.safetensors", 1)
    with pytest.raises(BadWeights, match="no faithful twin"):
        blending.load(tmp_path / "alone.safetensors", fidelity=0.5)
    saved(tmp_path / "alone-faithful.safetensors", 1, recurrent.Config(features=16, blocks=2))
    with pytest.raises(BadWeights, match="another network"):
        blending.load(tmp_path / "alone.safetensors", fidelity=0.5)
    other = compact.Generator(compact.Config(features=16, blocks=1))
    checkpoint.save_generator(other, checkpoint.card_of(other), tmp_path / "alone-faithful.safetensors")
    with pytest.raises(BadWeights, match="another network"):
        blending.load(tmp_path / "alone.safetensors", fidelity=0.5)


def test_the_dial_is_told_in_the_sidecar_and_its_mistakes_in_two_lines(twins, clip, tmp_path, capsys):
    model = tmp_path / "mine.safetensors"
    vidgan.enhance(clip, tmp_path / "out.mkv", model=model, fidelity=0.5, sidecar=True)
    assert json.loads((tmp_path / "out.mkv.json").read_text())["settings"]["fidelity"] == 0.5
    words = ["enhance", str(clip), str(tmp_path / "no.mkv"), "--model", str(model), "--fidelity"]
    assert cli.main([*words, "1.5"]) == 2 and "--fidelity" in capsys.readouterr().err
    (tmp_path / "mine-faithful.safetensors").unlink()
    assert cli.main([*words, "0.5"]) == 1 and "no faithful twin" in capsys.readouterr().err
    assert not (tmp_path / "no.mkv").exists()


def test_back_projection_brings_the_source_back_and_leaves_what_was_consistent():
    small = torch.from_numpy(moving(1, 1, 32, 48)).permute(0, 3, 1, 2).float() / 255
    large = torch.nn.functional.interpolate(small, scale_factor=4, mode="bicubic", antialias=True)
    spoilt = (large * 0.9 + 0.02 * torch.randn(large.shape)).clamp(0, 1)
    before = backprojection.consistency(spoilt, small)
    corrected, after = backprojection.consistent(spoilt, small)
    assert after > before + 12 and after == pytest.approx(backprojection.consistency(corrected, small))
    more = [backprojection.consistent(spoilt, small, steps=steps)[1] for steps in (0, 1, 2, 4, 8)]
    assert more == sorted(more) and more[0] == pytest.approx(before)
    flat = torch.full((1, 3, 8, 8), 0.4)
    same, decibels = backprojection.consistent(torch.full((1, 3, 32, 32), 0.4), flat)
    assert decibels == 100 and torch.allclose(same, torch.tensor(0.4))


def test_a_consistent_video_says_how_well_and_compare_agrees(clip, tmp_path):
    """Measured by compare on the written file, which rounds to 8 bits."""
    results = {}
    for consistent in (False, True):
        output = tmp_path / f"{consistent}.mkv"
        made = vidgan.enhance(
            clip, output, codec="ffv1", sidecar=True, consistent=consistent, restore=0, precision="fp32"
        )
        found = vidgan.compare(clip, output, metrics="consistency").contenders[0].means()
        results[consistent] = found["consistency"], made.consistency
    assert results[False][1] is None
    assert results[True][0] > results[False][0] + 3
    assert results[True][0] == pytest.approx(results[True][1], abs=3)
    told = json.loads((tmp_path / "True.mkv.json").read_text())
    assert told["settings"]["consistent"] and len(told["frames"]["consistency"]) == 4


@pytest.mark.parametrize("name", ["fast", "fast-x2", "balanced"])
def test_an_embedded_model_has_its_twin_and_both_are_small(name):
    realistic, faithful = blending.load_twins(name, option="--fidelity")
    assert realistic.config == faithful.config
    sizes = [checkpoint.find(each).stat().st_size for each in (name, f"{name}-faithful")]
    assert sum(sizes) < 3_000_000


@pytest.mark.parametrize("name", ["fast", "fast-x2", "balanced"])
def test_the_way_between_embedded_twins_has_no_hill(name):
    """Blended weights of two networks that are no neighbours give noise; these give something between the two."""
    clip = moving(3, 3, 32, 48)
    low = torch.from_numpy(clip).permute(0, 3, 1, 2)[None].float() / 255
    ends = [blending.load(name, fidelity=fidelity)(low) for fidelity in (0.0, 1.0)]
    middle = blending.load(name, fidelity=0.5)(low)
    apart = (ends[0] - ends[1]).abs().mean()
    assert (middle - (ends[0] + ends[1]) / 2).abs().mean() < 0.5 * apart
