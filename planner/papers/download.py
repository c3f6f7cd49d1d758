"""Download files from one host, with a pause between requests, retries, a size limit, and no foreign redirects."""

import email.utils
import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from planner import __version__
from planner.errors import PaperError

AGENT: Final = f"ablation-planner/{__version__} (reads papers to plan ablation studies; one request every 3 s)"
_TRIES: Final = 4
_LONGEST_WAIT: Final = 120.0  # seconds; if the host asks for more, the download fails
_BACK_OFF: Final = 5.0  # seconds, the longest first wait
_TOTAL: Final = 300.0  # seconds for one body
_TIMEOUT: Final = 30.0  # seconds of silence
_CHUNK: Final = 65_536
_BUSY: Final = frozenset({429, 500, 502, 503, 504})
_ONE_HOST: Final = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})


class Missing(Exception):  # noqa: N818 - a regular outcome, not an error
    """The host has no file at the requested path."""


class _StayHere(HTTPRedirectHandler):
    """A redirect handler that stays on the host or on arXiv's own hosts, and never goes from https to http."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        old, new = urlsplit(req.full_url), urlsplit(urljoin(req.full_url, newurl))
        same = old.netloc == new.netloc or {old.netloc, new.netloc} <= _ONE_HOST
        if not same or new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise PaperError(
                f"{old.netloc} redirects to another host ({new.scheme}://{new.netloc}), which is not followed"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(slots=True)
class Client:
    """A client that downloads from `base`, `pause` seconds apart; processes with the same `lock` file take turns."""

    base: str
    pause: float = 3.0
    lock: Path | None = None
    _last: float = 0.0
    _opener: OpenerDirector = field(default_factory=lambda: build_opener(_StayHere()), repr=False)

    def get(self, path: str, *, limit: int) -> bytes:
        """Download `path` and return its body of at most `limit` bytes.

        Raises:
            Missing: if the host answers with HTTP 403, 404 or 410.
            PaperError: if the host cannot be reached, stays busy, redirects elsewhere, or sends more than `limit`.
        """
        parts = urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise PaperError(f"{self.base!r} is not the address of a mirror; it must begin with http:// or https://")
        address = self.base.rstrip("/") + path
        waited = 0.0
        for attempt in range(1, _TRIES + 1):
            try:
                with self._turn():
                    return self._body(address, limit)
            except HTTPError as error:
                wait = self._wait(error, attempt)
                if attempt == _TRIES or waited + wait > _LONGEST_WAIT:
                    raise PaperError(f"{parts.netloc} is busy (HTTP {error.code}); try again later") from None
            waited += wait
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    def _body(self, address: str, limit: int) -> bytes:
        request = Request(address, headers={"User-Agent": AGENT, "Accept": "*/*"})  # noqa: S310 - checked in get
        host = urlsplit(address).netloc
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                return _read(answer, limit, host)
        except HTTPError as error:
            if error.code in _BUSY:
                raise
            error.close()
            if error.code in (403, 404, 410):
                raise Missing(address) from None
            raise PaperError(f"{host} answered HTTP {error.code} for {address}; give a file") from None
        except (URLError, OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise PaperError(f"{host} cannot be reached ({reason}); check the network, or give a file") from None

    def _wait(self, error: HTTPError, attempt: int) -> float:
        """Return the seconds to wait before the next try: as the host asks, else twice as long each time."""
        asked = _retry_after(error.headers)
        error.close()
        return asked if asked is not None else min(self.pause, _BACK_OFF) * 2 ** (attempt - 1)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until `pause` seconds have passed since the last request of any process with the same lock."""
        with _locked(self.lock) as stamp:
            last = max(self._last, stamp.stat().st_mtime if stamp else 0.0)
            time.sleep(min(self.pause, max(0.0, last + self.pause - time.time())))
            try:
                yield
            finally:
                self._last = time.time()
                if stamp:
                    stamp.touch()


def _read(answer: http.client.HTTPResponse, limit: int, host: str) -> bytes:
    deadline, parts, size = time.monotonic() + _TOTAL, list[bytes](), 0
    while chunk := answer.read(_CHUNK):
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            raise PaperError(f"{host} sent over {limit:,} bytes, more than any paper; give a file")
        if time.monotonic() > deadline:
            raise PaperError(f"{host} sends too slowly (over {_TOTAL:.0f} s); try again later")
    expected = answer.headers.get("Content-Length", "")
    if expected.isdigit() and size < int(expected):
        raise PaperError(f"{host} ended its response early ({size:,} of {expected} bytes); try again")
    return b"".join(parts)


def _retry_after(headers: Message) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or a date; None if it has neither."""
    value = str(headers.get("Retry-After", "")).strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


@contextmanager
def _locked(path: Path | None) -> Iterator[Path | None]:
    """Hold the lock file, if the system supports it; its modification time is the time of the last request."""
    if path is None:
        yield None
        return
    try:
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise PaperError(f"the cache {str(path.parent)!r} cannot be written ({error.strerror}); use another") from None
    with file:
        try:
            import fcntl  # Windows has none, so processes do not take turns there

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:
            pass
        if new:
            import os

            os.utime(path, (0, 0))
        yield path
