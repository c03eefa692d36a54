"""Blends networks: --fidelity, --restore and --denoise-strength each mix in a share of another network's weights.

If one network was trained further from another, weights between the two work as well, at the cost of one network.
Source: Wang et al. 2019, "Deep network interpolation for continuous imagery effect transition".
"""

from pathlib import Path

import torch
from torch import nn

from vidgan.checkpoint import find, load_generator
from vidgan.errors import BadOption, BadWeights
from vidgan.generators import VideoGenerator

FAITHFUL = "-faithful"  # after a model's name: its twin of the first stage
RESTORE = "-restore"  # likewise: what it became on damaged footage


def load(
    model: str | Path, *, fidelity: float | None = None, restore: float = 0.0, denoise: float | None = None
) -> VideoGenerator:
    """Load a model and blend the weights that these shares ask for into it.

    fidelity  0 realistic .. 1 its faithful twin; None: the model as it is, which needs no twin
    restore   0 the model .. 1 its version trained further on damaged footage; blended in before fidelity
    denoise   0 .. 1 for realesr-general-x4v3: see load_denoising

    Raises BadOption for a share outside 0 to 1 and for two shares that mix different networks, BadWeights where the
    weights to blend in are missing or belong to another network.
    """
    if denoise is not None:
        if fidelity is not None or restore:
            other = "--restore" if fidelity is None else "--fidelity"
            raise BadOption(
                f"--denoise-strength and {other} mix different networks", "Leave one of them out."
            )
        _check_share("--denoise-strength", denoise, "0 (keeps noise) to 1 (removes it)")
        return load_denoising(model, denoise)
    _check_share("--restore", restore, "0 (clean) to 1 (damaged)")
    if fidelity is None:
        generator = load_generator(model)
    else:
        _check_share("--fidelity", fidelity, "0 (realistic) to 1 (faithful)")
        generator, faithful = load_twins(model, option="--fidelity")
    if restore:
        _mix(generator, _restoring(generator, model), restore)
    if fidelity is not None:
        _mix(generator, faithful, fidelity)
    return generator


def check_alone(fidelity: float | None, restore: float | None, denoise: float | None = None) -> None:
    """Raises BadOption for shares of other weights beside a generator that is passed in, which has none."""
    if fidelity is not None or restore or denoise is not None:
        raise BadOption(
            "a generator that is passed in has no other weights to blend in",
            "Give the path of a model file, or leave out fidelity, restore and denoise.",
        )


def load_twins(model: str | Path, *, option: str) -> tuple[VideoGenerator, VideoGenerator]:
    """A realistic model and its faithful twin.

    The twin of an embedded model is called like it, with "-faithful"; that of a run's checkpoint is the
    faithful.safetensors beside it. Both were trained on one way.

    option  what asks for the twin, for the messages
    Raises BadWeights where there is no twin, or another network.
    """
    path = find(model)
    twin = _beside(path, FAITHFUL)
    if not twin.is_file():
        twin = path.with_name(f"{FAITHFUL.strip('-')}{path.suffix}")
    if not twin.is_file() or twin == path:
        raise BadWeights(
            f"{model} has no faithful twin, which {option} needs",
            f"Leave {option} out, or put {path.stem}{FAITHFUL}{path.suffix} beside it.",
        )
    realistic, faithful = load_generator(path), load_generator(twin)
    _check_alike(realistic, faithful, path, twin)
    return realistic, faithful


def can_restore(model: str | Path) -> bool:
    """Whether weights for damaged footage lie beside the model's. Raises BadWeights where there is no such model."""
    return _beside(find(model), RESTORE).is_file()


def load_denoising(model: str | Path, strength: float) -> VideoGenerator:
    """realesr-general-x4v3 between its companion, which keeps noise (0), and itself (1), as Real-ESRGAN's -dn does.

    The companion lies beside it: general-wdn-x4v3 in place of general-x4v3 in its name.
    Raises BadWeights where there is no companion, or another network.
    """
    assert 0 <= strength <= 1, strength
    path = find(model)
    companion = path.with_name(path.name.replace("general-x4v3", "general-wdn-x4v3"))
    if companion == path:
        raise BadWeights(
            f"--denoise-strength mixes the two files of realesr-general-x4v3, and the model is {model}",
            "Name the .pth file with --model, or leave --denoise-strength out.",
        )
    strong = load_generator(path)
    if strength == 1:
        return strong
    if not companion.is_file():
        raise BadWeights(
            f"--denoise-strength needs two files, and {companion} is not there",
            "Put realesr-general-x4v3.pth and realesr-general-wdn-x4v3.pth side by side, or leave it out.",
        )
    weak = load_generator(companion)
    _check_alike(strong, weak, path, companion)
    _mix(strong, weak, 1 - strength)
    return strong


def _restoring(generator: VideoGenerator, model: str | Path) -> VideoGenerator:
    """What the generator of a model became on damaged footage."""
    path = find(model)
    beside = _beside(path, RESTORE)
    if not beside.is_file():
        raise BadWeights(
            f"{model} has no weights for damaged footage, which --restore needs",
            f"Leave --restore out, use --model fast, or put {beside.name} beside it.",
        )
    restoring = load_generator(beside)
    _check_alike(generator, restoring, path, beside)
    return restoring


def _beside(path: Path, word: str) -> Path:
    return path.with_name(f"{path.stem}{word}{path.suffix}")


def _check_share(option: str, share: float, told: str) -> None:
    if not 0 <= share <= 1:
        raise BadOption(f"{option} {share:g} is out of range", f"Give {told}.")


def _check_alike(one: nn.Module, other: nn.Module, path: Path, companion: Path) -> None:
    """Weights can only be mixed within one network."""
    if type(one) is not type(other) or one.config != other.config:
        raise BadWeights(
            f"{companion} is for another network than {path}", "Use two files that belong together."
        )


def _mix(one: nn.Module, other: nn.Module, share: float) -> None:
    """Put weights between theirs into the first: 0 leaves it as it is, 1 makes it the other."""
    weights = other.state_dict()
    one.load_state_dict(
        {name: torch.lerp(value, weights[name], share) for name, value in one.state_dict().items()}
    )
