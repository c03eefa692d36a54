"""Weights come back as they went, from a whole file of ours or not at all."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vidgan import blending, checkpoint
from vidgan.errors import BadWeights
from vidgan.generators.recurrent import Config, Generator

SMALL = Config(features=16, blocks=1)


@pytest.fixture
def model(tmp_path) -> Path:
    path = tmp_path / "model.safetensors"
    generator = Generator(SMALL)
    card = checkpoint.card_of(generator, recipe={"name": "tiny"}, results={"val_lpips": 0.2}, step=7)
    checkpoint.save_generator(generator, card, path)
    return path


def with_header(path: Path, header: dict[str, str]) -> Path:
    tensors, _ = checkpoint.load_tensors(path)
    save_file(tensors, path, metadata=header)
    return path


def card(**changes) -> dict[str, str]:
    told = {"generator": "recurrent", "config": {"scale": 4, "features": 16, "blocks": 1}} | changes
    return {checkpoint.HEADER: json.dumps(told)}


def test_a_model_file_says_what_it_is(model):
    tensors, header = checkpoint.load_tensors(model)
    told = checkpoint.read_card(header, model)
    assert (told.generator, told.config) == (
        "recurrent",
        {"scale": 4, "features": 16, "blocks": 1, "fold": 1},
    )
    assert (told.recipe, told.results, told.step) == ({"name": "tiny"}, {"val_lpips": 0.2}, 7)
    assert all(tensor.dtype == torch.float16 for tensor in tensors.values())


def test_a_loaded_generator_is_ready_to_run(model):
    generator = checkpoint.load_generator(model)
    assert not generator.training
    assert all(w.dtype == torch.float32 and not w.requires_grad for w in generator.parameters())


def test_tensors_come_back_to_the_bit_whatever_their_layout(tmp_path):
    weights = {
        "last": torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last),
        "turned": torch.randn(4, 5).T,
        "bytes": torch.arange(9, dtype=torch.uint8),
        "scalar": torch.tensor(3.0),
    }
    checkpoint.save_tensors(weights, {"a": "b"}, tmp_path / "new" / "x.safetensors")
    tensors, header = checkpoint.load_tensors(tmp_path / "new" / "x.safetensors")
    assert header == {"a": "b"} and tensors.keys() == weights.keys()
    assert all(torch.equal(tensors[name], weights[name]) for name in weights)


def test_what_was_loaded_has_nothing_more_to_do_with_its_file(tmp_path):
    """Windows lets nobody replace a file that is mapped: a training that goes on could not be saved there."""
    path = tmp_path / "state.safetensors"
    checkpoint.save_tensors({"weight": torch.ones(1 << 16)}, {}, path)
    tensors, _ = checkpoint.load_tensors(path)
    with path.open("rb+") as file:
        file.seek(-4 * (1 << 16), 2)
        file.write(bytes(4 * (1 << 16)))
    assert (tensors["weight"] == 1).all()


@pytest.mark.parametrize("length", [0, 5, 100, 2000, -1])
def test_a_truncated_file_is_refused(model, length):
    model.write_bytes(model.read_bytes()[:length])
    with pytest.raises(BadWeights):
        checkpoint.load_generator(model)


class Trap:
    """What a pickle can do when it is opened."""

    def __reduce__(self):
        return (Path.touch, (Path(self.target),))

    def __init__(self, target: Path) -> None:
        self.target = str(target)


def test_a_pickle_is_refused_without_being_run(tmp_path):
    sprung, path = tmp_path / "sprung", tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap(sprung)))
    pickle.loads(path.read_bytes())
    assert sprung.exists()  # the trap works
    sprung.unlink()
    with pytest.raises(BadWeights):
        checkpoint.load_generator(path)
    torch.save({"weights": Trap(sprung)}, path)
    with pytest.raises(BadWeights):
        checkpoint.load_generator(path)
    assert not sprung.exists()


def test_weights_of_another_size_are_refused(model):
    other = card(config={"scale": 4, "features": 32, "blocks": 1})
    with pytest.raises(BadWeights, match="does not fit the network 'recurrent'"):
        checkpoint.load_generator(with_header(model, other))


@pytest.mark.parametrize("config", [
    {"scale": 4, "features": 16, "blocks": 2},
    {"scale": 4, "features": 16, "blocks": 1, "depth": 3},
    {"scale": 4, "features": -1, "blocks": 1},
    {"scale": 4, "features": 16.5, "blocks": 1},
    {"scale": -4, "features": 16, "blocks": 1},
    {"scale": 4, "features": 16, "blocks": 1, "fold": -1},
    {"scale": 0, "features": 16, "blocks": 1},
])  # fmt: skip
def test_a_config_that_does_not_fit_is_refused(model, config):
    with pytest.raises(BadWeights):
        checkpoint.load_generator(with_header(model, card(config=config)))


def test_a_network_that_we_do_not_have_is_a_fault_of_the_file(model):
    with pytest.raises(BadWeights, match="'transformer'"):
        checkpoint.load_generator(with_header(model, card(generator="transformer")))


@pytest.mark.parametrize("name", ["../errors", "os", "__init__", ""])
def test_a_header_cannot_import_what_is_on_no_shelf(model, name):
    with pytest.raises(BadWeights):
        checkpoint.load_generator(with_header(model, card(generator=name)))


@pytest.mark.parametrize("header", [None, {}, {"format": "pt"}])
def test_a_file_without_our_header_is_refused(model, header):
    with pytest.raises(BadWeights, match="not one of vidgan's"):
        checkpoint.load_generator(with_header(model, header))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"generator": 3}', '{"generator": "recurrent"}'])
def test_a_damaged_header_is_refused(model, text):
    with pytest.raises(BadWeights, match="damaged header"):
        checkpoint.load_generator(with_header(model, {checkpoint.HEADER: text}))


def test_a_header_with_more_than_we_know_is_read(model):
    assert checkpoint.load_generator(with_header(model, card(colour="green"))).config == SMALL


@pytest.fixture
def embedded(tmp_path, monkeypatch) -> Path:
    """An installation that holds the models fast and sharp."""
    weights = tmp_path / "vidgan" / "weights"
    weights.mkdir(parents=True)
    for name in ("fast", "sharp"):
        generator = Generator(SMALL)
        checkpoint.save_generator(generator, checkpoint.card_of(generator), weights / f"{name}.safetensors")
    monkeypatch.setattr(checkpoint.resources, "files", lambda package: tmp_path / package)
    return weights


def test_a_name_finds_the_embedded_model(embedded):
    assert checkpoint.find("fast") == embedded / "fast.safetensors"
    assert checkpoint.load_generator("fast").config == SMALL


def test_a_folder_called_like_a_model_does_not_hide_it(embedded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fast").mkdir()
    assert checkpoint.find("fast") == embedded / "fast.safetensors"


def test_a_run_called_like_a_model_does_not_hide_it(embedded, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    best = Path("fast/checkpoints/best.safetensors")
    best.parent.mkdir(parents=True, exist_ok=True)
    best.touch()
    assert checkpoint.find("fast") == embedded / "fast.safetensors"


def test_an_unknown_name_is_answered_with_the_nearest(embedded):
    with pytest.raises(BadWeights, match="Did you mean 'fast'") as caught:
        checkpoint.load_generator("fats")
    assert "'fats'" in caught.value.found


def test_a_name_like_no_other_is_answered_with_all(embedded):
    with pytest.raises(BadWeights, match="fast, sharp"):
        checkpoint.load_generator("xyzzy")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadWeights, match=r"nowhere\.safetensors"):
        checkpoint.load_generator(tmp_path / "nowhere.safetensors")
    with pytest.raises(BadWeights):
        checkpoint.load_generator(tmp_path)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(model, monkeypatch):
    before = model.read_bytes()

    def fails(path, data):
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save_generator(Generator(SMALL), checkpoint.card_of(Generator(SMALL)), model)
    assert model.read_bytes() == before
    assert [file.name for file in model.parent.iterdir()] == [model.name]


def test_the_default_model_comes_with_the_package_and_is_small():
    path = checkpoint.find("fast")
    assert path.stat().st_size < 3_000_000
    assert isinstance(checkpoint.load_generator("fast"), nn.Module)


@pytest.mark.parametrize("config", [
    {"features": 10**9}, {"blocks": 10**9}, {"scale": 10**9}, {"features": 4096}, {"blocks": 4096}, {"scale": 4096},
    {"fold": 4096}, {"features": 1e400}, {"blocks": -(10**30)},
])  # fmt: skip
def test_a_header_that_asks_for_more_than_the_file_holds_allocates_nothing(model, config):
    asked = {"scale": 4, "features": 16, "blocks": 1} | config
    path = with_header(model, card(config=asked))
    before = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    with pytest.raises(BadWeights):
        checkpoint.load_generator(path)
    after = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc").is_dir() else 0
    assert (after - before) * 4096 < 100e6


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(model, number):
    tensors, header = checkpoint.load_tensors(model)
    tensors["head.bias"][3] = number
    checkpoint.save_tensors(tensors, header, model)
    with pytest.raises(BadWeights, match="nan or infinity"):
        checkpoint.load_generator(model)


@pytest.mark.parametrize("kind", ["F4", "F8_E8M0", "C64", "BOOL", "I64", "U64", "X1"])
def test_weights_of_an_odd_type_are_refused_or_read(model, kind):
    data = model.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(b'"F16"', f'"{kind}"'.encode())
    model.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + length :])
    with pytest.raises(BadWeights):
        checkpoint.load_generator(model)


def test_a_twin_is_another_file(model):
    only = model.rename(model.with_name("faithful.safetensors"))
    with pytest.raises(BadWeights, match="no faithful twin"):
        blending.load_twins(only, option="--trust")


def test_a_run_s_folder_and_the_judge_are_told_what_they_are_for(model, tmp_path):
    place = tmp_path / "run" / "checkpoints" / "best.safetensors"
    place.parent.mkdir(parents=True)
    model.rename(place)
    with pytest.raises(BadWeights, match="folder of a training run") as caught:
        checkpoint.load_generator(tmp_path / "run")
    assert str(place) in caught.value.remedy
    with pytest.raises(BadWeights, match="no model that enlarges"):
        checkpoint.load_generator("judge")
    with pytest.raises(BadWeights, match="no training state at fast") as caught:
        checkpoint.load_players(Path("fast"))
    assert "judge" in caught.value.remedy
