"""The characters of a trajectory file, also where an earlier program had decoded them with the wrong code page."""

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
    """A file's text with "\\n" as its only line end, and what was repaired."""

    text: str
    warnings: tuple[str, ...] = ()


def decode(data: bytes, name: str) -> Decoded:
    """The text of a trajectory file; `name` stands in errors.

    The constant headings say whether the file was once decoded wrongly: where they are whole nothing is repaired, so
    no odd character of a sound file is ever taken for damage.

    Raises:
        TrajectoryError: too large, not UTF-8, or not a trajectory.
    """
    if len(data) > MAX_BYTES:
        raise TrajectoryError(f"{name}: larger than {MAX_BYTES // 1024**2} MiB, which no trajectory is")
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
