"""A pool of clips: few new ones a step, every batch a function of the step, small and large always the same place."""

from collections.abc import Iterator

import pytest
import torch

from vidgan import dataset
from vidgan.recipe import Augment, Damage, Data, Losses, Network, Recipe, Stage

SCALE = 4


def recipe(*, reuse: int = 4, pool: int = 6, oriented: bool = False) -> Recipe:
    stage = Stage(steps=9, batch=8, frames=3, crop=32, lr=1e-3, lr_end=1e-4, losses=Losses(charbonnier=1.0))
    return Recipe(
        name="tiny",
        generator=Network(name="recurrent"),
        discriminator=Network(name="triplet"),
        data=Data(train=[], val=[], reuse=reuse, pool=pool),
        augment=Augment(oriented=oriented),
        damage=Damage(clean=1.0, mild=0.0),
        faithful=stage,
        realistic=stage,
    )


def chunks(plan: Recipe, first: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """What a loader would bring: every pixel of a clip holds the number of its chunk; of the small one, doubled."""
    told = dataset.feed(plan, plan.faithful)
    side = told.crop // SCALE
    number = first
    while True:
        low = torch.full((told.batch, told.frames, 3, side, side), 2 * number, dtype=torch.uint8)
        yield low, torch.full((told.batch, told.frames, 3, told.crop, told.crop), number, dtype=torch.uint8)
        number += 1


def pool(plan: Recipe, attempt: int = 0) -> dataset.Pool:
    return dataset.Pool(
        recipe=plan,
        stage=plan.faithful,
        scale=SCALE,
        samples=range(plan.faithful.batch),
        attempt=attempt,
        device=torch.device("cpu"),
    )


def test_a_step_brings_a_share_of_its_batch_with_room_around_the_crop():
    told = dataset.feed(recipe(reuse=3), recipe().faithful)
    assert (told.batch, told.crop) == (3, 32 + 64)  # 8 / 3, rounded up


def test_a_batch_is_drawn_from_the_newest_clips_alone():
    plan = recipe(reuse=4, pool=6)  # two new clips a step, six at hand
    for step, (low, high) in enumerate(pool(plan).batches(chunks(plan), range(9))):
        assert low.shape == (8, 3, 3, 8, 8) and high.shape == (8, 3, 3, 32, 32)
        shown = set(high[:, 0, 0, 0, 0].tolist())
        assert shown <= {step, step + 1, step + 2}
        assert torch.equal(low[:, 0, 0, 0, 0], 2 * high[:, 0, 0, 0, 0])


def test_a_run_that_goes_on_gets_what_it_would_have_got():
    plan = recipe()
    whole = list(pool(plan).batches(chunks(plan), range(9)))
    rest = list(pool(plan).batches(chunks(plan, first=5), range(5, 9)))
    for one, other in zip(whole[5:], rest, strict=True):
        assert all(map(torch.equal, one, other))


def test_another_attempt_draws_otherwise():
    plan = recipe()
    (_, one), (_, other) = (
        next(iter(pool(plan, attempt).batches(places(plan), range(1)))) for attempt in (0, 1)
    )
    assert not torch.equal(one, other)


def places(plan: Recipe) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Clips whose colours are their places: red the row, green the column, each in small pixels."""
    told = dataset.feed(plan, plan.faithful)
    side = told.crop // SCALE
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    small = torch.stack((rows, columns, torch.zeros_like(rows))).byte()
    low = small.expand(told.batch, told.frames, -1, -1, -1)
    while True:
        yield low, low.repeat_interleave(SCALE, -1).repeat_interleave(SCALE, -2)


def test_small_and_large_show_the_same_place_turned_alike():
    plan = recipe()
    seen = []
    for low, high in pool(plan).batches(places(plan), range(6)):
        assert torch.equal(high[..., ::SCALE, ::SCALE], low)
        seen += [tuple(clip[0, :2, 0, 0].tolist()) for clip in low]
        rising = (
            low[:, 0, 0].float().diff(dim=1).mean((1, 2)),
            low[:, 0, 1].float().diff(dim=2).mean((1, 2)),
        )
        assert all(set(way.tolist()) <= {-1.0, 0.0, 1.0} for way in rising)
    assert len(set(seen)) > 20  # windows and turns differ


def test_upright_footage_stays_upright():
    plan = recipe(oriented=True)
    low, _ = next(iter(pool(plan).batches(places(plan), range(1))))
    assert (low[:, 0, 0].float().diff(dim=1) == 1).all() and (low[:, 0, 1].float().diff(dim=2) == 1).all()


@pytest.mark.parametrize(("batch", "reuse", "size", "held"), [(8, 4, 6, 3), (8, 4, 7, 4), (32, 8, 768, 192)])
def test_as_many_steps_of_clips_are_held_as_fill_the_pool(batch, reuse, size, held):
    plan = recipe(reuse=reuse, pool=size)
    assert dataset.chunks_held(plan, plan.faithful.model_copy(update={"batch": batch, "steps": 99})) == held


def test_a_short_stage_holds_no_more_clips_than_it_shows():
    plan = recipe(reuse=4, pool=512)  # nine steps of eight clips, two of them new
    assert dataset.chunks_held(plan, plan.faithful) == 36
    one = plan.faithful.model_copy(update={"steps": 1})
    assert dataset.chunks_held(plan, one) == 4
