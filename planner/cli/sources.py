"""What the user names becomes a paper."""

import sys
from collections.abc import Sequence
from pathlib import Path

from planner.cli.options import PaperOptions
from planner.errors import PaperError, UsageError
from planner.papers.load import load
from planner.papers.paper import Paper


class MissingPaperError(PaperError):
    """There is nothing at the path that the user named."""


def refuse_missing(sources: Sequence[str]) -> None:
    """Refuse the call when the only source does not exist; among several it is one failure.

    Raises:
        UsageError: the only source does not exist.
    """
    if len(sources) == 1 and _is_missing(sources[0]):
        raise UsageError(f"{sources[0]}: no such file or folder")


def read_paper(source: str, about: PaperOptions) -> Paper:
    """Read the paper that the user named.

    Raises:
        MissingPaperError: there is nothing there.
        PaperError: it could not be read.
    """
    if _is_missing(source):
        raise MissingPaperError(f"{source}: no such file or folder")
    stdin = sys.stdin.buffer.read() if source == "-" else None
    return load(source, title=about.title, abstract=about.abstract, paper_id=about.paper_id, stdin=stdin)


def _is_missing(source: str) -> bool:
    return source != "-" and not Path(source).exists()
