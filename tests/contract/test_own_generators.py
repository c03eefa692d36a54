"""What a network of the user's own may leave out, and what it gets instead: it inherits nothing of ours."""

import pytest
import torch
from torch import Tensor, nn

from vidgan import graph, stream
from vidgan.errors import BadOption
from vidgan.generators import VideoGenerator, as_generator


class Own(nn.Module):
    """The least that enhances: each pixel four times."""

    scale, reach = 2, 0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def bytes_per_pixel(self, itemsize: int) -> int:
        return 15 * itemsize

    def folded(self, frame: Tensor, memory: tuple[Tensor, ...] | None = None):
        return (frame * self.weight).repeat_interleave(4, dim=1).float(), ()


class Folding(Own):
    """It says all, and says it as properties."""

    reach = 4

    @property
    def fold(self) -> int:
        return 4

    @property
    def ahead(self) -> int:
        return 0

    def fresh(self, frame: Tensor) -> tuple[()]:
        return ()


class Remembering(Own):
    """It hands its frame on, and shows the one before."""

    def folded(self, frame: Tensor, memory: tuple[Tensor, ...] | None = None):
        shown = frame if memory is None else memory[0]
        return shown.repeat_interleave(4, dim=1).float(), (frame,)


def test_what_is_left_out_is_the_default():
    own = as_generator(Own())
    memory, frame = (torch.rand(1, 2, 4, 4),), torch.rand(1, 3, 4, 4)
    assert own.moved(memory, frame) is memory and own.bytes_to_move(4) == 0
    assert (own.fold, own.ahead) == (VideoGenerator.fold, VideoGenerator.ahead) == (1, 0)


def test_what_is_said_stays_said():
    own = as_generator(Folding())
    assert (own.fold, own.ahead, own.reach) == (4, 0, 4)


@pytest.mark.parametrize("kind", [Own, Folding])
def test_it_stays_the_same_network(kind):
    own = kind()
    assert stream.checked(own) is own and type(own) is kind
    assert list(own.state_dict()) == ["weight"]


@pytest.mark.parametrize("tile", [None, 64])
@pytest.mark.parametrize("kind", [Own, Folding])
def test_it_enhances_whole_and_in_tiles(kind, tile):
    place = stream.Settings(device=torch.device("cpu"), precision=torch.float32, tile=tile)
    frame = torch.rand(1, 3, 70, 90)
    large = stream.unfolded(stream.Upscaler(stream.checked(kind()), place, print).folded(frame), 2)
    assert torch.equal(large, frame.repeat_interleave(2, -1).repeat_interleave(2, -2))


def test_what_it_remembers_stays_where_it_is():
    place = stream.Settings(device=torch.device("cpu"), precision=torch.float32)
    upscaler = stream.Upscaler(stream.checked(Remembering()), place, print)
    first, second = torch.rand(2, 1, 3, 6, 8).unbind(0)
    shown = [stream.unfolded(upscaler.folded(frame), 2)[..., ::2, ::2] for frame in (first, second)]
    assert torch.equal(shown[0], first) and torch.equal(shown[1], first)


def test_without_a_fresh_it_cannot_become_a_graph():
    assert not graph.says_how_a_shot_begins(as_generator(Own()))
    assert graph.says_how_a_shot_begins(as_generator(Folding()))


@pytest.mark.parametrize("part", ["scale", "reach", "bytes_per_pixel", "folded"])
def test_what_streaming_needs_is_asked_for_by_name(part):
    parts = {name: value for name, value in vars(Own).items() if name != part and not name.startswith("__")}
    less = type("Less", (nn.Module,), parts)()
    with pytest.raises(BadOption, match=f"a Less is no generator that can enhance: it has no {part}"):
        stream.checked(less)
    assert not hasattr(less, "fold"), "and what is refused is left as it was"
