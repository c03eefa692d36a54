"""Damaged files through everything that reads files, in workers that may crash or hang without ending the run.

A case is a seed and a number: which file, what is done to it, and where it goes. One case by hand, or many:

    python tests/hostile.py --seed 0 --case 1234 [--keep FOLDER]
    python tests/hostile.py --seed 7 --count 20000
"""

import argparse
import io
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import hostile_files
from hostile_damage import DAMAGES, renumber
from vidgan import checkpoint, cli, recipe, video
from vidgan.errors import BadOutput, BadRecipe, BadVideo, BadWeights, VidganError
from vidgan.verbs import enhance

SECONDS = 30  # for one case, on a machine that is busy with others
MEMORY = 3 << 30  # bytes that a case may ask for, beside what is loaded
PRELOADED = [
    "numpy",
    "vidgan.verbs.enhance",
    "vidgan.verbs.train",
]  # this file is not on the fork server's path
COMMAND_EVERY = 33  # cases; each such one goes through the command line
MOST_PIXELS = 640 * 480  # of a damaged video that is enhanced whole; of larger ones a frame is read
NAMES = ("plain", "with blanks", 'it\'s "quoted"', "\u00fcn\u00ef \u6f22\u5b57", "-dash", "50%d;$HOME&")


@dataclass(frozen=True, kw_only=True)
class Case:
    seed: int
    number: int
    name: str  # of the file that is damaged
    data: bytes
    by_command: bool

    @property
    def command(self) -> str:
        return f"python tests/hostile.py --seed {self.seed} --case {self.number}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    number: int
    ended: str  # "good", the class of the error that says what is wrong, or "FAULT"
    told: str = ""

    @property
    def is_fault(self) -> bool:
        return self.ended == "FAULT"


class Identity(nn.Module):
    """A network that gives back what it gets."""

    scale, reach = 1, 0

    def bytes_per_pixel(self, itemsize: int) -> int:
        return 3 * itemsize

    def folded(self, frame: Tensor, memory: tuple[Tensor, ...] | None = None) -> tuple[Tensor, tuple]:
        return frame.float(), ()


# --- what is damaged, and how


@cache
def originals() -> dict[str, bytes]:
    """Every whole file, by name."""
    with tempfile.TemporaryDirectory() as folder:
        made = {name: hostile_files.container_bytes(name, Path(folder)) for name in hostile_files.CONTAINERS}
        made |= {name: hostile_files.photo_bytes(name) for name in hostile_files.PHOTOS}
        return made | hostile_files.weight_bytes(Path(folder)) | hostile_files.recipe_bytes()


def make_case(seed: int, number: int) -> Case:
    """The same one every time."""
    rng = np.random.default_rng([seed, number])
    files = originals()
    room = rng.choice(["video", "photo", "weights", "recipe"], p=[0.62, 0.04, 0.2, 0.14])
    kind = [name for name in files if room_of(name) == room]
    name = str(rng.choice(kind))
    data = files[name]
    for _ in range(int(rng.choice([1, 1, 2, 4]))):
        is_text = room in ("weights", "recipe") and rng.random() < 0.5
        damage = renumber if is_text else DAMAGES[rng.integers(len(DAMAGES))]
        data = damage(data, files[str(rng.choice(kind))], rng)
    by_command = number % COMMAND_EVERY == COMMAND_EVERY - 1 and room != "photo"
    return Case(seed=seed, number=number, name=name, data=data, by_command=by_command)


def room_of(name: str) -> str:
    if name in hostile_files.CONTAINERS:
        return "video"
    return "photo" if name in hostile_files.PHOTOS else "recipe" if name.endswith(".toml") else "weights"


# --- what becomes of it


def run_case(case: Case, folder: Path) -> Outcome:
    """In this process, in an empty folder: a good output, or one clear error and nothing but what it tells of."""
    suffix = Path(case.name).suffix
    path = folder / f"{NAMES[case.number % len(NAMES)]}{suffix}"
    path.write_bytes(case.data)
    ways = {"video": _enhance, "photo": _decode, "weights": _load, "recipe": _read}
    room = room_of(case.name)
    try:
        outcome = _command(case, path) if case.by_command else ways[room](case, path)
    except VidganError as error:
        outcome = _refused(case, error, room)
    except BaseException:
        outcome = _fault(case, traceback.format_exc())
    left = {file.name for file in folder.iterdir()} - {path.name}
    if (
        "are kept in" in outcome.told
    ):  # frames that were made before the rest could not be carried: the error says so
        left -= {".out.mkv.vidgan", ".out.mp4.vidgan"}
    if left - {"out.mkv", "out.mp4"} or bool(left) != (outcome.ended == "output"):
        return _fault(case, f"{outcome.ended} {outcome.told}, and there lies {sorted(left)}")
    return outcome


def _refused(case: Case, error: VidganError, room: str) -> Outcome:
    right = {"video": (BadVideo, BadOutput), "photo": BadVideo, "weights": BadWeights, "recipe": BadRecipe}
    if not isinstance(error, right[room]) or not error.found.strip() or not error.remedy.strip():
        return _fault(case, traceback.format_exc())
    if "\n" in error.found + error.remedy:
        return _fault(case, f"more than two lines: {error}")
    return Outcome(number=case.number, ended=type(error).__name__, told=f"{error.found} {error.remedy}")


def _fault(case: Case, told: str) -> Outcome:
    return Outcome(number=case.number, ended="FAULT", told=f"{case.name}: {told}\n  again: {case.command}")


def _enhance(case: Case, path: Path) -> Outcome:
    source = video.probe(path)
    if source.width * source.height > MOST_PIXELS:
        next(video.read(source))
        return Outcome(number=case.number, ended="large")
    output = path.with_name("out.mp4" if case.number % 2 else "out.mkv")
    options = enhance.Options(
        input=path, output=output, codec="mpeg4" if case.number % 3 else "h264", quiet=True, device="cpu"
    )
    result = enhance.run(options, Identity())
    shown = len(list(video.read(video.probe(output))))
    assert shown == result.frames > 0, (shown, result.frames)
    return Outcome(number=case.number, ended="output")


def _decode(case: Case, path: Path) -> Outcome:
    assert video.decode_all(path, limit=2).ndim == 4
    return Outcome(number=case.number, ended="good")


def _load(case: Case, path: Path) -> Outcome:
    generator = checkpoint.load_generator(path)
    assert sum(weight.numel() for weight in generator.parameters()) < 1e6
    if path.suffix == ".safetensors":
        with suppress(BadWeights):
            checkpoint.load_players(path)
    return Outcome(number=case.number, ended="good")


def _read(case: Case, path: Path) -> Outcome:
    recipe.read(path)
    return Outcome(number=case.number, ended="good")


def _command(case: Case, path: Path) -> Outcome:
    """The same by the command line, in a process of its own; its exit code and its lines are looked at."""
    words = _words(case, path)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        if (child := os.fork()) == 0:
            os.chdir(path.parent)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w", encoding="utf-8"), os.fdopen(2, "w", encoding="utf-8")
            code = cli.main(words)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode())
    lines = printed[1].splitlines()
    if code == 0:
        made = "output" if words[0] == "enhance" else "good"
        return (
            Outcome(number=case.number, ended=made)
            if "Traceback" not in printed[1]
            else _fault(case, printed[1])
        )
    is_clear = len(lines) == 2 and lines[0].startswith(f"vidgan {words[0]}: ") and lines[1].startswith("  ")
    if code != 1 or not is_clear or "mistake of ours" in lines[0] or printed[0]:
        return _fault(case, f"exit code {code}\n{printed[0]}{printed[1]}")
    return Outcome(number=case.number, ended="error by command", told=" ".join(lines))


def _words(case: Case, path: Path) -> list[str]:
    enhancing = ["enhance", "--quiet", "--scale", "1", "--device", "cpu", "--threads", "1", "-o", "out.mkv"]
    match room_of(case.name):
        case "recipe":
            # A whole one would be measured for a minute.
            return ["train", "--dry-run", "--set", "seed=-1", "--", path.name]
        case "weights":
            return [*enhancing, "-i", str(_whole_video()), "--model", str(path)]
    return [*enhancing, "-i", path.name]


@cache
def _whole_video() -> Path:
    path = Path(tempfile.mkdtemp()) / "whole.mp4"
    path.write_bytes(originals()["h264.mp4"])
    return path


# --- many of them


@dataclass
class Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    case: Case | None = None
    began: float = 0.0
    has_worked: bool = False

    def give(self, case: Case) -> None:
        self.case, self.began, self.has_worked = case, time.monotonic(), True
        self.pipe.send(case)

    def end(self) -> None:
        if self.process.is_alive():
            os.killpg(self.process.pid, signal.SIGKILL)  # with the command that it may have started
        self.process.join()
        self.pipe.close()


def run_many(
    seed: int, numbers: Iterable[int], *, num_workers: int = 2, seconds: float = SECONDS
) -> Iterator[Outcome]:
    """Outcomes as they come; that of a case that crashes or hangs is a fault, and a new worker goes on."""
    # Not forked from here: whoever calls may have threads, and they do not survive it.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    waiting = (make_case(seed, number) for number in numbers)
    workers: list[Worker] = []
    try:
        while True:
            workers = [worker for worker in workers if worker.process.is_alive()]
            workers += [_start(context) for _ in range(num_workers - len(workers))]
            for place, worker in enumerate(workers):
                if worker.case is None and (case := next(waiting, None)) is not None:
                    if case.by_command and worker.has_worked:  # torch's threads would not survive its fork
                        worker.end()
                        workers[place] = worker = _start(context)
                    worker.give(case)
            busy = [worker for worker in workers if worker.case is not None]
            if not busy:
                return
            wait([worker.pipe for worker in busy], timeout=1)
            yield from (outcome for worker in busy if (outcome := _heard(worker, seconds)) is not None)
    finally:
        for worker in workers:
            worker.end()


def _start(context: multiprocessing.context.ForkServerContext) -> Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, originals()), daemon=True)
    process.start()
    theirs.close()
    return Worker(process=process, pipe=ours)


def _heard(worker: Worker, seconds: float) -> Outcome | None:
    """What a worker has to say; a fault where it is gone or late, and then it is ended."""
    case = worker.case
    assert case is not None
    try:
        if worker.pipe.poll():
            worker.case = None
            return worker.pipe.recv()
    except EOFError:
        worker.process.join()
        outcome = _fault(case, f"crashed with {worker.process.exitcode}")
        worker.end()
        return outcome
    if time.monotonic() < worker.began + seconds:
        return None
    worker.end()
    return _fault(case, f"was not done after {seconds} s")


def _work(pipe: Connection, files: dict[str, bytes]) -> None:
    os.setsid()
    torch.set_num_threads(1)
    globals()["originals"] = lambda: files
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        quiet = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(quiet), redirect_stderr(quiet):
            pipe.send(run_case(case, Path(folder)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int)
    parser.add_argument("--keep", type=Path, help="an empty folder that the damaged file stays in")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--tell", action="store_true", help="print every refusal")
    asked = parser.parse_args()
    if asked.case is not None:
        with tempfile.TemporaryDirectory() as folder:
            outcome = run_case(make_case(asked.seed, asked.case), asked.keep or Path(folder))
        print(outcome.ended, outcome.told)
        return int(outcome.is_fault)
    counts: Counter[str] = Counter()
    for outcome in run_many(asked.seed, range(asked.count), num_workers=asked.workers):
        counts[outcome.ended] += 1
        if outcome.is_fault or (asked.tell and outcome.told):
            print(outcome.number, outcome.ended, outcome.told, flush=True)
    print(dict(counts))
    return int(bool(counts["FAULT"]))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    import hostile  # so that its classes are those of the workers

    sys.exit(hostile.main())
