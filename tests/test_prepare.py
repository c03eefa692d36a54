"""`vidgan prepare`, from files to a data set, as a user runs it."""

import json
import subprocess
import sys
import time
from fractions import Fraction

import numpy as np
import pytest

from footage import moving, nature, save
from videos import Film, write
from vidgan import cli, dataset
from vidgan.dataset import shards
from vidgan.errors import BadOption, BadVideo
from vidgan.preparation import alike, judging, sources
from vidgan.recipe import Data
from vidgan.training import ground

FINE = {"crf": "8", "preset": "ultrafast"}


def video(path, frames):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames.shape[1:3]
    film = Film(width=width, height=height, times=tuple(range(len(frames))), options=FINE)
    return write(path, film, list(frames))


def prepared(source, folder):
    assert cli.main(["prepare", str(source), str(folder), "--quiet"]) == 0
    return shards.read_index(folder)


@pytest.fixture
def footage(tmp_path):
    folder = tmp_path / "footage"
    for seed in range(6):
        video(folder / f"scene{seed}_a.mp4", moving(seed))
    for index, frame in enumerate(moving(20, 8)):
        save(frame, folder / "seq" / "000" / f"{index:08d}.png")
    for seed in range(30, 34):
        save(nature(seed), folder / "photos" / "deep" / f"{seed}.jpg")
    return folder


def test_every_kind_of_source_is_found_and_kept(footage, tmp_path):
    index = prepared(footage, tmp_path / "set")
    kinds = {name: entry.kind for name, entry in index.entries.items()}
    assert kinds["footage/scene0_a.mp4"] == "video"
    assert kinds["footage/seq/000"] == "frames"
    assert [kind for name, kind in kinds.items() if "photos" in name] == ["photo"] * 4
    assert all(entry.kept == [0] for entry in index.entries.values())
    assert (tmp_path / "set" / "report.html").read_text().count("<img") == len(index.entries)


def test_consecutive_photos_of_a_camera_are_no_clip(tmp_path):
    for number in range(8):
        save(nature(number), tmp_path / "p" / f"IMG_{number:04d}.jpg")
    assert {entry.kind for entry in sources.find((tmp_path / "p",))} == {"photo"}


def test_a_second_run_changes_no_byte_and_adding_files_moves_nothing(footage, tmp_path):
    folder = tmp_path / "set"
    before = prepared(footage, folder)
    stamps = {file: file.stat().st_mtime_ns for file in (folder / "clips").iterdir()}
    assert prepared(footage, folder) == before
    video(footage / "new_1.mp4", moving(50))
    after = prepared(footage, folder)
    assert {file: file.stat().st_mtime_ns for file in stamps} == stamps
    assert {name: entry for name, entry in after.entries.items() if name in before.entries} == before.entries


def test_a_source_that_is_gone_leaves_the_set(footage, tmp_path):
    folder = tmp_path / "set"
    prepared(footage, folder)
    (footage / "scene0_a.mp4").unlink()
    index = prepared(footage, folder)
    assert "footage/scene0_a.mp4" not in index.entries
    assert not shards.shard_of("footage/scene0_a.mp4", folder).exists()


def test_broken_files_stop_nothing_and_are_named(footage, tmp_path):
    (footage / "empty.mp4").touch()
    (footage / "text.mp4").write_text("not a video")
    (footage / "cut.mp4").write_bytes((footage / "scene0_a.mp4").read_bytes()[:2000])
    (footage / "folder.mp4").mkdir()
    (footage / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (footage / ".hidden.mp4").write_text("hidden")
    index = prepared(footage, tmp_path / "set")
    broken = {name for name, entry in index.entries.items() if entry.broken}
    assert broken == {f"footage/{name}" for name in ("empty.mp4", "text.mp4", "cut.mp4", "half.jpg")}
    assert "text" in (tmp_path / "set" / "report.html").read_text()


def test_each_fault_is_named(tmp_path):
    folder = tmp_path / "bad"
    clip = moving(1, 12)
    video(folder / "still.mp4", np.repeat(clip[:1], 12, axis=0))
    video(folder / "short.mp4", clip[:4])
    video(folder / "small.mp4", clip.reshape(12, 120, 2, 160, 2, 3).mean((2, 4)).astype(np.uint8))
    video(folder / "flat.mp4", np.stack([np.full((240, 320, 3), 60 + 9 * t, np.uint8) for t in range(12)]))
    video(folder / "fine.mp4", moving(2, 12))
    index = prepared(folder, tmp_path / "set")
    reasons = {name[4:-4]: [c.faults[0][0] for c in e.clips if c.faults] for name, e in index.entries.items()}
    assert reasons == {
        "still": ["frozen"], "short": ["too short"], "small": ["too small"], "flat": ["low detail"], "fine": []
    }  # fmt: skip
    assert cli.main(["prepare", str(folder), str(tmp_path / "all"), "--keep-all", "--quiet"]) == 0
    kept = shards.read_index(tmp_path / "all")
    assert all(clip.kept for entry in kept.entries.values() for clip in entry.clips)
    assert "left out" not in str(kept)  # of repeats, which are kept


def test_bars_are_cut_off_and_shots_are_kept_apart(tmp_path):
    first, second = moving(1, 10), moving(2, 10)
    frames = np.concatenate([first, second])
    frames[:, :30], frames[:, -30:] = 0, 0
    video(tmp_path / "in" / "film.mp4", frames)
    (entry,) = prepared(tmp_path / "in", tmp_path / "set").entries.values()
    assert [clip.shape[0] for clip in entry.clips] == [10, 10]
    assert all(174 <= clip.shape[1] <= 180 and clip.shape[2] == 320 for clip in entry.clips)


def test_the_stored_pictures_are_those_of_the_file(tmp_path):
    for index, frame in enumerate(frames := moving(3, 8)):
        save(frame, tmp_path / "in" / "seq" / f"{index:03d}.png")
    folder = tmp_path / "set"
    (name,) = prepared(tmp_path / "in", folder).entries
    store = dataset.Store(folder, shards.read_index(folder).entries[name].split)
    assert (store.read(f"{name}#0", slice(2, 5), slice(10, 50), slice(20, 90)).numpy()
            == frames[2:5, 10:50, 20:90]).all()  # fmt: skip


def test_copies_are_kept_once_and_stay_on_one_side(footage, tmp_path):
    (footage / "again").mkdir()
    frames = moving(0)
    video(footage / "again" / "copy.mp4", frames.reshape(10, 120, 2, 160, 2, 3).mean((2, 4)).astype(np.uint8))
    assert cli.main(["prepare", str(footage), str(tmp_path / "set"), "--min-side", "64", "--quiet"]) == 0
    index = shards.read_index(tmp_path / "set")
    copy, original = index.entries["footage/again/copy.mp4"], index.entries["footage/scene0_a.mp4"]
    assert copy.copy_of == "footage/scene0_a.mp4" and copy.kept == [] and original.kept == [0]
    assert (copy.group, copy.split) == (original.group, original.split)


def test_a_copy_that_outlives_its_original_and_is_broken_for_a_while_stays_on_its_side(footage, tmp_path):
    held_out = next(f"z{n}" for n in range(1000) if alike.number_of(f"footage/z{n}") < 0.1)  # by its own name
    original, copy = footage / "scene0_a.mp4", footage / f"{held_out}.mp4"
    whole = original.read_bytes()
    for has_original, content in ((True, whole), (False, whole), (False, b"broken"), (False, whole)):
        copy.write_bytes(content)
        if not has_original:
            original.unlink(missing_ok=True)
        entry = prepared(footage, tmp_path / "set").entries[f"footage/{copy.name}"]
        assert bool(entry.broken) == (content != whole)
    assert entry.split == "train" and entry.kept == [0]


def test_files_of_one_scene_are_on_one_side(tmp_path):
    for scene in range(12):
        for part in range(2):
            save(nature(100 + 2 * scene + part), tmp_path / "in" / f"place{scene}_{part}.png")
    index = prepared(tmp_path / "in", tmp_path / "set")
    sides = {}
    for name, entry in index.entries.items():
        sides.setdefault(name.rpartition("_")[0], set()).add(entry.split)
    assert all(len(side) == 1 for side in sides.values()) and len(sides) == 12


def test_a_set_of_two_videos_has_one_to_validate_on_and_keeps_it(tmp_path):
    names = [f"v{number}" for number in range(40)]
    training = [name for name in names if alike.split_of(f"in/{name}") == "train"]
    for name in training[:2]:
        video(tmp_path / "in" / f"{name}.mp4", moving(names.index(name)))
    index = prepared(tmp_path / "in", tmp_path / "set")
    (held_out,) = [entry.group for entry in index.entries.values() if entry.split == "val"]
    video(tmp_path / "in" / f"{training[2]}.mp4", moving(70))
    later = prepared(tmp_path / "in", tmp_path / "set")
    assert [entry.group for entry in later.entries.values() if entry.split == "val"] == [held_out]


def named_for(side: str, folder: str = "in") -> list[str]:
    """Names of videos whose hash puts them on this side."""
    return [name for name in (f"v{n}" for n in range(400)) if alike.split_of(f"{folder}/{name}") == side]


def test_a_single_video_is_trained_on_whatever_its_hash_says(tmp_path):
    shots = np.concatenate([moving(seed) for seed in (1, 2, 3)])
    video(tmp_path / "in" / f"{named_for('val')[0]}.mp4", shots)
    for name in named_for("val")[1:3]:
        save(nature(int(name[1:])), tmp_path / "in" / f"{name}.png")
    index = prepared(tmp_path / "in", tmp_path / "set")
    assert {entry.kind: entry.split for entry in index.entries.values()} == {"video": "train", "photo": "val"}
    # And some of its clips are held out, as docs/training.md promises.
    place = [tmp_path / "set"]
    store, judges = ground.stores(Data(train=place, val=place), tmp_path / "run", print)
    assert len(store.videos) == 2 and len(judges.videos) == 1 and not set(store.videos) & set(judges.videos)


def test_of_a_fixed_camera_most_is_trained_on(tmp_path):
    """Its videos look alike, and so they are one group, on the side of validation if only their name is asked."""
    many, other = named_for("val")[0], named_for("train")[0]
    for part in range(4):
        video(tmp_path / "in" / f"{many}_{part}.mp4", moving(10 + part))
    video(tmp_path / "in" / f"{other}.mp4", moving(1))
    index = prepared(tmp_path / "in", tmp_path / "set")
    sides = {name: entry.split for name, entry in index.entries.items()}
    assert sides.pop(f"in/{other}.mp4") == "val" and set(sides.values()) == {"train"}


def test_a_file_that_renames_its_group_moves_none_to_another_side(tmp_path):
    """A group is called by its smallest member: a copy with a smaller name, which hashes to the other side."""
    names = named_for("train")
    for name in names[:3]:
        video(tmp_path / "in" / f"{name}.mp4", moving(int(name[1:])))
    before = prepared(tmp_path / "in", tmp_path / "set")
    held_out = next(name for name, entry in before.entries.items() if entry.split == "val")
    trained = next(name for name, entry in before.entries.items() if entry.split == "train")
    smaller = next(name for name in (f"a{n}" for n in range(400)) if alike.split_of(f"in/{name}") == "val")
    video(tmp_path / "in" / f"{smaller}.mp4", moving(int(trained[4:-4])))
    after = prepared(tmp_path / "in", tmp_path / "set")
    assert after.entries[trained].group == f"in/{smaller}" != before.entries[trained].group
    assert {name: after.entries[name].split for name in before.entries} == {
        name: entry.split for name, entry in before.entries.items()
    }
    assert after.entries[held_out].split == "val" and after.entries[f"in/{smaller}.mp4"].split == "train"


def test_sides_are_kept_when_sources_are_judged_anew_and_given_anew_for_other_shares(tmp_path, footage):
    folder = tmp_path / "set"
    before = prepared(footage, folder)
    index = before.model_copy(deep=True)
    for entry in index.entries.values():
        entry.split = {"train": "test", "test": "train", "val": "val"}[entry.split]
    shards.write_index(index, folder)
    words = ["prepare", str(footage), str(folder), "--quiet"]
    assert cli.main([*words, "--min-side", "150"]) == 0
    kept = shards.read_index(folder).entries
    videos = {name for name, entry in kept.items() if entry.kind != "photo" and entry.split == "test"}
    assert len(videos) >= 4, (
        "all but the largest, without which nothing would be trained on, and one held out"
    )
    assert cli.main([*words, "--val", "0.5", "--test", "0"]) == 0
    assert not any(entry.split == "test" for entry in shards.read_index(folder).entries.values())


def test_everything_left_out_is_said_as_such(tmp_path, capsys):
    video(tmp_path / "in" / "short.mp4", moving(1, 4))
    assert cli.main(["prepare", str(tmp_path / "in"), str(tmp_path / "set"), "--quiet"]) == 1
    assert "nothing was kept of the 1 source: " in capsys.readouterr().err
    with pytest.raises(BadVideo, match="everything in"):
        dataset.pack([tmp_path / "set"], tmp_path / "s", say=print)


@pytest.mark.parametrize("rate", [2, 60])
def test_a_video_s_own_rate_says_how_many_frames_its_bits_are_for(tmp_path, rate):
    film = Film(width=320, height=240, times=tuple(range(48)), time_base=Fraction(1, rate), rate=Fraction(rate),
                options={"crf": "23", "preset": "veryfast"})  # fmt: skip
    (found,) = sources.find((write(tmp_path / "a.mp4", film, list(moving(1, 48))),))
    length = sources.length(found)
    assert length.frames == pytest.approx(48, abs=1) and length.seconds == pytest.approx(48 / rate, rel=0.03)
    if rate == 2:  # at 25 frames a second it would have too few bits
        assert 8 * found.size / (320 * 240 * length.seconds * 25) < judging.BITS
        assert 8 * found.size / (320 * 240 * 48) > 5 * judging.BITS
    (entry,) = prepared(tmp_path / "a.mp4", tmp_path / "set").entries.values()
    assert entry.kept


@pytest.mark.parametrize("place", ["{set}", "{above}", "both"])
def test_a_prepared_set_is_no_footage(footage, tmp_path, capsys, place):
    folder = tmp_path / "above" / "set"
    folder.parent.mkdir()
    assert cli.main(["prepare", str(footage / "photos"), str(folder), "--quiet"]) == 0
    given = {"{set}": [folder], "{above}": [folder.parent], "both": [footage, folder]}[place]
    assert cli.main(["prepare", *map(str, given), str(tmp_path / "new")]) == 2
    assert "is a prepared data set" in capsys.readouterr().err
    with pytest.raises(BadOption, match="is a prepared data set"):
        list(dataset.files([folder.parent]))
    assert not (tmp_path / "new" / "clips").exists()


def test_a_killed_run_goes_on_and_ends_the_same(footage, tmp_path):
    for seed in range(60, 70):
        video(footage / f"more{seed}.mp4", moving(seed, 24))
    whole = prepared(footage, tmp_path / "whole")
    command = [sys.executable, "-m", "vidgan", "prepare", str(footage), str(tmp_path / "set"), "--quiet"]
    process = subprocess.Popen(command)
    while not len(list((tmp_path / "set").glob("clips/*.safetensors"))) > 3 and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert prepared(footage, tmp_path / "set") == whole


def test_train_reads_a_prepared_set_on_both_sides(footage, tmp_path):
    folder = tmp_path / "set"
    index = prepared(footage, folder)
    for side in ("train", "val"):
        store = dataset.pack([folder], tmp_path / "unused", say=print, split=side)
        wanted = {f"{name}#0" for name, entry in index.entries.items() if entry.split == side}
        assert set(store.shapes) == wanted
    assert not (tmp_path / "unused").exists()


def test_json(footage, tmp_path, capsys):
    assert cli.main(["prepare", str(footage), str(tmp_path / "set"), "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(told[side]["sources"] for side in ("train", "val", "test")) == 11


@pytest.mark.parametrize(("words", "message", "code"), [
    (["{in}"], "missing", 2),
    (["{in}/nothing", "{out}"], "there is no", 2),
    (["{in}", "{in}/inside"], "inside its own source", 2),
    (["{in}", "{in}/scene0_a.mp4"], "is a file", 1),
    (["{in}/seq", "{in}/photos"], "holds files", 1),
    (["{in}", "{out}", "--val", "0.6", "--test", "0.5"], "leave nothing", 2),
    (["{in}", "{out}", "--groups", "{in}/none.csv"], "cannot be read", 1),
])  # fmt: skip
def test_what_cannot_be_is_said_in_two_lines(words, message, code, footage, tmp_path, capsys):
    given = [word.replace("{in}", str(footage)).replace("{out}", str(tmp_path / "set")) for word in words]
    assert cli.main(["prepare", *given]) == code
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


def test_two_runs_at_once_are_refused(footage, tmp_path):
    from vidgan.verbs.prepare import _alone

    with _alone(tmp_path / "set"):
        code = (
            "import sys, pathlib; from vidgan.verbs.prepare import _alone\n"
            "with _alone(pathlib.Path(sys.argv[1])): pass"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "set")], capture_output=True, text=True, check=False
        )
    assert "another process" in run.stderr


def test_two_folders_of_one_name_are_told_apart(tmp_path):
    for place in ("one", "two"):
        save(nature(1), tmp_path / place / "x" / "a.png")
    with pytest.raises(BadOption, match="one name"):
        sources.find((tmp_path / "one" / "x", tmp_path / "two" / "x"))


def test_names_from_files_cannot_leave_the_report(tmp_path):
    save(nature(1), tmp_path / "in" / "<script>alert(1)<" / "a.png")
    prepared(tmp_path / "in", tmp_path / "set")
    assert "<script" not in (tmp_path / "set" / "report.html").read_text()


def test_a_network_is_trained_on_a_prepared_set(footage, tmp_path):
    folder = tmp_path / "set"
    prepared(footage, folder)
    recipe = tmp_path / "small.toml"
    stage = "batch = 1\nframes = 3\ncrop = 32\nlr = 1e-3\nlr_end = 1e-4\nsteps = 1\n"
    recipe.write_text(
        'name = "small"\n'
        '[generator]\nname = "recurrent"\nconfig = { features = 16, blocks = 1 }\n'
        '[discriminator]\nname = "triplet"\nconfig = { features = 16 }\n'
        f"[data]\ntrain = ['{folder}']\nval = ['{folder}']\n"
        f"[faithful]\n{stage}losses = {{ charbonnier = 1.0 }}\n"
        f"[realistic]\n{stage}losses = {{ charbonnier = 1.0, game = 0.1 }}\n"
    )
    assert cli.main(["train", str(recipe), "--out", str(tmp_path / "run")]) == 0
    assert (tmp_path / "run" / "checkpoints" / "last.safetensors").is_file()


def test_train_prepares_videos_by_itself_and_the_road_ends_in_a_model(footage, tmp_path, capsys):
    """`vidgan train --videos DIR`: no recipe, no data set; then enhance takes what came out."""
    words = [
        "--set", "generator.config.features=16", "--set", "generator.config.blocks=1",
        "--set", "discriminator.config.features=8", "--set", "data.photos=0.5",
    ]  # fmt: skip
    for stage in ("faithful", "realistic"):
        for entry in ("steps=1", "batch=1", "frames=3", "crop=32", "roll_in=0.0"):
            words += ["--set", f"{stage}.{entry}"]
    run = tmp_path / "run"
    assert cli.main(["train", "--videos", str(footage), "--out", str(run), *words]) == 0
    said = capsys.readouterr().err
    assert "clips and photos prepared of 11 sources: 11;" in said
    assert (run / "report.html").is_file() and (run / "data" / "report.html").is_file()
    best = run / "checkpoints" / "best.safetensors"
    clip = next(path for path in sorted(footage.rglob("*.mp4")))
    assert (
        cli.main(["enhance", str(clip), str(tmp_path / "out.mp4"), "--model", str(best), "--duration", "0.2"])
        == 0
    )
