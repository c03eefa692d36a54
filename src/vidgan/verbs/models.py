"""`vidgan models`: what comes with vidgan, and the weights that do not, fetched when they are asked for."""

import sys
from dataclasses import dataclass

from vidgan import checkpoint, progress
from vidgan.errors import BadOption, BadWeights
from vidgan.features import Net, find_lpips, has_lpips, load_lpips
from vidgan.features.fetch import ORIGINS, fetch
from vidgan.features.lpips import PLANS, cache

FETCHED: dict[str, Net] = {plan.pulled_as: net for net, plan in PLANS.items()}  # what pull knows
WIDE = 17  # columns of the longest name, and one
# Of a card's results what tells most, on the held-out clips: its words, and how it is written.
MEASURED = {"val_psnr_y": ("PSNR-Y", ".1f"), "val_lpips": ("LPIPS", ".3f")}
USES = {"lpips": "measure", "lpips-vgg": "train"}


@dataclass(frozen=True, kw_only=True)
class Options:
    action: str = "list"
    name: str | None = None
    yes: bool = False


def run(options: Options) -> None:
    """List, or fetch after a yes. Raises VidganError."""
    if options.action == "list":
        if options.name is not None:
            raise BadOption(f"{options.name} is one word too many", "vidgan models list names all networks.")
        _list()
    else:
        _pull(options)


def _list() -> None:
    for name in checkpoint.embedded_names():
        tensors, header = checkpoint.load_tensors(path := checkpoint.find(name))
        card = checkpoint.read_card(header, path)
        millions = sum(tensor.numel() for tensor in tensors.values()) / 1e6
        measured = "".join(
            f", {words} {card.results[result]:{shape}}"
            for result, (words, shape) in MEASURED.items()
            if result in card.results
        )
        print(
            f"{name:{WIDE}} x{card.config['scale']}, {millions:.2f} M parameters{measured}; comes with vidgan"
        )
    print(
        f"{checkpoint.JUDGE:{WIDE}} a discriminator and its generator, for: vidgan analyze --realism {checkpoint.JUDGE}"
    )
    for name, net in FETCHED.items():
        state = "at hand" if has_lpips(net) else f"not here; fetch it with: vidgan models pull {name}"
        print(f"{name:{WIDE}} LPIPS v0.1 on {net}, to {USES[name]} with: {state}")


def _pull(options: Options) -> None:
    if options.name not in FETCHED:
        found = (
            "nothing is named" if options.name is None else f"{options.name} is nothing that can be fetched"
        )
        raise BadOption(found, f"Use one of: {', '.join(FETCHED)}.")
    net = FETCHED[options.name]
    if has_lpips(net) and not _is_damaged(net, options.name):
        print(f"{options.name} is at hand already")
        return
    origin = ORIGINS[net]
    print(f"{options.name} is fetched from its authors and kept in {cache()}:")
    print(f"  {origin.heads} (BSD-2-Clause)")
    print(f"  {origin.backbone} (BSD-3-Clause), {origin.megabytes} MB, of which the convolutions are kept")
    if not options.yes and not _agreed():
        print("nothing was fetched")
        return
    with progress.bar(progress.console()) as tick:
        path = fetch(net, tick)
    print(f"{options.name}: {path}")


def _is_damaged(net: Net, name: str) -> bool:
    """Whether what was fetched has to be fetched again. Raises BadWeights for a file that somebody put elsewhere."""
    try:
        load_lpips(net)
    except BadWeights as damage:
        if find_lpips(net).parent != cache():
            raise BadWeights(damage.found, "Take that file away, and give the command again.") from None
        print(f"{name}: {damage.found}")
        return True
    return False


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise BadOption("nobody is there to agree to the download", "Add --yes.")
    try:
        return input("Fetch them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False
