"""Networks between networks, and what `enhance` makes of a video that looks damaged."""

import json

import numpy as np
import pytest
import torch

import vidgan
from enhancing import shown, write_soft
from vidgan import blending, checkpoint, cli, damage, errors
from vidgan.generators import recurrent

SHARES = (("mine", 1), ("mine-restore", 2), ("mine-faithful", 3))


@pytest.fixture
def models(tmp_path):
    """Three networks that are one by their names, and a fourth without company."""
    for name, seed in (*SHARES, ("alone", 4)):
        torch.manual_seed(seed)
        generator = recurrent.Generator(recurrent.Config(features=16, blocks=1))
        path = tmp_path / f"{name}.safetensors"
        checkpoint.save_generator(generator, checkpoint.card_of(generator), path, dtype=torch.float32)
    return tmp_path


@pytest.fixture
def clip(tmp_path):
    return write_soft(tmp_path / "clip.mp4")


def looks(monkeypatch, share):
    """Every video looks damaged by this share. Gives what was asked."""
    asked = []
    monkeypatch.setattr(damage, "estimate", lambda source, **part: asked.append(part) or share)
    return asked


def pixels(models, clip, model="mine", **options):
    output = clip.with_name("out.mkv")
    vidgan.enhance(
        clip, output, model=models / f"{model}.safetensors", codec="ffv1", overwrite=True, precision="fp32",
        backend="torch", **options,
    )  # fmt: skip
    return shown(output).pixels


@pytest.mark.parametrize(
    ("restore", "fidelity", "expected"),
    [
        (0.0, None, (1, 0, 0)),
        (0.25, None, (0.75, 0.25, 0)),
        (1.0, None, (0, 1, 0)),
        (0.0, 0.5, (0.5, 0, 0.5)),
        (0.25, 0.5, (0.375, 0.125, 0.5)),  # fidelity leads on from what restores
        (1.0, 1.0, (0, 0, 1)),
    ],
)
def test_shares_of_weights(models, restore, fidelity, expected):
    found = blending.load(models / "mine.safetensors", restore=restore, fidelity=fidelity).state_dict()
    parts = [checkpoint.load_generator(models / f"{name}.safetensors").state_dict() for name, _ in SHARES]
    for name, weight in found.items():
        mean = sum(share * part[name] for share, part in zip(expected, parts, strict=True))
        torch.testing.assert_close(weight, mean, rtol=1e-5, atol=1e-7)


def test_a_share_that_is_none_and_two_kinds_of_mixing_are_errors(models):
    model = models / "mine.safetensors"
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(errors.BadOption, match="out of range"):
            blending.load(model, restore=share)
    with pytest.raises(errors.BadOption, match="--denoise-strength and --restore mix different networks"):
        blending.load(model, restore=0.5, denoise=0.5)
    with pytest.raises(errors.BadWeights, match="no weights for damaged footage"):
        blending.load(models / "alone.safetensors", restore=0.5)
    checkpoint.save_generator(
        other := recurrent.Generator(recurrent.Config(features=16, blocks=2)),
        checkpoint.card_of(other),
        models / "alone-restore.safetensors",
    )
    with pytest.raises(errors.BadWeights, match="another network"):
        blending.load(models / "alone.safetensors", restore=0.5)


def test_a_video_that_looks_damaged_is_restored_and_all_that_tells_of_it_says_so(
    models, clip, tmp_path, monkeypatch, capsys
):
    asked = looks(monkeypatch, 0.25)
    words = ["enhance", str(clip), str(tmp_path / "out.mkv"), "--model", str(models / "mine.safetensors")]
    assert cli.main([*words, "--sidecar", "--start", "0.1", "--duration", "0.2"]) == 0
    assert asked == [{"start": 0.1, "duration": 0.2}]
    assert capsys.readouterr().err.count("looks somewhat damaged: --restore 0.25") == 1
    assert json.loads((tmp_path / "out.mkv.json").read_text())["settings"]["restore"] == 0.25
    assert "restore 0.25" in vidgan.video.metadata(tmp_path / "out.mkv")["COMMENT"]


def test_what_is_found_is_what_could_have_been_asked_for(models, clip, monkeypatch):
    plain = pixels(models, clip, restore=0.0)
    whole = pixels(models, clip, restore=1.0)
    assert not np.array_equal(plain, whole)
    for share, expected in ((0.0, plain), (1.0, whole)):
        looks(monkeypatch, share)
        np.testing.assert_array_equal(pixels(models, clip), expected)
    np.testing.assert_array_equal(pixels(models, clip, model="mine-restore"), whole)


def test_nobody_looks_where_it_is_said_or_nothing_can_be_done(models, clip, monkeypatch, capsys):
    asked = looks(monkeypatch, 1.0)
    pixels(models, clip, restore=0.0)
    pixels(models, clip, model="alone")
    vidgan.enhance(
        clip, clip.with_name("own.mkv"), model=checkpoint.load_generator(models / "mine.safetensors")
    )
    assert asked == [] and "damaged" not in capsys.readouterr().err


def test_wrong_wishes_end_in_two_lines(models, clip, tmp_path, capsys):
    words = ["enhance", str(clip), str(tmp_path / "no.mkv"), "--model", str(models / "alone.safetensors")]
    assert cli.main([*words, "--restore", "1.5"]) == 2 and "--restore" in capsys.readouterr().err
    assert cli.main([*words, "--restore", "1"]) == 1
    assert "no weights for damaged footage" in capsys.readouterr().err
    words[4] = str(models / "mine.safetensors")
    words[2] = str(tmp_path / "asked.mkv")
    assert cli.main([*words, "--restore", "0.5"]) == 0
    assert "looks" not in capsys.readouterr().err  # who asked for it knows
    assert not (tmp_path / "no.mkv").exists()


def test_an_exported_file_says_what_was_mixed(models, tmp_path):
    onnx = pytest.importorskip("onnx")
    vidgan.export(models / "mine.safetensors", tmp_path / "a.onnx", restore=0.5, fidelity=0.25)
    told = {entry.key: entry.value for entry in onnx.load(tmp_path / "a.onnx").metadata_props}
    assert told["model"] == "mine.safetensors, restore 0.5, fidelity 0.25"
    mixed = blending.load(models / "mine.safetensors", restore=0.5, fidelity=0.25)
    assert told["weights"] == checkpoint.sha256_of_weights(mixed)
