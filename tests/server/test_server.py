"""The server keeps its own promises, since every other test stands on them."""

import asyncio
import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import cli
from planner.trajectory.reader import read_trajectory
from tests.conftest import ROOT
from tests.server.http import Response
from tests.server.replies import as_asked, reply, stream
from tests.server.server import Server


def post(base_url: str, value: object) -> bytes:
    request = urllib.request.Request(f"{base_url}/chat/completions", json.dumps(value).encode())
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read()


def test_the_script_comes_first_then_the_answer_then_a_complaint(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        post(server.base_url, {})
    assert b"nothing is scripted for request 1" in caught.value.read()
    caught.value.close()
    server.script(reply("first"))
    server.answer = lambda request: reply(f"asked {request.json['n']}")
    assert b"first" in post(server.base_url, {"n": 2})
    assert b"asked 3" in post(server.base_url, {"n": 3})
    assert [request.number for request in server.journal] == [1, 2, 3]
    assert server.journal[0].at <= server.journal[1].at <= server.journal[2].at


def test_a_cut_counts_from_either_end() -> None:
    response = Response(parts=(b"0123456789",))
    assert (response.cut(3).sent, response.cut(-3).sent, response.cut(0).sent) == (3, 8, 0)
    assert response.dripping(4, 0.1).parts == (b"0123", b"4567", b"89")


def test_a_stream_is_the_same_reply_in_pieces(server: Server) -> None:
    server.answer = lambda request: as_asked(request, "some text")
    lines = post(server.base_url, {"stream": True}).decode().split("\n\n")
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks if c["choices"])
    assert text == "some text"
    assert lines[-2] == "data: [DONE]"
    assert b'"some text"' in post(server.base_url, {})


def test_what_hangs_ends_when_it_is_released(server: Server) -> None:
    server.script(stream("x").hanging(), stream("x").hanging(10))
    server.release()
    for _ in range(2):
        with pytest.raises((OSError, http.client.HTTPException)):
            post(server.base_url, {})


def test_many_connections_at_once(server: Server) -> None:
    server.answer = lambda request: reply("x").late(0.2)

    async def one() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/x HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return head

    async def all_of_them() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(300)))

    assert all(head.startswith(b"HTTP/1.1 200") for head in asyncio.run(all_of_them()))
    assert server.connections == 300


def test_it_runs_as_a_process() -> None:
    command = [sys.executable, "-m", "tests.server", "--size", "5"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert b'"word "' in post(process.stdout.readline().strip(), {})
        process.stdin.close()
        assert process.wait(10) == 0


def test_it_serves_a_trial_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.server"]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **options) as process:  # type: ignore[call-overload]
        base = process.stdout.readline().strip()
        plans = [write_trial_plan(base, model, tmp_path) for model in ("trial-large", "trial-small")]
        process.terminate()
        assert process.wait(10) == 0
    assert plans[0] != plans[1], "two models can be compared"


def write_trial_plan(base: str, model: str, folder: Path) -> list[str]:
    words = [
        "plan",
        str(ROOT / "planner" / "demo" / "paper.md"),
        "--model",
        model,
        "--base-url",
        base,
        "-o",
        str(folder),
    ]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    plan = read_trajectory(Path(done.stdout.strip())).plan
    return [ablation.ablated_part for ablation in plan.ablations]
