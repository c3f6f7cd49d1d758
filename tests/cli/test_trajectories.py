"""`show`, `check` and `schema`: trajectories that exist, in every form."""

import json
from pathlib import Path
from typing import Any

import pytest

from planner.schema import Plan, Task
from planner.trajectory.format import Trajectory, render_trajectory
from planner.trajectory.reader import read_trajectory
from tests.cli.conftest import Run
from tests.scripted import GOOD_ABLATION

ABLATIONS: tuple[dict[str, Any], ...] = (
    dict(GOOD_ABLATION),
    {**GOOD_ABLATION, "name": "Größerer Abstand", "action": "REPLACE", "replacement": ["an L1 loss", "no <at> loss"]},
)
NAME = "lm-planner/gpt-4o/A_Paper"


@pytest.fixture
def kept(work_folder: Path) -> Path:
    """A trajectory in the working folder."""
    plan = Plan.model_validate({"ablations": ABLATIONS})
    reasoning = "The gate is *never* removed.\n\n- Nor is 日本語 <script>alert(1)</script>."
    trajectory = Trajectory("lm-planner", "gpt-4o", "A_Paper", Task.AUTHOR, reasoning, plan)
    path = work_folder / "A_Paper.md"
    path.write_text(render_trajectory(trajectory), encoding="utf-8")
    return path


def mojibake(path: Path) -> None:
    """Spoil a file as the published ones are: its UTF-8 read as Windows-1252."""
    path.write_text(path.read_bytes().decode("cp1252", "replace"), encoding="utf-8")


def test_text_is_for_people(run: Run, kept: Path) -> None:
    result = run("show", "A_Paper.md")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{NAME} (author)\n")
    for said in ("1. No gate", "REMOVE harmonic residual gate", "2. Größerer Abstand", "with an L1 loss", "MAE, STE"):
        assert said in result.stdout


def test_json_has_the_keys_that_programs_rely_on(run: Run, kept: Path) -> None:
    told = json.loads(run("show", "A_Paper.md", "--to", "json").stdout)
    assert list(told) == ["planner", "model", "paper_id", "task", "reasoning", "ablations", "warnings"]
    assert "/".join((told["planner"], told["model"], told["paper_id"])) == NAME
    assert told["task"] == "author"
    assert told["ablations"] == list(ABLATIONS)
    assert told["warnings"] == []


def test_jsonl_is_one_ablation_a_line(run: Run, kept: Path) -> None:
    lines = run("show", "A_Paper.md", "--to", "jsonl").stdout.split("\n")
    assert [json.loads(line) for line in lines[:-1]] == list(ABLATIONS)
    assert lines[-1] == ""


def test_md_is_the_file_again(run: Run, kept: Path) -> None:
    assert run("show", "A_Paper.md", "--to", "md").stdout_bytes == kept.read_bytes()


def test_html_is_a_page_of_its_own_in_which_nothing_of_the_model_is_active(run: Run, kept: Path) -> None:
    html = run("show", "A_Paper.md", "--to", "html").stdout
    assert html.lstrip().lower().startswith("<!doctype html>")
    assert "Größerer Abstand" in html
    assert "<script>alert" not in html
    assert "no &lt;at&gt; loss" in html


@pytest.mark.parametrize("form", ["json", "jsonl", "md", "html", "text"])
def test_a_folder_gets_a_file_for_each_with_what_would_be_printed(
    run: Run, work_folder: Path, kept: Path, form: str
) -> None:
    printed = run("show", "A_Paper.md", "--to", form).stdout_bytes
    result = run("show", "A_Paper.md", "--to", form, "-o", "new/out")
    ending = "txt" if form == "text" else form
    assert result.stdout == f"new/out/A_Paper.{ending}\n"
    assert (work_folder / "new" / "out" / f"A_Paper.{ending}").read_bytes() == printed
    assert len(list((work_folder / "new" / "out").iterdir())) == 1


def test_files_of_one_name_do_not_replace_each_other(run: Run, work_folder: Path, kept: Path) -> None:
    for name in ("a", "b"):
        (work_folder / name).mkdir()
        text = kept.read_text(encoding="utf-8").replace("A_Paper", f"From_{name}", 1)
        (work_folder / name / "x.md").write_text(text, encoding="utf-8")
    result = run("show", "a/x.md", "b/x.md", "--to", "html", "-o", "out")
    assert result.stdout.split() == ["out/x.html", "out/x-2.html"]
    pages = [(work_folder / path).read_text(encoding="utf-8") for path in result.stdout.split()]
    assert ["From_a" in pages[0], "From_b" in pages[1]] == [True, True]


def test_damaged_characters_are_repaired_with_a_warning(run: Run, kept: Path) -> None:
    whole = run("show", "A_Paper.md", "--to", "jsonl").stdout
    mojibake(kept)
    result = run("show", "A_Paper.md", "--to", "jsonl")
    assert result.exit_code == 0
    assert "Größerer Abstand" in result.stdout
    assert result.stdout.splitlines()[0] == whole.splitlines()[0]
    assert "warning: A_Paper.md: characters were repaired" in result.stderr


def test_one_bad_file_among_several_stops_no_other(run: Run, work_folder: Path, kept: Path) -> None:
    (work_folder / "folder.md").mkdir()
    (work_folder / "bytes.md").write_bytes(b"\xff\xfe\x00")
    names = ("gone.md", "paper.md", "folder.md", "bytes.md", "A_Paper.md")
    result = run("show", *names)
    assert result.exit_code == 1
    assert result.stdout.startswith(NAME)
    complaints = result.stderr.splitlines()
    assert len(complaints) == 4
    for name, complaint in zip(names, complaints, strict=False):
        assert complaint.startswith("error: ")
        assert complaint.count(name) == 1


@pytest.mark.parametrize("command", ["show", "check"])
def test_a_single_file_that_is_not_there_is_wrong_usage(run: Run, command: str) -> None:
    result = run(command, "gone.md")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "gone.md: no such file" in result.stderr
    assert run(command).exit_code == 2


def test_check_finds_nothing_in_what_is_sound(run: Run, kept: Path) -> None:
    result = run("check", "A_Paper.md")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 file checked, 0 findings\n")


def test_check_says_that_show_has_the_warnings_about_ablations(run: Run, work_folder: Path) -> None:
    plan = json.dumps({**GOOD_ABLATION, "ablated_part": "the zebra router", "name": "No zebras"})
    reply = f"<discussion>\nA reason.\n</discussion>\n<predictions>\n{plan}\n</predictions>\n"
    path = run("parse", "-", "--paper", "paper.md", stdin=reply).stdout.strip()
    count = run("show", path).stdout.count("\n   ! ")
    assert count
    result = run("check", "trajectories")
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"1 file checked, 0 findings; `show` prints {count} warning" in result.stderr


def test_check_names_each_rule_that_a_published_file_breaks(run: Run, kept: Path) -> None:
    text = kept.read_text(encoding="utf-8")
    kept.write_text(text.replace("Größerer Abstand", "No gate").replace("REPLACE", "REMOVE"), encoding="utf-8")
    result = run("check", "A_Paper.md")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert all(line.startswith("A_Paper.md: ") for line in lines)
    assert sum("REMOVE takes no replacement" in line for line in lines) == 1
    assert sum("stands 2 times" in line for line in lines) == 1
    assert len(lines) == len(set(lines)), "nothing is said twice"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("plan.json", {"ablations": []}, "ablations"),
        ("plan.json", {"ablations": [{**GOOD_ABLATION, "action": "DROP"}]}, "ablations.0.action"),
        ("plan.json", {"ablations": [{**GOOD_ABLATION, "colour": "red"}]}, "ablations.0.colour"),
        ("plan.json", {"ablations": [{**GOOD_ABLATION, "name": " "}]}, "must not be empty"),
        ("plan.json", {"ablations": [{**GOOD_ABLATION, "name": "a\nb"}]}, "must be one line"),
        ("plan.json", {"ablations": [GOOD_ABLATION, GOOD_ABLATION]}, "'No gate' stands 2 times"),
        ("plan.json", [{**GOOD_ABLATION, "action": "ADD"}], "ADD needs at least one replacement"),
        ("plan.json", {"ablations": [{"name": "x"}]}, "ablations.0.metrics"),
        ("plan.json", 7, "ablations"),
        ("plan.json", None, "ablations"),
    ],
)
def test_check_says_where_a_plan_breaks_the_contract(
    run: Run, work_folder: Path, name: str, content: object, said: str
) -> None:
    (work_folder / name).write_text(json.dumps(content), encoding="utf-8")
    result = run("check", name)
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{name}: ")
    assert said in result.stdout


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"", b"{", b'{"a": NaN'])
def test_check_survives_what_is_no_json(run: Run, work_folder: Path, content: bytes) -> None:
    (work_folder / "plan.json").write_bytes(content)
    result = run("check", "plan.json")
    assert result.exit_code == 1
    assert result.stdout.startswith("plan.json: ")
    assert len(result.stdout.splitlines()) == 1


def test_check_takes_a_plan_with_a_byte_order_mark(run: Run, work_folder: Path) -> None:
    """Windows editors write one."""
    (work_folder / "plan.json").write_text(json.dumps({"ablations": [GOOD_ABLATION]}), encoding="utf-8-sig")
    assert run("check", "plan.json").exit_code == 0


def test_check_goes_on_after_a_file_that_is_not_there(run: Run, kept: Path) -> None:
    result = run("check", "gone.md", "A_Paper.md")
    assert result.exit_code == 1
    [line] = result.stdout.splitlines()
    assert line.startswith("gone.md: ")


def test_the_schema_says_what_the_contract_does(run: Run) -> None:
    schema = json.loads(run("schema").stdout)
    ablation = schema["$defs"]["Ablation"]
    assert schema["properties"]["ablations"]["minItems"] == 1
    assert ablation["additionalProperties"] is False
    assert set(ablation["required"]) == {"name", "ablated_part", "action", "metrics"}
    assert schema["$defs"]["Action"]["enum"] == ["REMOVE", "REPLACE", "ADD"]


def test_what_plan_writes_passes_check_and_comes_back_from_every_form(run: Run, work_folder: Path) -> None:
    for task in ("reviewer", "author"):
        path = run("plan", "paper.md", "--task", task, "-o", task).stdout.strip()
        assert run("check", path).exit_code == 0
        for form in ("json", "jsonl"):
            [converted] = run("show", path, "--to", form, "-o", f"{task}-{form}").stdout.splitlines()
            lines = (work_folder / converted).read_text(encoding="utf-8")
            ablations = json.loads(lines)["ablations"] if form == "json" else [*map(json.loads, lines.splitlines())]
            assert Plan.model_validate({"ablations": ablations}) == read_trajectory(work_folder / path).plan
        [again] = run("show", path, "--to", "md", "-o", f"{task}-md").stdout.splitlines()
        assert (work_folder / again).read_bytes() == (work_folder / path).read_bytes()
