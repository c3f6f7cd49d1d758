"""Report text that a reader of the page would not see, in all formats."""

from collections.abc import Iterable
from typing import Final

_SHOWN: Final = 300  # characters of one stretch in a warning
_MOST: Final = 20  # warnings of this kind; one more counts the rest


def quoted(stretches: Iterable[str]) -> tuple[str, ...]:
    """Return one neutral warning for each stretch of hidden text; some venues hide text on purpose."""
    texts = [" ".join(stretch.split()) for stretch in stretches]
    texts = list(dict.fromkeys(text for text in texts if text))
    more = (f"{len(texts) - _MOST} more stretches of hidden text were left out",) if len(texts) > _MOST else ()
    return (
        *(f"text that the page does not show was left out: {_short(text)!r}" for text in texts[:_MOST]),
        *more,
    )


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
