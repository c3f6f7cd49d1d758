"""`models`, and the provider that is assumed for a model without a prefix."""

import json

import pytest

from planner.models.pricing import find_missing_prefix_warning, list_known_models
from tests.cli.conftest import Run
from tests.server.http import Response
from tests.server.replies import body, error
from tests.server.server import Server

KEY = "sk-marker-of-models-0123"
LIST = {
    "object": "list",
    "data": [{"id": "b", "max_model_len": 4096}, {"id": "a\x1b[31m"}, {"id": 3}, "x", {"id": "b"}],
}


def test_known_models_have_windows_prices_prefixes_and_keys(run: Run) -> None:
    result = run("models", "--json", env={"OPENAI_API_KEY": KEY})
    listed = {each["model"]: each for each in json.loads(result.stdout)}
    assert listed["gpt-4o"] == {
        "model": "gpt-4o",
        "window": 128_000,
        "input_price": 2.5,
        "output_price": 10.0,
        "key_variable": "OPENAI_API_KEY",
        "has_key": True,
    }
    assert listed["openrouter/anthropic/claude-3.5-sonnet"]["has_key"] is False
    assert len(listed) == len(list_known_models())
    assert KEY not in result.output


def test_words_choose_among_them(run: Run) -> None:
    result = run("models", "GPT-4O", "mini")
    lines = result.stdout.splitlines()
    assert len(lines) > 1
    assert all("gpt-4o" in line and "mini" in line for line in lines[1:])
    assert all(line.endswith("not set") for line in lines[1:])
    assert any(line.startswith("openrouter/openai/gpt-4o-mini ") for line in lines)
    assert lines[0].split() == ["model", "tokens", "in", "out", "key"]
    assert "OPENROUTER_API_KEY" in result.stderr
    assert run("models", "no-such-model-at-all").stdout == ""


def test_an_endpoint_is_asked_for_its_models(run: Run, server: Server) -> None:
    server.answer = lambda request: body(LIST)
    result = run("models", "--endpoint", server.base_url, env={"OPENAI_API_KEY": KEY})
    assert result.stdout.splitlines() == ["a  ? tokens", "b  4,096 tokens"]
    assert f"sending to 127.0.0.1:{server.port}" in result.stderr
    [request] = server.journal
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    found = json.loads(run("models", "b", "--base-url", server.base_url, "--json").stdout)  # as other commands name it
    assert found == [{"model": "b", "window": 4096}]


def test_an_endpoint_is_also_one_of_a_name(run: Run, server: Server) -> None:
    server.answer = lambda request: body(LIST)
    assert run("models", "--endpoint", "ollama", env={"OLLAMA_HOST": f"127.0.0.1:{server.port}"}).exit_code == 0
    assert server.journal[0].path == "/v1/models"
    unknown = run("models", "--endpoint", "lab")
    assert (unknown.exit_code, "one of openai, openrouter, ollama" in unknown.stderr) == (2, True)
    assert "set OPENROUTER_API_KEY" in run("models", "--endpoint", "openrouter").stderr


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (error(404, "Not Found"), "404"),
        (body({"object": "list"}), "sent no list of models"),
        (body([1, 2]), "sent no list of models"),
        (Response(200, (b"<html>hello</html>",), "text/html"), "sent no list of models"),
        (body(LIST).cut(20), "127.0.0.1"),
    ],
    ids=["wrong key", "no such path", "no list", "an array", "web page", "cut"],
)
def test_what_is_wrong_is_said_in_one_line(run: Run, server: Server, answer: Response, reason: str) -> None:
    server.answer = lambda request: answer
    result = run("models", "--endpoint", server.base_url, env={"OPENAI_API_KEY": KEY})
    assert (result.exit_code, result.stdout) == (1, "")
    assert reason in result.stderr.splitlines()[-1]
    assert KEY not in result.output


@pytest.mark.parametrize(
    ("model", "instead"),
    [
        ("claude-3-5-sonnet", "write openrouter/anthropic/claude-3.5-sonnet, or add --base-url"),
        ("my-model", "write openrouter/MAKER/my-model or ollama/my-model, or add --base-url"),
        ("gpt-4o", ""),
        ("gpt-99-that-is-too-new", ""),
        ("openrouter/x/y", ""),
        ("ollama/llama3.1", ""),
    ],
)
def test_a_model_without_a_prefix_is_taken_for_one_of_openai(model: str, instead: str) -> None:
    hint = find_missing_prefix_warning(model, {})
    assert (hint is not None and instead in hint) if instead else hint is None
    assert find_missing_prefix_warning(model, {"OPENAI_BASE_URL": "http://gpu/v1"}) is None


def test_the_assumed_provider_is_said_with_and_without_a_key(run: Run) -> None:
    words = ("plan", "paper.md", "-m", "claude-3-5-sonnet")
    refused = run(*words)
    assert refused.exit_code == 2
    told = " ".join(refused.stderr.split())
    assert "set OPENAI_API_KEY; claude-3-5-sonnet has no prefix, so it was taken for a model of OpenAI" in told
    assert "without a key, use `prompt` and `parse` with a chat window" in told
    estimate = run("batch", "paper.md", "-o", "run", "-m", "claude-3-5-sonnet", "--dry-run")
    assert "warning: claude-3-5-sonnet has no prefix" in estimate.stderr
