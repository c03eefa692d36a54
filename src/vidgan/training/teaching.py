"""A teacher: a larger network, trained already, that shows what a clip may look like.

What damaged footage has lost can be drawn in many ways. A discriminator only says that one of them is not real; a
teacher draws one, a function of the small clip alone. What came of x4plus as one stands in docs/experiments.md.

Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network".
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from vidgan import checkpoint, hardware
from vidgan.errors import BadRecipe
from vidgan.generators import VideoGenerator
from vidgan.recipe import Recipe

Pair = tuple[Tensor, Tensor]  # (B, T, 3, h, w) and (B, T, 3, H, W), uint8


@dataclass(frozen=True)
class Teacher:
    name: str
    network: VideoGenerator
    share: float  # of a target that is the teacher's picture; the rest is the truth
    precision: torch.dtype
    device: torch.device

    def check(self, pupil: VideoGenerator) -> None:
        """Raises BadRecipe if the pupil is to make other frames than the teacher makes."""
        if self.network.ahead or pupil.ahead:
            raise BadRecipe("a network that predicts has no teacher", "Leave teacher out of the recipe.")
        if self.network.scale != pupil.scale:
            raise BadRecipe(
                f"{self.name} enlarges by {self.network.scale}, and what it is to teach enlarges by {pupil.scale}",
                f"Give teacher a model of scale {pupil.scale}, or leave it out.",
            )

    @torch.no_grad()
    def taught(self, pair: Pair) -> Pair:
        """The small clips as they are, and what they are to become."""
        low, high = (clips.to(self.device, non_blocking=True) for clips in pair)
        with hardware.autocast(self.device, self.precision):
            shown = self.network(low.float() / 255)
        mixed = self.share * shown.float().clamp(0, 1) * 255 + (1 - self.share) * high.float()
        return low, mixed.round().byte()


def teacher_of(recipe: Recipe, *, precision: torch.dtype, device: torch.device) -> Teacher | None:
    """The recipe's teacher, if it has one. Raises BadWeights if there is no such model."""
    if not recipe.teacher:
        return None
    network = checkpoint.load_generator(recipe.teacher)
    return Teacher(recipe.teacher, network.to(device).eval(), recipe.taught, precision, device)


def taught(pairs: Iterable[Pair], teacher: Teacher | None) -> Iterator[Pair]:
    """The pairs as they come; what a teacher has looked at is on its device."""
    return iter(pairs) if teacher is None else map(teacher.taught, pairs)
