"""One video, watched from its first frame to its last: scores, events, clips. Memory does not grow but for numbers.

moments.py   a frame as it passes: its place in time, a small picture of it
measures.py  frame -> scores
realism.py   three frames -> how real the discriminator takes them to be, and where
rules.py     from where on a score makes an event
events.py    scores, one after the other -> events
watch.py     the order of things
clips.py     an event -> a file of its own
"""
