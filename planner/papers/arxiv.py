"""Download papers and their metadata from arXiv, and keep them in a cache.

The API is described in https://info.arxiv.org/help/api/user-manual.html. At most one request is sent every three
seconds, as https://info.arxiv.org/help/api/tou.html asks. Failed requests are repeated.
"""

import email.utils
import http.client
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from xml.etree import ElementTree

from planner import __version__
from planner.errors import PaperError
from planner.files import write_file_atomically
from planner.names import ARXIV_HOSTS, ARXIV_ID, ArxivId

_USER_AGENT: Final = f"ablation-planner/{__version__} (reads papers to plan ablation studies; one request every 3 s)"
_MAX_ATTEMPTS: Final = 4
_MAX_WAIT: Final = 120.0  # seconds; if the host asks for more, the download fails
_MAX_FIRST_WAIT: Final = 5.0  # seconds
_MAX_BODY_SECONDS: Final = 300.0
_TIMEOUT: Final = 30.0  # seconds without a byte
_CHUNK_BYTES: Final = 65_536
_BUSY_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
BASE_URL: Final = "https://export.arxiv.org"
_MAX_FEED_BYTES: Final = 2_000_000
_MAX_BODY_BYTES: Final = 200_000_000
_MAX_METADATA_AGE: Final = 86_400.0  # seconds for which cached metadata of a paper without a version is used
_WITHDRAWN: Final = re.compile(r"\bwithdrawn\b", re.I)


@dataclass(frozen=True, slots=True)
class ArxivEntry:
    """The metadata of a paper on arXiv; `withdrawal_warning` is a warning if the paper was withdrawn, else ""."""

    id: ArxivId
    title: str
    abstract: str
    withdrawal_warning: str = ""
    authors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the paper in messages, such as "arXiv:2507.08038v2"."""
        return f"arXiv:{self.id}"


class _SameHostRedirects(HTTPRedirectHandler):
    """A handler that refuses redirects to another host or from https to http; arXiv's hosts count as one host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(urljoin(req.full_url, newurl))
        is_same_host = old.netloc == new.netloc or {old.netloc, new.netloc} <= ARXIV_HOSTS
        if not is_same_host or new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise PaperError(
                f"{old.netloc} redirects to {new.scheme}://{new.netloc}, which is not allowed; give the paper as a file"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _request_body(address: str, limit: int) -> bytes | None:
    """Return the bytes that the host sends for an address, or None if the host answers HTTP 403, 404 or 410.

    Raises:
        HTTPError: if the host is busy.
        PaperError: if the host cannot be reached, redirects elsewhere, or sends over `limit` bytes.
    """
    request = Request(address, headers={"User-Agent": _USER_AGENT, "Accept": "*/*"})  # noqa: S310 - the client checks the scheme
    host = urlsplit(address).netloc
    try:
        with build_opener(_SameHostRedirects()).open(request, timeout=_TIMEOUT) as response:
            return _read_body(response, limit, host)
    except HTTPError as error:
        error.close()
        if error.code in _BUSY_STATUSES:
            raise
        if error.code in (403, 404, 410):
            return None
        raise PaperError(f"{host} answered HTTP {error.code} for {address}; give the paper as a file") from None
    except (URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise PaperError(f"{host} cannot be reached ({reason}); check the network, or give a PDF file") from None


def _read_body(response: http.client.HTTPResponse, limit: int, host: str) -> bytes:
    deadline, chunks, size = time.monotonic() + _MAX_BODY_SECONDS, list[bytes](), 0
    while chunk := response.read(_CHUNK_BYTES):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise PaperError(f"{host} sent over {limit:,} bytes, more than any paper has; give the paper as a file")
        if time.monotonic() > deadline:
            raise PaperError(f"{host} sends too slowly (over {_MAX_BODY_SECONDS:.0f} s); try again later")
    expected = response.headers.get("Content-Length", "")
    if expected.isdigit() and size < int(expected):
        raise PaperError(f"{host} ended its response early ({size:,} of {expected} bytes); try again")
    return b"".join(chunks)


def _parse_retry_after(headers: Message, default: float) -> float:
    """Return the seconds to wait that the Retry-After header asks for; `default` without a valid header."""
    value = str(headers.get("Retry-After", "")).strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return default


@dataclass(slots=True)
class ArxivClient:
    """A client for arXiv or for a mirror at `base_url`; `cache` is the cache folder, or None for no cache.

    If `offline` is true, nothing is downloaded. `pause` is the shortest time between two requests, in seconds; clients
    with the same cache also wait for each other. Each download and each write to the cache runs inside the context that
    `make_download_context` gives.
    """

    base_url: str = BASE_URL
    cache: Path | None = None
    offline: bool = False
    pause: float = 3.0
    make_download_context: Callable[[], AbstractContextManager[None]] = field(
        default=nullcontext, repr=False, compare=False
    )
    _last_request: float = field(default=0.0, init=False, repr=False, compare=False)

    def fetch_entry(self, identifier: ArxivId) -> ArxivEntry:
        """Return the arXiv metadata of a paper.

        Raises:
            PaperError: if there is no such paper, or if arXiv cannot be reached.
        """
        age = _MAX_METADATA_AGE if not identifier.version and not self.offline else math.inf
        feed = self._read_cache(f"{identifier}.atom", age)
        if feed is not None:
            return _parse_entry(feed, identifier)
        feed = self._download(f"/api/query?id_list={identifier}&max_results=1", identifier, _MAX_FEED_BYTES) or b""
        entry = _parse_entry(feed, identifier)
        self._write_cache(f"{identifier}.atom", feed)
        return entry

    def fetch_source(self, entry: ArxivEntry) -> bytes | None:
        """Return the source file that arXiv has of a paper, or None if arXiv has no source."""
        return self._fetch_body(entry, "source", ("/e-print/", "/src/"))

    def fetch_pdf(self, entry: ArxivEntry) -> bytes | None:
        """Return the PDF of a paper, or None if arXiv has no PDF."""
        return self._fetch_body(entry, "pdf", ("/pdf/",))

    def _fetch_body(self, entry: ArxivEntry, kind: str, paths: tuple[str, ...]) -> bytes | None:
        name = f"{entry.id}.{kind}"
        if (data := self._read_cache(name)) is not None:
            return data or None
        bodies = (self._download(f"{path}{entry.id}", entry.id, _MAX_BODY_BYTES) for path in paths)
        data = next((body for body in bodies if body is not None), None)
        if not data or data.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
            return None
        self._write_cache(name, data)
        return data

    def _download(self, path: str, identifier: ArxivId, limit: int) -> bytes | None:
        """Return the bytes that the host sends for `path`, or None if it has none; a busy host is asked again."""
        if self.offline:
            raise PaperError(
                f"arXiv:{identifier} is not in the cache and cannot be downloaded offline; run once without --offline"
            )
        host = urlsplit(self.base_url)
        if host.scheme not in ("http", "https") or not host.netloc:
            raise PaperError(
                f"{self.base_url!r} is not the address of a mirror; it must begin with http:// or https://"
            )
        attempt, waited = 1, 0.0
        with self.make_download_context():
            while True:
                try:
                    with self._take_turn():
                        return _request_body(self.base_url.rstrip("/") + path, limit)
                except HTTPError as error:
                    usual_wait = min(self.pause, _MAX_FIRST_WAIT) * 2 ** (attempt - 1)
                    wait = _parse_retry_after(error.headers, usual_wait)
                    if attempt == _MAX_ATTEMPTS or waited + wait > _MAX_WAIT:
                        raise PaperError(f"{host.netloc} is busy (HTTP {error.code}); try again later") from None
                attempt, waited = attempt + 1, waited + wait
                time.sleep(wait)

    @contextmanager
    def _take_turn(self) -> Iterator[None]:
        """Wait until `pause` seconds have passed since the last request, then run the `with` block, which sends one.

        Clients with the same cache lock a file in it. The file's modification time is the time of the last request.
        """
        lock = self._get_cache_path("last-request")
        with self._lock_file(lock) if lock else nullcontext():
            last = max(self._last_request, lock.stat().st_mtime if lock else 0.0)
            time.sleep(min(self.pause, max(0.0, last + self.pause - time.time())))
            try:
                yield
            finally:
                self._last_request = time.time()
                if lock:
                    lock.touch()

    @contextmanager
    def _lock_file(self, path: Path) -> Iterator[None]:
        with self._name_cache_errors():
            is_new = not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        with file:
            with suppress(ImportError):
                import fcntl  # not on Windows, where each process pauses for itself

                fcntl.flock(file, fcntl.LOCK_EX)
            if is_new:
                os.utime(path, (0, 0))
            yield

    def _read_cache(self, name: str, max_age: float = math.inf) -> bytes | None:
        path = self._get_cache_path(name)
        with suppress(OSError):
            if path is not None and time.time() - path.stat().st_mtime <= max_age:
                return path.read_bytes()
        return None

    def _write_cache(self, name: str, data: bytes) -> None:
        if path := self._get_cache_path(name):
            with self._name_cache_errors(), self.make_download_context():
                write_file_atomically(path, data, durable=False)

    def _get_cache_path(self, name: str) -> Path | None:
        return self.cache / name.replace("/", "_") if self.cache else None

    @contextmanager
    def _name_cache_errors(self) -> Iterator[None]:
        """Raise a `PaperError` that names the cache if the `with` block raises an `OSError`."""
        try:
            yield
        except OSError as error:
            raise PaperError(
                f"the cache {str(self.cache)!r} cannot be written: {error.strerror}; make the folder writable"
            ) from None


def _parse_entry(feed: bytes, identifier: ArxivId) -> ArxivEntry:
    """Return the metadata of a paper from arXiv's response, an Atom feed.

    Raises:
        PaperError: if the response is not an Atom feed, or if arXiv has no such paper.
    """
    if b"<!DOCTYPE" in feed or b"<!ENTITY" in feed:
        raise PaperError(f"arXiv's response for {identifier} is not an Atom feed; try again later")
    try:
        entry = ElementTree.fromstring(feed).find("{*}entry")  # noqa: S314 - no entities, see above
    except ElementTree.ParseError as error:
        raise PaperError(f"arXiv's response for {identifier} is not an Atom feed ({error}); try again later") from None
    match = None if entry is None else ARXIV_ID.search(entry.findtext("{*}id", "").partition("/abs/")[2])
    if entry is None or match is None:
        raise PaperError(f"arXiv has no paper {str(identifier)!r}; check the id")
    title, abstract, comment = (
        " ".join(entry.findtext(path, "").split()) for path in ("{*}title", "{*}summary", "{*}comment")
    )
    authors = tuple(" ".join((name.text or "").split()) for name in entry.iterfind("{*}author/{*}name"))
    notice = next((text for text in (comment, abstract) if _WITHDRAWN.search(text)), "")
    warning = (
        f"arXiv:{identifier} is marked as withdrawn ({notice[:200]!r}); to read an earlier version, add v1 to the id"
    )
    id_ = ArxivId(match["id"], identifier.version or match["version"] or "")
    return ArxivEntry(id_, title, abstract, warning if notice else "", authors)
