"""Networks that tell real video from made video: one file each, and the file's name is the network's name."""
