"""A small server that plays arXiv: its API, sources and PDFs, and its bad days."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

ENTRY = """<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"><entry>
<id>http://arxiv.org/abs/{id}</id><title>{title}</title><summary>{summary}</summary>
<author><name>Ada  Example</name></author><author><name>Bo Sample</name></author>
<arxiv:comment xmlns:arxiv="http://arxiv.org/schemas/atom">{comment}</arxiv:comment></entry></feed>"""
NOTHING = '<feed xmlns="http://www.w3.org/2005/Atom"></feed>'


@dataclass
class Response:
    """One answer: status, body, headers."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class ArxivServer:
    """The server's answers by path, each given once and the last for ever, and the requests that it got."""

    url: str = ""
    responses: dict[str, list[Response]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)

    def add_paper(
        self, id_: str, *, title: str = "Listed Title", summary: str = "Listed abstract.", comment: str = ""
    ) -> None:
        """List a paper; `id_` has its version."""
        feed = ENTRY.format(id=id_, title=title, summary=summary, comment=comment).encode()
        for listed_id in (id_, id_.partition("v")[0]):
            self.responses[f"/api/query {listed_id}"] = [Response(feed)]

    def set_responses(self, path: str, *responses: Response) -> None:
        """Answer a path."""
        self.responses[path] = list(responses)

    def find_response(self, target: str) -> Response:
        """The answer to one request."""
        url = urlsplit(target)
        id_ = parse_qs(url.query).get("id_list", [""])[0]
        key = f"{url.path} {id_}" if id_ else url.path
        self.requests.append(key)
        responses = self.responses.get(key, [])
        if not responses:
            return Response(NOTHING.encode()) if id_ else Response(b"no", 404)
        return responses.pop(0) if len(responses) > 1 else responses[0]


@contextmanager
def run_arxiv_server() -> Iterator[ArxivServer]:
    """A running server."""
    arxiv = ArxivServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            arxiv.agents.append(self.headers["User-Agent"])
            response = arxiv.find_response(self.path)
            self.send_response(response.status)
            headers = {"Content-Length": str(len(response.body))} | response.headers
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    arxiv.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield arxiv
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
