"""What a reader says about a reply: what it forgave, and what it could not."""

from typing import Final

_SHOWN: Final = 80


class Remarks:
    """Notes and findings in the order in which they were made, each once."""

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}
        self._findings: dict[str, None] = {}

    def note(self, sentence: str) -> None:
        """Something was forgiven."""
        self._notes[sentence] = None

    def find(self, sentence: str) -> None:
        """Something is wrong, and only the model can mend it."""
        self._findings[sentence] = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was forgiven."""
        return tuple(self._notes)

    @property
    def findings(self) -> tuple[str, ...]:
        """What is wrong."""
        return tuple(self._findings)


def shown(value: object) -> str:
    """A value in quotes, short enough for a message."""
    text = repr(value if not isinstance(value, str) else value[: _SHOWN + 1].strip())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
