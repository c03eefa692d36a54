"""Which side of the split a group of sources is on: for good, and so that there is always something to train on.

A group's first side comes from the hash of its name. From then on it stays there, whatever is added later, even if an
added file gives the group another name.
"""

from collections import defaultdict
from collections.abc import Mapping

from vidgan.preparation.alike import Split, number_of, split_of

# A file that is added may show that two groups are one. Then the side wins that was looked at most: what was trained on
# is never judged by, and what choices were made on never takes part in the last test.
ORDER: tuple[Split, ...] = ("train", "val", "test")


def sides(
    groups: Mapping[str, str],
    *,
    footage: Mapping[str, int],
    before: Mapping[str, Split],
    shares: tuple[float, float],
) -> dict[str, Split]:
    """Group -> its side.

    groups   source -> its group
    footage  source -> frames of video that are kept of it; 0 for a photo
    before   source -> the side that it was given when the data set was prepared the last time
    shares   of validation and of test

    Of the groups with video the largest goes to train, and where none fell into val another is held out: one that was
    never trained on, if there is one.
    """
    length: dict[str, int] = defaultdict(int)
    earlier: dict[str, set[Split]] = defaultdict(set)
    for source, group in groups.items():
        length[group] += footage.get(source, 0)
        if source in before:
            earlier[group].add(before[source])
    found: dict[str, Split] = {
        group: next((side for side in ORDER if side in earlier[group]), split_of(group, shares=shares))
        for group in length
    }
    videos = [group for group in length if length[group]]
    if not videos:
        return found
    largest = max(videos, key=lambda group: (length[group], "train" in earlier[group], number_of(group)))
    if not earlier[largest] or not any(found[group] == "train" for group in videos):
        found[largest] = "train"
    others = [group for group in videos if group != largest]
    if others and not any(found[group] == "val" for group in videos):
        # The test side is left alone while there is another.
        held_out = min(
            others, key=lambda group: ("train" in earlier[group], found[group] == "test", number_of(group))
        )
        found[held_out] = "val"
    return found
