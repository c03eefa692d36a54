"""One is one, and everything else is many."""

import pytest

from vidgan.words import amount


@pytest.mark.parametrize(("number", "told"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_what_is_counted_agrees_with_its_number(number, told):
    assert amount(number, "frame") == told
