"""A paper at an address: what is fetched, and what is refused by name; and `--fetch` in the commands."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from planner.errors import PaperError
from planner.reading import fetch
from planner.reading.fetch import PaperFetcher, find_pdf_address, is_public_ip_address
from tests.cli.conftest import DEMO, Run, run, work_folder
from tests.conftest import ROOT
from tests.server.http import Response
from tests.server.server import Server

__all__ = ["run", "work_folder"]

CERTIFICATE = ROOT / "tests" / "server" / "certificate.pem"
HERE = "127.0.0.1"
PAPER = Response(200, (DEMO.read_bytes(),), "text/markdown; charset=utf-8")


@pytest.fixture
def web() -> Iterator[Server]:
    """A server over TLS for papers.test, other.test and private.test."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(CERTIFICATE)
    with Server(lambda request: PAPER, tls=tls) as running:
        yield running


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return this machine for every name, a private address for private.test, and an IP address as it is."""
    return ["10.0.0.7"] if host == "private.test" else [host if host[0].isdecimal() else HERE]


def make_fetcher(**changes: object) -> PaperFetcher:
    allow: Callable[[str], bool] = lambda address: address == HERE or is_public_ip_address(address)  # noqa: E731
    tls = ssl.create_default_context(cafile=CERTIFICATE)
    return PaperFetcher(**{"look_up_host": look_up, "is_allowed_ip_address": allow, "tls": tls} | changes)  # type: ignore[arg-type]


def fetch_page(web: Server, path: str = "/paper.md", host: str = "papers.test", **changes: object) -> bytes:
    return asyncio.run(make_fetcher(**changes).fetch_content(f"https://{host}:{web.port}{path}"))


def redirect(target: str) -> Response:
    return Response(302, (b"moved",), "text/html", {"Location": target})


def test_a_paper_is_fetched_under_the_name_of_its_host(web: Server) -> None:
    assert fetch_page(web, "/pdf?id=a%20b#page=2") == PAPER.body
    [request] = web.journal
    assert (request.method, request.path) == ("GET", "/pdf?id=a%20b")
    assert request.headers["host"] == f"papers.test:{web.port}"
    assert request.headers["user-agent"].startswith("ablation-planner/")
    assert "cookie" not in request.headers
    assert "authorization" not in request.headers


def test_redirects_are_followed_also_to_another_host(web: Server) -> None:
    web.script(redirect("/two"), redirect(f"https://other.test:{web.port}/three"), PAPER)
    assert fetch_page(web) == PAPER.body
    assert [request.headers["host"].partition(":")[0] for request in web.journal] == [
        "papers.test",
        "papers.test",
        "other.test",
    ]


def test_the_next_address_is_tried_where_one_cannot_be_reached(web: Server) -> None:
    async def look_up_two(host: str, port: int) -> Sequence[str]:
        return ["::1", HERE]  # the server listens at the second alone

    assert fetch_page(web, look_up_host=look_up_two, is_allowed_ip_address=lambda _: True) == PAPER.body


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (redirect("https://private.test/x"), "private.test is at 10.0.0.7, which is not a public address"),
        (redirect("https://127.0.0.2/x"), "127.0.0.2 is at 127.0.0.2, which is not a public address"),
        (redirect("http://papers.test/x"), "papers.test redirects to 'http://papers.test/x', which is not an https"),
        (redirect("file:///etc/passwd"), "which is not an https address"),
        (redirect("https://me:word@papers.test/x"), "holds a user name or a password"),
        (redirect("/again"), "redirects more than 5 times"),
        (Response(200, (b"x",), "image/png"), "papers.test sent 'image/png', which is not a paper format"),
        (Response(200, (b"x",), ""), "papers.test sent '', which is not a paper format"),
        (
            Response(200, (b"x" * 1000,), "text/html", chunked=True, endless=True, pause=0.001),
            "papers.test sent more than the limit of 50,000 bytes",
        ),
        (
            Response(200, (b"x" * 60_000,), "text/html").hanging(1),
            "papers.test announces 60,000 bytes, above the limit",
        ),
        (Response(200, (b"x" * 40_000,), "text/html").cut(100), "papers.test cannot be read"),
        (Response(200, (b"x" * 10,), "text/html", {"Content-Encoding": "gzip"}), "papers.test sent a compressed body"),
        (Response(403, (b"are you a robot?",), "text/html"), "papers.test answered HTTP 403; download the paper"),
        (Response(raw=b"no HTTP at all\r\n\r\n"), "papers.test cannot be read"),
    ],
    ids=[
        *("to private", "to loopback", "to http", "to a file", "to a password", "in a circle", "image", "no type"),
        *("endless", "announces too much", "announces more than it sends", "compressed", "forbidden", "no HTTP"),
    ],
)
def test_what_is_refused_is_named(web: Server, response: Response, reason: str) -> None:
    web.answer = lambda request: response
    with pytest.raises(PaperError) as refused:
        fetch_page(web, max_bytes=50_000)
    assert reason in str(refused.value)
    assert len(web.journal) <= 6


def test_what_drips_or_hangs_is_given_up(web: Server) -> None:
    for response in (
        Response(200, (b"x",), "text/html", chunked=True, endless=True, pause=0.05),
        Response(200, (b"x" * 9,), "text/html").hanging(3),
        Response(200, (b"x",), "text/html").hanging(),
    ):
        web.script(response)
        with pytest.raises(PaperError, match=r"papers\.test took longer than 0\.4 s"):
            fetch_page(web, max_seconds=0.4)


def test_a_body_that_is_longer_than_announced_is_not_read_on(web: Server) -> None:
    web.script(Response(raw=b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nabcdefgh"))
    assert fetch_page(web) == b"abcd"


def test_a_host_that_changes_its_address_is_reached_where_it_was_looked_up(web: Server) -> None:
    answers = iter([[HERE], ["127.0.0.9"]])

    async def look_up_once(host: str, port: int) -> Sequence[str]:
        return next(answers)

    fetcher = make_fetcher(look_up_host=look_up_once)
    address = f"https://papers.test:{web.port}/paper.md"
    assert asyncio.run(fetcher.fetch_content(address)) == PAPER.body
    with pytest.raises(PaperError, match=r"papers.test is at 127\.0\.0\.9, which is not a public address"):
        asyncio.run(fetcher.fetch_content(address))
    assert len(web.journal) == 1


def test_a_host_with_one_private_address_among_others_is_refused(web: Server) -> None:
    async def look_up_two(host: str, port: int) -> Sequence[str]:
        return [HERE, "192.168.0.1"]

    with pytest.raises(PaperError, match=r"192\.168\.0\.1"):
        fetch_page(web, look_up_host=look_up_two)
    assert not web.journal


def test_a_certificate_of_another_host_is_refused(web: Server) -> None:
    with pytest.raises(PaperError, match=r"elsewhere\.test cannot be read: .*certificate"):
        fetch_page(web, host="elsewhere.test")
    assert not web.journal


def test_a_certificate_that_nobody_vouches_for_is_refused(web: Server) -> None:
    with pytest.raises(PaperError, match=r"papers\.test cannot be read: .*certificate"):
        fetch_page(web, tls=None)
    assert not web.journal


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("http://papers.test/x", "is not an https address"),
        ("ftp://papers.test/x", "is not an https address"),
        ("https:///x", "is not an https address"),
        ("https://me:pw@papers.test/x", "holds a user name or a password"),
        ("https://papers.test:99999999/x", "is not an https address"),
        ("https://[::1/x", "is not an address"),
    ],
)
def test_an_address_of_another_kind_is_refused(address: str, reason: str) -> None:
    with pytest.raises(PaperError, match=reason):
        asyncio.run(make_fetcher().fetch_content(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "0.0.0.0"])
def test_this_machine_is_not_reached_by_any_of_its_names(
    host: str, web: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the system's own look-up, which knows all these names without the network
    with pytest.raises(PaperError, match=r"not a public address|cannot be read|is not an address"):
        asyncio.run(PaperFetcher().fetch_content(f"https://{host}:{web.port}/x"))
    assert web.connections == 0


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("64:ff9b::a00:1", False),
        ("10.0.0.1", False),
        ("172.31.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("0.0.0.0", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::127.0.0.1", False),
        ("2002:7f00:1::", False),
        ("2001:0:1::1", False),
    ],
)
def test_which_addresses_are_public(address: str, is_public: bool) -> None:
    assert is_public_ip_address(address) is is_public


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b'<meta name="citation_pdf_url" content="https://x.org/p.pdf?a=1&amp;b=2">', "https://x.org/p.pdf?a=1&b=2"),
        (b"<meta content='https://x.org/p.pdf' name=citation_pdf_url />", "https://x.org/p.pdf"),
        (b'<meta name="citation_pdf_url" content="http://x.org/p.pdf">', None),
        (b"<p>citation_pdf_url</p>", None),
        (b"<meta " * 30_000, None),
    ],
)
def test_the_pdf_that_a_page_names_is_found(page: bytes, found: str | None) -> None:
    assert find_pdf_address(page) == found


@pytest.fixture
def fetching(web: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, which `--fetch` reaches in the place of the network."""
    fetcher = make_fetcher()
    reaching = partial(PaperFetcher, fetcher.look_up_host, fetcher.is_allowed_ip_address, fetcher.tls)
    monkeypatch.setattr(fetch, "PaperFetcher", reaching)
    return web


def test_plan_reads_an_address_with_fetch_and_names_the_host_first(run: Run, fetching: Server) -> None:
    address = f"https://papers.test:{fetching.port}/pdf?id=x"
    result = run("plan", address, "--fetch", "--model", "extractive", "--json")
    assert result.exit_code == 0, result.output
    assert f"fetching from papers.test:{fetching.port}" in result.stderr
    assert '"source": "https://papers.test' in result.stdout
    run("prompt", address, "--fetch")
    run("paper", address, "--fetch")
    assert len(fetching.journal) == 3


def test_a_page_that_names_the_pdf_says_so_and_it_is_not_fetched(run: Run, fetching: Server) -> None:
    head = b'<html><head><meta name="citation_pdf_url" content="https://other.test/p.pdf"></head><body><p>'
    fetching.answer = lambda request: Response(200, (head, b"Words of a page. " * 100), "text/html")
    result = run("paper", f"https://papers.test:{fetching.port}/page", "--fetch")
    assert "to read the PDF, give https://other.test/p.pdf" in result.stderr
    assert len(fetching.journal) == 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("https://papers.test/x",), "is not an arXiv address; add --fetch"),
        (("https://papers.test/x", "--fetch", "--offline"), "cannot be downloaded with --offline"),
        (("http://papers.test/x", "--fetch"), "is not an https address"),
        (("https://private.test/x", "--fetch"), "private.test is at 10.0.0.7"),
    ],
)
def test_what_is_not_fetched_is_the_error_of_its_paper(
    run: Run, fetching: Server, words: tuple[str, ...], reason: str
) -> None:
    result = run("plan", *words)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert not fetching.journal


def test_an_address_cannot_add_headers_to_its_request(web: Server) -> None:
    fetch_page(web, "/a/../b?x=%0d%0aEvil:1")
    assert "evil" not in web.journal[0].headers
