"""The page in this process, for its requests, and as a program of its own, for browsers and signals."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from planner.models.connect import ModelSpec
from planner.papers.arxiv import ArxivClient
from planner.planning.first_prompt import PlanSettings
from planner.reading.process import IsolatedReader
from planner.schema import Task
from planner.serve.app import PageApp
from planner.serve.folder import PaperFolder
from planner.serve.jobs import PerModelJobQueue
from planner.serve.pages import PageDefaults
from planner.serve.server import PageServer, open_loopback_socket
from tests.conftest import ROOT
from tests.site.conftest import Watch, browser, pytest_collection_modifyitems

__all__ = ["browser", "pytest_collection_modifyitems"]

NO_MODEL = ModelSpec()
DEMO = ROOT / "planner" / "demo" / "paper.md"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Client:
    """A client that sends the headers of a browser that shows the page, unless a test gives others."""

    address: str
    output: Path

    @property
    def origin(self) -> str:
        return "{0.scheme}://{0.netloc}".format(urlsplit(self.address))

    @property
    def token(self) -> str:
        return urlsplit(self.address).path.strip("/")

    def send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Answer:
        """Send a request to a path of the whole server."""
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, {n.lower(): v for n, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str = "") -> Answer:
        return self.send("GET", f"/{self.token}/{path}")

    def post(self, path: str, message: object = None) -> Answer:
        headers = {"origin": self.origin, "content-type": "application/json"}
        return self.send("POST", f"/{self.token}/{path}", json.dumps(message).encode(), headers)

    def offer(self, content: bytes, name: str) -> Answer:
        """Give a file, which may be refused."""
        return self.send("POST", f"/{self.token}/papers?name={name}", content, {"origin": self.origin})

    def give(self, content: bytes, name: str = "paper.md") -> str:
        """Give a paper; return its key."""
        answer = self.offer(content, name)
        assert answer.status == 200, answer.text
        return str(answer.json["to"]).removeprefix("papers/")

    def follow(self, job: str) -> list[tuple[str, Any]]:
        """Return all events of a job, once it has ended or asks."""
        lines = self.get(f"{job}/events").text.split("\n\n")
        pairs = (line.removeprefix("event: ").split("\ndata: ", 1) for line in lines if line)
        return [(kind, json.loads(data)) for kind, data in pairs]

    def plan(self, key: str, **form: object) -> str:
        """Make a plan, and return its path."""
        job = self.post(f"papers/{key}/jobs", {"task": "reviewer", "model": "extractive", **form}).json["to"]
        self.follow(job)
        answer = self.get(job)
        assert answer.status == 303, answer.text
        return answer.headers["location"].removeprefix(f"/{self.token}/")


@contextmanager
def open_request(client: Client, first: str, *others: str) -> Iterator[socket.socket]:
    """Send the lines of a request as they are, and keep the connection open."""
    host = client.origin.removeprefix("http://")
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2]))) as connection:
        connection.sendall("\r\n".join((first, f"Host: {host}", *others)).encode())
        yield connection


@contextmanager
def page_server(output: Path, model_spec: ModelSpec = NO_MODEL) -> Iterator[Client]:
    """Serve the page from a thread of this process."""
    ready, found = Event(), list[Any]()

    async def serve() -> None:
        stopped = asyncio.Event()
        async with IsolatedReader(ArxivClient(offline=True)) as reader:
            papers = PaperFolder(output, reader)
            queue = PerModelJobQueue(output, papers, offline=False)
            app = PageApp(PageDefaults(output, model_spec, PlanSettings(Task.REVIEWER, 2)), papers, queue)
            server = PageServer(app.build_application(), open_loopback_socket(0))
            found.extend((asyncio.get_running_loop(), stopped, server.address))
            ready.set()

            async def wait() -> None:
                await stopped.wait()
                await queue.stop_and_wait()

            await server.run_until(wait)

    thread = Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(20)
    loop, stopped, address = found
    try:
        yield Client(address, output)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(20)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """The page of an empty folder, in this process."""
    with page_server(tmp_path / "out") as client:
        yield client


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same for all tests of a module that leave the folder as it is."""
    with page_server(tmp_path_factory.mktemp("shared") / "out") as client:
        yield client


@dataclass
class Program:
    """The program as a process; `address` is what it printed."""

    process: "subprocess.Popen[str]"
    address: str
    output: Path

    @property
    def client(self) -> Client:
        return Client(self.address, self.output)

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start `serve` with these options; whatever still runs is killed afterwards."""
    programs: list[Program] = []

    def popen(*options: str, env: Mapping[str, str] | None = None) -> Program:
        process = subprocess.Popen(
            [sys.executable, "-m", "planner", "serve", "-o", "out", *options],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        programs.append(Program(process, process.stdout.readline().strip(), tmp_path / "out"))
        assert programs[-1].address, process.communicate()[1]
        return programs[-1]

    yield popen
    for program in programs:
        program.kill()


@dataclass
class Visitor:
    """A person with a browser, in which nothing but the pages of one program is loaded, and nothing complains."""

    browser: Browser
    watch: Watch = field(default_factory=Watch)
    contexts: list[BrowserContext] = field(default_factory=list)
    is_program_stopped: bool = False

    def open(self, address: str, **options: object) -> Page:
        """Open an address in a context of its own."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})  # type: ignore[arg-type]
        self.contexts.append(context)
        self.watch.over(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.goto(address)
        return page

    def check(self, address: str) -> None:
        """Check that nothing was loaded from elsewhere, and that nothing complained."""
        known = (
            ("download: ", "console error: Failed to load resource: net::ERR_")
            if self.is_program_stopped
            else ("download: ",)
        )
        assert not [problem for problem in self.watch.problems if not problem.startswith(known)]
        own = f"http://{urlsplit(address).hostname}:"
        assert not [
            url for url in self.watch.requests if not url.startswith((own, "data:image/svg+xml", f"blob:{own}"))
        ]


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    expect.set_options(timeout=15_000)  # a busy machine starts a program in seconds
    visitor = Visitor(browser)
    yield visitor
    for context in visitor.contexts:
        context.close()
    visitor.check("http://127.0.0.1/")
