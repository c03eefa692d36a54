"""A callback for callers that want no reports."""


def ignore(*told: object) -> None:
    """Takes a line, a tick, a picture, and does nothing."""
