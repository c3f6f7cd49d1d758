"""Requests that are not the page's own are refused, and those that are change nothing outside of the folder."""

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.files import write_file_atomically
from planner.serve import app
from planner.serve.server import RequestFilter
from tests.serve.conftest import DEMO, Client, open_request

OTHER = "https://evil.example"


def send_lines(client: Client, first: str, *others: str) -> bytes:
    """Send a request as it is, close the sending side, and return all that comes back."""
    with open_request(client, first, *others) as connection:
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


@pytest.mark.parametrize(
    "path", ["/", "/{half}/", "/x{token}/", "//{token}/", "/%2F{token}/", "/papers", "/assets/serve.js"]
)
def test_a_request_without_the_token_is_refused(shared_client: Client, path: str) -> None:
    answer = shared_client.send("GET", path.format(token=shared_client.token, half=shared_client.token[:16]))
    assert answer.status == 403
    assert shared_client.token not in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:{port}", "[::1]:{port}", ""]
)
def test_a_request_to_another_host_is_refused(shared_client: Client, host: str) -> None:
    port = shared_client.origin.rpartition(":")[2]
    answer = shared_client.send("GET", f"/{shared_client.token}/", headers={"host": host.format(port=port)})
    assert answer.status in (400, 403)
    assert "Papers and plans" not in answer.text


@pytest.mark.parametrize(
    "origin", [OTHER, "null", "http://127.0.0.1:1", "https://{host}", "http://{host}.evil.example", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_from_another_page_is_refused(shared_client: Client, origin: str, method: str) -> None:
    headers = {
        "origin": origin.format(host=shared_client.origin.removeprefix("http://")),
        "content-type": "application/json",
    }
    path = "arxiv" if method == "POST" else ""
    answer = shared_client.send(
        method, f"/{shared_client.token}/{path}", b'{"id": "2507.08038"}' if path else None, headers
    )
    assert answer.status == 403
    assert "arxiv:" not in shared_client.get().text


@pytest.mark.parametrize("path", ["papers?name=a.md", "arxiv", "plans/a", "jobs/a/cancel"])
def test_a_change_without_an_origin_is_refused(shared_client: Client, path: str) -> None:
    assert shared_client.send("POST", f"/{shared_client.token}/{path}", b"x").status == 403


@pytest.mark.parametrize("target", ["*", "x", "http://127.0.0.1/"])
def test_a_path_that_is_none_is_refused(shared_client: Client, target: str) -> None:
    answer = send_lines(shared_client, f"GET {target} HTTP/1.1", "Connection: close", "", "")
    assert answer.split()[1] == b"403"


def test_two_hosts_or_origins_are_refused(shared_client: Client) -> None:
    for other in ("Host: evil.example", f"Origin: {shared_client.origin}\r\nOrigin: {OTHER}"):
        answer = send_lines(shared_client, f"GET /{shared_client.token}/ HTTP/1.1", other, "Connection: close", "", "")
        assert answer.split()[1] in (b"400", b"403")


@pytest.mark.parametrize("address", [("10.0.0.1", 5), ("::1", 5), None])
def test_a_request_from_another_machine_is_refused(address: object) -> None:
    async def is_never_called(*_: object) -> None:
        raise AssertionError("it was let in")

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/token/", "client": address}
    scope["headers"] = [(b"host", b"127.0.0.1:80")]
    asyncio.run(RequestFilter(is_never_called, "token", 80)(scope, is_never_called, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 403


def test_every_answer_forbids_what_it_does_not_need(client: Client) -> None:
    job = client.post(f"papers/{client.give(DEMO.read_bytes())}/jobs", {"task": "reviewer", "model": "extractive"})
    paths = ("", "no-such-page", "assets/serve.js", f"{job.json['to']}/events", "papers/0123456789abcdef", "plans/x")
    for answer in (*map(client.get, paths), client.send("GET", "/"), client.post("arxiv", {"id": "x"})):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_pages_hold_no_script_of_their_own(client: Client) -> None:
    key = client.give(DEMO.read_bytes())
    for path in ("", f"papers/{key}", client.plan(key)):
        text = client.get(path).text
        assert "<style" not in text
        assert " style=" not in text
        own = [part.split(">")[0] for part in text.split("<script")[1:]]
        assert all(" src=" in part or 'type="application/json"' in part for part in own)


def test_a_file_that_is_too_large_is_refused_before_it_is_sent(shared_client: Client) -> None:
    headers = {"origin": shared_client.origin, "content-length": "300000001"}
    assert shared_client.send("POST", f"/{shared_client.token}/papers?name=a.pdf", b"", headers).status == 413


def test_a_body_without_a_length_is_read_up_to_the_limit(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_FILE_BYTES", 1000)

    def pieces() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 100

    headers = {"origin": client.origin}
    answer = client.send("POST", f"/{client.token}/papers?name=a.md", pieces(), headers)  # type: ignore[arg-type]
    assert answer.status == 413
    assert not client.output.exists()


def test_an_upload_that_is_cut_off_leaves_nothing_and_no_traceback(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (f"Origin: {client.origin}", "Content-Length: 100", "Connection: close", "", "x")
    send_lines(client, f"POST /{client.token}/papers?name=a.md HTTP/1.1", *lines)
    assert client.get().status == 200
    assert not client.output.exists()
    assert not caplog.records


@pytest.mark.parametrize("path", ["papers", "arxiv"])
def test_a_folder_that_cannot_be_written_is_named_in_words(client: Client, path: str) -> None:
    write_file_atomically(client.output, "a file has taken its place")
    answer = client.post(path, {"id": "2507.08038"})
    assert answer.status == 400
    assert answer.json["error"].endswith(": Not a directory")
    assert str(client.output) in answer.json["error"]
    assert "Errno" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "..%2F..%2Fsecret",
        "%2e%2e/secret",
        "a/../../secret",
        ".serve/x",
        "/etc/passwd",
        "a%00b",
        "link/plan",
        "%ff",
        "",
        "a//b",
    ],
)
def test_no_plan_outside_of_the_folder_is_shown(client: Client, path: str) -> None:
    outside = client.output.parent / "outside"
    write_file_atomically(outside / "plan.json", "{}")
    write_file_atomically(client.output.parent / "secret.json", "{}")
    write_file_atomically(client.output / ".serve" / "x.json", "{}")
    (client.output / "link").symlink_to(outside)
    for answer in (client.get(f"plans/{path}"), client.get(f"exports/csv/{path}")):
        assert answer.status == 404
    assert client.post(f"plans/{path}", {"change": "strike", "ablation": "plan-0", "version": ""}).status == 404


@pytest.mark.parametrize(
    "name", ["../../evil.md", "..\\evil.md", "/etc/evil.md", ".hidden", "..", "", "a" * 400, "a%00b.md", "con.md"]
)
def test_the_name_of_a_file_stays_in_its_place(client: Client, name: str) -> None:
    key = client.give(DEMO.read_bytes(), name)
    files = [path for path in client.output.parent.rglob("*") if path.is_file()]
    assert {path.parent for path in files} == {client.output / ".serve", client.output / ".serve" / key}
    assert f"papers/{key}" in client.get().text


@pytest.mark.parametrize("key", ["0" * 16, "../x", "x" * 16, "0123456789ABCDEF", "%2e%2e"])
def test_only_papers_that_were_given_are_shown(shared_client: Client, key: str) -> None:
    assert shared_client.get(f"papers/{key}").status == 404


@pytest.mark.parametrize("asset", ["app.py", "..%2Fapp.py", "index.js", "look.css%00"])
def test_only_the_scripts_and_styles_of_the_page_are_sent(shared_client: Client, asset: str) -> None:
    assert shared_client.get(f"assets/{asset}").status == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"task": "x"},
        {"task": "author", "k": 0},
        {"task": "author", "k": 51},
        {"task": "author", "strategy": "x"},
        {"task": "author", "more": 1},
        [],
    ],
)
def test_settings_that_do_not_fit_are_refused(shared_client: Client, form: object) -> None:
    answer = shared_client.post(f"papers/{shared_client.give(DEMO.read_bytes(), 'form.md')}/jobs", form)
    assert answer.status == 400
    assert answer.json["error"]


def test_only_json_changes_anything(shared_client: Client) -> None:
    headers = {"origin": shared_client.origin, "content-type": "text/plain"}
    assert shared_client.send("POST", f"/{shared_client.token}/arxiv", b'{"id": "2507.08038"}', headers).status == 415


def test_what_is_no_paper_says_so(client: Client) -> None:
    for content, reason in ((b"", "empty"), (b"\x89PNG\r\n\x1a\n" * 100, "image"), (b"too short", "characters")):
        answer = client.offer(content, "a.md")
        assert answer.status == 400
        assert reason in answer.json["error"]
        assert str(client.output) not in answer.text
        assert "a.md" not in client.get().text
        assert not list((client.output / ".serve").iterdir())


def test_a_paper_that_cannot_be_read_any_more_says_so(client: Client) -> None:
    key = client.give(DEMO.read_bytes(), "a.md")
    (client.output / ".serve" / key / "a.md").write_bytes(b"\x89PNG\r\n\x1a\n" * 100)
    for number in range(4):  # more papers than are kept in memory
        client.give(DEMO.read_bytes() + b"%d" % number)
    page = client.get(f"papers/{key}")
    assert "image" in page.text
    assert "Make the plan" not in page.text
    job = client.post(f"papers/{key}/jobs", {"task": "reviewer", "model": "extractive"}).json["to"]
    assert client.follow(job)[-1] == ("state", "failed 0")
    assert "image" in client.get(job).text


def test_what_is_no_arxiv_id_is_refused(shared_client: Client) -> None:
    answer = shared_client.post("arxiv", {"id": "https://evil.example/2507.08038"})
    assert answer.status == 400
    assert "no arXiv id" in answer.json["error"]


def test_a_job_that_is_gone_leads_back(shared_client: Client) -> None:
    answer = shared_client.get("jobs/0123456789abcdef")
    assert answer.status == 404
    assert "may have been restarted" in answer.text
    assert json.loads(shared_client.post("jobs/0123456789abcdef/cancel", {}).text)["error"]


def test_a_folder_of_anything_is_listed(tmp_path: Path, client: Client) -> None:
    write_file_atomically(client.output / ".serve" / "0123456789abcdef.json", "{")
    write_file_atomically(client.output / ".serve" / "0123456789abcdee.json", '{"key": "x"}')
    write_file_atomically(client.output / "torn.json", "{")
    place = {"key": "0123456789abcded", "source": "/etc/passwd", "given": "2026-01-01T00:00:00Z", "is_file": False}
    client.post("arxiv", {"id": "2507.08038"})
    for fields in (
        place,
        {**place, "is_file": True},
        {**place, "is_file": True, "source": "../../secret.md"},
        {**place, "source": "arxiv:2507.08039", "given": "2026-01-01T00:00:00"},
    ):
        write_file_atomically(client.output / ".serve" / "0123456789abcded.json", json.dumps(fields))
        assert "No plan yet" in client.get().text
        assert client.get("papers/0123456789abcded").status == 404


@pytest.mark.parametrize("link", [".serve/0123456789abcdef", ".serve/0123456789abcdef/secret.md", ".serve"])
def test_a_paper_behind_a_link_out_of_the_folder_is_none(client: Client, link: str) -> None:
    """A folder from a stranger must not put a file of yours on the page, from where it would be sent."""
    place = {"key": "0123456789abcdef", "source": "secret.md", "given": "2026-01-01T00:00:00Z", "is_file": True}
    outside = client.output.parent / "outside"
    for folder in (client.output / ".serve", outside):
        write_file_atomically(folder / "0123456789abcdef.json", json.dumps({**place, "title": "A trap"}))
    for folder in (outside, outside / "0123456789abcdef"):
        write_file_atomically(folder / "secret.md", DEMO.read_bytes())
    path, target = client.output / link, outside / Path(link).relative_to(".serve")
    if link == ".serve":
        path.rename(client.output / "moved")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)
    assert "A trap" not in client.get().text
    assert client.get("papers/0123456789abcdef").status == 404
