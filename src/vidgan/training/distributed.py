"""Many processes, one training: each takes its share of every batch, and all of them take the same step.

`torchrun` starts the processes and tells each who it is through the environment; there is no other launcher. The
networks are not wrapped: a step of the game has two of them and several passes through each, and what has to be
shared is only this: gradients are averaged before a step, and numbers before a decision. Every process holds the
same weights and the same random state, so that all of them decide alike.

Alone, without torchrun, every function here gives back what it was given.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from vidgan.errors import BadOption, BadRecipe

# The others wait while the first prepares footage, which may take hours; in a step, torch's own limits of minutes
# hold, so that the loss of a machine is noticed.
PATIENCE = timedelta(days=2)
_patient: dist.ProcessGroup | None = None  # the same processes, for such waits


@contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Meet the other processes that torchrun has started, over nccl between GPUs and gloo between processors.

    Raises BadOption if the environment is half of what torchrun sets.
    """
    needed = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    missing = [name for name in needed if name not in os.environ]
    if "WORLD_SIZE" in missing:
        yield
        return
    if missing:
        raise BadOption(
            f"WORLD_SIZE is set and {', '.join(missing)} is not",
            "Start with: torchrun --nproc-per-node N -m vidgan train ...",
        )
    store, rank, size = next(iter(rendezvous("env://")))
    # A launcher that starts everybody again keeps its store, and in it the addresses of processes that are gone.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=PrefixStore(f"attempt {attempt}", store),
        rank=rank,
        world_size=size,
    )
    global _patient
    _patient = dist.new_group(backend="gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        _patient = None
        dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """This process's GPU, one for each process of a machine; another device is shared as it is."""
    if device.type != "cuda" or "LOCAL_RANK" not in os.environ:
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)  # or passes would be recorded on another card
        return device
    local = int(os.environ["LOCAL_RANK"])
    if local >= (found := torch.cuda.device_count()):
        raise BadOption(
            f"torchrun started a process number {local} here, and there are {found} GPUs",
            f"Use --nproc-per-node {found}.",
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)


def rank() -> int:
    """Which process this is, counted from 0; the first one writes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own_samples(batch: int) -> range:
    """Which samples of a global batch are this process's: an equal part of them, in order.

    Raises BadRecipe where they cannot be shared out equally.
    """
    if batch % world():
        raise BadRecipe(
            f"a batch of {batch} cannot be shared out among {world()} processes",
            f"Take a multiple: --set faithful.batch={-(-batch // world()) * world()}, and realistic.batch likewise.",
        )
    share = batch // world()
    return range(rank() * share, (rank() + 1) * share)


def average_gradients(parameters: Iterable[Tensor]) -> None:
    """Replace every gradient by its mean over the processes, in one message. A missing one counts as zero."""
    if world() == 1:
        return
    grads = []
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        grads.append(parameter.grad.detach())
    flat = torch.cat([grad.reshape(-1) for grad in grads])
    dist.all_reduce(flat)
    flat /= world()
    for grad, averaged in zip(grads, flat.split([grad.numel() for grad in grads]), strict=True):
        grad.copy_(averaged.view(grad.shape))


def means(numbers: dict[str, Tensor]) -> dict[str, float]:
    """Each number's mean over the processes, in one message; not finite if it is not in any of them.

    Every process gives the same names.
    """
    flat = torch.stack([number.detach().float() for number in numbers.values()])
    if world() > 1:
        dist.all_reduce(flat)
        flat /= world()
    return dict(zip(numbers, flat.tolist(), strict=True))


def wait() -> None:
    """Until every process is here: the first has written what the others read."""
    if world() > 1:
        dist.barrier(group=_patient)


def own_share() -> slice:
    """Which entries of a list that all processes know are this one's: every world-th, from the rank-th."""
    return slice(rank(), None, world())


def mean_of_rows(rows: list[dict[str, float]]) -> dict[str, float]:
    """Means of named numbers over the rows of all processes, each of which may hold any number of them."""
    everybody: list[list[dict[str, float]]] = [rows]
    if world() > 1:
        everybody = [[] for _ in range(world())]
        dist.all_gather_object(everybody, rows)
    every = [row for part in everybody for row in part]
    return {name: sum(row[name] for row in every) / len(every) for name in (every[0] if every else {})}
