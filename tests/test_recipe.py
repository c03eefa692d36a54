"""A recipe says exactly what is trained: a typo never trains for a night."""

from pathlib import Path

import pytest

from vidgan import recipe
from vidgan.errors import BadRecipe

ROOT = Path(__file__).resolve().parent.parent
TEXT = """
name = "tiny"

[generator]
name = "recurrent"
config = { features = 16, blocks = 1 }

[discriminator]
name = "triplet"

[data]
train = ["clips", "../photos"]
val = ["held_out"]

[faithful]
steps = 3
batch = 1
frames = 3
crop = 32
lr = 1e-3
lr_end = 1e-4
losses = { charbonnier = 1.0 }

[realistic]
steps = 2
batch = 1
frames = 3
crop = 32
lr = 1e-3
lr_end = 1e-4
losses = { charbonnier = 1.0, game = 0.05 }
"""


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "recipes").mkdir()
    file = tmp_path / "recipes" / "tiny.toml"
    file.write_text(TEXT)
    return file


def changed(path: Path, old: str, new: str) -> Path:
    assert old in TEXT
    path.write_text(TEXT.replace(old, new, 1))
    return path


def test_a_recipe_is_read_with_its_defaults(path):
    read = recipe.read(path)
    assert (read.name, read.steps, read.seed) == ("tiny", 5, 1)
    assert read.generator.config == {"features": 16, "blocks": 1}
    assert read.realistic.losses.game == 0.05 and read.faithful.losses.game == 0.0
    assert read.damage == recipe.Damage() and read.game == recipe.Game()


def test_its_folders_are_seen_from_the_recipe(path, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    read = recipe.read(path)
    assert [folder.resolve() for folder in read.data.train] == [
        tmp_path / "recipes" / "clips",
        tmp_path / "photos",
    ]


def test_an_override_s_folders_are_seen_from_where_the_command_runs(path):
    assert recipe.read(path, ('data.val=["elsewhere"]',)).data.val == [Path("elsewhere")]


@pytest.mark.parametrize(("override", "found"), [
    ("faithful.steps=7", lambda read: read.faithful.steps == 7),
    ("realistic.losses.game=0.1", lambda read: read.realistic.losses.game == 0.1),
    ("damage.mild=0", lambda read: read.damage.mild == 0),
    ("game.sigma = 0.05", lambda read: read.game.sigma == 0.05),
    ("name=other", lambda read: read.name == "other"),
    ('name="with = in it"', lambda read: read.name == "with = in it"),
    ("generator.config.features=32", lambda read: read.generator.config == {"features": 32, "blocks": 1}),
])  # fmt: skip
def test_an_override_changes_one_entry(path, override, found):
    assert found(recipe.read(path, (override,)))


@pytest.mark.parametrize("override", [
    "faithful.steps", "faithful.stepz=3", "nothing.at.all=3", "faithful.steps=many", "name.of.it=3", "=3",
    "data.train.first=3", "realistic.losses.game=-1.0", "name=" + "[" * 3000,
])  # fmt: skip
def test_an_override_that_cannot_be_is_refused(path, override):
    with pytest.raises(BadRecipe):
        recipe.read(path, (override,))


@pytest.mark.parametrize(("old", "new", "named"), [
    ("steps = 3", "stepz = 3", "faithful.stepz"),
    ('name = "tiny"', 'name = "tiny"\nspeed = 3', "speed"),
    ("charbonnier = 1.0", "charbonier = 1.0", "faithful.losses.charbonier"),
    ("batch = 1\n", "", "faithful.batch"),
])  # fmt: skip
def test_an_unknown_or_missing_entry_is_named(path, old, new, named):
    with pytest.raises(BadRecipe, match=named.replace(".", r"\.")):
        recipe.read(changed(path, old, new))


@pytest.mark.parametrize(("old", "new"), [
    ("steps = 3", 'steps = "3"'),
    ("steps = 3", "steps = 3.5"),
    ("steps = 3", "steps = 0"),
    ("steps = 3", "steps = true"),
    ("frames = 3", "frames = 2"),
    ("crop = 32", "crop = 33"),
    ("lr = 1e-3", "lr = -1"),
    ("lr = 1e-3", "lr = nan"),
    ("charbonnier = 1.0", "charbonnier = inf"),
    ("charbonnier = 1.0", "charbonnier = 1979-05-27"),
    ('name = "tiny"', "name = 5"),
    ('name = "tiny"', 'name = "tiny"\nseed = -1'),
    ('name = "tiny"', 'name = "tiny"\nseed = 3000000000'),
    ("losses = { charbonnier = 1.0 }", "losses = {}"),
    ("losses = { charbonnier = 1.0 }", "losses = { l1 = 0 }"),
    ("losses = { charbonnier = 1.0, game = 0.05 }", "losses = {}"),
    ('train = ["clips", "../photos"]', 'train = "clips"'),
    ('train = ["clips", "../photos"]', "train = [5]"),
    ("[data]", "[damage]\nclean = -1.0\n\n[data]"),
    ("[data]", "[damage]\nclean = 0.0\nmild = 0.0\n\n[data]"),
    ("[data]", "[augment]\nzoom = [0.5, 1.5]\n\n[data]"),
    ("[data]", "[game]\nrest_above = 0.4\n\n[data]"),
    ("[data]", "[supervisor]\ncontrast = [2, 1]\n\n[data]"),
    ("[data]", "[supervisor]\ncontrast = [1, 1]\n\n[data]"),
    ("[data]", "[supervisor]\ncontrast = [-1, 2]\n\n[data]"),
])  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused(path, old, new):
    with pytest.raises(BadRecipe):
        recipe.read(changed(path, old, new))


def test_a_stage_that_is_not_played_needs_no_losses(path):
    assert recipe.read(path, ("realistic.steps=0", "realistic.losses={}")).steps == 3
    with pytest.raises(BadRecipe, match=r"faithful\.losses: none has a weight"):
        recipe.read(path, ("faithful.losses={}",))


def test_a_whole_number_may_stand_for_a_real_one(path):
    assert (
        recipe.read(changed(path, "charbonnier = 1.0", "charbonnier = 1")).faithful.losses.charbonnier == 1.0
    )


def test_a_table_in_the_place_of_a_value_is_refused(path):
    tables = path.read_text().partition("[data]")
    path.write_text("data = 5\n" + tables[0] + tables[2].partition('val = ["held_out"]')[2])
    with pytest.raises(BadRecipe, match="data"):
        recipe.read(path)


@pytest.mark.parametrize("content", [b"name = ", b"[generator\n", b"\xff\xfe\x00", b"\x00" * 10])
def test_what_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(BadRecipe, match="TOML"):
        recipe.read(path)


def test_a_missing_recipe_and_a_folder_are_refused(tmp_path):
    with pytest.raises(BadRecipe, match="no recipe"):
        recipe.read(tmp_path / "none.toml")
    with pytest.raises(BadRecipe, match=r"(?s)is a folder, and no recipe.*--videos"):
        recipe.read(tmp_path)


def test_a_video_in_the_place_of_a_recipe_has_no_line_to_mend(tmp_path):
    (tmp_path / "in.mp4").write_bytes(bytes(16) + b"\xf8")
    with pytest.raises(BadRecipe, match="a video comes after --videos"):
        recipe.read(tmp_path / "in.mp4")


def test_every_wrong_entry_is_named_at_once(path):
    changed(path, "steps = 3\nbatch = 1", "steps = -1\nbatch = 0")
    with pytest.raises(BadRecipe, match=r"faithful\.steps.*faithful\.batch"):
        recipe.read(path)


@pytest.mark.parametrize("file", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda file: file.stem)
def test_the_recipes_that_come_with_it_can_be_read(file):
    assert recipe.read(file).name == file.stem


@pytest.mark.parametrize(("override", "told"), [
    ("faithful.crops=32", "there is no 'faithful.crops', did you mean 'crop'?"),
    ("faithful.losses.charbonier=1", "there is no 'faithful.losses.charbonier', did you mean 'charbonnier'?"),
    ("zzz=1", "there is no 'zzz'; there are: name, seed"),
    ('game.lr="fast"', "game.lr: input should be a valid number, and it is 'fast'"),
    ('game.kind="hing"', "'relativistic', 'hinge', 'vanilla' or 'least_squares', and it is 'hing'"),
])  # fmt: skip
def test_a_wrong_entry_is_told_with_what_was_perhaps_meant(path, override, told):
    with pytest.raises(BadRecipe) as caught:
        recipe.read(path, (override,))
    assert told in caught.value.found


def test_a_missing_entry_is_named(path):
    with pytest.raises(BadRecipe, match=r"'faithful\.steps' is missing"):
        recipe.read(changed(path, "steps = 3\n", ""))


def test_a_start_that_is_a_file_is_seen_from_the_recipe_and_a_name_is_not(path, tmp_path):
    changed(path, 'name = "tiny"', 'name = "tiny"\nstart = "../w.safetensors"')
    assert Path(recipe.read(path).start).resolve() == tmp_path / "w.safetensors"
    changed(path, 'name = "tiny"', 'name = "tiny"\nstart = "fast"')
    assert recipe.read(path).start == "fast"


@pytest.mark.parametrize("name", recipe.names())
def test_a_recipe_that_comes_with_vidgan_is_whole_and_is_found_by_its_name(name):
    read = recipe.read(name)
    assert read.name == name and read.data.train == []
    assert read.realistic.losses.game > 0


def test_a_recipe_survives_being_written(tmp_path):
    read = recipe.read(
        "default", ('data.train=["a b/c"]', "augment.zoom=[0.6, 0.9]", "start=fast", "faithful.lr=1e-5")
    )
    (tmp_path / "again.toml").write_text(recipe.to_toml(read))
    assert recipe.read(tmp_path / "again.toml", ('data.train=["a b/c"]',)) == read


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(BadRecipe, match=r"(?s)no recipe nothing.*default, finetune"):
        recipe.read("nothing")


@pytest.mark.parametrize("loss", ["game", "feature_matching"])
def test_a_weight_that_the_faithful_stage_could_not_play_is_refused(loss):
    with pytest.raises(BadRecipe, match="the faithful stage has no discriminator"):
        recipe.read("default", (f"faithful.losses={{ charbonnier = 1.0, {loss} = 0.1 }}",))


@pytest.mark.parametrize(("text", "word"), [
    ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ("seed = " + "9" * 5000, "cannot be read"),
    (".".join(["a"] * 5000) + " = 1", None),
    ("[" + ".".join(["data"] * 5000) + "]\n", None),
    ("seed = " + " " * (1 << 20), "larger than a recipe"),
    ("'a\\u001b[2J' = 1", None),
    ('name = """' + "x" * 100_000 + '"""\nname2 = ' + str(["y" * 9] * 9000), None),
])  # fmt: skip
def test_a_recipe_that_means_harm_is_one_error_of_two_lines(tmp_path, text, word):
    path = tmp_path / "a.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadRecipe, match=word) as caught:
        recipe.read(path)
    assert len(str(caught.value).splitlines()) == 2 and len(caught.value.found) < 5000


def test_a_run_that_is_the_opponent_is_written_as_a_place_and_a_name_is_not(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "checkpoints").mkdir(parents=True)
    (tmp_path / "fast").mkdir()
    for opponent, written in (("judge", "judge"), ("mine", str(tmp_path / "mine")), ("", "")):
        told = recipe.read(path).model_copy(update={"opponent": opponent, "start": "fast"})
        found = recipe.anchored(told, tmp_path / "run")
        assert (found.opponent, found.start) == (written, "fast")
