"""arXiv: ids, and fetching against a server that plays it."""

import email.utils
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.names import ArxivId, parse_arxiv_id
from planner.papers import arxiv as module
from planner.papers.arxiv import ArxivClient
from planner.papers.load import load_paper
from tests.papers.arxiv_server import ArxivServer, Response, run_arxiv_server
from tests.papers.build import BODY, MAIN, WHOLE, gzipped, tarred
from tests.papers.pdf.make import Page, pdf

PACKED = tarred({"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()})


@pytest.fixture
def server() -> Iterator[ArxivServer]:
    with run_arxiv_server() as server:
        yield server


def make_client(server: ArxivServer, cache: Path | None = None, offline: bool = False) -> ArxivClient:
    return ArxivClient(server.url, cache=cache, pause=0.01, offline=offline)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("arxiv:2507.08038", ArxivId("2507.08038")),
        ("arXiv:2507.08038v2", ArxivId("2507.08038", "v2")),
        ("2507.08038v2", ArxivId("2507.08038", "v2")),
        ("cs/0501001", ArxivId("cs/0501001")),
        ("math.GT/0309136v1", ArxivId("math.GT/0309136", "v1")),
        ("https://arxiv.org/abs/2507.08038", ArxivId("2507.08038")),
        ("http://www.arxiv.org/pdf/2507.08038v1.pdf", ArxivId("2507.08038", "v1")),
        ("arxiv.org/html/2507.08038v1", ArxivId("2507.08038", "v1")),
        ("https://arxiv.org/abs/cs/0501001?context=x", ArxivId("cs/0501001")),
        ("https://evil.org/abs/2507.08038", None),
        ("https://arxiv.org.evil.org/abs/2507.08038", None),
        ("https://arxiv.org/list/cs.LG/new", None),
        ("file:///abs/2507.08038", None),
        ("paper.pdf", None),
        ("2507.080", None),
        ("arxiv:../../etc/passwd", None),
    ],
)
def test_ids_and_addresses(source: str, expected: ArxivId | None) -> None:
    assert parse_arxiv_id(source) == expected


def test_no_other_address_is_fetched() -> None:
    with pytest.raises(PaperError, match="is not an arXiv address"):
        load_paper("https://example.org/paper.pdf")


@pytest.mark.parametrize("body", [PACKED, gzipped(WHOLE.encode())], ids=["tar", "single"])
def test_the_source_is_read_and_the_listing_names_the_paper(server: ArxivServer, body: bytes) -> None:
    server.add_paper("2507.08038v3")
    server.set_responses("/e-print/2507.08038v3", Response(body))
    paper = load_paper("arxiv:2507.08038", arxiv=make_client(server))
    assert (paper.title, paper.abstract, paper.format) == ("Listed Title", "Listed abstract.", "latex")
    assert paper.authors == ("Ada Example", "Bo Sample")
    assert any("title that arXiv lists" in warning for warning in paper.warnings)
    assert server.requests == ["/api/query 2507.08038", "/e-print/2507.08038v3"]
    assert server.agents[0].startswith("ablation-planner/")


def test_without_a_source_the_pdf_is_read(server: ArxivServer) -> None:
    server.add_paper("2507.08038v1")
    server.set_responses("/pdf/2507.08038v1", Response(pdf([Page().lines(100, 700, [BODY[:90]] * 12)])))
    paper = load_paper("2507.08038", arxiv=make_client(server))
    assert paper.format == "pdf"
    assert any("the PDF was read" in warning for warning in paper.warnings)
    assert server.requests[1:] == ["/e-print/2507.08038v1", "/src/2507.08038v1", "/pdf/2507.08038v1"]


def test_a_withdrawn_paper_is_said_so(server: ArxivServer) -> None:
    server.add_paper("2507.08038v2", comment="This paper has been withdrawn by the author")
    server.set_responses("/e-print/2507.08038v2", Response(gzipped(b"%auto-ignore\nThis paper has been withdrawn")))
    with pytest.raises(PaperError, match=r"withdrawn.*earlier version"):
        load_paper("2507.08038", arxiv=make_client(server))


def test_what_arxiv_does_not_know_is_said_so(server: ArxivServer) -> None:
    with pytest.raises(PaperError, match=r"no paper '2507\.99999'"):
        load_paper("2507.99999", arxiv=make_client(server))


@pytest.mark.parametrize("feed", [b"", b"<html>", b'<!DOCTYPE x [<!ENTITY a "b">]><feed/>'])
def test_a_broken_listing_is_a_named_error(server: ArxivServer, feed: bytes) -> None:
    server.set_responses("/api/query 2507.08038", Response(feed))
    with pytest.raises(PaperError, match="not an Atom feed"):
        load_paper("2507.08038", arxiv=make_client(server))


def test_what_was_fetched_once_is_not_asked_for_again(server: ArxivServer, tmp_path: Path) -> None:
    server.add_paper("cs/0501001v1")
    server.set_responses("/e-print/cs/0501001v1", Response(PACKED))
    first = load_paper("cs/0501001", arxiv=make_client(server, tmp_path))
    request_count = len(server.requests)
    assert load_paper("cs/0501001", arxiv=make_client(server, tmp_path)) == first
    assert load_paper("cs/0501001", arxiv=make_client(server, tmp_path, offline=True)) == first
    assert len(server.requests) == request_count


def test_offline_nothing_is_asked(server: ArxivServer, tmp_path: Path) -> None:
    with pytest.raises(PaperError, match="offline"):
        load_paper("2507.08038", arxiv=make_client(server, tmp_path, offline=True))
    assert not server.requests


@pytest.mark.parametrize("after", ["0", "date", ""])
def test_a_busy_host_is_asked_again(server: ArxivServer, after: str) -> None:
    when = email.utils.formatdate(time.time(), usegmt=True) if after == "date" else after
    server.add_paper("2507.08038v1")
    busy = Response(b"busy", 503, {"Retry-After": when} if when else {})
    server.set_responses("/e-print/2507.08038v1", busy, busy, Response(PACKED))
    assert load_paper("2507.08038", arxiv=make_client(server)).title == "Listed Title"
    assert server.requests.count("/e-print/2507.08038v1") == 3


def test_a_host_that_asks_for_an_hour_is_busy(server: ArxivServer) -> None:
    server.set_responses("/api/query 2507.08038", Response(b"", 503, {"Retry-After": "3600"}))
    with pytest.raises(PaperError, match=r"busy \(HTTP 503\)"):
        load_paper("2507.08038", arxiv=make_client(server))
    assert len(server.requests) == 1


@pytest.mark.parametrize("target", ["http://127.0.0.2:9/x", "https://evil.org/x", "file:///etc/passwd"])
def test_a_redirect_to_elsewhere_is_refused(server: ArxivServer, target: str) -> None:
    server.set_responses("/api/query 2507.08038", Response(b"", 302, {"Location": target}))
    with pytest.raises(PaperError, match=r"is not allowed|HTTP 302"):
        load_paper("2507.08038", arxiv=make_client(server))


def test_a_redirect_within_the_host_is_followed(server: ArxivServer) -> None:
    server.add_paper("2507.08038v1")
    server.set_responses("/e-print/2507.08038v1", Response(b"", 301, {"Location": "/src/2507.08038v1"}))
    server.set_responses("/src/2507.08038v1", Response(PACKED))
    assert load_paper("2507.08038", arxiv=make_client(server)).format == "latex"


def test_an_oversize_body_is_refused(server: ArxivServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_BODY_BYTES", 1_000)
    server.add_paper("2507.08038v1")
    server.set_responses("/e-print/2507.08038v1", Response(bytes(5_000)))
    with pytest.raises(PaperError, match="over 1,000 bytes"):
        load_paper("2507.08038", arxiv=make_client(server))


def test_a_body_cut_short_is_an_error_and_not_kept(server: ArxivServer, tmp_path: Path) -> None:
    server.add_paper("2507.08038v1")
    server.set_responses("/e-print/2507.08038v1", Response(PACKED[:100], headers={"Content-Length": "100000"}))
    with pytest.raises(PaperError, match=r"ended its response early|cannot be reached"):
        load_paper("2507.08038", arxiv=make_client(server, tmp_path))
    assert not list(tmp_path.glob("*.source"))


def test_requests_keep_their_distance_across_accesses(server: ArxivServer, tmp_path: Path) -> None:
    server.add_paper("2507.08038v1")
    server.set_responses("/e-print/2507.08038v1", Response(PACKED))
    started = time.monotonic()
    ArxivClient(server.url, cache=tmp_path, pause=0.3).fetch_entry(ArxivId("2507.08038"))
    ArxivClient(server.url, cache=tmp_path, pause=0.3).fetch_entry(ArxivId("2507.08038", "v1"))
    assert time.monotonic() - started >= 0.3


def test_a_cache_that_cannot_be_written_is_said_so(server: ArxivServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    server.add_paper("2507.08038v1")
    with pytest.raises(PaperError, match=r"cache .* cannot be written"):
        load_paper("2507.08038", arxiv=make_client(server, tmp_path / "file" / "cache"))


def test_an_unreachable_host_is_said_so() -> None:
    with pytest.raises(PaperError, match="cannot be reached"):
        load_paper("2507.08038", arxiv=ArxivClient("http://127.0.0.1:9", pause=0.0))
    with pytest.raises(PaperError, match="must begin with http"):
        load_paper("2507.08038", arxiv=ArxivClient("ftp://x"))
