import subprocess
import sys

import pytest

from vidgan import shelf
from vidgan.errors import BadOption


@pytest.fixture
def fruits(tmp_path, monkeypatch):
    """A package of two parts, one of which falls over when it is imported."""
    folder = tmp_path / "fruits_on_a_shelf"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "apple.py").write_text("taste = 'sour'\n")
    (folder / "banana.py").write_text("raise AssertionError('imported without being asked for')\n")
    (folder / "_peel.py").write_text("")
    (folder / "notes.txt").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder.name
    for name in [name for name in sys.modules if name.startswith(folder.name)]:
        del sys.modules[name]


def test_the_names_on_a_shelf_are_its_public_files_and_nothing_is_imported(fruits):
    assert shelf.names(fruits) == ["apple", "banana"]
    assert f"{fruits}.apple" not in sys.modules


def test_taking_a_part_imports_that_file_alone(fruits):
    assert shelf.take(fruits, "apple").taste == "sour"
    assert f"{fruits}.banana" not in sys.modules


def test_a_new_file_is_a_new_choice(fruits, tmp_path):
    (tmp_path / fruits / "cherry.py").write_text("taste = 'sweet'\n")
    assert shelf.take(fruits, "cherry").taste == "sweet"


@pytest.mark.parametrize(("word", "remedy"), [
    ("aple", "Did you mean 'apple'?"),
    ("APPLE", "Did you mean 'apple'?"),
    ("zucchini", "Choose one of: apple, banana."),
    ("", "Choose one of: apple, banana."),
])  # fmt: skip
def test_an_unknown_name_is_the_users_mistake_and_says_what_to_try(fruits, word, remedy):
    with pytest.raises(BadOption) as error:
        shelf.take(fruits, word)
    assert error.value.found == f"there is no {word!r} among our {fruits.replace('_', ' ')}"
    assert error.value.remedy == remedy


@pytest.mark.parametrize("name", ["..errors", "os", "apple.taste", "__init__", "_peel", "../fruits/apple"])
def test_a_name_from_a_stranger_never_reaches_the_import_system(fruits, name):
    with pytest.raises(BadOption):
        shelf.take(fruits, name)


def test_a_package_that_is_not_there_is_our_own_mistake():
    with pytest.raises(AssertionError):
        shelf.names("vidgan.errors")


def test_listing_our_verbs_does_not_import_torch():
    code = (
        "import sys; from vidgan import shelf; shelf.names('vidgan.verbs'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
