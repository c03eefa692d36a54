"""Two processes play the same game as one: the same losses, the same weights, one set of files."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from test_training import REALISTIC, folder, moving, play, recipe, stage, still
from vidgan.errors import BadOption, BadRecipe
from vidgan.recipe import Augment, Data, Game
from vidgan.training import distributed, feeding, ground, loop
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture


def shared_recipe():
    """Every loss that both stages know, in both networks' steps; in pieces; through warps.

    At a low rate: Adam moves a weight as far for a gradient of 1e-9 as for one of 1, so that the sign of a rounding
    would decide, and two honest runs part after a few steps, whoever plays them.
    """
    low = {"batch": 4, "lr": 1e-6, "lr_end": 1e-6}
    weighed = REALISTIC.model_copy(
        update={
            "ping_pong": 0.3,
            "focal_frequency": 0.1,
            "temporal_difference": 0.5,
            "l1": 0.5,
            "phase_l1": 0.5,
        }
    )
    return recipe(
        faithful=stage(weighed.model_copy(update={"game": 0.0, "feature_matching": 0.0}), steps=3, **low),
        realistic=stage(weighed, steps=4, accumulate=2, **low),
        game=Game(ramp=2, lr=1e-6),
        augment=Augment(warped=0.5),
        validate_every=1,
    )


SCRIPT = """
import os
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from test_training import play
from test_training_distributed import shared_recipe
from vidgan.training import distributed
def lost(done, total, note):
    if {loses} and done == 4 and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), 9)
with distributed.joined(torch.device("cpu")):
    play(shared_recipe(), Path({folder!r}), workers=0, tick=lost)
"""


def torchrun(folder: Path, *options: str, loses: bool = False) -> subprocess.CompletedProcess[str]:
    """Two processes play into the folder; one of them may be lost on the way."""
    script = folder.parent / "run.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent), folder=str(folder), loses=loses))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    return subprocess.run(
        [*command, *options, str(script)],
        capture_output=True, text=True, check=False, timeout=120, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The folders of one run alone and of the same by two processes."""
    from test_training import pack

    places = [tmp_path_factory.mktemp(name) / "run" for name in ("alone", "together")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VIDGAN_WEIGHTS", str(places[0]))
        patch.setenv("HOME", str(places[0].parent))
        for place in places:
            pack(place)
        play(shared_recipe(), places[0], workers=0)
        done = torchrun(places[1])
    assert done.returncode == 0, done.stderr[-3000:]
    return places


def rows_of(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_two_processes_have_the_losses_of_one_to_1e_5(both):
    """Of the whole step of two networks: validations after every step hold every number against its twin."""
    alone, shared = map(rows_of, both)
    assert [row["step"] for row in alone] == [row["step"] for row in shared] == list(range(8))
    compared = set()
    for one, two in zip(alone, shared, strict=True):
        for name in one.keys() - {"step", "seconds", "val_ms_per_frame", "val_overfit"}:
            assert two[name] == pytest.approx(one[name], rel=1e-5, abs=1e-7), (one["step"], name)
            compared.add(name)
    assert {"charbonnier", "ping_pong", "game", "feature_matching", "discriminator", "penalty", "accuracy",
            "generator_slope", "discriminator_slope", "val_psnr_y"} <= compared  # fmt: skip


def test_two_processes_end_with_the_weights_of_one(both):
    alone, shared = (load_file(place / "checkpoints" / "state.safetensors") for place in both)
    for name, weight in alone.items():
        if "optimizer" not in name:
            torch.testing.assert_close(shared[name], weight, atol=2e-5, rtol=0, msg=name)


def test_only_the_first_process_writes(both):
    """Else lines would be there twice."""
    assert sorted(file.name for file in (both[1] / "checkpoints").iterdir()) == sorted(
        file.name for file in (both[0] / "checkpoints").iterdir()
    )
    assert len(rows_of(both[1])) == len(rows_of(both[0]))


def test_after_the_loss_of_a_process_all_start_again_from_the_last_state(folder, both):
    done = torchrun(folder, "--max-restarts", "1", loses=True)
    assert done.returncode == 0, done.stderr[-3000:]
    resumed = [row for row in rows_of(folder) if row.get("event") == "resumed"]
    assert len(resumed) == 1
    assert rows_of(folder)[-1]["charbonnier"] == pytest.approx(rows_of(both[0])[-1]["charbonnier"], rel=1e-5)


def test_alone_everything_is_its_own():
    assert distributed.rank() == 0 and distributed.world() == 1
    assert distributed.own_samples(6) == range(6) and [*range(5)][distributed.own_share()] == [*range(5)]
    assert distributed.means({"a": torch.tensor(2.0), "b": torch.tensor(3)}) == {"a": 2.0, "b": 3.0}
    assert distributed.mean_of_rows([{"a": 1.0}, {"a": 2.0}]) == {"a": 1.5}
    assert distributed.mean_of_rows([]) == {}


def test_the_shares_of_a_batch_are_equal_disjoint_and_complete(monkeypatch):
    monkeypatch.setattr(distributed, "world", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shares.append(distributed.own_samples(12))
    assert [len(share) for share in shares] == [4, 4, 4]
    assert [sample for share in shares for sample in share] == list(range(12))
    with pytest.raises(BadRecipe, match=r"(?s)batch of 8 cannot be shared out among 3.*faithful\.batch=9"):
        distributed.own_samples(8)


def test_what_is_new_in_a_pool_is_shared_out_equally_too(folder, monkeypatch):
    """A batch of 2 shown twice has one new clip a step, and there are two processes."""
    save_file({"a": moving(6, 136), "b": moving(1, 144, 1)}, folder / "train.store")
    pooled = Data(train=[Path("nowhere")], val=[Path("nowhere else")], reuse=2, pool=4)
    made = recipe(data=pooled, realistic=stage(REALISTIC, batch=2))
    setup = loop.Setup(say=lambda line: None, tick=still, workers=0)
    run = running.create(made)
    found = ground.prepared(run, folder, setup)
    run.step = made.faithful.steps
    monkeypatch.setattr(distributed, "world", lambda: 2)
    for rank in range(2):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        shapes = [high.shape for _, high in feeding.batches(run, found, range(4, 8))]
        assert shapes == [(1, 3, 3, 32, 32)] * 4


def test_the_others_wait_for_hours_of_preparing(monkeypatch):
    told = {}
    names = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in names.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda *words, **options: None)
    monkeypatch.setattr(distributed.dist, "new_group", lambda **options: told.update(options) or "patient")
    monkeypatch.setattr(distributed.dist, "destroy_process_group", lambda: None)
    monkeypatch.setattr(distributed.dist, "barrier", lambda group: told.update(group=group))
    monkeypatch.setattr(distributed, "world", lambda: 2)
    with distributed.joined(torch.device("cpu")):
        distributed.wait()
    assert told["timeout"] >= timedelta(hours=24) and told["group"] == "patient"


def test_half_of_torchrun_s_environment_is_an_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadOption, match="torchrun"), distributed.joined(torch.device("cpu")):
        pass


@pytest.mark.parametrize("word", ["cpu", "cpu:0"])
def test_a_processor_is_shared_as_it_is(monkeypatch, word):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert distributed.own_device(torch.device(word)) == torch.device(word)
