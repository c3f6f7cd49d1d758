"""Metrics that a text announces in lists, captions, column heads and sections."""

import pytest
from hypothesis import given

from planner.analysis.metrics import (
    find_arrow_metrics,
    find_listed_metrics,
    find_metrics_below_heading,
    find_panel_quantities,
    is_multiword_quantity,
)
from tests.analysis.odd_text import ODD_TEXT


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("We report the hoot rate, nest ratio and flight time.", ["hoot rate", "nest ratio", "flight time"]),
        ("Columns report \\textbf{wing-beat error} (WBE) on Alps.", ["wing-beat error"]),
        ("Quality is measured in terms of feather similarity.", ["feather similarity"]),
        ("The metrics are perch score, and roost entropy.", ["perch score", "roost entropy"]),
        ("We report results on two data sets.", []),
        ("We report the best score and the learning rate.", []),
        ("The hoot rate rises.", []),
    ],
)
def test_lists_of_metrics(sentence: str, expected: list[str]) -> None:
    assert [name for name, _ in find_listed_metrics(sentence)] == expected


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (r"\textbf{(a)} Hoot rate: it rises. \textbf{(b)} Roost entropy, which falls.", ["Hoot rate", "Roost entropy"]),
        ("Effects by night. Hoot rate (left) and roost entropy (right) of owls.", ["Hoot rate", "roost entropy"]),
        ("(a) The forest. (b) Another forest.", []),
    ],
)
def test_panels_of_figures(caption: str, expected: list[str]) -> None:
    assert [name for name, _ in find_panel_quantities(caption)] == expected


def test_a_column_head_is_read_without_its_unit_and_its_cutoff() -> None:
    table = "| Model | Speed (hoots/s) ↑ | Calm @9pm ↑ | Time after<br>dusk (↓) |"
    assert [name for name, _ in find_arrow_metrics(table)] == ["Speed", "Calm", "Time"]


@pytest.mark.parametrize(
    "heading", ["Metrics", "4.2 Evaluation Metrics", r"\subsection{Metrics}", "Automatic measures"]
)
def test_a_section_on_metrics_introduces_them(heading: str) -> None:
    text = "\\item \\textbf{Owl-as-Judge}: An owl judges.\n\\item \\textbf{Table 2} has more."
    assert [name for name, _ in find_metrics_below_heading(heading, text)] == ["Owl-as-Judge"]


@pytest.mark.parametrize("heading", ["Datasets and metrics for owls at night", "Results", ""])
def test_other_sections_introduce_none(heading: str) -> None:
    assert not list(find_metrics_below_heading(heading, "**Owl-as-Judge**: An owl judges."))


def test_a_quantity_has_a_name_of_its_own() -> None:
    assert is_multiword_quantity("Hoot Rate")
    assert not is_multiword_quantity("rate")
    assert not is_multiword_quantity("rate of hoots")


@given(ODD_TEXT)
def test_places_are_inside_the_text(text: str) -> None:
    for metrics in (
        find_listed_metrics(text),
        find_panel_quantities(text),
        find_arrow_metrics(text),
        find_metrics_below_heading("Metrics", text),
    ):
        for name, start in metrics:
            assert name
            assert 0 <= start < len(text)
