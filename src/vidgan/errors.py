"""The user's mistakes: what was found, then what to do about it.

VidganError
├── BadOption      the command or a call asks for something that cannot be (exit code 2)
├── BadVideo       an input that cannot be read as the video it should be
├── BadOutput      an output that cannot be written there, or not in that container
├── BadWeights     a checkpoint that is damaged, or that belongs to another network
├── BadRecipe      a recipe with a wrong or missing entry
├── BadAnalyser    an analyser of the user's own that fails, or gives what is no finding
└── MissingExtra   an optional dependency that is not installed

Our own mistakes are assertions; these are for what the user can mend.
"""

import unicodedata


class VidganError(Exception):
    """Something the user can mend. Shown as two lines, never as a traceback."""

    exit_code = 1

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(found, remedy)
        self.found = printable(found)
        self.remedy = printable(remedy)

    def __str__(self) -> str:
        return f"{self.found}\n  {self.remedy}" if self.remedy else self.found


def printable(text: str) -> str:
    """The same on one line, with what would command a terminal written out: files may call their streams anything."""
    return "".join(
        ascii(letter)[1:-1] if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text
    )


class BadOption(VidganError):
    exit_code = 2


class BadVideo(VidganError):
    pass


class BadOutput(VidganError):
    pass


class BadWeights(VidganError):
    pass


class BadRecipe(VidganError):
    pass


class BadAnalyser(VidganError):
    pass


class MissingExtra(VidganError):
    """An optional dependency is absent; `extra` is its name in our pyproject."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed", f'Install it with: pip install "vidgan[{extra}]"')
