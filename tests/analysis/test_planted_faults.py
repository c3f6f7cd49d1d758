"""Faults that are planted in plans of invented papers are found, and sound ablations are left alone.

The folder `planted` holds the papers, each with its ablations: a fault or none, and the part, replacements, metrics and
quote of the ablation; `before` is the part of a sound ablation that stands before it in the plan.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from planner.analysis.check import Finding, FindingKind, find_faults, locate_quotes
from planner.details import Details, Evidence
from planner.papers.load import load_paper
from planner.schema import Ablation, Action, Plan, Task
from tests.analysis.papers import index

FOLDER = Path(__file__).parent / "planted"


@dataclass(frozen=True)
class Checked:
    """An ablation with its planted fault, None if it is sound, and the faults that are found in it."""

    paper: str
    ablation: Ablation
    fault: str | None
    findings: tuple[Finding, ...]

    @property
    def kinds(self) -> set[FindingKind]:
        """The kinds of the faults that are found in the ablation."""
        return {finding.kind for finding in self.findings}


@pytest.fixture(scope="module")
def checked() -> list[Checked]:
    return [each for path in sorted(FOLDER.glob("*.jsonl")) for each in check_paper(path)]


def check_paper(path: Path) -> Iterator[Checked]:
    source = next(each for each in path.parent.glob(f"{path.stem}.*") if each != path)
    paper = load_paper(str(source))
    indexes = {task: index(paper, task) for task in Task}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        before = [build_ablation({**row, "part": row["before"], "replacement": []})] if "before" in row else []
        ablations = (*before, build_ablation(row))
        details = (Details(reason="It matters.", evidence=Evidence(quote=row["quote"])),) * len(ablations)
        paper_index = indexes[Task(row["task"])]
        found = find_faults(Plan(ablations=ablations), locate_quotes(details, paper_index), paper_index)
        own = tuple(finding for finding in found if finding.ablation_index == len(before))
        yield Checked(source.name, ablations[-1], row["fault"], own)


def build_ablation(row: dict[str, Any]) -> Ablation:
    action = Action.REPLACE if row["replacement"] else Action.REMOVE
    name = f"{'How is' if row['replacement'] else 'Without'} {row['part']}"
    return Ablation(
        name=name, ablated_part=row["part"], action=action, replacement=row["replacement"], metrics=row["metrics"]
    )


def test_there_are_sixty_faults_and_sixty_sound_ablations(checked: list[Checked]) -> None:
    assert sum(each.fault is not None for each in checked) == 60
    assert sum(each.fault is None for each in checked) == 60
    assert {each.fault for each in checked} == {None, *FindingKind}


def test_nine_of_ten_planted_faults_are_found_as_what_they_are(checked: list[Checked]) -> None:
    missed = [each for each in checked if each.fault and each.fault not in each.kinds]
    assert len(missed) <= 6, [(each.paper, each.fault, each.ablation.ablated_part) for each in missed]


def test_at_most_one_sound_ablation_in_twenty_is_said_to_be_faulty(checked: list[Checked]) -> None:
    accused = [each for each in checked if each.fault is None and each.kinds]
    assert len(accused) <= 3, [(each.paper, each.findings) for each in accused]
