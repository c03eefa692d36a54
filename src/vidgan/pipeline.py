"""Work that overlaps: one thread decodes, one computes, one encodes, with a few frames between them.

The queues are short, so that memory does not grow with the video's length. PyAV and torch leave Python's lock
while they work, which is why threads are enough.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
FRAMES_BETWEEN = 4
POLL_SECONDS = 0.1


@contextmanager
def ahead(items: Iterable[Item], *, depth: int = FRAMES_BETWEEN) -> Iterator[Iterator[Item]]:
    """The same items in the same order, produced in a thread up to `depth` ahead of their use.

    What the producer raises is raised where its item would have been. Leaving the block stops the producer,
    also in the middle; its generator is closed in the thread that ran it.
    """
    passed: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue(depth)
    stop = threading.Event()

    def produce() -> None:
        iterator: Iterator[Item] | None = None
        try:
            iterator = iter(items)
            for item in iterator:
                if not _put(passed, (True, item), stop):
                    return
            _put(passed, (False, None), stop)
        except BaseException as error:
            _put(passed, (False, error), stop)
        finally:
            if close := getattr(iterator, "close", None):
                close()

    def consume() -> Iterator[Item]:
        while True:
            is_item, value = passed.get()
            if is_item:
                yield value  # type: ignore[misc]
            elif value is None:
                return
            else:
                raise value  # type: ignore[misc]

    thread = threading.Thread(target=produce, name="ahead", daemon=True)
    thread.start()
    try:
        yield consume()
    finally:
        stop.set()
        thread.join()


@contextmanager
def behind(work: Callable[[Item], None], *, depth: int = FRAMES_BETWEEN) -> Iterator[Callable[[Item], None]]:
    """Do `work` on every item in a thread, in order, up to `depth` items behind.

    Gives the function that hands an item over; it raises what an earlier item's work raised. A block that
    ends well waits for all of the work; one that ends in an error leaves what is waiting undone.
    """
    waiting: queue.Queue[tuple[Item] | None] = queue.Queue(depth)
    stop = threading.Event()
    failures: list[BaseException] = []

    def labour() -> None:
        while (item := _get(waiting, stop)) is not None:
            try:
                work(item[0])
            except BaseException as error:
                failures.append(error)
                stop.set()

    def hand_over(item: Item) -> None:
        if not _put(waiting, (item,), stop):
            raise failures[0]

    thread = threading.Thread(target=labour, name="behind", daemon=True)
    thread.start()
    try:
        yield hand_over
        _put(waiting, None, stop)
    except BaseException:
        stop.set()
        raise
    finally:
        thread.join()
    if failures:
        raise failures[0]


def _put(target: queue.Queue[Item], item: Item, stop: threading.Event) -> bool:
    """Whether the item could be handed over before everything stopped."""
    while not stop.is_set():
        try:
            target.put(item, timeout=POLL_SECONDS)
        except queue.Full:
            continue
        return True
    return False


def _get(source: queue.Queue[Item | None], stop: threading.Event) -> Item | None:
    while not stop.is_set():
        try:
            return source.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
    return None
