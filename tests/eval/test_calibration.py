"""Stated chances against what came true, on a plan worked out by hand."""

import asyncio
import json
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from eval.__main__ import main
from eval.calibration import CalibrationRow, measure_calibration
from eval.plans import PaperStatus
from eval.runs import JudgedPaper, JudgedRun, JudgingRecord, PlannedItem
from eval.verdicts import AuthorVerdict
from planner.chat import Completion
from planner.models.fake import FakeModel
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import plan_to_folder
from planner.schema import Action, Task
from tests.papers_made import paper
from tests.scripted import contract


async def plan(folder: Path, chances: list[int | None]) -> None:
    """Plan one ablation for each chance: the removal of part 0, part 1, …."""
    given = [
        {
            "name": f"No part {number}",
            "ablated_part": part,
            "action": "REMOVE",
            "metrics": ["MAE"],
            **({"reason": "Why not."} if chance is None else {"chance": chance}),
        }
        for number, (part, chance) in enumerate(zip(PARTS, chances, strict=True))
    ]
    model = FakeModel(Completion(contract("Because.", given), finish_reason="stop"))
    settings = PlanSettings(Task.AUTHOR, k=8, min_chance=0, cut_at="Experiments")
    await plan_to_folder(folder, paper(), model, settings, lambda _: None)


PARTS = ("harmonic gate", "patch encoder", "storm calendar", "learned travel time", "phase loss")


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    """A plan of five ablations, of which the paper reports two."""
    asyncio.run(plan(tmp_path / "plans", [82, 88, 30, 35, None]))
    gold = [{"name": n, "ablated_part": n, "action": "REMOVE", "metrics": ["MAE"]} for n in (PARTS[0], PARTS[3])]
    (tmp_path / "gold.jsonl").write_text(json.dumps({"id": paper().id, "title": "", "ablations": gold}))
    words = ["judge", str(tmp_path / "plans"), "--gold", str(tmp_path / "gold.jsonl"), "-o", str(tmp_path / "judged")]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    return tmp_path / "judged"


def test_the_table_says_what_came_true(judged: Path) -> None:
    done = CliRunner().invoke(main, ["calibration", str(judged)])
    assert done.exit_code == 0, done.output
    assert "| 30–39 % | 2 | 1 | 50% | 9% to 91% |" in done.output
    assert "| 80–89 % | 2 | 1 | 50% | 9% to 91% |" in done.output
    assert "4 ablations with a chance, 1 without; Brier score 0.330" in done.output
    table = json.loads(CliRunner().invoke(main, ["calibration", str(judged), "--json"]).output)
    assert [row["true_count"] for row in table["rows"]] == [1, 1]


def test_the_interval_is_that_of_wilson() -> None:
    # Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to 0.1611.
    assert CalibrationRow(0, 9, 263, 81, 5).interval == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert CalibrationRow(0, 9, 20, 0, 5).interval == pytest.approx((0.0, 0.1611), abs=1e-4)


@given(st.lists(st.tuples(st.one_of(st.none(), st.integers(0, 100)), st.booleans()), max_size=40))
def test_a_second_implementation_gives_the_same_table(stated: list[tuple[int | None, bool]]) -> None:
    items = tuple(PlannedItem(name=str(n), action=Action.REMOVE, chance=c) for n, (c, _) in enumerate(stated))
    names = tuple(str(number) for number, (_, is_true) in enumerate(stated) if is_true)
    judged = JudgedPaper(id="x", status=PaperStatus.SCORED, gold=("g",), plan=items)
    record = JudgingRecord(task=Task.AUTHOR, system="s", judge="j", papers=(judged,))
    run = JudgedRun(record, {"x": (AuthorVerdict(name_in_paper="g", name_in_plan=names),)})
    tens: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for chance, is_true in stated:
        if chance is not None:
            tens[min(chance // 10, 9)].append((chance, is_true))
    table = measure_calibration([run])
    if not tens:
        assert table is None
        return
    assert table is not None
    given_chances = [pair for pairs in tens.values() for pair in pairs]
    squares = sum((Fraction(chance, 100) - is_true) ** 2 for chance, is_true in given_chances)
    assert table.brier == pytest.approx(float(squares / len(given_chances)))
    assert (table.count, table.unstated) == (len(given_chances), len(stated) - len(given_chances))
    assert [(row.low, row.count, row.true_count) for row in table.rows] == [
        (10 * ten, len(pairs), sum(is_true for _, is_true in pairs)) for ten, pairs in sorted(tens.items())
    ]
    means = [sum(chance for chance, _ in pairs) / len(pairs) for _, pairs in sorted(tens.items())]
    assert [row.mean_chance for row in table.rows] == pytest.approx(means)


def test_plans_without_chances_are_refused_by_name(tmp_path: Path, judged: Path) -> None:
    record = json.loads((judged / "judging.json").read_text())
    for item in record["papers"][0]["plan"]:
        item.pop("chance", None)
    (judged / "judging.json").write_text(json.dumps(record))
    done = CliRunner().invoke(main, ["calibration", str(judged)])
    assert done.exit_code == 2
    assert "no judged ablation has a chance" in done.output
