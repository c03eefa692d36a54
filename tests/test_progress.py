"""Progress: a bar on a terminal, a line now and then in a log, nothing where it must be quiet."""

import io

import pytest
from rich.console import Console

from vidgan import progress


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress.time, "monotonic", made)
    return made


def log() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=120), file


def test_a_log_gets_a_line_now_and_then(clock):
    console, file = log()
    with progress.bar(console) as tick:
        for second in range(61):
            clock.now = 1000.0 + second
            tick(second, 100, f"{second} frames")
    lines = file.getvalue().splitlines()
    assert len(lines) == 6
    assert lines[-1].split() == ["60%", "60", "frames", "0:40", "left"]


def test_a_resumed_job_reckons_from_where_it_went_on(clock):
    console, file = log()
    with progress.bar(console) as tick:
        tick(90, 100, "")
        clock.now += 10
        tick(91, 100, "step 91")
    assert "1:30 left" in file.getvalue()  # 9 more of 10 seconds each, not of a tenth


def test_another_total_is_another_part_with_a_speed_of_its_own(clock):
    console, file = log()
    with progress.bar(console) as tick:
        for step in range(10):
            tick(step, 10, "quick")
            clock.now += 1
        for step in range(10, 13):
            tick(step, 20, "slow")
            clock.now += 60
    assert file.getvalue().splitlines()[-1].split() == ["60%", "slow", "8:00", "left"]


def test_an_unknown_length_gives_the_note_alone(clock):
    console, file = log()
    with progress.bar(console) as tick:
        tick(0, None, "")
        clock.now += 11
        tick(7, None, "7 frames, 2.0 a second")
    assert file.getvalue() == "7 frames, 2.0 a second\n"


def test_quiet_is_quiet(clock):
    console, file = log()
    with progress.bar(console, quiet=True) as tick:
        clock.now += 100
        tick(1, 2, "half")
    assert file.getvalue() == ""


def test_a_terminal_gets_a_bar_that_goes_away():
    file = io.StringIO()
    with progress.bar(Console(file=file, force_terminal=True, width=100)) as tick:
        tick(1, 2, "half of it")
        tick(2, 2, "all of it")
    assert "all of it" in file.getvalue() and "100%" in file.getvalue()


def test_a_terminal_tells_the_time_left_of_frames_that_take_minutes(clock):
    file = io.StringIO()
    with progress.bar(Console(file=file, force_terminal=True, width=120, get_time=clock)) as tick:
        for done in range(4):
            clock.now += 120
            tick(done, 100, f"{done} frames")
    assert "3:14:00" in file.getvalue()  # 97 more of 2 minutes each


@pytest.mark.parametrize(("seconds", "shown"), [
    (0, "0:00"), (5.4, "0:05"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (36_065, "10:01:05"),
])  # fmt: skip
def test_a_time_is_shown_as_a_clock_does(clock, seconds, shown):
    console, file = log()
    with progress.bar(console) as tick:
        tick(0, 2, "")
        clock.now += seconds
        tick(1, 2, "")
    if seconds >= progress.PLAIN_EVERY_SECONDS:
        assert f"{shown} left" in file.getvalue()
    assert progress.clock(seconds, digits=0) == shown


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00.00"), (59.999, "1:00.00"), (61.5, "1:01.50"), (3725.5, "1:02:05.50")]
)
def test_a_clock_never_shows_sixty_seconds(seconds, words):
    assert progress.clock(seconds) == words


def test_words_go_out_as_they_are(capsys):
    progress.console().print('pip install "vidgan[features]" and [/b], shot:cat:1')
    assert capsys.readouterr().err == 'pip install "vidgan[features]" and [/b], shot:cat:1\n'


def test_a_note_on_a_terminal_is_no_markup():
    file = io.StringIO()
    console = Console(file=file, width=120, force_terminal=True)
    with progress.bar(console) as tick:
        tick(1, 2, "a[/b].mp4")


@pytest.mark.parametrize(("total", "done"), [(2, [1, 2, 2]), (None, [1, 2, 3])])
def test_frames_are_counted_and_passed_on_and_never_more_than_there_are_about(total, done):
    told, seen = [], []
    watch = progress.counted(seen.append, lambda now, of, note: told.append((now, of, note)), total)
    for picture in "abc":
        watch(picture)
    notes = ["1 frame", "2 frames", "3 frames"]
    assert seen == ["a", "b", "c"]
    assert told == [(now, total, note) for now, note in zip(done, notes, strict=True)]
