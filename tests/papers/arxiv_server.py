"""A small server that plays arXiv: its API, sources and PDFs, and its bad days."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

ENTRY = """<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/abs/{id}</id><title>{title}</title><summary>{summary}</summary>
<arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">{comment}</arxiv:comment></entry></feed>"""
NOTHING = '<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


@dataclass
class Answer:
    """One answer: status, body, headers."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeArxiv:
    """What the server answers by path, each answer once and the last for ever, and what it was asked."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)

    def lists(
        self, id_: str, *, title: str = "Listed Title", summary: str = "Listed abstract.", comment: str = ""
    ) -> None:
        """List a paper; `id_` has its version."""
        feed = ENTRY.format(id=id_, title=title, summary=summary, comment=comment).encode()
        for asked in (id_, id_.partition("v")[0]):
            self.answers[f"/api/query {asked}"] = [Answer(feed)]

    def has(self, path: str, *answers: Answer) -> None:
        """Answer a path."""
        self.answers[path] = list(answers)

    def answer(self, target: str) -> Answer:
        """The answer to one request."""
        parts = urlsplit(target)
        wanted = parse_qs(parts.query).get("id_list", [""])[0]
        key = f"{parts.path} {wanted}" if wanted else parts.path
        self.asked.append(key)
        answers = self.answers.get(key, [])
        if not answers:
            return Answer(NOTHING.encode()) if wanted else Answer(b"no", 404)
        return answers.pop(0) if len(answers) > 1 else answers[0]


@contextmanager
def serving() -> Iterator[FakeArxiv]:
    """A running server."""
    fake = FakeArxiv()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.agents.append(self.headers["User-Agent"])
            answer = fake.answer(self.path)
            self.send_response(answer.status)
            headers = {"Content-Length": str(len(answer.body))} | answer.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
