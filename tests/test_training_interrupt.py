"""Ctrl-C, kills, full disks: what was paid for is kept, and the words are right."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from test_training import folder, pack, play, recipe, stage, weights_of
from vidgan import interrupt
from vidgan.errors import BadOutput
from vidgan.recipe import Losses, to_toml
from vidgan.training import run as running

__all__ = ["folder"]  # a fixture


@pytest.fixture(autouse=True)
def signals_are_heard():
    """Also where the tests are a background job, whose shell has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_a_shell_has_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = interrupt.Asked()
    with interrupt.remembered(asked):
        os.kill(os.getpid(), signal.SIGINT)
    assert asked.signal == 0


@pytest.mark.skipif(sys.platform == "win32", reason="it has the signal itself")
def test_a_closed_window_asks_for_the_end_as_a_polite_kill_does():
    """Windows tells of it with a signal that no other system has."""
    code = (
        "import os, signal; signal.SIGBREAK = signal.SIGUSR1\n"
        "from vidgan import interrupt\n"
        "with interrupt.remembered(asked := interrupt.Asked()): os.kill(os.getpid(), signal.SIGUSR1)\n"
        "assert asked.signal == signal.SIGUSR1"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


VIDGAN = [sys.executable, "-m", "vidgan"]


@pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_signal_ends_the_step_saves_and_leaves_as_it_would_have(folder, number, raised):
    def interrupted(done, total, note):
        if done == 3:
            os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    with pytest.raises(raised):
        play(recipe(save_every=100), folder, tick=interrupted)
    assert signal.getsignal(number) is before
    state = running.resume(running.create(recipe()), folder)
    assert 3 <= state.step <= 4, "the step that was under way is done and saved"
    run = play(recipe(save_every=100), folder)
    assert run.step == 8


def test_a_signal_at_the_very_last_step_leaves_a_finished_run(folder):
    def interrupted(done, total, note):
        if done == 8:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        play(recipe(), folder, tick=interrupted)
    before = len((folder / "log.jsonl").read_text().splitlines())
    said = []
    assert play(recipe(), folder, said=said).step == 8
    assert any("finished" in line for line in said)
    assert len((folder / "log.jsonl").read_text().splitlines()) == before
    assert {"best.safetensors", "last.safetensors"} <= {
        file.name for file in (folder / "checkpoints").iterdir()
    }


def test_an_interrupted_run_ends_with_the_weights_of_a_whole_one(folder, tmp_path):
    pack(tmp_path / "whole")
    whole = play(recipe(), tmp_path / "whole")

    def interrupted(done, total, note):
        if done in (2, 6):
            os.kill(os.getpid(), signal.SIGINT)

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            play(recipe(), folder, tick=interrupted)
    again = play(recipe(), folder)
    for name, weight in weights_of(whole).items():
        assert torch.equal(weights_of(again)[name], weight), name


def test_a_second_signal_acts_at_once():
    asked = interrupt.Asked()
    with interrupt.remembered(asked):
        os.kill(os.getpid(), signal.SIGINT)
        assert asked.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


SLOW = recipe(
    faithful=stage(Losses(charbonnier=1.0), steps=4000), realistic=stage(Losses(charbonnier=1.0), steps=4000),
    validate_every=5000, save_every=5,
)  # fmt: skip


def command(folder: Path, *words: str) -> list[str]:
    path = folder.parent / "tiny.toml"
    path.write_text(to_toml(SLOW).replace('"nowhere', f'"{folder.parent}/nowhere'))
    return [*VIDGAN, "train", str(path), "--out", str(folder), "--threads", "1", *words]


def started(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"VIDGAN_WEIGHTS": str(folder), "HOME": str(folder)},
    )  # fmt: skip
    state = folder / "checkpoints" / "state.safetensors"
    first = None
    for _ in range(600):
        if state.exists():
            stamp = state.stat().st_mtime_ns
            if first is not None and stamp != first:
                return process
            first = first or stamp
        if process.poll() is not None:
            break
        time.sleep(0.05)
    return process


@pytest.mark.parametrize(("number", "code", "words"), [
    (signal.SIGINT, 130, "vidgan train: interrupted"),
    (signal.SIGTERM, 143, ""),
])  # fmt: skip
def test_the_command_answers_a_signal_quietly_and_with_its_code(folder, number, code, words):
    process = started(folder)
    os.killpg(
        process.pid, number
    )  # as a terminal, systemd or timeout does: the loading processes hear it, too
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said and "mistake" not in said and "killed by signal" not in said
    assert said.strip().endswith(words)
    assert not list(folder.rglob("*.partial"))


def test_a_run_that_was_killed_outright_goes_on(folder):
    process = started(folder)
    process.kill()
    process.communicate()
    state = running.resume(running.create(SLOW), folder)
    assert state.step >= 5
    assert json.loads((folder / "log.jsonl").read_text().splitlines()[0])["step"] == 0


def test_a_full_disk_is_said_and_the_state_before_stays_whole(folder, monkeypatch):
    """The disk takes no more than so many bytes of a file once the run has begun."""
    resource = pytest.importorskip("resource")

    def fill(done, total, note):
        if done == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(BadOutput, match="cannot be written to") as caught:
            play(recipe(), folder, tick=fill, workers=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "goes on from the last state" in caught.value.remedy
    state = running.resume(running.create(recipe()), folder)
    assert state.step == 2
    assert not list(folder.rglob("*.partial"))
    assert play(recipe(), folder).step == 8


def test_a_loading_process_leaves_every_polite_signal_to_the_one_that_reads():
    before = {number: signal.getsignal(number) for number in interrupt.POLITE}
    try:
        interrupt.deaf(0)
        assert all(signal.getsignal(number) is signal.SIG_IGN for number in interrupt.POLITE)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
