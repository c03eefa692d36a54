"""One video, watched from its first frame to its last: scores, events, clips. Memory grows by a few numbers a frame.

moments.py   one frame: its number, its time, a small picture of it
measures.py  frame -> scores
realism.py   three frames -> how real the discriminator takes them to be, and where
rules.py     the limits beyond which a score makes an event
events.py    scores, one after the other -> events
watch.py     the pass over the video, which calls all the others
clips.py     an event -> a file of its own
"""
