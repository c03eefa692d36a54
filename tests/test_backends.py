"""The same network under every runtime: the same pictures, the same memory, whatever the size."""

import builtins
import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vidgan import backends, checkpoint, quickest, shelf, stream
from vidgan.errors import BadOption, MissingExtra
from vidgan.generators import aligned, compact, recurrent, rrdb

CPU = torch.device("cpu")
OTHERS = [name for name in backends.NAMES if name != "torch"]
CODE = 1 / 255

NETWORKS = {
    "recurrent": lambda: recurrent.Generator(recurrent.Config(features=16, blocks=2)),
    "folded": lambda: recurrent.Generator(recurrent.Config(features=16, blocks=1, scale=2, fold=2)),
    "aligned": lambda: aligned.Generator(aligned.Config(features=16, blocks=1)),
    "compact": lambda: compact.Generator(compact.Config(features=16, blocks=2)),
    "rrdb": lambda: rrdb.Generator(rrdb.Config(features=16, blocks=1, growth=8, scale=2)),
}


@pytest.fixture(params=OTHERS)
def other(request) -> backends.Name:
    pytest.importorskip("onnx")
    pytest.importorskip(request.param)
    return request.param


def lively(name: str) -> nn.Module:
    """As if it had been trained: what it adds, and what it remembers, can be seen."""
    network = NETWORKS[name]()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    return network.eval().requires_grad_(False)


def upscaler(
    network: nn.Module,
    backend: backends.Name,
    precision: torch.dtype = torch.float32,
    tile: int | None = None,
) -> stream.Upscaler:
    settings = stream.Settings(device=CPU, precision=precision, tile=tile, backend=backend)
    return stream.Upscaler(network, settings, lambda line: None)


def film(num_frames: int, height: int, width: int) -> list[Tensor]:
    wide = torch.rand(1, 3, height, width + num_frames)
    return [wide[..., t : t + width].contiguous() for t in range(num_frames)]


def decibels(found: Tensor, expected: Tensor) -> float:
    return -10 * math.log10(max(float((found - expected).square().mean()), 1e-20))


def test_the_choices_are_the_files_of_the_room():
    assert sorted(backends.NAMES) == shelf.names(backends.SHELF)


def test_over_twenty_frames_with_a_memory_every_backend_equals_torch(other):
    network = checkpoint.load_generator("fast")
    exact, found = upscaler(network, "torch"), upscaler(network, other)
    apart = []
    for number, frame in enumerate(film(20, 36, 52)):
        if number == 10:
            exact.forget()
            found.forget()
        apart.append((exact.folded(frame) - found.folded(frame)).abs().max())
    assert max(apart) < 0.05 * CODE
    for ours, theirs in zip(exact.memory, found.memory, strict=True):
        torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_gives_the_same_at_every_size(name, other):
    network = lively(name)
    exact, found = upscaler(network, "torch"), upscaler(network, other)
    for height, width in ((24, 32), (33, 47), (64, 17)):
        exact.forget()
        found.forget()
        for frame in film(3, height, width):
            torch.testing.assert_close(found.folded(frame), exact.folded(frame), atol=1e-5, rtol=0)


def test_a_backend_that_lost_its_memory_would_show(other):
    network = lively("recurrent")
    kept, lost = upscaler(network, other), upscaler(network, other)
    for frame in film(3, 24, 32):
        lost.forget()
        difference = (kept.folded(frame) - lost.folded(frame)).abs().max()
    assert difference > CODE


def test_tiles_of_a_backend_have_no_seam(other):
    network = lively("folded")
    whole, tiled = upscaler(network, "torch"), upscaler(network, other, tile=64)
    for frame in film(3, 131, 90):
        torch.testing.assert_close(tiled.folded(frame), whole.folded(frame), atol=1e-4, rtol=0)


def test_what_was_given_out_is_not_written_over_by_the_next_frame(other):
    network, frames = lively("recurrent"), film(3, 24, 32)
    runs = upscaler(network, other)
    first = runs.folded(frames[0])
    kept, memory = first.clone(), [part.clone() for part in runs.memory]
    held = runs.memory
    runs.folded(frames[1])
    runs.folded(frames[2])
    assert torch.equal(first, kept)
    assert all(torch.equal(*pair) for pair in zip(held, memory, strict=True))


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_bfloat16_stays_above_50_decibels_over_twenty_frames(backend):
    if backend == "openvino":
        pytest.importorskip("onnx")
        pytest.importorskip("openvino")
    network = checkpoint.load_generator("fast")
    exact, found = upscaler(network, "torch"), upscaler(network, backend, torch.bfloat16)
    pairs = [(found.folded(frame), exact.folded(frame)) for frame in film(20, 24, 32)]
    assert min(decibels(*pair) for pair in pairs) > 50


def test_a_memory_goes_from_one_backend_to_another(other):
    network, frames = lively("recurrent"), film(4, 24, 32)
    exact, first, second = (upscaler(network, name) for name in ("torch", other, "torch"))
    for frame in frames[:3]:
        exact.folded(frame)
        first.folded(frame)
    second.memory = first.memory
    torch.testing.assert_close(second.folded(frames[3]), exact.folded(frames[3]), atol=1e-5, rtol=0)


def test_onnxruntime_computes_in_float32_only():
    with pytest.raises(BadOption, match="onnxruntime does not compute in bf16 on cpu"):
        backends.precision_of("onnxruntime", "bf16", CPU)
    assert backends.precision_of("onnxruntime", "auto", CPU) is torch.float32


@pytest.mark.parametrize(("name", "package"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime")])
def test_a_backend_that_is_not_installed_says_how_to_install_it(name, package, monkeypatch):
    pytest.importorskip("onnx")
    imported = builtins.__import__

    def missing(module: str, *rest: object, **more: object) -> object:
        if module.partition(".")[0] == package:
            raise ImportError(module)
        return imported(module, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(
        MissingExtra, match=rf'pip install "vidgan\[{"onnx" if name == "onnxruntime" else name}\]"'
    ):
        backends.load(name, lively("compact"), device=CPU, precision=torch.float32)


def test_a_network_that_does_not_say_how_a_shot_begins_is_refused(other):
    class Silent(nn.Module):
        scale, reach = 2, 1

    with pytest.raises(BadOption, match="a Silent has no 'fresh'"):
        backends.load(other, Silent(), device=CPU, precision=torch.float32)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["recurrent", "aligned", "compact"])
def test_what_is_recorded_on_a_gpu_gives_what_is_not(name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA here")
    network, device = lively(name), torch.device("cuda")
    settings = stream.Settings(device=device, precision=torch.float32)
    recorded, plain = stream.Upscaler(network, settings, print), upscaler(network, "torch")
    for number, frame in enumerate(film(8, 24, 32)):
        if number == 4:
            recorded.forget()
            plain.forget()
        torch.testing.assert_close(recorded.folded(frame).cpu(), plain.folded(frame), atol=2e-3, rtol=0)


# -- which one -----------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("VIDGAN_BACKEND")
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "backends"


@pytest.fixture
def race(monkeypatch):
    """Races with a known end; gives the list of those that were run."""
    run: list[list[str]] = []

    def fixed(generator, choices, device, *, largest, say):
        run.append([choice.backend for choice in choices])
        return {choice.backend: race.milliseconds[choice.backend] for choice in choices}

    fixed.milliseconds = {"torch": 12.0, "openvino": 6.0, "onnxruntime": 11.5}
    race = fixed
    monkeypatch.setattr(quickest, "race", fixed)
    monkeypatch.setattr(backends, "is_here", lambda name, device: True)
    return fixed, run


def choose(
    backend: str = "auto", precision: str = "fp32", weights: str = "abc"
) -> tuple[quickest.Choice, list[str]]:
    said: list[str] = []
    asked = quickest.Asked(backend=backend, precision=precision, device=CPU)
    return quickest.choose(asked, lively("compact"), size=(80, 64), weights=weights, say=said.append), said


def test_auto_takes_the_quickest_says_so_and_remembers_it(cache, race):
    _, run = race
    choice, said = choose()
    assert choice == quickest.Choice(backend="openvino", precision=torch.float32)
    assert said == ["backend: openvino, 2.0 times as fast as torch here"]
    assert choose() == (choice, said)
    assert run == [["torch", "openvino", "onnxruntime"]]
    choose(weights="of another network")
    assert len(run) == 2


def test_a_gain_that_is_hardly_one_leaves_it_to_torch(cache, race):
    fixed, _ = race
    fixed.milliseconds = {"torch": 10.0, "openvino": 9.5, "onnxruntime": 12.0}
    choice, said = choose()
    assert (choice.backend, said) == ("torch", [])


def test_with_torch_alone_there_is_no_race_and_nothing_is_written(cache, race, monkeypatch):
    _, run = race
    monkeypatch.setattr(backends, "is_here", lambda name, device: name == "torch")
    choice, said = choose()
    assert (choice.backend, said, run, cache.exists()) == ("torch", [], [], False)


@pytest.mark.parametrize("damage", [b"", b"\xff", b"[]", b'{"milliseconds": {"torch": "no"}}'])
def test_a_damaged_verdict_is_raced_for_again(damage, cache, race):
    _, run = race
    choose()
    (file,) = cache.iterdir()
    file.write_bytes(damage)
    assert choose()[0].backend == "openvino"
    assert len(run) == 2
    assert json.loads(file.read_text())["milliseconds"]["torch"] == 12.0


def test_a_cache_that_cannot_be_written_does_no_harm(cache, race, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "file"))
    assert choose()[0].backend == "openvino"


def test_a_precision_that_only_some_compute_in_leaves_the_others_out(cache, race):
    _, run = race
    choose(precision="bf16")
    assert run == [["torch", "openvino"]]


def test_what_is_asked_for_is_taken_without_a_race(cache, race, monkeypatch):
    _, run = race
    assert choose("onnxruntime")[0].backend == "onnxruntime"
    monkeypatch.setenv("VIDGAN_BACKEND", "torch")
    assert choose()[0].backend == "torch"
    assert not run


def test_an_unknown_backend_is_refused(cache, monkeypatch):
    monkeypatch.setenv("VIDGAN_BACKEND", "tensorrt")
    with pytest.raises(BadOption, match="VIDGAN_BACKEND=tensorrt is not known"):
        choose()
    with pytest.raises(BadOption, match="--backend tensorrt is not known"):
        quickest.able(quickest.Asked(backend="tensorrt", precision="auto", device=CPU))


def test_a_real_race_times_every_backend(cache):
    pytest.importorskip("onnx")
    pytest.importorskip("openvino")
    choices = [quickest.Choice(backend=name, precision=torch.float32) for name in ("torch", "openvino")]
    times = quickest.race(lively("recurrent"), choices, CPU, largest=48)
    assert set(times) == {"torch", "openvino"}
    assert all(time > 0 for time in times.values())


class OfItsOwn(Exception):
    """Of no family that is ours: ONNX Runtime's errors are such."""


@pytest.mark.parametrize("at", ["load", "first step"])
def test_a_backend_that_fails_in_the_race_is_left_out(at, cache, monkeypatch):
    monkeypatch.setattr(backends, "is_here", lambda name, device: name != "openvino")
    load = backends.load

    def broken(*rest: object, **more: object) -> backends.Running:
        raise OfItsOwn("no such operator\nat line 3")

    def loaded(name, *rest, **more):
        if name != "onnxruntime":
            return load(name, *rest, **more)
        return broken() if at == "load" else replace(load("torch", *rest, **more), folded=broken)

    monkeypatch.setattr(backends, "load", loaded)
    choice, said = choose()
    assert choice.backend == "torch"
    assert said == ["onnxruntime does not compute this network here (no such operator): left out"]


def test_no_runtime_is_imported_before_it_is_asked_for():
    code = (
        "import sys; from vidgan.verbs import enhance; "
        "print([name for name in ('onnx', 'onnxruntime', 'openvino') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_network_in_the_middle_of_its_training_stays_there(other):
    network = lively("recurrent").train()
    upscaler(network, other)
    assert network.training and all(part.training for part in network.modules())
