"""Collect the notes and findings that arise while a reply is parsed."""

from typing import Final

_SHOWN: Final = 80


class Remarks:
    """A log of notes and findings in the order in which they were added, each once."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}
        self._findings: dict[str, None] = {}

    def note(self, sentence: str) -> None:
        """Add a sentence about an error of form that was mended."""
        self._notes[sentence] = None

    def find(self, sentence: str) -> None:
        """Add a sentence about an error that makes the reply invalid, so that only the model can mend it."""
        self._findings[sentence] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The sentences about errors of form that were mended."""
        return tuple(self._notes)

    @property
    def findings(self) -> tuple[str, ...]:
        """The sentences about errors that make the reply invalid."""
        return tuple(self._findings)


def shown(value: object) -> str:
    """Quote a value for a message, cut to 80 characters."""
    text = repr(value if not isinstance(value, str) else value[: _SHOWN + 1].strip())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
