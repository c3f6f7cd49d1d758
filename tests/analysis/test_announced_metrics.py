"""Metrics that a text announces in lists, captions, column heads and sections."""

import pytest

from planner.analysis.metrics import find_metrics
from planner.analysis.passages import split_sections_into_passages
from planner.papers.paper import BlockKind
from tests.analysis.papers import F, P, T, section

EXPERIMENTS = section("4 Experiments")


def list_metrics(text: str, kind: BlockKind = P, heading: str = "4.1 Results") -> list[str]:
    sections = (section(heading, (kind, text), level=2, parent=EXPERIMENTS),)
    return [metric.name for metric in find_metrics(split_sections_into_passages(sections))]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("We report the hoot rate, nest ratio and flight time.", ["hoot rate", "nest ratio", "flight time"]),
        ("Columns report \\textbf{wing-beat error} (WBE) on Alps.", ["wing-beat error"]),
        ("Quality is measured in terms of feather similarity.", ["feather similarity"]),
        ("The metrics are perch score, and roost entropy.", ["perch score", "roost entropy"]),
        ("We report results on two data sets.", []),
        ("We report the best score and the learning rate.", []),
        ("We report the rate, and the rate of hoots.", []),
        ("The hoot rate rises.", []),
    ],
)
def test_lists_of_metrics(sentence: str, expected: list[str]) -> None:
    assert list_metrics(sentence) == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (r"\textbf{(a)} Hoot rate: it rises. \textbf{(b)} Roost entropy, which falls.", ["Hoot rate", "Roost entropy"]),
        ("Effects by night. Hoot rate (left) and roost entropy (right) of owls.", ["Hoot rate", "roost entropy"]),
        ("(a) The forest. (b) Another forest.", []),
    ],
)
def test_panels_of_figures(caption: str, expected: list[str]) -> None:
    assert list_metrics(caption, F) == expected


def test_a_column_head_is_read_without_its_unit_and_its_cutoff() -> None:
    table = "| Model | Speed (hoots/s) ↑ | Calm @9pm ↑ | Time after<br>dusk (↓) |"
    assert list_metrics(table, T) == ["Speed", "Calm", "Time"]


@pytest.mark.parametrize(
    "heading", ["Metrics", "4.2 Evaluation Metrics", r"\subsection{Metrics}", "Automatic measures"]
)
def test_a_section_on_metrics_introduces_them(heading: str) -> None:
    text = "\\item \\textbf{Owl-as-Judge}: An owl judges.\n\\item \\textbf{Table 2} has more."
    assert list_metrics(text, heading=heading) == ["Owl-as-Judge"]


@pytest.mark.parametrize("heading", ["Datasets and metrics for owls at night", "Results", ""])
def test_other_sections_introduce_none(heading: str) -> None:
    assert not list_metrics("**Owl-as-Judge**: An owl judges.", heading=heading)
