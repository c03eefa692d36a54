"""Numbers in sentences, and the article of one thing."""


def amount(number: int, thing: str) -> str:
    """1, "frame" -> 1 frame; 2, "frame" -> 2 frames"""
    return f"{number} {thing}{'s' * (number != 1)}"


def one(thing: str) -> str:
    """Generator -> a Generator; int -> an int"""
    return f"{'an' if thing[:1].lower() in 'aeiou' else 'a'} {thing}"


def nth(number: int) -> str:
    """1 -> 1st; 2 -> 2nd; 11 -> 11th"""
    last = 0 if number % 100 in (11, 12, 13) else number % 10
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th') }"
