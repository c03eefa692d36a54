"""Networks that make a video larger and better: one file each, and the file's name is the network's name."""
