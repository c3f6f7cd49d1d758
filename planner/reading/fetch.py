"""Fetch a paper over https from a public host, with limits on size and time.

A host is looked up only once, since a second look-up could give an IP address that was not checked. Proxies are not
used, since they look hosts up themselves. Links in a page are never followed.
"""

import asyncio
import html
import logging
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

import httpx2

from planner import __version__
from planner.errors import PaperError

MAX_FETCHED_BYTES: Final = 100_000_000
MAX_FETCH_SECONDS: Final = 120.0
MAX_REDIRECTS: Final = 5
_TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0)  # seconds without a byte, and seconds to connect to an address
_MAX_TRIED_ADDRESSES: Final = 3
_MAX_SHOWN_CHARS: Final = 200
_MAX_HEAD_BYTES: Final = 200_000  # bytes of a page that are searched for its metadata
_CONTENT_TYPES: Final = frozenset(
    {
        *("application/pdf", "application/x-pdf", "application/octet-stream", "binary/octet-stream"),
        *("text/html", "application/xhtml+xml", "text/plain", "text/markdown", "text/x-markdown"),
        *("text/x-tex", "application/x-tex", "application/x-latex", "application/gzip", "application/x-gzip"),
        *("application/zip", "application/x-tar", "application/x-bzip2", "application/x-xz"),
    }
)
_ADVICE: Final = "download the paper yourself, and give the file instead"
_GLOBAL_IPV6: Final = IPv6Network("2000::/3")
_TRANSLATED_IPV4: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_PDF_ADDRESS: Final = re.compile(rb"<meta\s[^>]{0,1000}\bcitation_pdf_url\b[^>]{0,1000}>", re.IGNORECASE)
_CONTENT: Final = re.compile(r"\bcontent\s*=\s*[\"'](https://[^\"'\s]{1,1000})[\"']", re.IGNORECASE)

log = logging.getLogger(__name__)


async def _list_host_addresses(host: str, port: int) -> Sequence[str]:
    """Return the IP addresses of a host, in the order in which to try them.

    Raises:
        OSError, UnicodeError: if there is no such host.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def is_public_ip_address(address: str) -> bool:
    """Return whether an IP address is public: not private, loopback, link-local, reserved or multicast."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip in _TRANSLATED_IPV4:
        ip = IPv4Address(ip.packed[-4:])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast
    # A 6to4 or Teredo address contains an IPv4 address, which may be private.
    return ip in _GLOBAL_IPV6 and ip.is_global and ip.sixtofour is None and ip.teredo is None


@dataclass(frozen=True, slots=True)
class PaperFetcher:
    """A fetcher of papers from their addresses, with limits in bytes and seconds.

    `look_up_host` returns the IP addresses of a host. `is_allowed_ip_address` returns whether an IP address may be
    used. `tls` is the TLS context, None for the default one. Tests replace all three to fetch from their own server.
    """

    look_up_host: Callable[[str, int], Awaitable[Sequence[str]]] = _list_host_addresses
    is_allowed_ip_address: Callable[[str], bool] = is_public_ip_address
    tls: ssl.SSLContext | None = None
    max_bytes: int = MAX_FETCHED_BYTES
    max_seconds: float = MAX_FETCH_SECONDS

    async def fetch_content(self, address: str) -> bytes:
        """Return the content at an address; redirects are followed.

        Raises:
            PaperError: if the address is not allowed or cannot be fetched; the text names the host and the reason.
        """
        url = _parse_address(address, f"{address[:_MAX_SHOWN_CHARS]!r}")
        try:
            async with asyncio.timeout(self.max_seconds):
                for _ in range(MAX_REDIRECTS + 1):
                    async with self._open_response(url) as response:
                        if not response.has_redirect_location:
                            return await self._read_body(response, url.host)
                        location = response.headers["location"]
                        name = f"{url.host} redirects to {location[:_MAX_SHOWN_CHARS]!r}, which"
                        url = _parse_address(str(url.join(location)), name)
        except TimeoutError:
            raise PaperError(f"{url.host} took longer than {self.max_seconds:g} s; {_ADVICE}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError) as error:
            reason = (getattr(error, "strerror", "") or str(error) or type(error).__name__)[:_MAX_SHOWN_CHARS]
            raise PaperError(f"{url.host} cannot be read: {reason}; {_ADVICE}") from None
        raise PaperError(f"{address!r} redirects more than {MAX_REDIRECTS} times, at last to {url.host}; {_ADVICE}")

    @asynccontextmanager
    async def _open_response(self, url: httpx2.URL) -> AsyncIterator[httpx2.Response]:
        """Request `url`, and yield the response before its body is read; connect only to allowed IP addresses."""
        log.info("fetching from %s", url.netloc.decode("ascii"))
        async with (
            httpx2.AsyncClient(verify=self.tls or True, trust_env=False, timeout=_TIMEOUT) as client,
            aclosing(await self._connect(client, url, await self._look_up_allowed(url))) as response,
        ):
            yield response

    async def _look_up_allowed(self, url: httpx2.URL) -> Sequence[str]:
        host = url.raw_host.decode("ascii")
        addresses = await self.look_up_host(host, url.port or 443)
        refused = next((address for address in addresses if not self.is_allowed_ip_address(address)), None)
        if refused or not addresses:
            fault = f"is at {refused}, which is not a public address" if refused else "has no address"
            raise PaperError(f"{host} {fault}; {_ADVICE}")
        return addresses[:_MAX_TRIED_ADDRESSES]

    async def _connect(self, client: httpx2.AsyncClient, url: httpx2.URL, addresses: Sequence[str]) -> httpx2.Response:
        """Send a GET request to the first of `addresses` that can be reached."""
        headers = {
            "Host": url.netloc.decode("ascii"),
            "User-Agent": f"ablation-planner/{__version__}",
            "Accept": "application/pdf, text/html;q=0.9, */*;q=0.5",
            "Accept-Encoding": "identity",  # so that a small body cannot become a large one
        }
        names = {"sni_hostname": url.raw_host.decode("ascii")}
        for address in addresses:
            request = client.build_request("GET", url.copy_with(host=address), headers=headers, extensions=names)
            try:
                return await client.send(request, stream=True)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("the loop ended without a response and without an error")

    async def _read_body(self, response: httpx2.Response, host: str) -> bytes:
        headers = response.headers
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != httpx2.codes.OK:
            raise PaperError(f"{host} answered HTTP {response.status_code}; {_ADVICE}")
        if content_type not in _CONTENT_TYPES:
            raise PaperError(f"{host} sent {content_type[:_MAX_SHOWN_CHARS]!r}, which is not a paper format; {_ADVICE}")
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise PaperError(f"{host} sent a compressed body, which was not requested; {_ADVICE}")
        announced = headers.get("content-length", "0")
        if announced.isdecimal() and int(announced) > self.max_bytes:
            raise PaperError(
                f"{host} announces {int(announced):,} bytes, above the limit of {self.max_bytes:,}; {_ADVICE}"
            )
        body = bytearray()
        async for piece in response.aiter_raw():
            body += piece
            if len(body) > self.max_bytes:
                raise PaperError(f"{host} sent more than the limit of {self.max_bytes:,} bytes; {_ADVICE}")
        return bytes(body)


def find_pdf_address(page: bytes) -> str | None:
    """Return the address of the PDF that a publisher's page names in its `citation_pdf_url`, None if there is none."""
    found = _PDF_ADDRESS.search(page[:_MAX_HEAD_BYTES])
    address = _CONTENT.search(found[0].decode("utf-8", "replace")) if found else None
    return html.unescape(address[1]) if address else None


def _parse_address(address: str, name: str) -> httpx2.URL:
    """Return an https address as a URL.

    Raises:
        PaperError: if the address is not https, or holds credentials. In messages, `name` stands for the address.
    """
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as error:
        raise PaperError(f"{name} is not an address: {error}") from None
    if url.scheme != "https" or not url.host or not 0 < (url.port or 443) < 65_536:
        raise PaperError(f"{name} is not an https address, the only kind that is fetched; {_ADVICE}")
    if url.userinfo:
        raise PaperError(f"{url.host}: the address holds a user name or a password; remove them from the address")
    return url
