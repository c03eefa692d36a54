"""Threads that overlap: everything arrives, in order, errors too, and nothing goes on for nobody."""
# ruff: noqa: PT012 - an error must be seen to leave a whole block

import threading
import time

import pytest

from vidgan import pipeline

PATIENCE = 10.0  # seconds: far more than any of this takes


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name in ("ahead", "behind")]


@pytest.fixture(autouse=True)
def nothing_is_left_running():
    yield
    assert our_threads() == []


def test_items_come_in_order():
    with pipeline.ahead(range(100)) as items:
        assert list(items) == list(range(100))


def test_work_is_done_in_order_and_whole_when_the_block_ends():
    done = []

    def work(item):
        time.sleep(0.001)
        done.append(item)

    with pipeline.behind(work) as hand_over:
        for item in range(50):
            hand_over(item)
    assert done == list(range(50))


def test_none_and_false_are_items_like_others():
    done = []
    with pipeline.ahead([None, False, 0]) as items, pipeline.behind(done.append) as hand_over:
        for item in items:
            hand_over(item)
    assert done == [None, False, 0]


def test_nothing_is_nothing():
    with pipeline.ahead([]) as items:
        assert list(items) == []
    with pipeline.behind(pytest.fail):
        pass


def test_the_producer_and_the_worker_have_their_own_threads():
    here, seen = threading.current_thread(), []

    def produce():
        seen.append(threading.current_thread())
        yield 1

    with (
        pipeline.ahead(produce()) as items,
        pipeline.behind(lambda item: seen.append(threading.current_thread())) as hand_over,
    ):
        for item in items:
            hand_over(item)
    assert len({here, *seen}) == 3


def test_the_producer_s_error_comes_where_its_item_would_have_been():
    def produce():
        yield from range(3)
        raise KeyError("broken")

    seen = []
    with pytest.raises(KeyError, match="broken"), pipeline.ahead(produce()) as items:
        for item in items:
            seen.append(item)
    assert seen == [0, 1, 2]


def test_a_producer_that_cannot_even_begin_raises():
    class Broken:
        def __iter__(self):
            raise ValueError("no beginning")

    with pytest.raises(ValueError, match="no beginning"), pipeline.ahead(Broken()) as items:
        list(items)


def test_the_worker_s_error_reaches_the_one_who_hands_over():
    def work(item):
        raise OSError(f"disk full at {item}")

    handed = 0
    with pytest.raises(OSError, match="disk full at 0"), pipeline.behind(work, depth=2) as hand_over:
        for item in range(1000):
            hand_over(item)
            handed += 1
    assert handed < 1000


def test_the_worker_s_error_at_the_last_item_is_not_lost():
    def work(item):
        time.sleep(0.05)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"), pipeline.behind(work) as hand_over:
        hand_over(1)


def test_leaving_early_stops_and_closes_the_producer():
    closed = threading.Event()

    def produce():
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.set()

    with pipeline.ahead(produce()) as items:
        assert next(items) == 0
    assert closed.is_set()


def test_an_error_in_the_block_stops_both_and_leaves_waiting_work_undone():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def work(item):
        begun.set()
        go_on.wait(PATIENCE)
        done.append(item)

    with pytest.raises(ZeroDivisionError), pipeline.ahead(iter(int, 1)), pipeline.behind(work) as hand_over:
        for item in range(3):
            hand_over(item)
        begun.wait(PATIENCE)
        threading.Timer(0.1, go_on.set).start()
        raise ZeroDivisionError
    assert done == [0]


@pytest.mark.parametrize("depth", [1, 3])
def test_the_producer_is_at_most_depth_items_ahead(depth):
    produced = []

    def produce():
        for number in range(50):
            produced.append(number)
            yield number

    with pipeline.ahead(produce(), depth=depth) as items:
        for used, _ in enumerate(items, start=1):
            time.sleep(0.005)
            assert len(produced) <= used + depth + 1  # those waiting, and the one in its hand


def test_the_worker_is_at_most_depth_items_behind():
    slowly, done = threading.Semaphore(0), []

    def work(item):
        slowly.acquire()
        done.append(item)

    with pipeline.behind(work, depth=2) as hand_over:
        for item in range(20):
            if item > 2:
                slowly.release()
            hand_over(item)
            assert item + 1 - len(done) <= 2 + 2  # waiting, in its hand, and just released
        for _ in range(20):
            slowly.release()


def test_producing_and_using_overlap():
    def produce():
        for number in range(5):
            time.sleep(0.05)
            yield number

    started = time.monotonic()
    with pipeline.ahead(produce()) as items:
        for _ in items:
            time.sleep(0.05)
    assert time.monotonic() - started < 0.48  # 0.30 with overlap, 0.50 without
