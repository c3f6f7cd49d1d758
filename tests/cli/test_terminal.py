"""A user sees colours, progress, a preview and the next step on a terminal, and plain words elsewhere."""

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DEMO, Run, Start
from tests.cli.terminal_pictures import draw_picture, draw_screen, run_on_terminal
from tests.commands import commands
from tests.conftest import ROOT
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.replies import as_asked, error, stream
from tests.server.server import Server

COLOUR = re.compile(r"\x1b\[[0-9;]+m")
GROUPS = ("One paper", "Many papers", "Read and share", "Set up and check", "Shells and coding agents")
UNLIKELY = {**GOOD_ABLATION, "name": "Fewer patches", "ablated_part": "patch encoder", "chance": 10}
INVALID = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])


def at(server: Server, model: str = "some-model") -> tuple[str, ...]:
    return ("--model", model, "--base-url", server.base_url)


def read_json(path: str) -> Any:
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_a_plan_on_a_terminal_is_coloured_wrapped_and_followed_by_the_next_step(work_folder: Path) -> None:
    code, written = run_on_terminal(("plan", "paper.md", "--id", "x", "-k", "7"), work_folder, width=60)
    screen = draw_screen(written)
    assert code == 0
    assert COLOUR.search(written)
    lines = COLOUR.sub("", screen).splitlines()
    assert all(len(line) <= 60 or " " not in line.strip() for line in lines[:-1]), lines
    path = lines.index("trajectories/extractive-planner/builtin/x.md")
    assert re.match(r"1\. \w", lines[path + 2])
    assert lines[path + 3].startswith("   why: ")
    command = "  ablation-planner show trajectories/extractive-planner/builtin/x.md"
    assert lines[-2:] == ["to see the whole plan:", command], "a command is on one line, to be copied"


def test_a_long_id_leaves_the_lines_at_the_top_whole(run: Run, work_folder: Path) -> None:
    long_id = f"a{'_long' * 30}_end"
    plan = run("plan", "paper.md", "--id", long_id).stdout.strip()

    def draw(*words: str) -> list[str]:
        return COLOUR.sub("", draw_screen(run_on_terminal(words, work_folder, width=80)[1])).splitlines()

    heading, line = draw("show", plan)[0], draw("paper", "paper.md", "--id", long_id)[1]
    assert re.fullmatch(r"extractive-planner/builtin/a_long\w+…\w+_end \(reviewer\)", heading)
    assert re.fullmatch(r"id a_long\w+…\w+_end, markdown paper\.md", line)
    assert len(heading) == len(line) == 80
    assert long_id in run("show", plan).stdout, "what another program reads is not shortened"


def test_a_picture_may_show_the_program_of_another_checkout(work_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "other" / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / "other" / "planner").mkdir()
    (tmp_path / "other" / "planner" / "__main__.py").write_text("print('the program of before')", encoding="utf-8")
    assert run_on_terminal(("plan",), work_folder, checkout=tmp_path / "other")[1].strip() == "the program of before"


@pytest.mark.parametrize(
    ("words", "env"),
    [(("--color", "never"), {}), ((), {"NO_COLOR": "1"}), (("--color", "auto"), {"NO_COLOR": "1"})],
)
def test_colours_are_turned_off(work_folder: Path, words: tuple[str, ...], env: Mapping[str, str]) -> None:
    _, written = run_on_terminal(("demo", "-k", "1", *words), work_folder, env)
    assert not COLOUR.search(written)
    assert "to plan a paper of yours:" in written


def test_where_there_is_no_terminal_there_are_colours_only_if_they_are_asked_for(run: Run) -> None:
    path = run("plan", "paper.md").stdout.strip()
    for words in (("paln",), ("plan", "a.md", "b.md"), ("show", path), ("--help",)):
        assert not COLOUR.search(run(*words).output)
        assert COLOUR.search(run("--color", "always", *words).output)
    assert COLOUR.search(run("show", path, "--color", "always").output)
    run("show", path, "-o", "out", "--color", "always")
    assert not COLOUR.search(next(Path("out").iterdir()).read_text(encoding="utf-8"))


def test_a_terminal_shows_how_far_a_reply_is_and_why_the_model_is_asked_again(
    work_folder: Path, server: Server
) -> None:
    server.answer = lambda request: replace(
        stream(INVALID if request.number == 1 else GOOD_REPLY, pieces=20), pause=0.04
    )
    code, written = run_on_terminal(("plan", "paper.md", *at(server)), work_folder)
    assert code == 0
    assert re.search(r"some-model thinks: \d+ s, about \d+ tokens so far", written)
    screen = draw_screen(written)
    assert "thinks" not in screen, "the view is removed in the end"
    assert "asked again, request 2 of 3: line 1, metrics must not be empty" in screen


def test_without_a_terminal_nothing_moves_and_the_reason_is_said_all_the_same(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, INVALID if request.number == 1 else GOOD_REPLY)
    result = run("plan", "paper.md", *at(server))
    assert "asked again, request 2 of 3: line 1, metrics must not be empty\n" in result.stderr
    assert "\x1b" not in result.output
    assert "thinks" not in result.output
    assert result.stdout.count("\n") == 1


def test_help_lists_every_command_in_a_group_with_its_whole_summary(run: Run) -> None:
    listed = run("--help").stdout
    parts = re.split(rf"^({'|'.join(GROUPS)}):\n", listed, flags=re.MULTILINE)
    assert tuple(parts[1::2]) == GROUPS
    rows = [row.split(maxsplit=1) for part in parts[2::2] for row in part.split("\n\n")[0].splitlines()]
    assert sorted(name for name, _ in rows) == sorted(commands())
    assert all(summary.endswith(".") and "..." not in summary for _, summary in rows)
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize("command", sorted(commands()))
def test_help_of_a_command_lists_its_options_in_groups_and_an_example(run: Run, command: str) -> None:
    told = run(command, "--help").stdout
    assert "Example: ablation-planner" in told
    headings = re.findall(r"^(\w[\w ]*):$", told, re.MULTILINE)
    own = [heading for heading in headings if heading != "Commands"]
    assert len(own) == len(set(own)) >= 1
    assert told.rindex("  -h, --help") > told.rindex(f"\n{own[-1]}:\n")


def test_help_imports_no_command_and_nothing_for_a_terminal(start: Start) -> None:
    process = start("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    _, imported = process.communicate(timeout=60)
    assert process.returncode == 0
    for name in ("planner.cli.plan", "planner.batch", "pydantic", "rich"):
        assert f" {name}\n" not in imported


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("paln", "paper.md"), "'plan'"),
        (("shwo",), "'show'"),
        (("plan", "--k", "3", "paper.md"), "'-k'"),
        (("plan", "--modle", "m", "paper.md"), "'--model'"),
        (("batch", "--o", "run", "."), "'-o'"),
        (("paper.md",), "`ablation-planner plan paper.md`"),
        (("a paper.pdf", "-k", "3"), "`ablation-planner plan 'a paper.pdf' -k 3`"),
        (("2507.08038",), "`ablation-planner plan 2507.08038`"),
    ],
)
def test_a_mistyped_word_gets_a_suggestion(run: Run, words: tuple[str, ...], meant: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert f"Did you mean {meant}?" in result.stderr


@pytest.fixture
def papers(work_folder: Path) -> Path:
    """A folder of two papers."""
    folder = work_folder / "my papers"
    folder.mkdir()
    for name in ("one.md", "two.md"):
        (folder / name).write_bytes(DEMO.read_bytes().replace(b"# Slack Water", f"# {name}".encode(), 1))
    return folder


def test_a_folder_of_papers_is_given_to_batch(run: Run, papers: Path) -> None:
    refused = run("plan", "my papers")
    assert refused.exit_code == 1
    assert "'my papers' holds several papers ('one.md', 'two.md')" in refused.stderr
    assert "`batch`" in refused.stderr
    (papers / "two.md").rename(papers / "two.pdf")
    read = run("plan", "my papers")
    assert read.exit_code == 0
    assert "one.md is planned; this folder seems to hold 2 papers" in read.stderr
    assert "`ablation-planner batch 'my papers' -o run`" in read.stderr


def test_a_folder_with_two_main_files_says_which_is_planned(run: Run, work_folder: Path) -> None:
    text = "\\documentclass{{article}}\\begin{{document}}\\title{{{0}}}\\section{{Method}} {1}\\end{{document}}"
    for name in ("paper", "other"):
        (work_folder / "sources" / name).mkdir(parents=True)
        (work_folder / "sources" / name / f"{name}.tex").write_text(
            text.format(name, "The gate is bounded. " * 40), encoding="utf-8"
        )
    for name in ("one.pdf", "two.pdf"):
        (work_folder / "sources" / name).write_bytes(b"%PDF-1.7")
    told = run("plan", "sources").stderr
    assert "warning: sources: paper/paper.tex is planned; this folder seems to hold" in told
    assert "warning: sources: 'paper/paper.tex' was read as the main file" in told


@pytest.mark.parametrize("name", ["picture.png", "settings"])
def test_nothing_is_written_about_what_is_no_paper(run: Run, work_folder: Path, name: str) -> None:
    (work_folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for place in ("settings/a/rules.txt", "settings/b/colours.txt"):
        (work_folder / place).parent.mkdir(parents=True)
        (work_folder / place).write_text("A setting of some program, and no paper. " * 50, encoding="utf-8")
    result = run("plan", name, "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["outcome"], told["sidecar"]) == (1, "paper_error", None)
    assert "paper_error" not in result.stderr
    assert not list(work_folder.rglob("*.json"))


def test_no_error_shows_a_number_of_the_system(run: Run, work_folder: Path) -> None:
    for words in (
        ("plan", "paper.md", "-o", "paper.md/x"),
        ("plan", "paper.md/x", "paper.md/y"),
        ("show", "paper.md/x", "."),
        ("check", "paper.md/x", "."),
        ("site", "paper.md", "-o", "x"),
        ("export", ".", "--to", "csv", "paper.md/x"),
        ("batch", ".", "-o", "paper.md/x"),
        ("status", "paper.md/x"),
    ):
        result = run(*words)
        assert result.exit_code in (1, 2), words
        assert "Errno" not in result.output


def test_show_and_check_take_folders_and_part_several_plans(run: Run, papers: Path) -> None:
    first = run("plan", "paper.md").stdout.strip()
    alone = run("show", first).stdout
    assert run("show", "trajectories").stdout == alone
    run("plan", "paper.md", "--task", "author")
    both = run("show", "trajectories").stdout
    assert both.count("\n─") == 1
    assert both.startswith(alone)
    assert run("check", "trajectories").exit_code == 0
    lines = run("show", "trajectories", "--to", "jsonl")
    assert len(lines.stdout.splitlines()) == 7
    assert lines.stderr.startswith("warning: the lines of 2 plans were printed")
    assert run("show", first, "--to", "jsonl").stderr == ""
    for command in ("show", "check"):
        assert run(command, "my papers/..").exit_code in (0, 1)
    (papers.parent / "empty").mkdir()
    assert run("show", "empty").exit_code == 2


def test_a_call_says_what_it_cost_itself_and_apart_from_it_what_all_cost(run: Run, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    words = ("plan", "paper.md", *at(server))
    priced = (*words, "--price", "1000,0", "-o", "priced")
    assert "planned 1 ablation (1,000 tokens in, 20 out, $1.00)\n" in run(*priced).stderr
    assert "(nothing was sent; earlier commands: 1,000 tokens in, 20 out, $1.00)\n" in run(*priced).stderr
    assert (
        "(1,000 tokens in, 20 out, $1.00; earlier commands: 1,000 tokens in, 20 out, $1.00)\n"
        in run(*priced, "--force").stderr
    )
    assert "(1,000 tokens in, 20 out, cost unknown)\n" in run(*words).stderr


def test_a_short_plan_says_why_it_is_short(run: Run) -> None:
    assert "planned 2 ablations\n" in run("plan", "paper.md").stderr
    told = run("plan", "paper.md", "-k", "40").stderr
    assert re.search(r"planned \d+ ablations of at most 40; the built-in planner found no more\n", told)
    Path("reply.txt").write_text(contract("Why.", [{**GOOD_ABLATION, "chance": 80}, UNLIKELY]), encoding="utf-8")
    told = run("parse", "reply.txt", "--paper", "paper.md", "--model", "chat").stderr
    assert "planned 1 ablation of at most 2; `show --all` lists 1 more that were not kept\n" in told
    likely = [{**GOOD_ABLATION, "chance": 80}, {**UNLIKELY, "chance": 70}]
    Path("reply.txt").write_text(contract("Why.", likely), encoding="utf-8")
    words = ("parse", "reply.txt", "--paper", "paper.md", "--model", "full", "-k")
    assert (
        "planned 1 ablation of at most 1; `show --all` lists 1 more that were not kept; a larger -k keeps more\n"
        in run(*words, "1").stderr
    )
    assert "planned 2 ablations\n" in run(*words, "2").stderr
    assert "was not read" not in run(*words, "1").stderr, "there is no second reply"


def test_what_is_left_out_takes_one_line(run: Run) -> None:
    told = run("plan", "paper.md", "--task", "author").stderr
    assert len(re.findall("left out", told)) == 1
    assert "7 parts left out: the author task ends before '4 Experiments'; -v lists them" in told
    assert told.count("-v lists them") == 1
    assert run("plan", "paper.md", "--task", "author", "-v").stderr.count("left out") == 8


def test_what_is_left_out_of_a_section_is_not_taken_for_the_section(run: Run, work_folder: Path) -> None:
    text = (work_folder / "paper.md").read_text(encoding="utf-8")
    table = "\n\nTable 1: Parts.\n\n| part | size |\n|---|---|\n| gate | 3 |\n\n"
    (work_folder / "table.md").write_text(
        text.replace("\n## 4 Experiments", f"{table}## 4 Experiments"), encoding="utf-8"
    )
    told = run("prompt", "table.md", "--task", "author").stderr
    reasons = "tables and figures are not sent in the author task (1); the author task ends before '4 Experiments' (7)"
    assert f"8 parts left out: {reasons}; -v lists them" in told


def test_the_built_in_planner_says_itself_that_it_finds_nothing(run: Run, work_folder: Path) -> None:
    text = "# A Note\n\n" + "Nothing in this note is a method, and it goes on for a while. " * 20
    (work_folder / "note.md").write_text(text, encoding="utf-8")
    result = run("plan", "note.md", "--json")
    assert json.loads(result.stdout)["outcome"] == "empty"
    assert "error: note.md: the built-in planner found no component of a method" in result.stderr
    assert "reply" not in result.stderr
    assert result.stderr.count("found no component") == 1


def test_a_run_names_what_it_passes_over_and_counts_its_own_call_apart(run: Run, papers: Path, server: Server) -> None:
    for name in ("a.docx", "b.png", "c.zip.part", "d.exe"):
        (papers / name).write_bytes(b"?")
    server.answer = lambda request: as_asked(request, GOOD_REPLY).late(0.3)
    words = ("batch", "my papers", "-o", "run", *at(server), "--max-papers", "1")
    first = run(*words)
    assert "skipped 4 files that are no papers, judged by name: a.docx, b.png, c.zip.part and 1 more\n" in first.stderr
    assert "2 papers: 1 planned, 0 failed, 1 left\n1 request, 1,000 tokens in, 20 out, cost unknown\n" in first.stderr
    assert "in this command" not in first.stderr
    second = run(*words)
    assert "in this command: 1 planned, 0 failed, 1,020 tokens, cost unknown\n" in second.stderr
    assert second.stderr.endswith("to make pages of all plans:\n  ablation-planner site run -o pages\n")
    for record in Path("run/trajectories").rglob("*.json"):
        assert json.loads(record.read_text(encoding="utf-8"))["seconds"] >= 0.3


def test_failures_of_a_run_are_said_in_words(run: Run, papers: Path, server: Server) -> None:
    server.answer = lambda request: error(400, "no such thing")
    assert run("batch", "my papers", "-o", "run", *at(server)).exit_code == 1
    told = run("status", "run", "--failed").stdout
    assert "\n  2 without a reply\n" in told
    assert "model_error" not in told


def test_the_only_failure_of_its_kind_has_its_whole_reason(run: Run, work_folder: Path) -> None:
    Path("cut.pdf").write_bytes(b"%PDF-1.7\n")
    assert run("batch", "cut.pdf", "-o", "run", "--model", "extractive").exit_code == 1
    assert "1 not readable as a paper: cut.pdf: the PDF is incomplete: its 9 bytes have no end mark" in (
        run("status", "run", "--failed").stdout
    )


def test_the_picture_of_the_readme_is_small_and_loads_nothing() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for picture, most in (("plan.svg", 60_000), ("page.png", 120_000)):
        assert f"docs/pictures/{picture}" in readme
        assert (ROOT / "docs" / "pictures" / picture).stat().st_size < most
    for svg in ((ROOT / "docs" / "pictures" / "plan.svg").read_text(encoding="utf-8"), draw_picture("x", "\x1b[1mx")):
        assert len(svg) < 60_000
        assert not re.search(r"url\(\s*[\"']?http|<image|<script|href", svg)


def test_a_mistyped_command_gets_a_suggestion(run: Run) -> None:
    assert "Did you mean 'plan'?" in run("help", "paln").stderr


def test_the_page_of_a_paper_keeps_to_the_width_of_the_terminal(work_folder: Path) -> None:
    _, written = run_on_terminal(("paper", "paper.md", "--id", "x"), work_folder, width=60)
    assert all(len(line) <= 60 for line in COLOUR.sub("", draw_screen(written)).splitlines())


def test_on_a_terminal_parse_says_what_to_do_next(work_folder: Path) -> None:
    Path(work_folder, "reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    _, written = run_on_terminal(("parse", "reply.txt", "--paper", "paper.md", "--model", "chat"), work_folder)
    assert "to see the whole plan:" in written


def test_a_run_with_papers_left_says_how_it_goes_on(run: Run, papers: Path, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    words = ("batch", papers.name, "-o", "run", "--max-papers", "1", *at(server))
    run(*words)
    first = read_json("run/run.json")
    told = run("status", "run")
    assert "1 planned, 0 failed, 1 left" in told.stdout
    assert told.stderr.endswith(f"this command continues it:\n  ablation-planner {shlex.join(words)}\n")
    with contextlib.chdir(papers):
        assert f"  cd {papers.parent} && ablation-planner batch " in run("status", "../run").stderr
    run(*words)
    assert (read_json("run/run.json")["started"], run("status", "run").stderr) == (first["started"], "")


def test_the_words_of_a_run_hold_no_password_and_are_words_of_this_program(run: Run, papers: Path) -> None:
    url = "http://me:p@ss@127.0.0.1:9/v1"
    run("batch", papers.name, "-o", "run", "--model", "m", f"--base-url={url}", "--max-wait", "0")
    assert "p@ss" not in Path("run/run.json").read_text(encoding="utf-8")
    assert "--base-url=http://***@127.0.0.1:9/v1" in run("status", "run").stderr
    facts = read_json("run/run.json") | {"words": ["batch", "x; rm -rf ~", "\n\x1b[2J"]}
    Path("run/run.json").write_text(json.dumps(facts), encoding="utf-8")
    assert run("status", "run").stderr.splitlines()[1:] == ["  ablation-planner batch 'x; rm -rf ~' ' '"]
    Path("run/run.json").write_text("[]", encoding="utf-8")
    assert "the same `batch` command continues it" in run("status", "run").stderr
