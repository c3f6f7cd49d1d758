"""Errors that a user can act on: which thing, what was wrong, what to do; no traceback; the right exit code."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.trajectory.format import render_trajectory
from tests.cli.conftest import DEMO, Run, Start
from tests.scripted import GOOD_ABLATION, GOOD_REPLY
from tests.server.replies import as_asked, error
from tests.server.server import Server
from tests.site.made import trajectory


def write(content: bytes, name: str) -> Callable[[Path], None]:
    return lambda work_folder: (work_folder / name).write_bytes(content) and None


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plan", "nothing.pdf"), 2, ["nothing.pdf", "no such file"]),
        (("plan", "paper.md", "-k", "0"), 2, ["-k 0", "1 to"]),
        (("plan", "paper.md", "-k", "x"), 2, ["-k", "integer"]),
        (("plan", "paper.md", "--task", "editor"), 2, ["editor", "reviewer"]),
        (("plan", "paper.md", "--nonsense"), 2, ["--nonsense"]),
        (("plan", "paper.md", "--model", "gpt-4o"), 2, ["OPENAI_API_KEY"]),
        (("plan", "paper.md", "--base-url", "http://localhost:9/v1"), 2, ["--model", "ABLATION_PLANNER_MODEL"]),
        (("plan", "paper.md", "--model", "m", "--base-url", "ftp://x/v1"), 2, ["--base-url", "http"]),
        (("plan", "paper.md", "--model", "m", "--base-url", "http://localhost:9/v1", "--offline"), 2, ["--offline"]),
        (
            ("plan", "paper.md", "--model", "m", "--base-url", "http://x/v1", "--price", "cheap"),
            2,
            ["cheap", "IN,OUT"],
        ),
        (("plan", "a.md", "b.md", "--title", "One"), 2, ["--title", "one paper"]),
        (("prompt", "nothing.md"), 2, ["nothing.md"]),
        (("plan", ""), 2, ["no such file"]),
        (("plan", "x" * 5000), 2, ["no such file"]),
        (("plan", "x\0y.md"), 2, ["no such file"]),
        (("parse", "paper.md", "--paper", "nothing.md"), 2, ["nothing.md", "no such file"]),
        (("parse", "paper.md", "--paper", "paper.md", "--model", " "), 2, ["--model"]),
        (("parse", "-", "--paper", "-"), 2, ["REPLY", "--paper", "stdin"]),
        (("parse", "reply.txt", "--paper", "paper.md", "-o", "paper.md/sub"), 1, ["paper.md/sub", "directory"]),
        (("plan", "paper.md", "--log-file", "paper.md/log"), 1, ["paper.md"]),
        (("show", "nothing.md"), 2, ["nothing.md"]),
        (("show", "paper.md"), 1, ["paper.md"]),
        (("plan", "paper.md", "--prompts", "."), 1, ["jinja"]),
        (
            ("plan", "paper.md", "--task", "author", "--cut-at", "No Such Heading"),
            1,
            ["No Such Heading", "Experiments"],
        ),
    ],
)
def test_the_message_says_what_and_what_to_do(run: Run, words: tuple[str, ...], code: int, said: list[str]) -> None:
    Path("reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    result = run(*words)
    assert result.exit_code == code, result.output
    for part in said:
        assert part in result.stderr


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "empty.md", "empty"),
        (b"Too short to be a paper.", "short.md", "500"),
        (b"", "empty.pdf", "empty"),
        (b"<!DOCTYPE html><html><body>Sign in to read this paper</body></html>", "page.pdf", "500"),
        (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog", "cut.pdf", "cut.pdf"),
        (b"\x00\x01\x02" * 400, "junk.bin", "junk.bin"),
    ],
)
def test_an_unreadable_paper_fails_with_its_reason(
    run: Run, work_folder: Path, content: bytes, name: str, said: str
) -> None:
    (work_folder / name).write_bytes(content)
    result = run("plan", name)
    assert result.exit_code == 1
    assert said in result.stderr
    assert name in result.stderr


def test_a_folder_without_a_paper(run: Run, work_folder: Path) -> None:
    (work_folder / "folder").mkdir()
    result = run("plan", "folder")
    assert result.exit_code == 1
    assert "folder" in result.stderr


def test_a_wrong_key_names_the_variable(run: Run, server: Server) -> None:
    server.script(error(401, "Incorrect API key provided", code="invalid_api_key"))
    env = {"OPENAI_API_KEY": "sk-wrong", "OPENAI_BASE_URL": server.base_url}
    result = run("plan", "paper.md", "--model", "gpt-4o", env=env)
    assert result.exit_code == 1
    assert "OPENAI_API_KEY" in result.stderr


def test_an_unknown_model_is_named(run: Run, server: Server) -> None:
    server.script(error(404, "The model `gpt-9` does not exist", code="model_not_found"))
    result = run("plan", "paper.md", "--model", "gpt-9", "--base-url", server.base_url)
    assert result.exit_code == 1
    assert "gpt-9" in result.stderr
    assert len(server.journal) == 1


def test_an_endpoint_where_nobody_listens(run: Run, server: Server) -> None:
    closed = "http://127.0.0.1:9/v1"
    result = run("plan", "paper.md", "--model", "m", "--base-url", closed, "--max-wait", "0")
    assert result.exit_code == 1
    assert "127.0.0.1:9" in result.stderr


def test_doctor_says_whether_the_model_answers(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, "ready")
    good = run("doctor", "--model", "m", "--base-url", server.base_url)
    assert (good.exit_code, len(server.journal)) == (0, 1)
    server.answer = lambda request: error(401, "no")
    assert run("doctor", "--model", "m", "--base-url", server.base_url).exit_code == 1
    assert run("doctor").exit_code == 0


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("good.json", json.dumps({"ablations": [GOOD_ABLATION]}), ""),
        ("good.jsonl", f"{json.dumps(GOOD_ABLATION)}\n\n", ""),
        ("cut.jsonl", f"{json.dumps(GOOD_ABLATION)}\n{{", "cut.jsonl: not JSON: line 2: "),
        ("cut.json", "[{]", "cut.json: not JSON: "),
        ("rule.json", json.dumps([{**GOOD_ABLATION, "metrics": []}]), "metrics must not be empty"),
        ("facts.json", json.dumps({"format_version": "ablation-planner-1"}), "holds no plan; give the trajectory"),
    ],
)
def test_check_says_what_is_wrong_with_a_plan(run: Run, work_folder: Path, name: str, content: str, said: str) -> None:
    (work_folder / name).write_text(content, encoding="utf-8")
    result = run("check", name)
    assert result.exit_code == (1 if said else 0)
    assert said in result.stdout
    assert bool(result.stdout) == bool(said)


@pytest.mark.skipif(sys.platform == "darwin", reason="there a file's name is always Unicode")
def test_a_file_whose_name_is_no_unicode(start: Start, work_folder: Path) -> None:
    name = os.fsdecode(b"\xff.md")
    (work_folder / name).write_bytes(DEMO.read_bytes())
    (work_folder / os.fsdecode(b"\xfe.md")).write_bytes(b"")
    process = start("plan", name, os.fsdecode(b"\xfe.md"), "--json")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["planned", "paper_error"]


@pytest.mark.parametrize("words", [("--json",), ()])
def test_a_terminal_with_another_encoding(start: Start, work_folder: Path, words: tuple[str, ...]) -> None:
    process = start("plan", "paper.md", "--title", "漢字", *words, env={"PYTHONIOENCODING": "latin-1"})
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "\\u6f22\\u5b57" in out


def test_doctor_ends_on_ctrl_c(start: Start, server: Server) -> None:
    server.answer = lambda request: as_asked(request, "ready").hanging()
    process = start("doctor", "--model", "m", "--base-url", server.base_url)
    while not server.journal:
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words", [("show", "plans"), ("combine", "plans", ".", "-o", "x"), ("export", "plans", "x", "--to", "csv")]
)
def test_a_name_of_a_file_makes_up_no_line(run: Run, work_folder: Path, words: tuple[str, ...]) -> None:
    Path("plans").mkdir()
    Path("plans", "good.md").write_text(render_trajectory(trajectory()), encoding="utf-8")
    Path("plans", "a\nplanned 9 ablations.md").write_text("no plan", encoding="utf-8")
    result = run(*words)
    assert "planned 9 ablations" in result.stderr
    assert not [line for line in result.output.splitlines() if line.startswith("planned")]
