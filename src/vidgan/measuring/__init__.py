"""Videos held against each other: the same moments, brought to one place and one size, measured frame by frame.

moments.py    frames of several videos, joined by their times
alignment.py  each onto one canvas: what the output's map did is undone, sizes are reconciled
measures.py   which metrics can be measured here, and why others cannot
compare.py    the stream of moments through the metrics
arms.py       the source enlarged without a network, with one, and the truth: of one size, for analysers
lookers.py    which analysers look, the user's own among them
impact.py     the stream of moments past the analysers
footage.py    what `evaluate` is given, and how its small versions are made
methods.py    what can make a clip larger: interpolation, networks of ours and of others, filters of FFmpeg
ncnn.py       other people's networks among these
footprint.py  how much memory a method takes
evaluate.py   methods on clips, measured and timed
"""
