"""Decode trajectory files, including published ones whose text was once decoded with the wrong code page."""

from dataclasses import dataclass
from typing import Final

import ftfy

from planner.controls import newlines
from planner.errors import TrajectoryError
from planner.trajectory.layout import PLAN_HEADING, REASONING_HEADING

MAX_BYTES: Final = 16 * 1024 * 1024
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a file, with LF as its only line end, and warnings about repairs."""

    text: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, name: str) -> Decoded:
    """Decode the bytes of a trajectory file; `name` is the file's name for errors.

    The constant headings show if the file was once decoded wrongly. If they are intact, nothing is repaired, so an odd
    character of a sound file is never taken for damage.

    Raises:
        TrajectoryError: if the file is too large, not UTF-8, or not a trajectory.
    """
    if len(data) > MAX_BYTES:
        raise TrajectoryError(f"{name}: too large for a trajectory (over {MAX_BYTES // 1024**2} MiB)")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TrajectoryError(f"{name}: not UTF-8 text (byte {error.start}); expected a trajectory file") from None
    text = newlines(text.removeprefix(_BOM))
    if _is_whole(text):
        return Decoded(text)
    repaired = newlines(ftfy.fix_encoding(text).removeprefix(_BOM))
    if not _is_whole(repaired):
        raise TrajectoryError(
            f"{name}: not a trajectory; expected the headings {REASONING_HEADING!r} and {PLAN_HEADING!r}"
        )
    return Decoded(repaired, ("characters were repaired: the file had been decoded with the wrong code page",))


def _is_whole(text: str) -> bool:
    return REASONING_HEADING in text and PLAN_HEADING in text
