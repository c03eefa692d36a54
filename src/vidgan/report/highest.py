"""The few that a page has room for, of many that pass: those of the highest rank."""

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Highest(Generic[Thing]):
    """Keeps so many things; of equals those that came first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[float, int, Thing]] = []  # a heap, the lowest in front
        self._num_added = 0

    def takes(self, rank: float) -> bool:
        """Whether one of this rank would be kept: to be asked before it is made, where that is costly."""
        return len(self._kept) < self._most or self._kept[0][0] < rank

    def add(self, rank: float, thing: Thing) -> None:
        if self.takes(rank):
            self._num_added += 1
            full = len(self._kept) == self._most
            (heapq.heappushpop if full else heapq.heappush)(self._kept, (rank, -self._num_added, thing))

    def __iter__(self) -> Iterator[Thing]:
        """The highest first."""
        return (thing for *_, thing in sorted(self._kept, reverse=True))

    def __len__(self) -> int:
        return len(self._kept)
