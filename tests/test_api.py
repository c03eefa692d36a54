"""The package as a library: the whole road from two networks to a new video, and what it refuses."""

import hashlib
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import videos
import vidgan
from videos import Film
from vidgan import arguments, checkpoint
from vidgan.errors import BadOption, BadOutput, BadVideo, BadWeights, VidganError

CLIP = Film(width=128, height=96, times=range(6))


@pytest.fixture
def clip(tmp_path, monkeypatch) -> Path:
    """Six frames; and no LPIPS weights, whatever this machine has."""
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(tmp_path / "no weights"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return videos.write(tmp_path / "clip.mp4", CLIP)


def networks() -> tuple[nn.Module, nn.Module]:
    return vidgan.create_generator(features=16, blocks=1), vidgan.create_discriminator(features=8)


def weights_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_everything_that_is_promised_is_there():
    assert all(callable(getattr(vidgan, name)) for name in vidgan.__all__)
    assert vidgan.generate_video is vidgan.enhance


def test_importing_it_waits_for_nothing_heavy():
    code = "import sys, vidgan; print([n for n in ('torch', 'av', 'numpy', 'pydantic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("scale", [2, 4])
def test_a_generator_enlarges_by_its_scale(scale):
    generator = vidgan.create_generator(scale=scale, features=16, blocks=1)
    assert generator(torch.rand(1, 2, 3, 8, 12)).shape == (1, 2, 3, 8 * scale, 12 * scale)


def test_a_generator_from_weights_is_the_one_that_was_saved(tmp_path):
    saved, _ = networks()
    checkpoint.save_generator(saved, checkpoint.card_of(saved), tmp_path / "a.safetensors")
    loaded = vidgan.create_generator(weights=tmp_path / "a.safetensors", features=99)
    assert loaded.config == saved.config
    low = torch.rand(1, 1, 3, 8, 8)
    torch.testing.assert_close(loaded(low), saved(low), atol=2e-3, rtol=0)


@pytest.mark.parametrize("create", [vidgan.create_generator, vidgan.create_discriminator])
def test_a_network_that_there_is_not_is_refused(create):
    with pytest.raises(BadOption, match="recurent"):
        create("recurent")


def test_the_game_of_two_who_cannot_tell_is_log_2():
    logits = torch.zeros(2, 1, 4, 4)
    for loss in vidgan.gan_loss(logits, logits):
        assert float(loss) == pytest.approx(math.log(2))


def test_the_game_is_won_by_the_one_and_lost_by_the_other():
    """softplus(-2) and softplus(2)."""
    discriminators, generators = vidgan.gan_loss(torch.full((3, 1), 1.0), torch.full((3, 1), -1.0))
    assert float(discriminators) == pytest.approx(math.log1p(math.exp(-2)))
    assert float(generators) == pytest.approx(math.log1p(math.exp(2)))


def test_the_whole_road_train_test_generate_compare(clip, tmp_path):
    generator, discriminator = networks()
    before = weights_of(generator), weights_of(discriminator)
    weights = vidgan.train(
        generator, discriminator, clip, out=tmp_path / "run",
        faithful_steps=2, realistic_steps=2, crop=64, batch=1,
    )  # fmt: skip
    for network, old in zip((generator, discriminator), before, strict=True):
        assert any(not torch.equal(tensor, old[name]) for name, tensor in weights_of(network).items())
    trained = vidgan.create_generator(weights=weights)
    for name, tensor in weights_of(generator).items():
        torch.testing.assert_close(weights_of(trained)[name], tensor, atol=1e-3, rtol=0)

    numbers = vidgan.test(generator, discriminator, clip, frames=4)
    assert numbers.keys() == {"psnr_y", "bicubic_psnr_y", "temporal", "ms_per_frame", "accuracy"}
    assert numbers["psnr_y"] > 15 and numbers["ms_per_frame"] > 0 and 0 <= numbers["accuracy"] <= 1

    made = vidgan.generate_video(clip, tmp_path / "large.mp4", model=generator, scale=2)
    assert (made.frames, made.width, made.height, made.model) == (6, 256, 192, "Generator")
    found = vidgan.compare(clip, made.output, metrics="consistency")
    assert len(found.seconds) == 6 and found.contenders[0].means()["consistency"] > 20


def test_a_training_without_a_game_gives_the_faithful_weights(clip, tmp_path):
    weights = vidgan.train(
        *networks(), clip, out=tmp_path / "run", faithful_steps=1, realistic_steps=0, crop=64, batch=1
    )
    assert weights.name == "faithful.safetensors" and weights.is_file()


def test_a_network_that_adds_nothing_scores_as_bicubic_does(clip):
    generator, discriminator = networks()
    nn.init.zeros_(generator.tail.weight)
    numbers = vidgan.test(generator, discriminator, clip, frames=4)
    assert numbers["psnr_y"] == pytest.approx(numbers["bicubic_psnr_y"], abs=0.3)


def test_to_be_tested_changes_no_network(clip):
    """A unet in training moves what normalises its weights whenever it looks at something."""
    generator, _ = networks()
    discriminator = vidgan.create_discriminator("unet", features=8).train()
    before = weights_of(discriminator)
    vidgan.test(generator, discriminator, clip, frames=3)
    assert discriminator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(discriminator).items())


def test_a_given_generator_stays_as_it_is_and_its_sidecar_names_it(clip, tmp_path, capsys):
    generator, _ = networks()
    generator.train()
    before = weights_of(generator)
    vidgan.enhance(clip, tmp_path / "out.mp4", model=generator, sidecar=True, scale=1)
    assert generator.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights_of(generator).items())
    told = json.loads((tmp_path / "out.mp4.json").read_text())
    digest = hashlib.sha256()
    for name, tensor in before.items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    assert told["model"] == {"name": "Generator", "sha256": digest.hexdigest()}
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err == ""  # a library says nothing unasked


@pytest.mark.parametrize("told", [
    {"device": "gpu"}, {"device": "cuda:99"}, {"device": "cpu:x"}, {"precision": "half"}, {"tile": 5},
    {"tile": "²"}, {"threads": -1}, {"scale": 0.1}, {"scale": 2, "size": "4k"}, {"size": ""}, {"crop": ""},
    {"flip": ""}, {"rotate": math.nan}, {"canvas": "big"}, {"orientation": "left"}, {"start": -1.0},
    {"duration": 0.0}, {"codec": "theora"}, {"crf": 99}, {"preset": "warp"},
])  # fmt: skip
def test_a_setting_that_cannot_be_is_our_error_and_no_other(clip, tmp_path, told):
    generator, _ = networks()
    with pytest.raises(BadOption) as caught:
        vidgan.enhance(clip, tmp_path / "out.mp4", **({"model": generator} | told))
    assert caught.value.remedy
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize("network", [nn.Identity(), networks()[1]])
def test_what_is_no_generator_is_refused(clip, tmp_path, network):
    with pytest.raises(BadOption, match=r"^an? (Identity|Discriminator) is no generator"):
        vidgan.enhance(clip, tmp_path / "out.mp4", model=network)


@pytest.mark.parametrize("place", ["generator", "discriminator"])
def test_a_network_that_no_recipe_can_make_is_not_trained(clip, tmp_path, place):
    generator, discriminator = networks()
    pair = {"generator": generator, "discriminator": discriminator}
    pair[place] = type("Mine", (nn.Module,), {"scale": 2})()
    with pytest.raises(BadOption, match="a Mine is no network of vidgan's shelf"):
        vidgan.train(**pair, videos=clip, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == [clip]


@pytest.mark.parametrize(("told", "takes"), [
    ({"size": (128, 96)}, "size is a tuple\n  Give a string or None"),
    ({"crop": (8, 8, 0, 0)}, "crop is a tuple\n  Give a string or None"),
    ({"memory": 3_000_000_000}, "memory is an int\n  Give a string or None"),
    ({"start": "0:01"}, "start is a str\n  Give a number"),
    ({"scale": "2"}, "scale is a str\n  Give a number or None"),
    ({"overwrite": "no"}, "overwrite is a str\n  Give a bool"),
    ({"model": None}, "model is None\n  Give a string or a path or a network"),
    ({"output": None}, "output is None\n  Give a string or a path"),
])  # fmt: skip
def test_an_argument_of_another_kind_is_named_with_what_it_takes(clip, told, takes):
    with pytest.raises(BadOption, match=re.escape(f"{takes}; help(vidgan.enhance) says more.")):
        vidgan.enhance(**({"input": clip, "output": "out.mp4"} | told))


def test_every_function_says_which_argument_is_of_another_kind(clip):
    with pytest.raises(BadOption, match="models is a Generator"):
        vidgan.evaluate("fast", networks()[0], data=clip)
    with pytest.raises(BadOption, match="metrics is a list"):
        vidgan.compare(clip, clip, metrics=["psnr-y"])
    with pytest.raises(BadOption, match="empty is a str\n  Give a list or None"):
        vidgan.impact(clip, clip, empty="people")
    with pytest.raises(BadOption, match="discriminator is None"):
        vidgan.test(networks()[0], None, clip)


def test_numbers_of_numpy_are_numbers():
    given = {"scale": np.float32(2), "threads": np.int64(1), "quiet": np.bool_(True)}
    defaults = vidgan.enhance.__kwdefaults__ | {"input": "a", "output": Path("b")}
    arguments.check(vidgan.enhance, defaults | given)


def test_networks_in_each_other_s_place_and_too_few_frames_are_refused(clip, tmp_path):
    generator, discriminator = networks()
    for call in (vidgan.test, partial(vidgan.train, out=tmp_path / "run")):
        with pytest.raises(BadOption, match="a discriminator is given as the generator"):
            call(discriminator, generator, clip)
    for frames in (2, 0, -1):
        with pytest.raises(BadOption, match=f"frames={frames} is too few"):
            vidgan.test(generator, discriminator, clip, frames=frames)
    with pytest.raises(BadOption, match="--frames -1"):
        vidgan.evaluate("bicubic", data=clip, frames=-1)


def test_errors_can_be_told_apart(clip, tmp_path):
    generator, discriminator = networks()
    cases = {
        BadVideo: lambda: vidgan.enhance(tmp_path / "missing.mp4", tmp_path / "out.mp4", model=generator),
        BadOutput: lambda: vidgan.enhance(clip, clip, model=generator),
        BadWeights: lambda: vidgan.enhance(clip, tmp_path / "out.mp4", model="nonesuch"),
    }
    for kind, call in cases.items():
        with pytest.raises(kind) as caught:
            call()
        assert isinstance(caught.value, VidganError) and caught.value.remedy
    with pytest.raises(VidganError):
        vidgan.train(generator, discriminator, tmp_path / "missing", out=tmp_path / "run")
    with pytest.raises(VidganError):
        vidgan.test(generator, discriminator, tmp_path / "missing")


def test_a_data_set_is_prepared_from_python(clip, tmp_path):
    from vidgan.dataset import shards

    (tmp_path / "mine").mkdir()
    film = replace(CLIP, width=240, height=180, times=tuple(range(12)), options={"crf": "8"})
    videos.write(tmp_path / "mine" / "a.mp4", film)
    made = vidgan.prepare(tmp_path / "mine", dataset=tmp_path / "set")
    assert made == tmp_path / "set"
    assert list(shards.read_index(made).entries) and (made / "report.html").is_file()


def test_without_a_source_nothing_is_prepared_and_one_is_asked_for(tmp_path):
    with pytest.raises(BadOption, match="there is no SOURCE"):
        vidgan.prepare(dataset=tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("told", [{"fidelity": 0.5}, {"restore": 0.5}, {"denoise": 0.5}])
def test_a_given_generator_has_nothing_to_blend_with(clip, tmp_path, told):
    generator, _ = networks()
    with pytest.raises(BadOption, match="no other weights to blend in"):
        vidgan.enhance(clip, tmp_path / "out.mp4", model=generator, **told)
    if "denoise" not in told:
        with pytest.raises(BadOption, match="no other weights to blend in"):
            vidgan.export(generator, tmp_path / "out.safetensors", **told)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("out")] == []


def test_a_generator_that_was_loaded_learns(clip, tmp_path):
    """What is loaded is frozen, to be run."""
    generator = vidgan.create_generator(weights="fast")
    before = weights_of(generator)
    discriminator = vidgan.create_discriminator(features=8).requires_grad_(False)
    vidgan.train(
        generator, discriminator, clip, out=tmp_path / "run",
        faithful_steps=1, realistic_steps=1, crop=64, batch=1,
    )  # fmt: skip
    assert any(not torch.equal(tensor, before[name]) for name, tensor in weights_of(generator).items())
    generator.head.requires_grad_(False)  # by who wants it to stay
    head = generator.head.weight.clone()
    vidgan.train(
        generator, discriminator, clip, out=tmp_path / "again",
        faithful_steps=1, realistic_steps=1, crop=64, batch=1,
    )  # fmt: skip
    assert torch.equal(generator.head.weight, head)


def test_an_annotation_that_nobody_knows_refuses_nothing():
    def call(some, known):
        pass

    call.__annotations__ = {
        "some": "Sequence[str] | None",
        "known": "list[str | Callable[[int], str]] | None",
    }
    arguments.check(call, {"some": 3, "known": ["a"]})
    with pytest.raises(BadOption, match="known is an int"):
        arguments.check(call, {"some": 3, "known": 3})
