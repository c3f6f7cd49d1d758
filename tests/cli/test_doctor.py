"""`doctor`: one tiny request, and a word on what is wrong."""

import pytest

from tests.cli.conftest import Run
from tests.server.http import Response
from tests.server.replies import as_asked, body, error, reply
from tests.server.server import Server

KEY = "sk-marker-of-doctor"


def test_one_tiny_request_and_who_answered(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, "ready", model="the-very-model-2026")
    result = run("doctor", "--model", "m", "--base-url", server.base_url, env={"OPENAI_API_KEY": KEY})
    assert result.exit_code == 0
    assert f"Answer from {server.base_url}, model 'the-very-model-2026', in " in result.stdout
    [request] = server.journal
    assert len(request.body) < 500
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in result.output
    assert result.stdout.endswith(" s; the key in OPENAI_API_KEY was sent.\n")
    words = ("doctor", "--model", "m", "--base-url")
    assert " s; no key was sent." in run(*words, server.base_url).stdout
    url = server.base_url.replace("//", "//me:pass-word@")
    assert " s; the password in the address was sent." in run(*words, url).stdout


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(401, "Incorrect API key provided", code="invalid_api_key"), "OPENAI_API_KEY"),
        (error(403, "no access to this model"), "no access to this model"),
        (error(404, "The model `m` does not exist", code="model_not_found"), "m"),
        (error(429, "You exceeded your current quota", code="insufficient_quota"), "quota"),
        (body({"error": {"message": "broken inside"}}), "broken inside"),
        (Response(200, (b"<html>Welcome</html>",), "text/html"), "127.0.0.1"),
        (Response(200, (b"{",)), "127.0.0.1"),
        (reply().cut(20), "127.0.0.1"),
    ],
    ids=["wrong key", "forbidden", "no such model", "quota", "error in a 200", "web page", "no JSON", "cut"],
)
def test_what_is_wrong_is_said_in_one_line(run: Run, server: Server, answer: Response, said: str) -> None:
    server.answer = lambda request: answer
    words = ("--model", "m", "--base-url", server.base_url, "--no-stream", "--max-wait", "0")
    result = run("doctor", *words, env={"OPENAI_API_KEY": KEY})
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    assert line.startswith(f"No answer from {server.base_url}, model m: ")
    assert said in line
    assert len(server.journal) == 1


@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (("--model", "gpt-4o"), {}, "OPENAI_API_KEY"),
        (("--model", "openrouter/x/y"), {}, "OPENROUTER_API_KEY"),
        ((), {"OPENAI_API_KEY": KEY}, "--model"),
        ((), {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "--model"),
        (("--model", "m", "--base-url", "localhost:9"), {}, "http"),
        (("--model", "m", "--base-url", ""), {"OPENAI_BASE_URL": "gopher://x"}, "http"),
    ],
)
def test_what_cannot_be_asked_is_wrong_usage(run: Run, words: tuple[str, ...], env: dict[str, str], said: str) -> None:
    result = run("doctor", *words, env=env)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert KEY not in result.output


def test_with_nothing_named_nothing_is_sent(run: Run, server: Server) -> None:
    result = run("doctor")
    assert (result.exit_code, server.journal) == (0, [])
    assert "Nothing was sent" in result.stdout


def test_where_nobody_listens_the_address_is_named(run: Run) -> None:
    result = run("doctor", "--model", "m", "--base-url", "http://127.0.0.1:9/v1", "--max-wait", "0")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.stdout


def test_a_reply_that_drips_is_not_waited_for(run: Run, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.cli.setup._MAX_SECONDS", 0.5)
    server.answer = lambda _: Response(200, (b": still here\n\n",), chunked=True, endless=True, pause=0.02)
    result = run("doctor", "--model", "m", "--base-url", server.base_url)
    assert result.exit_code == 1
    assert "no complete answer within 0.5 s; --timeout can set a longer limit" in result.stdout


def test_who_names_the_built_in_planner_is_not_told_to_name_a_model(run: Run) -> None:
    assert "(name one with --model)" in run("doctor").stderr
    assert "name one" not in run("doctor", "--model", "extractive").stderr
