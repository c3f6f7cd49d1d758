"""What the user names becomes a paper."""

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
    """There is nothing at the path that the user named."""


def refuse_missing(sources: Sequence[str]) -> None:
    """Refuse the call when the only source does not exist; among several it is one failure.

    Raises:
        UsageError: the only source does not exist.
    """
    if len(sources) == 1 and _is_missing(sources[0]):
        raise UsageError(f"{sources[0]}: no such file or folder")


def read_paper(source: str, about: PaperOptions) -> Paper:
    """Read the paper that the user named, in a process of its own where its format could hang or explode.

    Raises:
        MissingPaperError: there is nothing there.
        PaperError: it could not be read.
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
    except (OSError, ValueError):  # no path: too long for one, or with a null character
        return True
