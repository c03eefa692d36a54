"""Where nobody listens."""


def ignore(*told: object) -> None:
    """Takes a line, a tick, a picture, and does nothing."""
