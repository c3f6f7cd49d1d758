"""Lines of type and runs for the tests, without a PDF."""

from collections.abc import Sequence
from typing import Any

from planner.papers.pdf.lines import BodyStyle, Line
from planner.papers.pdf.runs import TextRun

BODY = BodyStyle(font_size=10, line_width=300, line_spacing=12)
PROSE = "the learner sees a stream of inputs and keeps what it needs in a small store"


def line(text: str, y: float = 700, **changes: Any) -> Line:
    """Return a full line of running text, except for the changes."""
    fields: dict[str, Any] = {
        "page": 1, "text": text, "bare_text": text, "cells": (text,), "x0": 100, "x1": 400, "y": y, "size": 10,
        "bold": False, "italic": False, "has_note_mark": False, "is_rotated": False,
    }  # fmt: skip
    return Line(**fields | changes)


def stacked(texts: Sequence[str], **changes: Any) -> list[Line]:
    """Return lines below each other on one page."""
    return [line(text, 700 - 12 * at, **changes) for at, text in enumerate(texts)]


def run(text: str, x0: float, x1: float, **changes: Any) -> TextRun:
    """Return a run of upright body type, except for the changes."""
    fields: dict[str, Any] = {
        "text": text, "x0": x0, "x1": x1, "y": 700, "size": 10, "bold": False, "italic": False, "space_before": False,
        "is_rotated": False, "text_object": 1,
    }  # fmt: skip
    return TextRun(**fields | changes)
