"""arXiv: what a paper is called there, its source, its PDF; cached, one request every three seconds, nothing else.

The API is arXiv's own (https://info.arxiv.org/help/api/user-manual.html), and so are the three seconds
(https://info.arxiv.org/help/api/tou.html). No environment is read here: base address and cache are given.
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
_FRESH: Final = 86_400.0  # seconds for which the listing of a paper without a version is believed
_NEW: Final = r"\d{4}\.\d{4,5}"
_OLD: Final = r"[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7}"
_ID: Final = re.compile(rf"(?P<id>{_NEW}|{_OLD})(?P<version>v[1-9]\d*)?")
_HOSTS: Final = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org", "ar5iv.org", "ar5iv.labs.arxiv.org"})
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_COMMENT: Final = "{http://arxiv.org/schemas/atom}comment"
_WITHDRAWN: Final = re.compile(r"\bwithdrawn\b", re.I)


@dataclass(frozen=True, slots=True)
class ArxivId:
    """A paper on arXiv; `version` is "" for the newest, else "v1" and on."""

    id: str
    version: str = ""

    def __str__(self) -> str:
        return self.id + self.version


@dataclass(frozen=True, slots=True)
class Entry:
    """What arXiv lists of one version of a paper; `withdrawn` is a sentence if it says that the paper was."""

    id: ArxivId
    title: str
    abstract: str
    withdrawn: str = ""

    @property
    def name(self) -> str:
        """The paper's name in files and messages."""
        return f"arXiv:{self.id}"


def arxiv_id(source: str) -> ArxivId | None:
    """The paper that `arxiv:2507.08038`, `2507.08038v2`, `cs/0501001` or an arXiv address means; None if it is none."""
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
    """Access to arXiv, or to a mirror at `base`; `cache` is a folder of its own, None for none.

    With `offline` only what is in the cache is given. `pause` is the least time between two requests, in seconds.
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
        """What arXiv lists of a paper.

        Raises:
            PaperError: there is no such paper, or arXiv cannot be reached.
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
        """The source of a paper as arXiv packs it; None if there is none."""
        return self._body(entry, "source", ("/e-print/", "/src/"))

    def pdf(self, entry: Entry) -> bytes | None:
        """The PDF of a paper; None if there is none."""
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
                f"arXiv:{wanted} is not in the cache, and nothing is fetched offline; fetch it once online"
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
                f"the cache {str(self.cache)!r} cannot be written ({error.strerror}); name another"
            ) from None

    def _path(self, name: str) -> Path | None:
        return self.cache / name.replace("/", "_") if self.cache else None


def _parsed(feed: bytes, wanted: ArxivId) -> Entry:
    """The one entry of an Atom feed.

    Raises:
        PaperError: the feed is none, or has no such entry.
    """
    if b"<!DOCTYPE" in feed or b"<!ENTITY" in feed:
        raise PaperError(f"arXiv's answer about {wanted} is no Atom feed; try again later")
    try:
        entry = ElementTree.fromstring(feed).find(f"{_ATOM}entry")  # noqa: S314 - no entities, see above
    except ElementTree.ParseError as error:
        raise PaperError(f"arXiv's answer about {wanted} is no Atom feed ({error}); try again later") from None
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
        f"arXiv:{wanted} is marked as withdrawn ({gone[:200]!r}); an earlier version may be had by its number"
        if gone
        else "",
    )
