"""Trains the estimate of damage that `enhance --restore` begins with, and measures it on held-out footage.

    python benchmarks/estimate.py --train my/videos --val my/others --out src/vidgan/weights/damage/damage.safetensors

Squares of footage made small by 2, 3 or 4: clean, or nearly so after a good encoder; or damaged as training does it.
Half of them are clean. A table at the end: how many of the held-out squares it takes for damaged, of each kind.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vidgan import checkpoint, damage, dataset, degrade, pixels, recipe
from vidgan.damage import Estimator

SIDE = 48  # of a square, in small pixels
KINDS = {"clean": 0.25, "good codec": 0.25, "mild": 0.25, "phone": 0.15, "surveillance": 0.1}
GOOD = (4.0, 14.0)  # x264's crf that nobody sees
SCALES = (2, 3, 4)
POOL, STEPS, BATCH = 12_000, 4_000, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with tempfile.TemporaryDirectory() as folder:
        stores = {
            name: packed(path, Path(folder) / name)
            for name, path in (("train", asked.train), ("val", asked.val))
        }
        estimator = trained(list(squares(stores["train"], POOL, asked.seed)), asked.seed)
        checkpoint.save_tensors(
            {name: value.half() for name, value in estimator.state_dict().items()}, {}, asked.out
        )
        told(damage.load(asked.out), list(squares(stores["val"], 1000, asked.seed + 1)))


def packed(path: Path, place: Path) -> dataset.Store:
    store = dataset.pack([path], place.with_suffix(".store"), say=print)
    return store.without(store.smaller_than(max(SCALES) * SIDE + 32))


def squares(store: dataset.Store, count: int, seed: int) -> Iterator[tuple[str, Tensor]]:
    """Kinds, and (2, h, w) of luma in [0, 1] as 8 bits hold it: a frame and the next."""
    rng = np.random.default_rng(seed)
    plain = recipe.read("default")
    for number in range(count):
        scale = int(rng.choice(SCALES))
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        preset = "clean" if kind == "good codec" else kind
        shares = {name: float(name == preset) for name in plain.damage.model_dump()}
        asked = plain.model_copy(
            update={"damage": type(plain.damage)(**shares), "seed": seed * 1_000_003 + number}
        )
        stage = asked.realistic.model_copy(update={"batch": 1, "crop": SIDE * scale, "frames": 3})
        low = dataset.Batches(store=store, recipe=asked, stage=stage, scale=scale)[0][0][0].float() / 255
        if kind == "good codec":
            low = degrade.encoded(low, "h264", rng.uniform(*GOOD))
        luma = pixels.luma(low)[:, 0]
        yield kind, luma[:2]


def trained(pool: list[tuple[str, Tensor]], seed: int) -> Estimator:
    torch.manual_seed(seed)
    estimator = Estimator()
    optimizer = torch.optim.Adam(estimator.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS, pct_start=0.05)
    pairs = torch.stack([pair for _, pair in pool])
    labels = torch.tensor([0.0 if kind in ("clean", "good codec") else 1.0 for kind, _ in pool])
    for step in range(STEPS):
        chosen = torch.randint(len(pool), (BATCH,))
        batch = pairs[chosen]
        if torch.rand(()) < 0.5:
            batch = batch.flip(-1)
        if torch.rand(()) < 0.5:
            batch = batch.flip(-2)
        loss = F.binary_cross_entropy_with_logits(estimator(batch), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"step {step + 1}: cross entropy {float(loss):.3f} of one batch", flush=True)
    return estimator.eval().requires_grad_(False)


@torch.inference_mode()
def told(estimator: Estimator, held_out: list[tuple[str, Tensor]]) -> None:
    print("| held out | squares | taken for damaged | a quarter, half, three quarters give less than |")
    print("|---|---|---|---|")
    for kind in KINDS:
        pairs = torch.stack([pair for name, pair in held_out if name == kind])
        shares = estimator(pairs).sigmoid()
        quarters = ", ".join(
            f"{float(value):.2f}" for value in shares.quantile(torch.tensor([0.25, 0.5, 0.75]))
        )
        print(f"| {kind} | {len(pairs)} | {float((shares > 0.5).float().mean()):.0%} | {quarters} |")


if __name__ == "__main__":
    main()
