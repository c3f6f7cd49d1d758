"""A real browser, and pages under watch: whatever one loads, runs or complains of is on record."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from planner.site.build import build_site
from tests.site.made import small_run

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find_browser() -> str | None:
    """The browser to test with: that of ABLATION_PLANNER_CHROMIUM, else the system's."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return CHROMIUM or next((found for name in names if (found := shutil.which(name))), None)


# Read before any test has its environment cleaned.
CHROMIUM = os.environ.get("ABLATION_PLANNER_CHROMIUM")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs a browser where there is none; one test says so (tests/site/test_browser.py)."""
    if find_browser() is None:
        opening = {item for item in items if "browser" in getattr(item, "fixturenames", ())}
        config.hook.pytest_deselected(items=list(opening))
        items[:] = [item for item in items if item not in opening]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser with a new, empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


# One browser a module: while it runs, no other test of the process can have an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@dataclass
class Watch:
    """The things that pages did beyond showing themselves."""

    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch each page of a context."""
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("page", self._over_page)

    def _over_page(self, page: Page) -> None:
        page.on("console", lambda message: self.problems.append(f"console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("dialog", self._dismiss)
        page.on("download", lambda file: self.problems.append(f"download: {file.url}"))
        page.on("popup", lambda popup: self.problems.append(f"popup: {popup.url}"))

    def _dismiss(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open an address in a context of its own; afterwards nothing but the site's own pages was loaded, silently."""
    watch, contexts, roots = Watch(), list[BrowserContext](), set[str]()

    def open_address(address: str, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        contexts.append(context)
        watch.over(context)
        roots.add(_root(address))
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(address)
        return page

    yield open_address
    for context in contexts:
        context.close()
    assert not watch.problems
    elsewhere = [
        url for url in watch.requests if not (url.startswith(tuple(roots)) and urlsplit(url).path.endswith(".html"))
    ]
    assert not [url for url in elsewhere if not url.startswith("data:image/svg+xml")]


def _root(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small site."""
    folder = tmp_path_factory.mktemp("site")
    build_site([small_run(folder / "run")], folder / "out")
    return folder / "out"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def served(site: Path) -> Iterator[str]:
    """The address of the small site on a web server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
