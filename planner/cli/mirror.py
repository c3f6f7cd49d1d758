"""Access to arXiv; apart from `sources`, since `batch` reads papers in other processes and imports no reader."""

import os
from pathlib import Path
from typing import Final

from planner.papers.arxiv import BASE, Arxiv

ARXIV_URL: Final = "ABLATION_PLANNER_ARXIV_URL"


def arxiv_access(*, offline: bool) -> Arxiv:
    """Return access to arXiv, or to the mirror that the environment names, with the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation-planner" / "arxiv"
    return Arxiv(base=os.environ.get(ARXIV_URL) or BASE, cache=cache, offline=offline)
