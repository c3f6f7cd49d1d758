"""Every option does what it says: on the wire, in the prompt, in the files; the environment may say it too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest

from planner import __version__
from tests.cli.conftest import Run
from tests.commands import commands
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.replies import as_asked, error
from tests.server.server import Server

COMMANDS = {
    *("plan", "demo", "prompt", "parse", "paper", "show", "check", "schema"),
    *("doctor", "batch", "status", "collect", "merge", "export", "import", "site", "combine"),
    *("mcp", "serve", "skill", "models", "config", "completion", "help"),
}
THREE = contract("Why.", [{**GOOD_ABLATION, "name": f"Number {number}"} for number in range(3)])


@pytest.fixture
def answering(server: Server) -> Server:
    """The server, with a good plan for everybody."""
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    return server


def at(server: Server, model: str = "some-model") -> tuple[str, ...]:
    return ("--model", model, "--base-url", server.base_url)


def sidecar(output: str) -> dict[str, Any]:
    """The sidecar of the one paper that `--json` told of."""
    told = json.loads(output)
    facts: dict[str, Any] = json.loads(Path(told["sidecar"]).read_text(encoding="utf-8"))
    return facts


def test_every_command_is_there_and_explains_itself(run: Run) -> None:
    assert set(commands()) == COMMANDS
    listed = run("--help").stdout
    for name, command in commands().items():
        assert f"  {name} " in listed
        for asked in ("--help", "-h"):
            result = run(name, asked)
            assert result.exit_code == 0
            assert result.stdout.startswith(f"Usage: ablation-planner {name}")
            for parameter in command.params:
                assert any(word in result.stdout for word in (*parameter.opts, parameter.make_metavar(_context(name))))


def _context(name: str) -> Any:
    return commands()[name].make_context(name, [], resilient_parsing=True)


def test_every_option_says_what_it_is_for() -> None:
    silent = [
        f"{name} {option.opts[-1]}"
        for name, command in commands().items()
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", "")
    ]
    assert silent == []


def test_the_version(run: Run) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"ablation-planner, version {__version__}\n")


@pytest.mark.parametrize("words", [(), ("nonsense",), ("plan",), ("batch",), ("site",), ("export", "x")])
def test_no_sense_is_wrong_usage_and_prints_no_data(run: Run, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        ((), {}),
        (("--temperature", "0.3"), {"temperature": 0.3}),
        (("--temperature", "0"), {"temperature": 0.0}),
        (("--reasoning-effort", "high"), {"reasoning_effort": "high"}),
        (("--max-tokens", "4000"), {"max_tokens": 4000}),
        (("--temperature", "1", "--max-tokens", "9"), {"temperature": 1.0, "max_tokens": 9}),
    ],
)
def test_what_was_not_asked_for_is_not_sent(
    run: Run, answering: Server, words: tuple[str, ...], sent: Mapping[str, object]
) -> None:
    result = run("plan", "paper.md", *at(answering), "--json", *words)
    assert result.exit_code == 0
    body = answering.journal[0].json
    extra = {name: value for name, value in body.items() if name not in ("model", "messages", "stream")}
    extra.pop("stream_options", None)
    assert {name.replace("max_completion_tokens", "max_tokens"): value for name, value in extra.items()} == sent
    assert sidecar(result.stdout)["parameters"] == sent


@pytest.mark.parametrize(("word", "streamed"), [("--stream", True), ("--no-stream", False)])
def test_streaming_is_a_choice(run: Run, answering: Server, word: str, streamed: bool) -> None:
    assert run("plan", "paper.md", *at(answering), word).exit_code == 0
    assert bool(answering.journal[0].json.get("stream")) is streamed


@pytest.mark.parametrize(("task", "k"), [("reviewer", 2), ("author", 5)])
def test_each_task_has_its_number_of_ablations(run: Run, task: str, k: int) -> None:
    told = sidecar(run("plan", "paper.md", "--task", task, "--json").stdout)
    assert (told["task"], told["k"]) == (task, k)
    upper = sidecar(run("plan", "paper.md", "--task", task.upper(), "--json", "-o", "upper").stdout)
    assert upper["task"] == task


@pytest.mark.parametrize("k", [1, 2, 50])
def test_no_plan_is_longer_than_k(run: Run, server: Server, k: int) -> None:
    server.answer = lambda request: as_asked(request, THREE)
    told = json.loads(run("plan", "paper.md", *at(server), "-k", str(k), "--json").stdout)
    plan = run("show", told["trajectory"], "--to", "jsonl").stdout.splitlines()
    assert [json.loads(line)["name"] for line in plan] == [f"Number {number}" for number in range(min(k, 3))]
    assert (f"3 ablations were given; only the first {k} are kept" in told["warnings"]) == (k < 3)


@pytest.mark.parametrize("words", [("-k", "51"), ("-k", "-1"), ("--timeout", "0"), ("--max-wait", "-1")])
def test_a_number_that_makes_no_sense_is_wrong_usage(run: Run, answering: Server, words: tuple[str, ...]) -> None:
    assert run("plan", "paper.md", *at(answering), *words).exit_code == 2
    assert answering.journal == []


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ABLATION_PLANNER_TASK", "author", ("--task", "author")),
        ("ABLATION_PLANNER_K", "7", ("-k", "7")),
        ("ABLATION_PLANNER_CONTEXT_WINDOW", "9000", ("--context-window", "9000")),
        ("ABLATION_PLANNER_PROMPTS", "prompts", ("--prompts", "prompts")),
    ],
)
def test_the_environment_asks_as_the_option_does(
    run: Run, work_folder: Path, variable: str, value: str, words: tuple[str, ...]
) -> None:
    (work_folder / "prompts").mkdir()
    for task in ("reviewer", "author"):
        for role in ("system", "user"):
            (work_folder / "prompts" / f"{task}_{role}.jinja").write_text("{{ k }}", encoding="utf-8")
    plain, by_environment, by_option = (
        run("prompt", "paper.md"),
        run("prompt", "paper.md", env={variable: value}),
        run("prompt", "paper.md", *words),
    )
    assert by_environment.output == by_option.output
    assert by_environment.output != plain.output or variable.endswith("WINDOW")


def test_the_environment_names_model_address_key_price_and_folder(
    run: Run, work_folder: Path, answering: Server
) -> None:
    env = {
        "OPENAI_API_KEY": "sk-of-the-environment",
        "OPENAI_BASE_URL": answering.base_url,
        "ABLATION_PLANNER_MODEL": "of-the-environment",
        "ABLATION_PLANNER_PRICE": "1000,0",
        "ABLATION_PLANNER_OUTPUT": "of-the-environment",
        "ABLATION_PLANNER_TIMEOUT": "60",
        "ABLATION_PLANNER_MAX_WAIT": "0",
    }
    told = json.loads(run("plan", "paper.md", "--json", env=env).stdout)
    assert told["trajectory"].startswith("of-the-environment/lm-planner/of-the-environment/")
    assert told["cost"] == pytest.approx(1.0), "a thousand tokens at a thousand dollars a million"
    assert answering.journal[0].headers["authorization"] == "Bearer sk-of-the-environment"
    by_option = run("plan", "paper.md", "--json", "-m", "m", "-o", "mine", "--price", "2000,0", env=env).stdout
    assert json.loads(by_option)["trajectory"].startswith("mine/lm-planner/m/")
    assert json.loads(by_option)["cost"] == pytest.approx(2.0)


def test_patience_is_counted_in_seconds_that_the_user_gives(run: Run, server: Server) -> None:
    server.answer = lambda request: error(429, "slow down", headers={"Retry-After": "30"})
    result = run("plan", "paper.md", *at(server), "--max-wait", "0", "--json")
    assert json.loads(result.stdout)["outcome"] == "model_error"
    assert len(server.journal) == 1


def test_a_model_that_never_answers_is_given_up(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY).hanging()
    result = run("plan", "paper.md", *at(server), "--timeout", "0.2", "--max-wait", "0", "--json")
    assert (result.exit_code, json.loads(result.stdout)["outcome"]) == (1, "model_error")
    assert len(server.journal) == 1


@pytest.mark.parametrize("words", [("--offline",), ()])
def test_offline_sends_nothing(run: Run, answering: Server, words: tuple[str, ...]) -> None:
    env = {} if words else {"ABLATION_PLANNER_OFFLINE": "1"}
    assert run("plan", "paper.md", *at(answering), *words, env=env).exit_code == 2
    fetched = run("plan", "2507.08038", *words, env=env)
    assert fetched.exit_code == 1
    assert "offline" in fetched.stderr
    assert run("plan", "paper.md", "--model", "extractive", *words, env=env).exit_code == 0
    assert answering.journal == []


def test_the_built_in_planner_is_asked_by_name_whatever_the_environment(run: Run, answering: Server) -> None:
    env = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": answering.base_url, "ABLATION_PLANNER_MODEL": "m"}
    result = run("plan", "paper.md", "--model", "extractive", "--json", env=env)
    facts = sidecar(result.stdout)
    assert (facts["planner"], facts["model"], facts["cost"]) == ("extractive-planner", "builtin", 0.0)
    assert answering.journal == []


def test_title_abstract_and_id_stand_above_what_was_found(run: Run) -> None:
    words = ("--title", "A Better Title", "--abstract", "We do better.", "--id", "better")
    understood = json.loads(run("paper", "paper.md", *words, "--to", "json").stdout)
    assert (understood["id"], understood["title"], understood["abstract"]) == (
        "better",
        "A Better Title",
        "We do better.",
    )
    messages = json.loads(run("prompt", "paper.md", *words).stdout)["messages"]
    assert "A Better Title" in messages[1]["content"]
    assert "We do better." in messages[1]["content"]
    told = json.loads(run("plan", "paper.md", *words, "--json").stdout)
    assert (told["paper_id"], told["title"]) == ("better", "A Better Title")
    assert told["trajectory"].endswith("/better.md")


def test_cut_at_names_the_end_of_the_method(run: Run) -> None:
    whole = run("paper", "paper.md", "--task", "author", "--to", "text").stdout
    earlier = run("paper", "paper.md", "--task", "author", "--cut-at", "3.4 Phase Consistency Loss", "--to", "text")
    assert earlier.exit_code == 0
    assert len(earlier.stdout) < len(whole)
    assert "3.3 Harmonic Residual Gate" in earlier.stdout
    assert "3.4 Phase Consistency Loss" not in earlier.stdout


def test_the_prompt_is_the_same_text_in_both_forms_and_its_hash_that_of_the_plan(run: Run, answering: Server) -> None:
    told = json.loads(run("prompt", "paper.md").stdout)
    assert list(told) == ["messages", "sha256"]
    text = run("prompt", "paper.md", "--to", "text").stdout
    assert text == "\n\n".join(message["content"] for message in told["messages"]) + "\n"
    facts = sidecar(run("plan", "paper.md", *at(answering), "--json").stdout)
    assert facts["prompt_sha256"] == told["sha256"]
    assert answering.journal[0].json["messages"] == told["messages"]


def test_json_of_several_papers_is_a_line_each_with_the_same_keys(run: Run, work_folder: Path) -> None:
    (work_folder / "empty.md").write_bytes(b"")
    result = run("plan", "paper.md", "empty.md", "--json")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [each["outcome"] for each in told] == ["planned", "paper_error"]
    keys = ("source", "paper_id", "title", "outcome", "reason", "trajectory", "sidecar", "cost", "warnings")
    assert {tuple(each) for each in told} == {keys}
    assert told[1]["trajectory"] is None
    assert all(Path(each["sidecar"]).exists() for each in told)


def test_parse_writes_under_the_model_that_it_is_told(run: Run, work_folder: Path) -> None:
    words = ("--paper", "paper.md", "--id", "mine", "-o", "out", "--task", "author", "--json")
    told = json.loads(run("parse", "-", *words, "--model", "acme/chat-3.5", stdin=GOOD_REPLY).stdout)
    assert told["trajectory"] == "out/lm-planner/acme_chat-35/mine.md"
    assert told["cost"] is None
    shown = json.loads(run("show", told["trajectory"], "--to", "json").stdout)
    assert (shown["model"], shown["paper_id"], shown["task"]) == ("acme/chat-3.5", "mine", "author")


def test_parse_takes_the_paper_from_stdin(run: Run, work_folder: Path) -> None:
    (work_folder / "reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    result = run("parse", "reply.txt", "--paper", "-", "--id", "mine", stdin=(work_folder / "paper.md").read_bytes())
    assert result.stdout == "trajectories/lm-planner/pasted/mine.md\n"


@pytest.mark.parametrize(
    ("text", "outcome"), [("", "empty"), ("I will think about it.", "invalid"), (GOOD_REPLY[:-40], "truncated")]
)
def test_parse_asks_nobody_again(run: Run, text: str, outcome: str) -> None:
    result = run("parse", "-", "--paper", "paper.md", "--json", stdin=text)
    told = json.loads(result.stdout)
    assert (result.exit_code, told["outcome"], told["trajectory"]) == (1, outcome, None)
    assert len(sidecar(result.stdout)["attempts"]) == 1


def test_demo_writes_where_it_is_told_and_takes_the_task(run: Run, work_folder: Path) -> None:
    result = run("demo", "--task", "author", "-k", "1", "-o", "out")
    [path] = (work_folder / "out").rglob("*.md")
    assert str(path.relative_to(work_folder)) in result.stdout
    shown = json.loads(run("show", str(path), "--to", "json").stdout)
    assert (shown["task"], len(shown["ablations"])) == ("author", 1)


def test_the_help_names_every_variable_that_stands_for_an_option() -> None:
    for name, command in commands().items():
        # With the names of --help, as click keeps those that it is asked for first.
        names = ["-h", "--help"]
        context = click.Context(command, terminal_width=1000, max_content_width=1000, help_option_names=names)
        told = command.get_help(context)
        for option in command.params:
            for variable in [option.envvar] if isinstance(option.envvar, str) else option.envvar or []:
                assert f"env var: {variable}" in told, f"{name} {option.name}"
