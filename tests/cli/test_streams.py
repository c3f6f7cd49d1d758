"""stdout carries data, stderr what is said; whatever a paper, a name or a reply holds, no terminal is steered."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.schema import Plan, Task
from planner.trajectory.format import Trajectory, render_trajectory
from tests.cli.conftest import DEMO, Run, Start
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.replies import as_asked, error
from tests.server.server import Server

# Clears the screen, sets the title (twice: as 7-bit and as 8-bit control), turns the line round, rings.
EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202etxt\u2066\x00\x08\x7f"
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NAME = EVIL.replace("\x00", "")


def at(server: Server) -> tuple[str, ...]:
    return ("--model", "some-model", "--base-url", server.base_url)


@pytest.fixture
def hostile(work_folder: Path) -> Path:
    """A folder of files that are named, titled and filled to steer; the working folder's paper is one of them."""
    text = DEMO.read_text(encoding="utf-8")
    text = text.replace("# Slack Water", f"# {EVIL}Slack Water", 1).replace("### 3.3 H", f"### 3.3 {EVIL} H")
    (work_folder / f"{NAME}.md").write_text(text.replace("gate", f"g{EVIL}ate"), encoding="utf-8")
    (work_folder / f"{NAME}broken.md").write_text(f"short {EVIL}", encoding="utf-8")
    plan = Plan.model_validate({"ablations": [GOOD_ABLATION]})
    sound = render_trajectory(Trajectory("lm-planner", "m", "x", Task.REVIEWER, "Because of REASONS.", plan))
    spoilt = sound.replace("REASONS", EVIL).replace("No gate", f"No {EVIL} gate").replace("MAE", f"M{EVIL}AE")
    (work_folder / f"{NAME}trajectory.md").write_text(spoilt, encoding="utf-8")
    (work_folder / f"{NAME}plan.json").write_text(json.dumps([{EVIL: 1, "name": EVIL}]), encoding="utf-8")
    return work_folder


def is_calm(*texts: str) -> bool:
    return not any(STEERING.search(text.replace("\r\n", "\n")) for text in texts)


@pytest.mark.parametrize(
    "words",
    [
        ("plan", f"{NAME}.md"),
        ("plan", f"{NAME}.md", "--json"),
        ("plan", f"{NAME}.md", "-v", "--title", EVIL.replace("\x00", "")),
        ("plan", f"{NAME}.md", "--id", NAME),
        ("plan", f"{NAME}broken.md"),
        ("plan", f"{NAME}gone.md", f"{NAME}gone too.md"),
        ("plan", f"{NAME}gone.md"),
        ("plan", "paper.md", "-o", f"{NAME}out"),
        ("plan", "paper.md", "--task", "author", "--cut-at", NAME),
        ("plan", "paper.md", "--task", NAME),
        ("plan", "paper.md", "--model", NAME),
        ("paper", f"{NAME}.md"),
        ("paper", f"{NAME}.md", "--to", "json"),
        ("paper", f"{NAME}.md", "--to", "text"),
        ("prompt", f"{NAME}.md"),
        ("prompt", f"{NAME}.md", "--to", "text", "--task", "author"),
        ("show", f"{NAME}trajectory.md"),
        ("show", f"{NAME}trajectory.md", "--to", "md", "-o", f"{NAME}out"),
        ("show", f"{NAME}trajectory.md", "--to", "md"),
        ("show", f"{NAME}trajectory.md", "--to", "json"),
        ("show", f"{NAME}trajectory.md", "--to", "jsonl"),
        ("show", f"{NAME}trajectory.md", "--to", "html"),
        ("show", f"{NAME}broken.md", f"{NAME}gone.md"),
        ("check", f"{NAME}trajectory.md", f"{NAME}broken.md", f"{NAME}plan.json", f"{NAME}gone.md"),
        ("check", f"{NAME}gone.md"),
        ("batch", ".", "-o", "run", "--dry-run"),
        ("batch", ".", "-o", "run", "--dry-run", "--json"),
        ("batch", f"{NAME}gone", "-o", "run"),
        ("status", NAME),
        ("export", NAME, "--to", "csv", "x.csv"),
        ("site", NAME, "-o", "site"),
        ("site", ".", "-o", f"{NAME}site"),
        (NAME,),
        ("plan", f"--{NAME}"),
    ],
)
def test_no_name_title_or_text_steers_a_terminal(run: Run, hostile: Path, words: tuple[str, ...]) -> None:
    result = run(*words)
    assert is_calm(result.stdout, result.stderr)
    assert result.output


def test_no_reply_steers_a_terminal(run: Run, server: Server) -> None:
    evil = contract(f"Because {EVIL} of it.", [{**GOOD_ABLATION, "name": f"No {EVIL} gate"}])
    server.answer = lambda request: as_asked(request, evil, model=f"m{EVIL}")
    planned = run("plan", "paper.md", *at(server), "-v")
    assert planned.exit_code == 0
    shown = [run("show", planned.stdout.strip(), "--to", form) for form in ("text", "json", "md", "html")]
    asked = run("demo", *at(server), "-o", "demo")
    for result in (planned, asked, *shown):
        assert is_calm(result.stdout, result.stderr)
    assert "control characters" in planned.stderr, "what was taken out is said"


@pytest.mark.parametrize("command", [("plan", "paper.md"), ("doctor",)])
def test_no_endpoint_steers_a_terminal(run: Run, server: Server, command: tuple[str, ...]) -> None:
    server.answer = lambda request: error(400, f"bad {EVIL} request", code=f"code{EVIL}")
    result = run(*command, *at(server), "-v")
    assert result.exit_code == 1
    assert is_calm(result.stdout, result.stderr)
    assert "request" in result.output


def test_a_log_file_is_as_calm_as_the_terminal(run: Run, hostile: Path) -> None:
    assert run("plan", f"{NAME}.md", f"{NAME}broken.md", "--log-file", "logs/log.txt", "-q").exit_code == 1
    assert is_calm((hostile / "logs" / "log.txt").read_text(encoding="utf-8"))


def only_data(text: str, path: Path) -> bool:
    return all((path / line).is_file() for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "is_data"),
    [
        (("plan", "paper.md", "-v"), lambda out, work_folder: only_data(out, work_folder) and out),
        (("plan", "gone.md", "paper.md"), lambda out, work_folder: only_data(out, work_folder) and out),
        (("plan", "paper.md", "--json", "-v"), lambda out, work_folder: json.loads(out)["outcome"] == "planned"),
        (("prompt", "paper.md", "-v"), lambda out, work_folder: json.loads(out)["messages"]),
        (("paper", "paper.md", "--to", "json", "-v"), lambda out, work_folder: json.loads(out)["sections"]),
        (("schema",), lambda out, work_folder: json.loads(out)["properties"]),
        (("batch", ".", "-o", "run", "--dry-run", "--json"), lambda out, work_folder: json.loads(out)["papers"]),
    ],
)
def test_stdout_is_data(
    run: Run, work_folder: Path, words: tuple[str, ...], is_data: Callable[[str, Path], bool]
) -> None:
    assert is_data(run(*words).stdout, work_folder)


def test_quiet_says_only_errors_and_verbose_more(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    plain, quiet, verbose = (
        run("plan", "paper.md", *at(server), "--price", "1,1", "-o", f"out{words}", *words).stderr
        for words in ((), ("-q",), ("-v",))
    )
    assert quiet == ""
    assert "sending to 127.0.0.1" in plain
    assert "planned 1 ablation" in plain
    assert set(plain.splitlines()) <= set(verbose.splitlines())
    detailed = run("plan", "paper.md", *at(server), "--price", "1,1", "-o", "detailed", "-vv").stderr
    assert re.search(r"^\d{4}-\d\d-\d\d [\d:,]{12} planner\S*: sending to 127", detailed, re.MULTILINE)
    failed = run("plan", "gone.md", "gone too.md", "-q")
    assert [line.partition(":")[0] for line in failed.stderr.splitlines()] == ["error", "error"]


def test_the_log_file_has_everything_with_its_time_and_grows(run: Run, work_folder: Path) -> None:
    for times in (1, 2):
        run("plan", "paper.md", "gone.md", "--log-file", "deep/log.txt", "-q")
        lines = (work_folder / "deep" / "log.txt").read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if "planned 2 ablations" in line]) == times
        assert len([line for line in lines if " ERROR gone.md: no such file" in line]) == times
        assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ", line) for line in lines)


def test_a_usage_error_leaves_no_new_log_file(run: Run, work_folder: Path) -> None:
    wrong = ("plan", "paper.md", "other.md", "--title", "One", "--log-file", "log.txt")
    assert run(*wrong).exit_code == 2
    assert not (work_folder / "log.txt").exists()
    (work_folder / "log.txt").write_text("from an earlier command\n", encoding="utf-8")
    assert run(*wrong).exit_code == 2
    assert (work_folder / "log.txt").read_text(encoding="utf-8") == "from an earlier command\n"


def test_the_host_is_named_before_the_first_request(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    said = run("plan", "paper.md", *at(server)).stderr
    assert said.index("sending to 127.0.0.1") < said.index("planned")
    assert "sending" not in run("plan", "paper.md", "-o", "other").stderr, "the built-in planner sends nothing"


def test_a_reader_that_has_gone_ends_the_program_quietly(start: Start, work_folder: Path) -> None:
    process = start("paper", "paper.md", "--to", "json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said
    assert "Error" not in said


def test_json_says_what_was_there_though_nothing_of_it_is_bare(run: Run, hostile: Path) -> None:
    """Escapes change no value: a program reads the characters that the file holds."""
    told = json.loads(run("show", f"{NAME}trajectory.md", "--to", "json").stdout)
    assert "\x9b31m\u202etxt\u2066" in told["ablations"][0]["name"]
