"""Read the paper that the user names."""

import sys
from collections.abc import Sequence
from pathlib import Path

from planner.cli.mirror import arxiv_access
from planner.cli.options import PaperOptions
from planner.controls import clean
from planner.errors import PaperError, UsageError
from planner.papers.arxiv import arxiv_id
from planner.papers.guard import guarded
from planner.papers.load import load
from planner.papers.paper import Paper


class MissingPaperError(PaperError):
    """The error for a path that does not exist."""


def refuse_missing(sources: Sequence[str]) -> None:
    """Refuse a single source that does not exist; among several, a missing one is only a failure.

    Raises:
        UsageError: if the only source does not exist.
    """
    if len(sources) == 1 and _is_missing(sources[0]):
        raise UsageError(f"{sources[0]}: no such file or folder")


def read_paper(source: str, about: PaperOptions) -> Paper:
    """Read the paper that the user named, in a separate process if its format could hang or exhaust the memory.

    Raises:
        MissingPaperError: if the source does not exist.
        PaperError: if the paper cannot be read.
    """
    if _is_missing(source):
        raise MissingPaperError(f"{source}: no such file or folder")
    title, abstract, paper_id = (clean(text).text for text in (about.title, about.abstract, about.paper_id))
    return load(
        source,
        title=title,
        abstract=abstract,
        paper_id=paper_id,
        stdin=sys.stdin.buffer.read() if source == "-" else None,
        arxiv=arxiv_access(offline=about.offline),
        reader=guarded(),
    )


def _is_missing(source: str) -> bool:
    if source == "-" or "://" in source or arxiv_id(source):
        return False
    try:
        return not (source and Path(source).exists())
    except (OSError, ValueError):  # not a path: too long, or with a null character
        return True
