"""`--strategy revise` over the command line: by hand with `parse`, with a model, and in the estimate of a run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.scripted import contract
from tests.server.replies import as_asked
from tests.server.server import Server

SOUND: dict[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "metrics": ["MAE", "STE"],
    "evidence": "The mean value of the gate over the test period is 0.31.",
    "chance": 80,
}
INVENTED = {**SOUND, "evidence": "Our astounding flux capacitor doubles every single score that we ever report."}
FOREIGN = {**SOUND, "name": "No capacitor", "ablated_part": "quantum flux capacitor", "chance": 70}
WHY = "Finding 1: mended, because the sentence is another.\nFinding 2: withdrawn, because there is none."
DRAFT, REVISED, FAULTLESS = contract("Why.", [INVENTED, FOREIGN]), contract(WHY, [SOUND]), contract("Why.", [SOUND])
MESSAGE = "A program has compared your plan with the paper."


@pytest.fixture(autouse=True)
def replies(work_folder: Path) -> None:
    for name, text in (("draft", DRAFT), ("revised", REVISED), ("faultless", FAULTLESS), ("none", "I will not.")):
        (work_folder / f"{name}.txt").write_text(text, encoding="utf-8")


def parse(run: Run, *words: str, code: int = 0, stdin: str | None = None) -> tuple[list[str], str]:
    """The lines of stdout, and stderr."""
    done = run("parse", *words, "--paper", "paper.md", "--model", "chat", "--strategy", "revise", stdin=stdin)
    assert done.exit_code == code, done.output
    return done.stdout.splitlines(), done.stderr


def record(path: str) -> Any:
    return json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))


def test_a_reply_without_faults_needs_no_second_message(run: Run) -> None:
    lines, stderr = parse(run, "faultless.txt")
    assert len(lines) == 1
    assert "a revision is needed" not in stderr
    assert "revisions" not in record(lines[0])


def test_a_reply_with_faults_gives_the_message_to_send(run: Run) -> None:
    (path, _, first, *rest), stderr = parse(run, "draft.txt")
    assert first.startswith(MESSAGE)
    assert any("flux capacitor doubles" in line for line in rest)
    assert "a revision is needed because of 2 findings: quote absent, part not found" in stderr
    assert "send this message in the same conversation" in stderr
    assert "No capacitor" in Path(path).read_text(encoding="utf-8")


def test_the_second_reply_gives_the_revised_plan(run: Run) -> None:
    (draft_path, *_), _ = parse(run, "draft.txt")
    (path,), stderr = parse(run, "draft.txt", "revised.txt")
    assert path == draft_path
    assert "revised: 2 findings, 1 mended, 1 withdrawn" in stderr
    assert "No capacitor" not in Path(path).read_text(encoding="utf-8")
    revisions = [(each["name"], each["response"], each["why"]) for each in record(path)["revisions"]]
    assert revisions == [
        ("No gate", "mended", "the sentence is another."),
        ("No capacitor", "withdrawn", "there is none."),
    ]
    shown = run("show", path).stdout
    assert "the sentence is another." in shown.split("revised:")[1]


def test_a_second_reply_that_is_no_plan_leaves_the_draft(run: Run) -> None:
    (path,), stderr = parse(run, "draft.txt", "none.txt")
    assert "the plan was not revised" in stderr
    assert "No capacitor" in Path(path).read_text(encoding="utf-8")


def test_a_second_reply_that_no_fault_asks_for_is_named(run: Run) -> None:
    _, stderr = parse(run, "faultless.txt", "revised.txt")
    assert "revised.txt is not needed, since the program finds no fault in the plan of faultless.txt" in stderr


@pytest.mark.parametrize(
    ("words", "stdin"), [(("-", "revised.txt"), DRAFT), (("draft.txt", "-"), REVISED)], ids=["first", "second"]
)
def test_either_reply_can_come_from_stdin(run: Run, words: tuple[str, ...], stdin: str) -> None:
    (path,), _ = parse(run, *words, stdin=stdin)
    assert len(record(path)["revisions"]) == 2


def test_two_replies_from_stdin_are_refused(run: Run) -> None:
    _, stderr = parse(run, "-", "-", code=2, stdin=DRAFT)
    assert "only one of REPLY, REVISED and --paper can be read from stdin" in stderr


def test_a_second_reply_without_the_strategy_is_refused(run: Run, work_folder: Path) -> None:
    done = run("parse", "draft.txt", "revised.txt", "--paper", "paper.md")
    assert done.exit_code == 2
    assert "--strategy revise" in done.stderr
    assert not (work_folder / "trajectories").exists()


def test_json_alone_stands_on_stdout(run: Run) -> None:
    (line,), stderr = parse(run, "draft.txt", "--json")
    assert json.loads(line)["outcome"] == "planned"
    assert MESSAGE in stderr


def test_the_message_cannot_steer_a_terminal(run: Run, work_folder: Path) -> None:
    hostile = {**FOREIGN, "ablated_part": "a \x1b[2J\x1b]0;owned\x07 capacitor \u202e of flux"}
    (work_folder / "hostile.txt").write_text(contract("Why.", [hostile]), encoding="utf-8")
    lines, stderr = parse(run, "hostile.txt")
    assert not set("\x1b\x07\u202e") & set("".join(lines) + stderr)


def test_a_model_is_asked_again_and_the_user_is_told(run: Run, server: Server) -> None:
    env = {"OPENAI_API_KEY": "sk-x", "OPENAI_BASE_URL": server.base_url, "ABLATION_PLANNER_MODEL": "m"}
    server.answer = lambda request: as_asked(request, DRAFT if len(request.json["messages"]) == 2 else REVISED)
    done = run("plan", "paper.md", "--strategy", "revise", env=env)
    assert done.exit_code == 0, done.stderr
    asked, told = (done.stderr.index(words) for words in ("because of 2 findings", "revised: 2 findings"))
    assert asked < told
    again = run("plan", "paper.md", "--strategy", "revise", env=env)
    assert again.stdout == done.stdout
    assert len(server.journal) == 2


def test_the_built_in_planner_says_that_it_cannot_revise(run: Run) -> None:
    done = run("plan", "paper.md", "--strategy", "revise", "--task", "author", "--model", "extractive")
    assert done.exit_code == 0
    assert ("the built-in planner cannot revise its plan" in done.stderr) == ("a revision is needed" in done.stderr)


def test_an_estimate_prices_both_requests(run: Run, server: Server) -> None:
    words = ("batch", "paper.md", "-o", "run", "--model", "m", "--price", "1,1", "--dry-run", "--json")

    def estimate(strategy: str) -> Any:
        done = run(*words, "--base-url", server.base_url, "--strategy", strategy)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)["models"][0]

    single, revise = estimate("single"), estimate("revise")
    assert revise["tokens"] > 2 * single["tokens"]
    assert revise["cost"] > 2 * single["cost"]
    assert not server.journal
