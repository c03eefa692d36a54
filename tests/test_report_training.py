"""A run's page: every number from its log, nothing from outside, whatever state the folder is in."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from footage import nature, save
from vidgan.errors import BadVideo
from vidgan.recipe import Losses
from vidgan.report import curves, training
from vidgan.video import decode_all

RECIPE = 'name = "mine <b>"\nseed = 1\n\n[faithful]\nsteps = 10\n\n[realistic]\nsteps = 10\n'


@pytest.fixture
def folder(tmp_path):
    rows = [{"step": 0, "val_psnr_y": 24.125, "val_lpips": 0.4125}]
    for step in range(5, 25, 5):
        real = {"accuracy": 0.7, "val_accuracy": 0.61, "game": 0.7, "val_overfit": 0.1} if step > 10 else {}
        rows.append({"step": step, "seconds": 9.5, "charbonnier": 1 / step, "val_psnr_y": 25 + step / 7,
                     "val_lpips": 0.4 - step / 77, "generator_slope": 0.1, **real})  # fmt: skip
    rows.insert(4, {"step": 17, "event": "rolled back", "why": "colour <drifted>"})
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    for step in (0, 5, 10, 15, 20):
        save(nature(step, 60, 120), tmp_path / "strips" / f"step-{step:06}.png")
    (tmp_path / "checkpoints").mkdir()
    for name in ("best", "state"):
        (tmp_path / "checkpoints" / f"{name}.safetensors").write_bytes(b"")
    return tmp_path


def page_of(folder) -> str:
    path = training.write_report(folder)
    assert path == folder / "report.html" and not list(folder.glob("*.partial"))
    return path.read_text()


def test_the_table_s_numbers_are_the_log_s(folder):
    page = page_of(folder)
    for number in ("24.12", "0.4125", f"{25 + 10 / 7:.4g}", f"{0.4 - 20 / 77:.4g}"):
        assert f">{number}</td>" in page, number
    assert "best, step 20" in page and "faithful stage" in page
    assert "Finished: 20 steps." in page
    assert "--model" in page and "best.safetensors" in page
    assert "state.safetensors" not in page  # it is to go on from, and no model


def test_a_curve_has_a_point_for_every_row(folder):
    page = page_of(folder)
    assert len(re.findall(r"<title>psnr y: ", page)) == 5
    assert len(re.findall(r"<title>charbonnier: ", page)) == 4
    assert "the realistic stage begins" in page


def test_what_comes_from_files_is_escaped_and_nothing_comes_from_outside(folder):
    page = page_of(folder)
    assert "<drifted>" not in page and "colour &lt;drifted&gt;" in page
    assert "mine <b>" not in page
    assert not re.search(r"https?://|<script|src=\"(?!data:)", page)


def test_pictures_are_shown_from_the_first_to_the_last(folder):
    page = page_of(folder)
    assert page.count("data:image/jpeg") == 5
    assert page.index("<b>step 0</b>") < page.index("<b>step 20</b>")


def test_a_line_cut_short_and_a_picture_cut_short_are_left_out(folder):
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"step": 25, "val_ps')
    (folder / "strips" / "step-000020.png").write_bytes(b"\x89PNG cut")
    assert page_of(folder).count("data:image/jpeg") == 4


@pytest.mark.parametrize(
    "line",
    [
        '{"step": 25, "val_psnr_y": [], "val_lpips": {}, "charbonnier": "x"}',
        '{"step": 25, "event": "stopped"}',
        '{"step": 25, "event": [], "why": null}',
        '{"step": 25, "why": "x", "val_psnr_y": ' + "9" * 400 + "}",
        '{"step": ' + "9" * 400 + "}",
        '{"step": 25, "val_psnr_y": NaN, "accuracy": Infinity}',
        '{"step": ' * 100_000,
    ],
)
def test_a_line_that_others_have_changed_ends_no_training(folder, line):
    before = page_of(folder)
    with (folder / "log.jsonl").open("a") as file:
        file.write(line + "\n")
    assert page_of(folder).count("<circle") >= before.count("<circle")


def test_after_a_roll_back_the_later_row_of_a_step_counts(folder):
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 20, "val_psnr_y": 19.5}) + "\n")
    assert ">19.5</td>" in page_of(folder)


@pytest.mark.parametrize("text", ["", '{"step": 0, "val_psnr_y": 30.0}\n'])
def test_a_run_that_has_just_begun_has_a_page(tmp_path, text):
    (tmp_path / "log.jsonl").write_text(text)
    assert "Step 0." in page_of(tmp_path)


def test_why_it_stopped_is_the_first_thing_said(folder):
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 20, "event": "stopped", "why": "lpips has not gained"}) + "\n")
    page = page_of(folder)
    assert "Stopped at step 20: lpips has not gained." in page
    assert "best, step 15" in page  # the weights of the step at which it stopped were not kept


def test_a_folder_without_a_log_is_an_error(tmp_path):
    with pytest.raises(BadVideo, match=r"log\.jsonl"):
        training.write_report(tmp_path)


def test_numbers_that_are_not_finite_are_not_drawn():
    chart = curves.chart(
        "x", {"a": [(0, 1.0), (1, float("nan")), (2, 2.0)], "b": [(0, float("inf"))]}, curves.Marks()
    )
    assert chart.count("<circle") == 2 and "nan" not in chart and "inf" not in chart
    assert curves.chart("x", {"b": [(0, float("inf"))]}, curves.Marks()) == ""


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (24.1, 31.9), (0, 11_100), (-3.4, 1.4), (5e-6, 7e-6)])
def test_ticks_are_round_numbers_within_the_ends(low, high):
    ticks = curves.Axis(low, high, 0, 100).ticks()
    assert 2 <= len(ticks) <= 6
    slack = (high - low) * 1e-6
    assert all(low - slack <= tick <= high + slack for tick in ticks)
    steps = np.diff(ticks)
    np.testing.assert_allclose(steps, steps[0])
    assert f"{steps[0]:e}"[0] in "125"


@pytest.mark.browser
def test_a_browser_draws_it(folder, tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    training.write_report(folder)
    picture = tmp_path / "page.png"
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", f"--screenshot={picture}", "--window-size=1200,1600",
         (folder / "report.html").as_uri()],
        capture_output=True, timeout=120, check=True,
    )  # fmt: skip
    pixels = decode_all(picture)[0].astype(int)
    blue = np.abs(pixels - np.array([0x2B, 0x7F, 0xD4])).max(-1) < 8
    assert blue.sum() > 500, "the curves are not on the page"
    assert pixels[:300].std() > 5, "no text at the top"


def test_every_loss_of_a_recipe_is_drawn():
    drawn = {name for charts in training.CHARTS.values() for _, names in charts for name in names}
    assert Losses.model_fields.keys() <= drawn


@pytest.mark.parametrize(
    "recipe", ["faithful = 3", "[faithful]\nsteps = 'ten'\n[[realistic]]", "no = [toml", ""]
)
def test_a_recipe_that_says_nothing_of_steps_ends_no_page(folder, recipe):
    (folder / "recipe.toml").write_text(recipe)
    assert "Step 20." in page_of(folder)
