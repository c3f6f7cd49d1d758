"""The width and the colours of messages on stderr, and what a paper leaves out in one line."""

import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TextIO

import click

from planner.sanitize import make_printable

if TYPE_CHECKING:
    from planner.papers.paper import Omission

_MAX_WIDTH: Final = 100
_LEAST_WIDTH: Final = 40
_LEAST_NAME: Final = 20


def measure_width(stream: TextIO) -> int | None:
    """Return the columns of a terminal that text is wrapped to, None if the stream leads elsewhere."""
    return max(_LEAST_WIDTH, min(shutil.get_terminal_size().columns, _MAX_WIDTH)) if stream.isatty() else None


def format_message(text: str, label: str = "", colour: str = "") -> str:
    """Return a message after its label, such as a coloured "Error", wrapped if stderr is a terminal."""
    text, width = f"{label}: {text}" if label else text, measure_width(sys.stderr)
    if width:
        text = "\n".join(wrap_line(line, width) for line in text.split("\n"))
    return click.style(f"{label}:", colour, bold=True) + text.removeprefix(f"{label}:") if label else text


def print_warning(text: str) -> None:
    """Print a warning on stderr, as one line: a file's name must not make up others."""
    click.echo(format_message(make_printable(text).replace("\n", " "), "warning", "yellow"), err=True)


def print_error(text: str) -> None:
    """Print an error on stderr, as one line."""
    click.echo(format_message(make_printable(text).replace("\n", " "), "error", "red"), err=True)


def wrap_line(line: str, width: int) -> str:
    """Return a line on as many lines as the width needs, indented by two columns more from the second on."""
    if line.startswith("  ablation-planner "):  # a command, to be copied whole
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def shorten_middle(text: str, width: int | None) -> str:
    """Return a name in at most `width` characters, but 20 at least; a longer one has an ellipsis in its middle."""
    if width is None or len(text) <= max(_LEAST_NAME, width):
        return text
    kept = max(_LEAST_NAME, width) - 1
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"


def describe_omissions(omissions: "Sequence[Omission]") -> str:
    """Return one line on the parts of a paper that are left out; there is at least one."""
    first, last, reasons = omissions[0], omissions[-1], {each.why for each in omissions}
    if len(omissions) == 1:
        return f"left out {first.heading!r}, {first.chars:,} characters: {first.why}"
    why = f": {first.why}" if len(reasons) == 1 else ""
    return f"{len(omissions)} parts left out ({first.heading!r} to {last.heading!r}){why}; -v lists them"
