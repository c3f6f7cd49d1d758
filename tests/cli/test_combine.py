"""`combine` on the command line: paths on stdout, what is not combined on stderr, and exit codes."""

import json
from pathlib import Path

import pytest

from planner.schema import Task
from tests.cli.conftest import Run
from tests.combining.made import write_plan, write_plans
from tests.site.made import trajectory, write_entry

OUTPUT = "out/combined-planner/3-members-ea7fb08b/A_Paper.md"


@pytest.fixture
def plans(work_folder: Path) -> Path:
    """Plans of three models in the working folder."""
    write_plans(work_folder)
    return work_folder


def test_the_path_of_each_plan_is_printed(run: Run, plans: Path) -> None:
    result = run("combine", "a", "b", "c", "-o", "out")
    assert (result.exit_code, result.stdout) == (0, f"{OUTPUT}\n")
    counts = "1 combined plan for the author task, from 3 plans: out/combined-planner/3-members-ea7fb08b\n"
    assert result.stderr == f"{counts}to see the plans:\n  ablation-planner show out\n"
    assert run("check", OUTPUT).exit_code == 0
    assert "1. No gate" in run("show", OUTPUT).stdout


def test_a_paper_of_fewer_members_than_the_folders_name_says_so(run: Run, plans: Path) -> None:
    for name in "ab":
        write_entry(plans / name, trajectory("Other", model=name, task=Task.AUTHOR))
    result = run("combine", "a", "b", "c", "-o", "out")
    assert "2 combined plans for the author task, from 5 plans, 2 to 3 for each paper: out/combined-" in result.stderr
    other = next(line for line in result.stdout.splitlines() if "Other" in line)
    assert "3-members-" in other
    assert "plans of 2 members (of 3; no other has a plan for this paper): a, b." in run("show", other).stdout


def test_json_has_members_and_what_is_not_combined(run: Run, plans: Path) -> None:
    write_entry(plans / "a", trajectory("Lonely", model="a"))
    (plans / "b" / "bad.md").write_text("?", encoding="utf-8")
    words = ("combine", "a", "b", "c", "-o", "out", "--json", "--min-chance", "50", "-k", "1")
    assert "Lonely" not in run(*words).stderr, "of a thousand papers that would be a thousand lines"
    result = run(*words, "-v")
    assert result.exit_code == 1
    facts = json.loads(result.stdout)
    assert facts["plans"] == [{"paper_id": "A_Paper", "task": "author", "path": OUTPUT, "members": ["a", "b", "c"]}]
    assert facts["single"] == [{"paper_id": "Lonely", "task": "reviewer", "member": "a"}]
    assert [each["file"] for each in facts["unread"]] == ["b/bad.md"]
    assert "Lonely: only a has a plan for the reviewer task, so nothing is combined" in result.stderr
    assert "warning: b/bad.md: not a trajectory" in result.stderr


def test_one_member_alone_is_combined_with_nothing(run: Run, plans: Path) -> None:
    result = run("combine", "a", "-o", "out")
    assert (result.exit_code, result.stdout) == (1, "")
    reason = "no other plan for the same paper and task (copies of a plan count as one)"
    assert result.stderr == f"no plan was combined\nnot combined: 1 plan (-v lists it): {reason}\n"
    assert not (plans / "out").exists()


@pytest.mark.parametrize("words", [("missing",), ("empty",), ("a", "-k", "0"), ("a", "--min-chance", "101")])
def test_wrong_usage_ends_before_any_work(run: Run, plans: Path, words: tuple[str, ...]) -> None:
    (plans / "empty").mkdir()
    assert run("combine", *words, "-o", "out").exit_code == 2
    assert not (plans / "out").exists()


def test_a_site_shows_a_combined_plan_beside_its_members(run: Run, plans: Path) -> None:
    write_plan(plans / "d", "b", with_chances=False)
    run("combine", "a", "b", "c", "-o", "out")
    assert run("site", "a", "b", "c", "out", "-o", "pages").exit_code == 0
    page = (plans / "pages" / "papers" / "A_Paper.html").read_text(encoding="utf-8")
    assert "combined-planner/3-members" in page
