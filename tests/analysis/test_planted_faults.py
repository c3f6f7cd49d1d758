"""The faults that are planted in plans of invented papers are found, and sound ablations are left alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from planner.analysis.check import PlanCheck, check_plan
from planner.papers.load import load_paper
from planner.schema import Plan, Task
from tests.analysis.papers import index
from tests.analysis.planted import PAPERS, Planted

Checked = list[tuple[str, Planted, PlanCheck]]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Checked:
    """Every planted ablation with what the check of its plan finds."""
    return list(_check_all(tmp_path_factory.mktemp("papers")))


def _check_all(folder: Path) -> Iterator[tuple[str, Planted, PlanCheck]]:
    for name, (text, cases) in PAPERS.items():
        (folder / name).write_text(text, encoding="utf-8")
        paper = load_paper(str(folder / name))
        indexes = {task: index(paper, task) for task in Task}
        for case in cases:
            yield name, case, check_plan(Plan(ablations=case.ablations), case.details, indexes[case.task])


def test_there_are_sixty_faults_and_sixty_sound_ablations(checked: Checked) -> None:
    assert sum(case.fault is not None for _, case, _ in checked) == 60
    assert sum(case.fault is None for _, case, _ in checked) == 60


def test_nine_of_ten_planted_faults_are_found_as_what_they_are(checked: Checked) -> None:
    missed = [
        (name, case.fault, case.part)
        for name, case, check in checked
        if case.fault and (len(case.ablations), case.fault) not in {(f.number, f.kind) for f in check.findings}
    ]
    assert len(missed) <= 6, missed


def test_at_most_one_sound_ablation_in_twenty_is_said_to_be_faulty(checked: Checked) -> None:
    faulty = [
        (name, check.warnings)
        for name, case, check in checked
        if case.fault is None and any(finding.number == len(case.ablations) for finding in check.findings)
    ]
    assert len(faulty) <= 3, faulty
