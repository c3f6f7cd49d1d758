"""Ablations that a paper reports, in the forms in which papers report them."""

import pytest

from planner.analysis.analyse import analyse_paper, analyse_sections
from planner.analysis.passages import ReportedAblation
from planner.analysis.sentences import find_parts_changed_in_rows, locate_table_rows
from planner.papers.paper import BlockKind, Paper
from planner.schema import Action
from tests.analysis.papers import LATEX, MARKDOWN, PLAIN, F, P, T, paper, section


def reported(source: Paper) -> list[ReportedAblation]:
    return list(analyse_sections(source.sections).reported_ablations)


def parts(source: Paper) -> set[str]:
    return {ablation.part.lower() for ablation in reported(source)}


def in_ablation(text: str, kind: BlockKind = P) -> list[tuple[str, Action, str]]:
    return [(r.part, r.action, r.replacement) for r in reported(paper(section("Ablation Study", (kind, text))))]


def test_every_form_in_one_paper() -> None:
    assert parts(PLAIN) >= {"echo memory", "spectral gating unit (sgu)", "log-mel front end", "window length", "relu"}


@pytest.mark.parametrize("source", [LATEX, MARKDOWN], ids=["latex", "markdown"])
def test_rows_of_tables_in_source_formats(source: Paper) -> None:
    assert parts(source) == {"spectral gating unit (sgu)", "echo memory"}


def test_the_acronym_of_a_component_is_replaced_by_its_label() -> None:
    (ablation,) = [r for r in reported(MARKDOWN) if "SGU" in r.part]
    assert ablation.part == "spectral gating unit (SGU)"
    assert ablation.location.text == "SGU"


@pytest.mark.parametrize(
    "row", [r"\quad \textit{$-$\,Echo memory} & 0.353 & $-$0.106 \\", r"~~\emph{w/o} \textbf{Echo memory} & 79.3 \\"]
)
def test_rows_are_read_without_markup(row: str) -> None:
    (phrase,) = find_parts_changed_in_rows(row, is_table=True, is_ablation_table=True)
    assert phrase.part == "Echo memory"


def test_prose_is_no_row() -> None:
    assert not list(locate_table_rows("without further words we go on\nin 2019 all was well"))


def test_columns_of_check_marks() -> None:
    table = "Table 3: Parts.\nModel SGU Echo mAP\na × × 70.1\nb ✓ × 77.0\nc ✓ ✓ 81.2"
    assert {"SGU", "Echo"} <= {part for part, _, _ in in_ablation(table, T)}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("We remove the echo memory from the model.", ("echo memory", Action.REMOVE, "")),
        ("The echo memory is removed.", ("echo memory", Action.REMOVE, "")),
        ("Replacing the echo memory with a ring buffer hurts.", ("echo memory", Action.REPLACE, "ring buffer")),
        ("The echo memory is replaced by a ring buffer.", ("echo memory", Action.REPLACE, "ring buffer")),
        ("We test using a ring buffer instead of echo memory.", ("echo memory", Action.REPLACE, "ring buffer")),
        ("We varied the window length from 1 to 9.", ("window length", Action.REPLACE, "")),
        ("We study the effect of the window length.", ("window length", Action.REMOVE, "")),
        ("Without the echo memory, the owl must guess.", ("echo memory", Action.REMOVE, "")),
        ("Adding a ring buffer greatly improves the mAP.", ("ring buffer", Action.REMOVE, "")),
        ("The owl sees only the call, but not the echo memory and fails.", ("echo memory", Action.REMOVE, "")),
        ("**w/o Mem**: Echo memory removed (core only).", ("Echo memory", Action.REMOVE, "")),
    ],
)
def test_sentences(sentence: str, expected: tuple[str, Action, str]) -> None:
    assert expected in in_ablation(sentence)


def test_captions() -> None:
    assert ("window length", Action.REMOVE, "") in in_ablation("Figure 4: Effect of window length on mAP.", F)


@pytest.mark.parametrize(
    "sentence",
    [
        "Without the gate, the owl must guess.",
        "The gate is removed entirely.",
        "The effect on Alps is small.",
        "Ablation study on AlpineOwls12.",
        "In the absence of the gate, owls are drawn at random.",
        "Without the gate the speeds hardly change, but the call error rises.",
        "As an ablation to limit our analysis to owls, we use weights.",
        "We study the effect of the gate and found that it is small.",
        "− gs:tKL(µbO ∥ δℓ 0.1 0.2",
        "We study the sensitivity to rare vs. abundant owls.",
    ],
)
def test_other_words_of_a_sentence_are_not_ablated(sentence: str) -> None:
    assert {part for part, _, _ in in_ablation(sentence)} <= {"gate"}


@pytest.mark.parametrize(
    ("heading", "expected"),
    [
        ("RQ3: Memory Variants", {"Memory"}),
        ("Echo Memory", {"Echo Memory"}),
        ("Consolidated Summary", set()),
        ("Ranking of owls", set()),
    ],
)
def test_headings_amid_ablations(heading: str, expected: set[str]) -> None:
    above = section("Ablations")
    ablations = reported(paper(above, section(heading, level=2, parent=above)))
    assert {ablation.part for ablation in ablations} == expected


@pytest.mark.parametrize(
    ("heading", "expected"),
    [("Comparing input features", {"input features"}), ("Comparison of methods", set()), ("Owls", set())],
)
def test_headings_that_compare_kinds(heading: str, expected: set[str]) -> None:
    above = section("Experiments")
    assert parts(paper(above, section(heading, level=2, parent=above))) == expected


def test_captions_that_name_kinds() -> None:
    source = paper(section("Experiments", (F, "Figure 4: Nest exploration strategies. More is better.")))
    assert parts(source) == {"nest exploration"}


def test_a_formula_after_a_name_and_the_row_of_the_whole_method_are_left_out() -> None:
    table = "| Variant | mAP |\n|---|---|\n| OFEN | 81.2 |\n| OFEN2 | 81.3 |\n| Product (r^a \\times r^b) | 78.1 |"
    results = section("Results", (T, "| Model | mAP |\n|---|---|\n| OFEN (ours) | 81.2 |\n| HeronNet | 70.1 |"))
    assert parts(paper(results, section("Ablation Study", (T, table)))) == {"ofen2", "product"}


def test_tables_report_wherever_they_stand() -> None:
    table = "| Model (dropout) | mAP |\n|---|---|\n| a (0.1) | 70.2 |\n| w/o gate | 70.1 |\n| + echo memory | 70.3 |"
    assert parts(paper(section("Method", (T, table)))) == {"dropout", "gate", "echo memory"}
    assert not reported(paper(section("Related Work", (T, table))))


def test_variants_are_rows_of_ablation_tables_alone() -> None:
    table = "| Variant | mAP |\n|---|---|\n| Full | 81.2 |\n| Ring buffer | 78.1 |"
    assert in_ablation(table, T) == [("Ring buffer", Action.REPLACE, "")]
    assert not reported(paper(section("Experiments", (T, table))))


@pytest.mark.parametrize(
    "part", ["mAP", "AlpineOwls", "OFEN", "learning rate", "critical components of OFEN", "RQ2", "different algorithms"]
)
def test_metrics_data_sets_and_the_whole_method_are_no_parts(part: str) -> None:
    method = section("Method", (P, "The owl finding ear network (OFEN) is all we have. We use the AlpineOwls dataset."))
    ablations = section("Ablations", (P, f"We study the effect of {part}. We study the effect of echo memory."))
    found = analyse_sections((method, ablations), "OFEN: An Owl-Finding Ear Network").reported_ablations
    assert [ablation.part for ablation in found] == ["echo memory"]


@pytest.mark.parametrize(
    ("heading", "row", "expected"),
    [
        ("Results", "No wind 71.2 72.1", set()),
        ("Ablations", "No wind 71.2 72.1", {"wind"}),
        ("Results", "w/o gate 71.2 72.1", {"gate"}),
        ("Results", "OWL w/o gate (Strix et al., 2019) 71.2 72.1", set()),
    ],
)
def test_a_row_removes_a_part_of_this_method(heading: str, row: str, expected: set[str]) -> None:
    assert parts(paper(section(heading, (T, f"Table 2: Owls.\nModel mAP HER\n{row}")))) == expected


def test_a_hyphenated_word_removes_nothing() -> None:
    assert not in_ablation("We keep target-masked calls.")


def test_lists_are_split() -> None:
    names = {part for part, _, _ in in_ablation("We remove the echo memory and the night loss.")}
    assert names >= {"echo memory", "night loss"}


def test_a_component_that_an_ablation_section_finds_effective_is_ablated_there() -> None:
    source = paper(
        section("Method", (P, "The echo ring filter (ERF) comes first.")),
        section("Ablations", (P, "The ERF brings a gain of two points.")),
    )
    assert parts(source) == {"echo ring filter (erf)"}


def test_the_method_that_the_title_names_is_not_ablated() -> None:
    method = section("Method", (P, "The owl finding ear network (OFEN) is all we have."))
    ablations = section("Ablations", (P, "OFEN improves."))
    assert analyse_sections((method, ablations), "Other").reported_ablations
    assert not analyse_sections((method, ablations), "OFEN: An Owl-Finding Ear Network").reported_ablations


def test_only_experiments_report() -> None:
    text = "We remove the echo memory.\nw/o gate 71.2 72.1"
    for heading in ("Introduction", "Method", "Related Work", "References"):
        assert not reported(paper(section(heading, (P, text)))), heading


def test_a_sentence_outside_ablations_is_no_report() -> None:
    assert not reported(paper(section("Experiments", (P, "We remove the silent files from the data."))))


def test_each_part_and_action_once_in_reading_order() -> None:
    ablations = reported(PLAIN)
    assert len({(ablation.part, ablation.action) for ablation in ablations}) == len(ablations)
    assert [ablation.location.paper_offset for ablation in ablations] == sorted(
        ablation.location.paper_offset for ablation in ablations
    )


def test_locations_point_to_the_text() -> None:
    for ablation in reported(PLAIN):
        assert PLAIN.text[ablation.location.paper_offset :].lower().startswith(ablation.location.text.lower()), ablation


def test_analyse_holds_all_three() -> None:
    analysis = analyse_paper(PLAIN)
    assert analysis.components and analysis.reported_ablations and analysis.metrics
