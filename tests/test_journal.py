"""What a run writes down."""

import json

import pytest

from vidgan import journal


def lines(folder) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_rows_and_events_are_lines_of_json_and_a_resumed_run_adds_to_them(tmp_path):
    for step in (0, 5):
        book = journal.Journal(tmp_path)
        book.note({"step": step, "val_psnr_y": 30.0})
        book.event(step, "stopped", "enough")
        book.close()
    assert lines(tmp_path) == [
        {"step": 0, "val_psnr_y": 30.0}, {"step": 0, "event": "stopped", "why": "enough"},
        {"step": 5, "val_psnr_y": 30.0}, {"step": 5, "event": "stopped", "why": "enough"},
    ]  # fmt: skip


def test_tensorboard_reads_the_same_numbers(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    book = journal.Journal(tmp_path)
    for step in range(3):
        book.note({"step": step, "charbonnier": 0.1 * step, "val_psnr_y": 30.0 + step})
    book.close()
    events = reading.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(found.step, found.value) for found in events.Scalars("validation/psnr_y")] == [
        (0, 30.0), (1, 31.0), (2, 32.0)
    ]  # fmt: skip
    assert len(events.Scalars("training/charbonnier")) == 3


def test_without_tensorboard_there_are_no_events(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "has_tensorboard", lambda: False)
    book = journal.Journal(tmp_path)
    book.note({"step": 1, "val_psnr_y": 30.0})
    book.close()
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]
