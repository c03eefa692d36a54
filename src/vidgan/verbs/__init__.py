"""What vidgan does, one file per command: its Options, and run(options)."""
