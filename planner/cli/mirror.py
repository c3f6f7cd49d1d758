"""Access to arXiv; apart from `sources`, since `batch` reads papers in other processes and imports no reader."""

import os
from pathlib import Path
from typing import Final

from planner.papers.arxiv import BASE_URL, ArxivClient

ARXIV_URL_VARIABLE: Final = "ABLATION_PLANNER_ARXIV_URL"


def open_arxiv(*, offline: bool) -> ArxivClient:
    """Return access to arXiv, or to the mirror that the environment names, with the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ablation-planner" / "arxiv"
    return ArxivClient(base_url=os.environ.get(ARXIV_URL_VARIABLE) or BASE_URL, cache=cache, offline=offline)
