"""Fetch the metadata, source and PDF of papers from arXiv, with a cache and at most one request every three seconds.

The API is described in https://info.arxiv.org/help/api/user-manual.html, the request rate in
https://info.arxiv.org/help/api/tou.html. This module reads no environment variables.
"""

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree

from planner.errors import PaperError
from planner.papers.download import Client, Missing

BASE: Final = "https://export.arxiv.org"
_MAX_FEED: Final = 2_000_000
_MAX_BODY: Final = 200_000_000
_FRESH: Final = 86_400.0  # seconds for which cached metadata of a paper without a version is used
_NEW: Final = r"\d{4}\.\d{4,5}"
_OLD: Final = r"[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7}"
_ID: Final = re.compile(rf"(?P<id>{_NEW}|{_OLD})(?P<version>v[1-9]\d*)?")
_HOSTS: Final = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org", "ar5iv.org", "ar5iv.labs.arxiv.org"})
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_COMMENT: Final = "{http://arxiv.org/schemas/atom}comment"
_WITHDRAWN: Final = re.compile(r"\bwithdrawn\b", re.I)


@dataclass(frozen=True, slots=True)
class ArxivId:
    """An arXiv identifier; `version` is "" for the newest version, else "v1", "v2" and so on."""

    id: str
    version: str = ""

    def __str__(self) -> str:
        return self.id + self.version


@dataclass(frozen=True, slots=True)
class Entry:
    """The arXiv metadata of one version of a paper; `withdrawn` is a warning if the paper is withdrawn, else ""."""

    id: ArxivId
    title: str
    abstract: str
    withdrawn: str = ""

    @property
    def name(self) -> str:
        """The name of the paper in messages, such as "arXiv:2507.08038v2"."""
        return f"arXiv:{self.id}"


def arxiv_id(source: str) -> ArxivId | None:
    """Parse `arxiv:2507.08038`, `2507.08038v2`, `cs/0501001` or an arXiv address; return None for anything else."""
    text = source.strip()
    if "://" in text or text.lower().startswith(("arxiv.org/", "www.arxiv.org/", "export.arxiv.org/")):
        parts = urlsplit(text if "://" in text else "https://" + text)
        path = re.fullmatch(r"/(?:abs|pdf|html|e-print|src|format)/(.+?)(?:\.pdf)?/?", parts.path)
        if parts.scheme not in ("http", "https") or (parts.hostname or "") not in _HOSTS or path is None:
            return None
        text = path[1]
    found = _ID.fullmatch(re.sub(r"(?i)^arxiv:\s*", "", text))
    return ArxivId(found["id"], found["version"] or "") if found else None


@dataclass(frozen=True, slots=True)
class Arxiv:
    """A client for arXiv or for a mirror at `base`; `cache` is its folder, or None for no cache.

    If `offline` is true, only the cache is used. `pause` is the shortest time between two requests, in seconds.
    """

    base: str = BASE
    cache: Path | None = None
    offline: bool = False
    pause: float = 3.0
    client: Client = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        client = Client(self.base, pause=self.pause, lock=self.cache / "last-request" if self.cache else None)
        object.__setattr__(self, "client", client)

    def entry(self, wanted: ArxivId) -> Entry:
        """Return the arXiv metadata of a paper.

        Raises:
            PaperError: if there is no such paper, or arXiv cannot be reached.
        """
        age = _FRESH if not wanted.version and not self.offline else float("inf")
        feed = self._kept(f"{wanted}.atom", age)
        if feed is None:
            feed = self._get(f"/api/query?id_list={wanted}&max_results=1", wanted, _MAX_FEED)
            entry = _parsed(feed or b"", wanted)
            self._keep(f"{wanted}.atom", feed or b"")
            return entry
        return _parsed(feed, wanted)

    def source(self, entry: Entry) -> bytes | None:
        """Return the source of a paper as arXiv packs it, or None if there is none."""
        return self._body(entry, "source", ("/e-print/", "/src/"))

    def pdf(self, entry: Entry) -> bytes | None:
        """Return the PDF of a paper, or None if there is none."""
        return self._body(entry, "pdf", ("/pdf/",))

    def _body(self, entry: Entry, kind: str, paths: tuple[str, ...]) -> bytes | None:
        name = f"{entry.id}.{kind}"
        if (data := self._kept(name, float("inf"))) is not None:
            return data or None
        for path in paths:
            data = self._get(f"{path}{entry.id}", entry.id, _MAX_BODY)
            if data is not None:
                break
        if data is not None and not data.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
            self._keep(name, data)
            return data or None
        return None

    def _get(self, path: str, wanted: ArxivId, limit: int) -> bytes | None:
        if self.offline:
            raise PaperError(
                f"arXiv:{wanted} is not in the cache, and nothing is downloaded offline; read it once online"
            )
        try:
            return self.client.get(path, limit=limit)
        except Missing:
            return None

    def _kept(self, name: str, age: float) -> bytes | None:
        path = self._path(name)
        try:
            if path is not None and time.time() - path.stat().st_mtime <= age:
                return path.read_bytes()
        except OSError:
            return None
        return None

    def _keep(self, name: str, data: bytes) -> None:
        path = self._path(name)
        if path is None or not data:
            return
        partly = path.with_name(f".{path.name}.{time.time_ns()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partly.write_bytes(data)
            partly.replace(path)
        except OSError as error:
            raise PaperError(
                f"the cache {str(self.cache)!r} cannot be written ({error.strerror}); use another"
            ) from None

    def _path(self, name: str) -> Path | None:
        return self.cache / name.replace("/", "_") if self.cache else None


def _parsed(feed: bytes, wanted: ArxivId) -> Entry:
    """Parse the metadata of a paper from arXiv's Atom feed.

    Raises:
        PaperError: if the data is not an Atom feed, or the feed has no such paper.
    """
    if b"<!DOCTYPE" in feed or b"<!ENTITY" in feed:
        raise PaperError(f"arXiv's response for {wanted} is not an Atom feed; try again later")
    try:
        entry = ElementTree.fromstring(feed).find(f"{_ATOM}entry")  # noqa: S314 - no entities, see above
    except ElementTree.ParseError as error:
        raise PaperError(f"arXiv's response for {wanted} is not an Atom feed ({error}); try again later") from None
    found = _ID.search((entry.findtext(f"{_ATOM}id") or "").partition("/abs/")[2]) if entry is not None else None
    if entry is None or found is None:
        raise PaperError(f"arXiv has no paper {str(wanted)!r}; check the id")
    title, abstract = (" ".join((entry.findtext(_ATOM + name) or "").split()) for name in ("title", "summary"))
    said = entry.findtext(_COMMENT) or ""
    gone = next((" ".join(text.split()) for text in (said, abstract) if _WITHDRAWN.search(text)), "")
    version = wanted.version or found["version"] or ""
    return Entry(
        ArxivId(found["id"], version),
        title,
        abstract,
        f"arXiv:{wanted} is marked as withdrawn ({gone[:200]!r}); add v1 or the like to read an earlier version"
        if gone
        else "",
    )
