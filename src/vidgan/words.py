"""Numbers in sentences."""


def amount(number: int, thing: str) -> str:
    """1, "frame" -> 1 frame; 2, "frame" -> 2 frames"""
    return f"{number} {thing}{'s' * (number != 1)}"
