"""`vidgan export`: the file runs without vidgan and gives what the network gives, or there is no file."""

import runpy
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch

import vidgan
from enhancing import apart, make_models, names, shown, write_soft
from vidgan import blending, checkpoint, cli
from vidgan.backends import onnxruntime as under_onnxruntime
from vidgan.backends import openvino as under_openvino
from vidgan.errors import BadOption, BadOutput
from vidgan.generators import aligned, compact, predictor, recurrent
from vidgan.verbs import export

ROOT = Path(__file__).resolve().parent.parent

onnx = pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIDGAN_DEBUG", raising=False)


@pytest.fixture
def models(tmp_path_factory) -> Path:
    return make_models(tmp_path_factory.mktemp("models"))


def lively(module=recurrent, **config: int) -> torch.nn.Module:
    network = module.Generator(module.Config(features=16, blocks=1, **config))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.03)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(("name", "runtime"), [("a.onnx", "onnxruntime"), ("a.xml", "openvino")])
@pytest.mark.parametrize("config", [{}, {"scale": 2, "fold": 2}])
@pytest.mark.parametrize("module", [recurrent, aligned])
def test_the_file_was_run_beside_the_network(name, runtime, module, config):
    pytest.importorskip(runtime)
    exported = vidgan.export(lively(module, **config), name)
    assert exported.checked_by == runtime
    assert exported.largest_difference < 0.05
    assert names() == (["a.onnx"] if name == "a.onnx" else ["a.bin", "a.xml"])


def test_a_network_that_is_passed_stays_as_it_is():
    network = lively().to(torch.bfloat16).train().requires_grad_(True)
    assert vidgan.export(network, "a.onnx").checked_by is not None
    assert network.training and {(w.dtype, w.requires_grad) for w in network.parameters()} == {
        (torch.bfloat16, True)
    }


def test_what_the_file_says_of_itself():
    vidgan.export("fast", "a.onnx", fidelity=0.5)
    model = onnx.load("a.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert max(entry.version for entry in model.opset_import) <= 18
    assert {node.op_type for node in model.graph.node}.isdisjoint({"GridSample", "If", "Loop"})
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["model"] == "fast, fidelity 0.5"
    assert (told["scale"], told["licence"], told["vidgan"]) == ("4", "Apache-2.0", vidgan.__version__)
    assert told["weights"] == checkpoint.sha256_of_weights(blending.load("fast", fidelity=0.5))
    shapes = {
        given.name: [side.dim_param or side.dim_value for side in given.type.tensor_type.shape.dim]
        for given in (*model.graph.input, *model.graph.output)
    }
    assert shapes["frame"] == [1, 3, "height", "width"]
    assert shapes["begins"] == []
    assert shapes["memory_1"] == shapes["memory_1_next"] == [1, 48, "height", "width"]
    assert shapes["large"] == [1, 3, "height * 4", "width * 4"]


def test_openvinos_file_keeps_the_notes_and_the_numbers():
    openvino = pytest.importorskip("openvino")
    network = lively()
    vidgan.export(network, "a.xml")
    model = openvino.Core().read_model("a.xml")
    assert model.get_rt_info(["framework", "scale"]).astype(str) == "4"
    frame = torch.rand(1, 3, 20, 30)
    large, *_ = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(
        [
            frame.numpy(),
            np.array(True),
            np.zeros((1, 3, 20, 30), np.float32),
            np.zeros((1, 16, 20, 30), np.float32),
        ]
    ).values()
    expected, _ = network.step(frame)
    np.testing.assert_allclose(large, expected.clamp(0, 1).numpy(), atol=1e-4)


def test_a_file_that_gives_other_pixels_gets_no_name(monkeypatch):
    pytest.importorskip("onnxruntime")
    network = lively()
    run = under_onnxruntime.Session.__call__

    def brighter(*given) -> list[torch.Tensor]:
        large, *left = run(*given)
        return [large + 0.01, *left]

    monkeypatch.setattr(under_onnxruntime.Session, "__call__", brighter)
    with pytest.raises(BadOutput, match=r"gives other pixels than under torch, by 2\.\d code values"):
        vidgan.export(network, "a.onnx")
    assert names() == []


def test_without_a_runtime_it_says_that_nothing_was_tried(models, monkeypatch, capsys):
    for runtime in (under_onnxruntime, under_openvino):
        monkeypatch.setattr(runtime, "is_here", lambda device: False)
    assert cli.main(["export", str(models / "tiny.safetensors"), "a.onnx"]) == 0
    assert "not tried: no onnxruntime and no openvino is installed" in capsys.readouterr().out


def test_the_command_says_what_it_wrote(models, capsys):
    pytest.importorskip("onnxruntime")
    assert cli.main(["export", str(models / "tiny.safetensors"), "a.onnx"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "a.onnx: x4, frames of any size, its memory in memory_0, memory_1"
    assert told[1].startswith("tried with onnxruntime: within ")
    assert told[1].endswith(" code values of torch")


@pytest.mark.parametrize(("there", "output"), [("a.onnx", "a.onnx"), ("a.xml", "a.xml"), ("a.bin", "a.xml")])
def test_nothing_is_written_over_unless_it_is_asked_for(there, output, models, capsys):
    pytest.importorskip("openvino")
    Path(there).write_text("mine")
    words = ["export", str(models / "tiny.safetensors"), output]
    assert cli.main(words) == 1
    assert f"{there} exists already" in capsys.readouterr().err
    assert Path(there).read_text() == "mine"
    assert names() == [there]
    assert cli.main([*words, "--overwrite", "--quiet"]) == 0
    assert Path(there).read_bytes() != b"mine"


def test_what_cannot_be_is_refused_before_anything_is_written(models):
    tiny = models / "tiny.safetensors"
    Path("folder.onnx").mkdir()
    for output, error, found in (
        ("a.pt", BadOption, "no name for a network"),
        ("none/a.onnx", BadOutput, "there is no folder none"),
        ("folder.onnx", BadOutput, "is a folder"),
    ):
        with pytest.raises(error, match=found):
            export.run(export.Options(model=tiny, output=Path(output)))
    with pytest.raises(BadOption, match="out of range"):
        vidgan.export(tiny, "a.onnx", fidelity=2)
    assert names() == ["folder.onnx"]


def test_without_onnx_one_line_says_how_to_install_it(models, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert cli.main(["export", str(models / "tiny.safetensors"), "a.onnx"]) == 1
    assert 'pip install "vidgan[onnx]"' in capsys.readouterr().err
    assert names() == []


@pytest.mark.parametrize("module", [recurrent, aligned])
def test_as_a_model_it_is_the_mix_that_the_shares_mean(module, capsys):
    parts = {"a": lively(module), "a-faithful": lively(module), "a-restore": lively(module)}
    for name, part in parts.items():
        card = checkpoint.card_of(part, recipe={"name": name}, results={"val_lpips": 0.2}, step=7)
        checkpoint.save_generator(part, card, Path(f"{name}.safetensors"))
    words = ["export", "a.safetensors", "b.SAFETENSORS", "--fidelity", "0.25", "--restore", "0.5"]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.startswith(
        "b.SAFETENSORS: x4, a model of vidgan's own; in half precision within "
    )
    mixed = checkpoint.load_generator("b.SAFETENSORS").state_dict()
    own, faithful, restore = (part.state_dict() for part in parts.values())
    for name, weight in mixed.items():
        expected = 0.75 * (0.5 * own[name] + 0.5 * restore[name]) + 0.25 * faithful[name]
        torch.testing.assert_close(weight, expected, rtol=2e-3, atol=1e-4)
    card = checkpoint.card("b.SAFETENSORS")
    assert (card.recipe, card.step, card.results) == (
        {"name": "a"},
        7,
        {},
    )  # what was measured was the unmixed one
    assert card.made_of == "a.safetensors, restore 0.5, fidelity 0.25"
    assert cli.main(words) == 1  # not over what is there
    assert cli.main(["export", "b.SAFETENSORS", "b.SAFETENSORS", "--overwrite"]) == 1  # nor over itself


def test_a_pickle_becomes_a_model():
    network = compact.Generator(compact.Config(scale=2, features=8, blocks=1))
    torch.save({"params_ema": network.state_dict()}, "theirs.pth")
    assert vidgan.export("theirs.pth", "ours.safetensors").checked_by == "torch"
    read = checkpoint.load_generator("ours.safetensors")
    assert type(read) is compact.Generator and read.config == network.config
    assert checkpoint.card("ours.safetensors").made_of == "theirs.pth"


def test_a_network_of_ones_own_is_no_model_of_vidgans(capsys):
    class Mine(recurrent.Generator):
        pass

    Mine.__module__ = "mine"
    with pytest.raises(BadOption, match="a Mine is none of vidgan's networks"):
        vidgan.export(Mine(recurrent.Config(features=16, blocks=1)), "a.safetensors")
    assert names() == []


def test_weights_that_half_precision_cannot_hold_are_not_written():
    network = lively()
    with torch.no_grad():
        network.tail.weight.mul_(3e3)
    with pytest.raises(BadOutput, match="in half precision the network gives other pixels"):
        vidgan.export(network, "a.safetensors")
    assert names() == []


def test_the_example_runs_the_file_without_vidgan(monkeypatch):
    pytest.importorskip("onnxruntime")
    example = ROOT / "examples" / "run_onnx.py"
    text = example.read_text()
    assert "import vidgan" not in text and "from vidgan" not in text
    assert len([line for line in text.split('"""')[2].splitlines() if line.strip()]) <= 30
    source = write_soft("in.mkv")
    assert cli.main(["export", "fast", "a.onnx", "--quiet"]) == 0
    monkeypatch.setattr(sys, "argv", ["run_onnx.py", "a.onnx", str(source), "out.mkv"])
    runpy.run_path(str(example))
    assert cli.main(["enhance", str(source), "ours.mkv", "--quiet"]) == 0
    theirs, ours = shown("out.mkv"), shown("ours.mkv")
    assert theirs.pixels.shape == ours.pixels.shape
    assert apart(theirs.pixels, ours.pixels) < 2  # two encoders, and two ways from YUV to RGB
    with av.open("out.mkv") as container:
        assert container.streams.video[0].codec_context.name in ("h264", "libx264")


@pytest.mark.parametrize(("name", "runtime"), [("a.ONNX", "onnxruntime"), ("a.XML", "openvino")])
def test_a_suffix_in_capitals_is_the_same(name, runtime):
    pytest.importorskip(runtime)
    assert vidgan.export(lively(), name).checked_by == runtime
    assert names() == ([name] if name == "a.ONNX" else ["a.XML", "a.bin"])


def test_a_predictor_is_refused_and_its_use_is_told(capsys):
    network = predictor.Generator(predictor.Config(features=16, blocks=1))
    checkpoint.save_generator(network, checkpoint.card_of(network), Path("p.safetensors"))
    assert cli.main(["export", "p.safetensors", "p.onnx"]) == 2
    told = capsys.readouterr().err
    assert (
        "predicts frames" in told
        and "vidgan analyze VIDEO --normal MODEL" in told
        and "--backend" not in told
    )
    assert names() == ["p.safetensors"]
