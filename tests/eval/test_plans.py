"""Plans from run folders, trajectories and AblationBench's layout."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eval.gold import AuthorGold, GoldSet
from eval.plans import PaperStatus, pair_papers, read_system, read_systems
from eval.tables import TableError
from planner.errors import Outcome, UsageError
from planner.planning.record import PaperRecord, PlanRecord
from planner.schema import Task
from tests.eval.made import DEPTH, GATE, LOSS, author_gold, dumped, write_plans, write_trajectory


def sidecar(path: Path, outcome: Outcome, paper: str, cost: float | None = 0.25, reason: str = "") -> None:
    facts = PaperRecord(
        id=paper, title=f"On {paper}", source="x.md", format="markdown", main_file="", sha256="", chars=1
    )
    PlanRecord(
        planner="lm-planner",
        model="some-model",
        model_asked="some-model",
        task=Task.AUTHOR,
        k=5,
        outcome=outcome,
        reason=reason,
        paper=facts,
        started=datetime.now(UTC),
        cost=cost,
    ).write(path.with_suffix(".json"))


def test_trajectories_alone(tmp_path: Path) -> None:
    write_trajectory(tmp_path, "one", [GATE, LOSS])
    write_trajectory(tmp_path, "two", [DEPTH])
    system = read_system(tmp_path)
    assert (system.name, system.task) == ("lm-planner/some-model", Task.AUTHOR)
    assert system.papers["one"].ablations == (GATE, LOSS)
    assert system.papers["one"].cost is None, "unknown, not free"
    assert system.papers["two"].reasoning == "Because it matters."


def test_a_sidecar_adds_cost_and_tells_of_failures(tmp_path: Path) -> None:
    path = write_trajectory(tmp_path, "one", [GATE])
    sidecar(path, Outcome.PLANNED, "one")
    sidecar(path.with_name("two.md"), Outcome.REFUSED, "two", reason="I would rather not")
    sidecar(path.with_name("three.md"), Outcome.PLANNED, "three")
    papers = read_system(tmp_path).papers
    assert papers["one"].cost == 0.25
    assert (papers["two"].outcome, papers["two"].reason) == (Outcome.REFUSED, "I would rather not")
    assert papers["three"].outcome is Outcome.INTERRUPTED, "it says planned, but its file is gone"


def test_a_file_that_is_no_trajectory_is_left_out_by_name(tmp_path: Path) -> None:
    write_trajectory(tmp_path, "one", [GATE])
    (tmp_path / "README.md").write_text("# About these plans\n", encoding="utf-8")
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    system = read_system(tmp_path)
    assert list(system.papers) == ["one"]
    assert any("README.md" in warning for warning in system.warnings)


def test_several_systems_must_be_chosen_from(tmp_path: Path) -> None:
    write_trajectory(tmp_path, "one", [GATE])
    write_trajectory(tmp_path, "one", [GATE], model="other-model")
    write_trajectory(tmp_path, "two", [GATE], task=Task.REVIEWER)
    assert len(read_systems(tmp_path)) == 3
    with pytest.raises(UsageError, match=r"holds 2 systems.*--system: lm-planner/other-model"):
        read_system(tmp_path, Task.AUTHOR)
    assert read_system(tmp_path, Task.AUTHOR, "other").name == "lm-planner/other-model"
    with pytest.raises(UsageError, match="no plans of the reviewer task named 'other'"):
        read_system(tmp_path, Task.REVIEWER, "other")


@pytest.mark.parametrize("name", ["gpt-4o", "lm-planner/gpt-4o"])
def test_a_name_that_begins_another_chooses_its_own_system(tmp_path: Path, name: str) -> None:
    for model in ("gpt-4o", "gpt-4o-mini"):
        write_trajectory(tmp_path, "one", [GATE], model)
    assert read_system(tmp_path, name=name).name == "lm-planner/gpt-4o"
    assert read_system(tmp_path, name="4o-m").name == "lm-planner/gpt-4o-mini"
    with pytest.raises(UsageError, match="choose one with --system"):
        read_system(tmp_path, name="4o")


def test_the_published_layout_with_costs(tmp_path: Path) -> None:
    folder = write_plans(tmp_path / "gpt-4o", {"one": [GATE, LOSS]})
    costs = {
        "one": {"predictions": "", "cost": 0.5},
        "kept": {"predictions": json.dumps(dumped([DEPTH])[0]), "cost": 0.1},
    }
    (folder / "plans.json").write_text(json.dumps(costs), encoding="utf-8")
    system = read_system(folder)
    assert (system.name, system.task) == ("gpt-4o", None)
    assert system.papers["one"].ablations == (GATE, LOSS)
    assert system.papers["one"].cost == 0.5
    assert system.papers["kept"].ablations == (DEPTH,), "plans.json stands in for a file that is missing"


def test_an_empty_file_is_a_failure_and_not_a_bad_plan(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text("\n", encoding="utf-8")
    paper = read_system(tmp_path).papers["one"]
    assert paper.outcome is Outcome.EMPTY
    pairs, _ = pair_papers(author_gold(one=[GATE]), read_system(tmp_path))
    assert pairs[0].status is PaperStatus.FAILED


def test_one_malformed_line_loses_only_itself(tmp_path: Path) -> None:
    lines = [json.dumps(dumped([GATE])[0]), '{"name": "cut', json.dumps({"name": "no part"})]
    (tmp_path / "one.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "two.jsonl").write_text(lines[1], encoding="utf-8")
    papers = read_system(tmp_path).papers
    assert papers["one"].ablations == (GATE,)
    assert [warning.split(" is ")[0] for warning in papers["one"].warnings] == ["line 2", "line 3"]
    assert papers["two"].outcome is Outcome.INVALID


def test_a_damaged_plans_file_is_named(tmp_path: Path) -> None:
    write_plans(tmp_path, {"one": [GATE]})
    (tmp_path / "plans.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(TableError, match=r"plans\.json"):
        read_system(tmp_path)


def test_no_plans_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no plans"):
        read_system(tmp_path)
    with pytest.raises(UsageError, match="no such folder"):
        read_system(tmp_path / "nowhere")


def test_papers_are_found_by_id_or_by_title(tmp_path: Path) -> None:
    write_trajectory(tmp_path, "On_two", [GATE])
    write_trajectory(tmp_path, "one", [LOSS])
    write_trajectory(tmp_path, "stranger", [LOSS])
    pairs, extra = pair_papers(author_gold(one=[LOSS], two=[GATE], three=[GATE]), read_system(tmp_path))
    assert [pair.planned_paper.id if pair.planned_paper else None for pair in pairs] == ["one", "On_two", None]
    assert pairs[2].status is PaperStatus.ABSENT
    assert [paper.id for paper in extra] == ["stranger"]


def test_a_paper_with_the_id_of_its_file_is_found_by_the_title_on_record(tmp_path: Path) -> None:
    sidecar(write_trajectory(tmp_path, "two", [GATE]), Outcome.PLANNED, "two")
    gold = GoldSet(Task.AUTHOR, "made", {"2401.1": AuthorGold("2401.1", "On two", (GATE,))})
    [pair], extra = pair_papers(gold, read_system(tmp_path))
    assert pair.planned_paper is not None
    assert (pair.planned_paper.id, extra) == ("two", ())


def test_all_published_trajectories(shared: Path) -> None:
    systems = read_systems(shared / "trajectories")
    assert len(systems) == 10
    assert sum(len(system.papers) for system in systems) == 1400
    assert sum(len(paper.ablations) for system in systems for paper in system.papers.values()) == 3427
