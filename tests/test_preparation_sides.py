"""Which side of the split a group is on: laws that hold whatever the hashes are."""

from hypothesis import given
from hypothesis import strategies as st

from vidgan.preparation import alike
from vidgan.preparation.sides import sides

SHARES = (0.1, 0.05)
lengths = st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 50), max_size=12)


def alone(footage):
    return {name: name for name in footage}


def number(share: float) -> str:
    """The name of a group whose hash is below the share, or not below 0.15 for 1."""
    names = (f"g{n}" for n in range(1000))
    return next(n for n in names if (alike.number_of(n) < share if share < 1 else alike.number_of(n) > 0.15))


@given(lengths, st.sampled_from([SHARES, (0.5, 0.4), (0.0, 0.0), (0.9, 0.0)]))
def test_there_is_video_to_train_on_and_where_there_are_two_groups_to_validate_on(footage, shares):
    found = sides(alone(footage), footage=footage, before={}, shares=shares)
    videos = [name for name in footage if footage[name]]
    if videos:
        longest = max(footage.values())
        assert any(found[name] == "train" for name in videos if footage[name] == longest)
    if len(videos) > 1:
        assert "val" in {found[name] for name in videos}


@given(lengths, lengths)
def test_what_has_a_side_keeps_it_whatever_is_added(first, more):
    first = {f"{name}-": length for name, length in first.items()}
    before = sides(alone(first), footage=first, before={}, shares=SHARES)
    complete = {before[name] for name, length in first.items() if length} >= {"train", "val"}
    after = sides(alone(first | more), footage=first | more, before=before, shares=SHARES)
    if complete:
        assert {name: after[name] for name in before} == before
    if (
        complete or sum(length > 0 for length in more.values()) > 1
    ):  # one to hold out, even if another is the largest
        assert all(after[name] == "train" for name in before if first[name] and before[name] == "train")


def test_of_two_groups_that_turn_out_to_be_one_the_side_that_was_looked_at_most_stays():
    groups = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z"}
    before = {"a": "val", "b": "train", "c": "test", "d": "val", "e": "train"}
    found = sides(groups, footage=dict.fromkeys("abcde", 9), before=before, shares=SHARES)
    assert found == {"x": "train", "y": "val", "z": "train"}


def test_a_new_group_is_held_out_before_one_that_was_trained_on():
    old, new = number(0.3), number(1)
    footage = {"big": 90, old: 5, new: 5}
    before = {"big": "train", old: "train"}
    found = sides(alone(footage), footage=footage, before=before, shares=(0.0, 0.0))
    assert alike.number_of(old) < alike.number_of(new)
    assert found == {"big": "train", old: "train", new: "val"}
