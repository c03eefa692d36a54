"""One is one, and everything else is many."""

import pytest

from vidgan.words import amount, nth, one


@pytest.mark.parametrize(("number", "told"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_what_is_counted_agrees_with_its_number(number, told):
    assert amount(number, "frame") == told


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (22, "22nd"),
        (113, "113th"),
    ],
)
def test_a_place_in_a_row_is_said_as_people_say_it(number, told):
    assert nth(number) == told


@pytest.mark.parametrize(
    ("thing", "told"), [("Generator", "a Generator"), ("int", "an int"), ("OrderedDict", "an OrderedDict")]
)
def test_one_thing_has_the_article_of_its_first_letter(thing, told):
    assert one(thing) == told
