"""LPIPS's weights, fetched from their authors: converted, held against known numbers, and never run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vidgan.errors import BadWeights
from vidgan.features import PLANS, load_lpips, lpips


@pytest.fixture
def official(tmp_path, shared, monkeypatch):
    """A server with files as torch and the authors have them, made of the weights at hand."""
    import functools
    import hashlib
    import http.server
    import threading

    from vidgan.features import fetch

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    place = tmp_path / "server"
    place.mkdir()
    weights = load_file(shared / "weights" / PLANS["alex"].file)
    origin = fetch.ORIGINS["alex"]
    backbone = {
        f"features.{layer}.{kind}": weights[f"conv{number}.{kind}"]
        for number, layer in enumerate(origin.layers) for kind in ("weight", "bias")
    }  # fmt: skip
    torch.save(backbone | {"classifier.6.bias": torch.zeros(1000)}, place / "backbone.pth")
    torch.save(
        {f"lin{i}.model.1.weight": weights[f"lin{i}.weight"].view(1, -1, 1, 1) for i in range(5)},
        place / "heads.pth",
    )
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=place))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sums = {
        name: hashlib.sha256((place / f"{name}.pth").read_bytes()).hexdigest()
        for name in ("backbone", "heads")
    }
    at = f"http://127.0.0.1:{server.server_address[1]}"
    told = fetch.Origin(
        f"{at}/backbone.pth", sums["backbone"][:8], f"{at}/heads.pth", sums["heads"], 10, origin.layers
    )
    monkeypatch.setitem(fetch.ORIGINS, "alex", told)
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VIDGAN_WEIGHTS", raising=False)
    yield place
    server.shutdown()
    server.server_close()


@pytest.mark.shared
def test_weights_are_fetched_converted_and_then_found(official, shared, capsys, monkeypatch):
    from vidgan import cli

    assert cli.main(["models", "pull", "lpips"]) == 2, "nobody has agreed"
    assert "--yes" in capsys.readouterr().err and not lpips.has_lpips("alex")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda words: "no")
    assert cli.main(["models", "pull", "lpips"]) == 0 and not lpips.has_lpips("alex")
    assert cli.main(["models", "pull", "lpips", "--yes"]) == 0
    picture = torch.rand(2, 1, 3, 64, 64)
    theirs = load_lpips("alex", folder=shared / "weights")
    assert float(load_lpips("alex")(*picture)) == float(theirs(*picture))
    assert [path.name for path in lpips.cache().iterdir()] == [PLANS["alex"].file]
    capsys.readouterr()
    assert cli.main(["models", "pull", "lpips"]) == 0 and "already" in capsys.readouterr().out
    assert cli.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "at hand" in listed and "x4, 0.29 M parameters, PSNR-Y 29.3, LPIPS 0.167" in listed


@pytest.mark.shared
@pytest.mark.parametrize(("fault", "message"), [
    ("other", "it is another file"), ("missing", "could not be fetched"),
    ("strange", "do not hold"), ("wrong", "do not give"),
])  # fmt: skip
def test_a_download_that_is_not_what_it_should_be_leaves_nothing(
    official, monkeypatch, capsys, fault, message
):
    import hashlib
    from dataclasses import replace

    from vidgan import cli
    from vidgan.features import fetch

    file = official / "heads.pth"
    if fault == "other":
        file.write_bytes(b"another file")
    elif fault == "missing":
        file.unlink()
    else:
        heads = torch.load(file, weights_only=True)
        torch.save({} if fault == "strange" else {name: 2 * head for name, head in heads.items()}, file)
        told = replace(fetch.ORIGINS["alex"], heads_sha256=hashlib.sha256(file.read_bytes()).hexdigest())
        monkeypatch.setitem(fetch.ORIGINS, "alex", told)
    assert cli.main(["models", "pull", "lpips", "--yes"]) == 1
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told
    assert list(lpips.cache().iterdir()) == []
    assert cli.main(["models", "pull", "beauty"]) == 2


def test_a_list_takes_no_name(capsys):
    from vidgan import cli

    assert cli.main(["models", "list", "fast"]) == 2
    assert "fast is one word too many" in capsys.readouterr().err


def test_pickles_that_would_run_something_are_not_read(tmp_path):
    from vidgan.features import fetch

    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"features.0.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(BadWeights, match="no file of weights"):
        fetch._read(tmp_path / "evil.pth")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_is_not_at_hand(tmp_path, monkeypatch, capsys):
    from vidgan import cli

    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path))
    monkeypatch.delenv("VIDGAN_WEIGHTS", raising=False)
    lpips.cache().mkdir(parents=True)
    (lpips.cache() / PLANS["alex"].file).write_bytes(b"half of it")
    assert cli.main(["models", "pull", "lpips"]) == 2
    told = capsys.readouterr()
    assert "at hand" not in told.out and "--yes" in told.err
    monkeypatch.setenv("VIDGAN_WEIGHTS", str(lpips.cache()))
    monkeypatch.setenv("VIDGAN_CACHE", str(tmp_path / "other"))
    assert cli.main(["models", "pull", "lpips"]) == 1
    assert "Take that file away" in capsys.readouterr().err
