"""One step of each stage: tensors go in, the networks learn, numbers come out.

A batch may be shared out among processes, and each share be taken in pieces to save memory: the step is the same.
Whatever is drawn at random is drawn once for all of them.

Letters: B batch, T frames, C colours, H W height and width of the large frame.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidgan import discriminators, hardware, losses, score
from vidgan.features import Lpips
from vidgan.generators import Memory, VideoGenerator
from vidgan.geometry import Map
from vidgan.recipe import Game
from vidgan.training import distributed, spoiling
from vidgan.training.cuda_graphs import Recording, recording
from vidgan.training.descent import descend, discriminator_rate, learning_rate, update_average
from vidgan.training.run import MARGIN, Run
from vidgan.training.teaching import Teacher

Numbers = dict[str, Tensor]
PIXEL_LOSSES = (
    "l1", "charbonnier", "low_pass_l1", "phase_l1", "gradient_difference", "temporal_difference", "temporal_residual",
    "motion_difference", "focal_frequency",
)  # fmt: skip
# Sides of a warped window are multiples of it. One block would do, but every seed would train otherwise.
WARP_BLOCK = 2 * discriminators.BLOCK


@dataclass(frozen=True)
class Table:
    """What the game is played with beside the run itself."""

    perceptual: Lpips | None = None
    teacher: Teacher | None = None
    precision: torch.dtype = torch.float32  # of convolutions
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it does not change
    recording: Recording | None = None  # of the generator's passes in this stage, on a GPU

    @property
    def autocast(self) -> AbstractContextManager[object]:
        return hardware.autocast(self.device, self.precision)


def recorded(run: Run, table: Table) -> Table:
    """The table with the passes of the run's present stage recorded, where that helps: on an NVIDIA GPU."""
    stage = run.stage
    if table.device.type != "cuda" or stage.accumulate > 1:
        return replace(table, recording=None)
    side = stage.crop // run.generator.scale
    low = torch.rand(
        len(distributed.own_samples(stage.batch)), stage.frames, 3, side, side, device=table.device
    )
    return replace(table, recording=recording(run.generator, stage, rolled_in, low, table.precision))


@dataclass(frozen=True)
class Draw:
    """The random choices of a step: the same for every process, every piece and every sample."""

    history: int  # how often the memory was run through the clip before it begins: the times of rolled_in
    first: int  # index of the first of the three frames that the discriminator sees
    frame: int  # index of the frame that the perceptual loss sees
    corner: tuple[int, int]  # of the window, y and x
    side: int  # of the window
    map: Map | None  # warp through which the window is seen; None for no warp
    seed: int  # of the noise

    def seen(self, pictures: Tensor) -> Tensor:
        """The window of pictures (..., C, H, W), warped where it is to be.

        The pooling of the perceptual network and the strides of the discriminator would else meet the generator's
        pixel shuffle at the same phase in every step, and leave their grid in flat surfaces.
        """
        y, x = self.corner
        window = pictures[..., y : y + self.side, x : x + self.side]
        return window if self.map is None else self.map.render(window, factor=1)


@dataclass(frozen=True)
class Piece:
    """Some samples of a batch."""

    low: Tensor
    high: Tensor
    share: float  # of this process's samples
    samples: slice  # of the global batch
    of: int  # samples of the global batch

    def noise(self, pictures: Tensor, seed: int) -> Tensor:
        """Normal noise for these samples, as the global batch would have been given it."""
        rng = torch.Generator(pictures.device).manual_seed(seed)
        drawn = torch.randn((self.of, *pictures.shape[1:]), generator=rng, device=pictures.device)
        return drawn[self.samples]


def drawn(run: Run, frames: int, side: int) -> Draw:
    """A function of the recipe's seed and the step, so that a resumed run draws what it would have drawn."""
    seed = run.recipe.seed << 32 | run.step
    rng = torch.Generator().manual_seed(seed)
    rolls, longer, warps, angle, size, mirror = torch.rand(6, generator=rng, dtype=torch.float64).tolist()
    history = 0 if rolls >= run.stage.roll_in else (2 if longer < 0.5 else 1)
    places = frames, frames - discriminators.FRAMES + 1
    frame, first = (int(torch.randint(count, (), generator=rng)) for count in places)
    y, x = torch.randint(MARGIN + 1, (2,), generator=rng).tolist()
    window = side - MARGIN
    map = None
    if run.realistic and warps < run.recipe.augment.warped:
        map = drawn_map(window, turn=360 * angle, size=size, mirror=mirror < 0.5)
    return Draw(history, first, frame, (y, x), window, map, seed)


def drawn_map(window: int, *, turn: float, size: float, mirror: bool) -> Map:
    """A turn and a scale that show nothing outside of a square window.

    size  in [0, 1], where the scale lies between 0.5 and 1.5, in its logarithm; a small window may need a larger scale
    """
    scale = 0.5 * 3**size
    angle = math.radians(turn)
    spread = abs(math.cos(angle)) + abs(math.sin(angle))
    blocks = int(min(window, window * scale / spread)) // WARP_BLOCK
    side = max(blocks, 2) * WARP_BLOCK
    scale = max(scale, side * spread / window)  # where the smallest window would show too much
    return Map.similarity((window, window), (side, side), rotate=turn, scale=scale, mirror=mirror)


def faithful_step(run: Run, low_BTCHW: Tensor, high_BTCHW: Tensor, table: Table) -> Numbers:
    """Close to the truth, pixel by pixel."""
    draw = drawn(run, high_BTCHW.shape[1], high_BTCHW.shape[-1])
    numbers: Numbers = {}
    for piece in pieces(run, low_BTCHW, high_BTCHW, table):
        output, terms = made(run, piece.low, draw, table)
        terms |= pixel_terms(run, output, piece.high)
        if run.stage.losses.perceptual:
            terms["perceptual"] = perceptual_term(table, output[:, draw.frame], piece.high[:, draw.frame])
        run.scalers["generator"].scale(weighted(run, terms) * piece.share).backward()
        add(numbers, terms | looks(output[:, draw.frame], piece.high[:, draw.frame]), piece.share)
    numbers["generator_slope"] = descend(
        run.generator_optimizer, run.scalers["generator"], learning_rate(run)
    )
    update_average(run)
    return numbers


def realistic_step(run: Run, low_BTCHW: Tensor, high_BTCHW: Tensor, table: Table) -> Numbers:
    """Close to the truth, and not to be told from it: first the discriminator learns, then the generator."""
    draw = drawn(run, high_BTCHW.shape[1], high_BTCHW.shape[-1])
    shares = list(pieces(run, low_BTCHW, high_BTCHW, table))
    # With one piece its graph waits for the generator's turn; more would fill the memory, and are made twice.
    kept = made(run, shares[0].low, draw, table) if len(shares) == 1 else None
    numbers = discriminator_turn(run, shares, kept, draw, table)
    for piece in shares:
        output, terms = kept or made(run, piece.low, draw, table)
        terms |= pixel_terms(run, output, piece.high)
        terms |= game_terms(run, output, piece, draw, table)
        if run.stage.losses.perceptual:
            frames = (draw.seen(clip[:, draw.frame]) for clip in (output, piece.high))
            terms["perceptual"] = perceptual_term(table, *frames)
        run.scalers["generator"].scale(weighted(run, terms) * piece.share).backward()
        add(numbers, terms | looks(output[:, draw.frame], piece.high[:, draw.frame]), piece.share)
    numbers["generator_slope"] = descend(
        run.generator_optimizer, run.scalers["generator"], learning_rate(run)
    )
    update_average(run)
    return numbers


def pieces(run: Run, low_BTCHW: Tensor, high_BTCHW: Tensor, table: Table) -> Iterator[Piece]:
    """This process's samples, in as many pieces as the stage accumulates over."""
    count = len(low_BTCHW)
    size = -(-count // run.stage.accumulate)
    for start in range(0, count, size):
        low, high = (clip[start : start + size].to(table.device) for clip in (low_BTCHW, high_BTCHW))
        first = distributed.rank() * count + start
        yield Piece(low, high, len(low) / count, slice(first, first + len(low)), count * distributed.world())


def made(run: Run, low_BTCHW: Tensor, draw: Draw, table: Table) -> tuple[Tensor, Numbers]:
    """The generator's clip; and, where the recipe weighs it, how its way back differs from its way there."""
    frames = low_BTCHW.shape[1]
    both_ways = bool(run.stage.losses.ping_pong)
    recorded = table.recording if table.recording and table.recording.shape == low_BTCHW.shape else None
    # Twice: of one context older torch keeps weights that were cast without gradients, also for the pass that is learnt
    # from (pytorch issue 112583).
    with table.autocast:
        roll = recorded.rolls[draw.history] if recorded and draw.history else None
        memory = roll(low_BTCHW) if roll else rolled_in(run.generator, low_BTCHW, draw.history)
    with table.autocast:
        shown = losses.there_and_back(low_BTCHW) if both_ways else low_BTCHW
        output: Tensor = recorded.clip(shown, memory) if recorded else run.generator(shown, memory)
    if not both_ways:
        return output, {}
    there, back = output[:, :frames], output[:, frames - 1 :]
    return there, {"ping_pong": losses.ping_pong(there, back)}


@torch.no_grad()
def rolled_in(generator: VideoGenerator, low_BTCHW: Tensor, times: int) -> Memory | None:
    """A memory that is several frames old when the clip begins, as in a long video; None if times is 0.

    The earlier frames are the clip itself, played backwards from its last frame to its second, so that they lead into
    its first; with times above 1 it is played backwards, forwards and backwards again.
    """
    if not times:
        return None
    backwards = list(low_BTCHW.flip(1).unbind(1)[:-1])
    history = backwards
    if times > 1:
        history = backwards + list(low_BTCHW.unbind(1)[:-1]) + backwards
    memory: Memory | None = None
    for frame in history:
        _, memory = generator.step(frame, memory)
    return memory


def discriminator_turn(
    run: Run, shares: list[Piece], kept: tuple[Tensor, Numbers] | None, draw: Draw, table: Table
) -> Numbers:
    """Learn to tell real from fake, unless it did so too well already: a won game teaches nothing.

    kept  what the generator made of the one piece, where there is one
    """
    resting = run.accuracy > run.recipe.game.rest_above
    numbers: Numbers = {}
    for piece in shares:
        if kept is None:
            with torch.no_grad():
                output, _ = made(run, piece.low, draw, table)
        else:
            output = kept[0]
        with torch.set_grad_enabled(not resting):
            loss, terms = verdict(run, output, piece, draw, table)
        if not resting:
            run.scalers["discriminator"].scale(loss * piece.share).backward()
        add(numbers, terms, piece.share)
    numbers["resting"] = torch.tensor(float(resting), device=table.device)
    # Of all processes, so that they rest together.
    run.accuracy += 0.02 * (distributed.means({"accuracy": numbers["accuracy"]})["accuracy"] - run.accuracy)
    if not resting:
        numbers["discriminator_slope"] = descend(
            run.discriminator_optimizer, run.scalers["discriminator"], discriminator_rate(run)
        )
    return numbers


def shown(run: Run, output: Tensor, piece: Piece, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
    """What the discriminator sees: real and fake (B, 3, C, H, W), and the middle frame's enlarged input."""
    three = slice(draw.first, draw.first + discriminators.FRAMES)
    hint = discriminators.enlarged(piece.low, draw.first, run.generator.scale)
    return draw.seen(piece.high[:, three]), draw.seen(output[:, three]), draw.seen(hint)


def verdict(run: Run, output: Tensor, piece: Piece, draw: Draw, table: Table) -> tuple[Tensor, Numbers]:
    """The discriminator's loss with its penalties, and its numbers. No gradient leads to the output."""
    game = run.recipe.game
    real, fake, hint = shown(run, output.detach(), piece, draw)
    resting = not torch.is_grad_enabled()
    turned_down = [] if resting else others(run, output, piece, draw, table)
    with table.autocast:
        real_logits, _ = run.discriminator(real, hint)
        fake_logits, _ = run.discriminator(fake, hint)
        loss = losses.discriminator_loss(game.kind, real_logits=real_logits, fake_logits=fake_logits)
        terms = {
            "discriminator": loss,
            "accuracy": score.accuracy(real_logits, fake_logits),
        }
        if game.penalty and not resting:
            penalty = steepness(run, real, real_logits, hint, piece.noise(real, 2 * draw.seed), table)
            penalty = penalty + steepness(
                run, fake, fake_logits, hint, piece.noise(fake, draw.seed + 1), table
            )
            terms["penalty"] = penalty
            loss = loss + game.penalty * penalty
        for name, weight, pictures in turned_down:
            logits, _ = run.discriminator(pictures, hint)
            terms[name] = losses.discriminator_loss(game.kind, real_logits=real_logits, fake_logits=logits)
            loss = loss + weight * terms[name]
    return loss, terms


@torch.no_grad()
def others(
    run: Run, output: Tensor, piece: Piece, draw: Draw, table: Table
) -> list[tuple[str, float, Tensor]]:
    """What the discriminator is to turn down beside the generator's own pictures: name, weight, (B, 3, C, H, W).

    Warped in float32 as those are, or half precision's rounding alone would give them away: call it outside autocast.

    spoilt    see vidgan/training/spoiling.py
    averaged  what the network of averaged weights makes of the same input: the one that is kept. A generator that is
              a step ahead of its discriminator runs in circles; this one stays where they have been.
    """
    game = run.recipe.game
    three = slice(draw.first, draw.first + discriminators.FRAMES)
    found = []
    if game.spoilt:
        spoilt = spoiling.spoilt(
            output[:, three], piece.high[:, three], run.generator.scale,
            seed=draw.seed + 2, of=piece.of, samples=piece.samples,
        )  # fmt: skip
        found.append(("spoilt", game.spoilt, draw.seen(spoilt)))
    if game.averaged:
        with table.autocast:
            averaged = run.ema(piece.low, rolled_in(run.ema, piece.low, draw.history))
        found.append(("averaged", game.averaged, draw.seen(averaged[:, three])))
    return found


def steepness(
    run: Run, pictures: Tensor, logits: Tensor, hint: Tensor, noise: Tensor, table: Table
) -> Tensor:
    """How steep the verdict is around the pictures, as the recipe's game measures it."""
    game = run.recipe.game
    if game.penalty_kind == "exact":
        with torch.autocast(table.device.type, enabled=False):
            pictures = pictures.float().detach().requires_grad_(True)
            return losses.gradient_penalty(run.discriminator(pictures, hint.float())[0], pictures)

    def judge(moved: Tensor) -> Tensor:
        found: Tensor = run.discriminator(moved, hint)[0]
        return found

    return losses.smoothness(judge, pictures, logits, noise=noise, sigma=game.sigma)


def game_terms(run: Run, output: Tensor, piece: Piece, draw: Draw, table: Table) -> Numbers:
    """What the generator hears from the discriminator."""
    weights = run.stage.losses
    if not (weights.game or weights.feature_matching):
        return {}
    real, fake, hint = shown(run, output, piece, draw)
    # What somebody has frozen stays frozen.
    learning = [weight for weight in run.discriminator.parameters() if weight.requires_grad]
    for weight in learning:
        weight.requires_grad_(False)
    with table.autocast:
        fake_logits, fake_activations = run.discriminator(fake, hint)
        with torch.no_grad():
            real_logits, real_activations = run.discriminator(real, hint)
    for weight in learning:
        weight.requires_grad_(True)
    return {
        "game": losses.generator_loss(run.recipe.game.kind, real_logits=real_logits, fake_logits=fake_logits),
        "feature_matching": losses.feature_matching(fake_activations, real_activations),
    }


def pixel_terms(run: Run, output: Tensor, target: Tensor) -> Numbers:
    weights, scale = run.stage.losses, run.generator.scale
    # Its grid is the enlarged pixel's; over every fourth pixel it sees those of 1, 2 and 4 alike.
    more = {"phase_l1": (scale,)} if 4 % scale else {}
    asked = [name for name in PIXEL_LOSSES if getattr(weights, name)]
    return {name: getattr(losses, name)(output, target, *more.get(name, ())) for name in asked}


def perceptual_term(table: Table, output: Tensor, target: Tensor) -> Tensor:
    assert table.perceptual is not None, "the loop brings the network where the recipe weighs it"
    with table.autocast:
        return losses.perceptual(table.perceptual, output, target)


@torch.no_grad()
def looks(output: Tensor, target: Tensor) -> Numbers:
    """What the supervisor watches in made frames (B, C, H, W), as means over samples.

    contrast  their standard deviation over the real one's; 1 is right
    colour    the largest difference between the means of a colour, of a range of 1
    """
    made, real = output.float(), target.float()
    contrast = (made.flatten(1).std(1) + 1e-2) / (real.flatten(1).std(1) + 1e-2)
    return {"contrast": contrast.mean(), "colour": (made - real).mean((2, 3)).abs().amax(1).mean()}


def weighted(run: Run, terms: Numbers) -> Tensor:
    weights = run.stage.losses.model_dump()
    if run.realistic:
        weights["game"] *= course(run.recipe.game, run.stage_step, run.stage.steps)
    return torch.stack([weights[name] * term.float() for name, term in terms.items()]).sum()


def course(game: Game, step: int, steps: int) -> float:
    """What the game's weight is multiplied by at a step of the realistic stage: up the ramp, then down to the fade."""
    if step < game.ramp:
        return step / game.ramp
    return 1 - (1 - game.fade) * (step - game.ramp) / max(steps - game.ramp, 1)


def add(numbers: Numbers, terms: Numbers, share: float) -> None:
    """A piece's numbers to those of the step."""
    for name, term in terms.items():
        numbers[name] = share * term.detach().float() + numbers.get(name, 0.0)
