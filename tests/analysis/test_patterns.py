"""Tables of rows, sentences, headings and captions, each with what the analysis finds in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.analysis.analyse import analyse_sections
from planner.analysis.components import find_components
from planner.analysis.metrics import find_metrics
from planner.analysis.passages import split_sections_into_passages, strip_markup
from planner.analysis.phrases import (
    KnownNames,
    extract_bare_name,
    find_defined_acronyms,
    locate_run_in_headings,
    split_into_bare_names,
)
from planner.analysis.sentences import (
    AblationPhrase,
    find_check_marked_parts_and_variants,
    find_parts_changed_in_rows,
    find_removals_and_replacements,
    find_studied_parts,
    find_varied_choices_and_values,
    locate_table_rows,
)
from planner.papers.paper import BlockKind
from planner.schema import Action
from tests.analysis.odd_text import ODD_TEXT
from tests.analysis.papers import P, T, section

REMOVAL_ROWS = {
    "w/o gate 71.2 72.1": "gate",
    "wo/ T-RPN 45.0 46.5": "T-RPN",
    "No gate 79.3 1.2": "gate",
    "- echo memory 79.3 1.2": "echo memory",
    "w/o. gate 71.2 72.1": "gate",
    "wo/ gate 71.2 72.1": "gate",
    "w.o. gate 71.2 72.1": "gate",
    "without gate 71.2 72.1": "gate",
    "Without gate | 71.2": "gate",
    "no gate & 71.2 \\\\": "gate",
    "- gate | 71.2": "gate",
    "– gate 71.2 72.1": "gate",
    "minus gate | 71.2": "gate",
    "Ours w/o gate | 71.2": "gate",
    "Ours (w/o gate) | 71.2": "gate",
    "| w/o gate unit | 71.2 |": "gate unit",
    "& w/o gate & 71.2 \\\\": "gate",
    "**w/o gate** | 71.2": "gate",
    "Full model 71.2 72.1": None,
    "None 0.3 0.4": None,
    "Normal 1 2": None,
    "North 2 3": None,
    "-0.3 0.4": None,
    "-1.5 | 2.5": None,
    "with gate | 71.2": None,
}


@pytest.mark.parametrize(("row", "part"), REMOVAL_ROWS.items(), ids=REMOVAL_ROWS.keys())
def test_a_row_removes_a_part(row: str, part: str | None) -> None:
    phrases = list(find_parts_changed_in_rows(row, is_table=True, is_ablation_table=True))
    assert [(phrase.part, phrase.action) for phrase in phrases] == ([(part, Action.REMOVE)] if part else [])
    assert all(row[phrase.start :].startswith(phrase.part) for phrase in phrases)


def test_no_is_a_removal_only_in_a_table_of_ablations() -> None:
    assert not list(find_parts_changed_in_rows("No gate 79.3 1.2", is_table=True, is_ablation_table=False))


REPLACEMENT_ROWS = {
    "ReLU → GELU 81.2 79.0": ("ReLU", "GELU"),
    "ReLU -> GELU | 81.2": ("ReLU", "GELU"),
    "ReLU $\\to$ GELU & 81.2": ("ReLU", "GELU"),
    "ReLU \\rightarrow GELU & 81.2": ("ReLU", "GELU"),
    "| average pooling ⇒ max pooling | 81.2 |": ("average pooling", "max pooling"),
    "5 → 6 | 81.2": None,
    "ReLU | GELU | 81.2": None,
}


@pytest.mark.parametrize(("row", "parts"), REPLACEMENT_ROWS.items(), ids=REPLACEMENT_ROWS.keys())
def test_a_row_replaces_a_part(row: str, parts: tuple[str, str] | None) -> None:
    phrases = list(find_parts_changed_in_rows(row, is_table=True, is_ablation_table=False))
    assert [(phrase.part, phrase.replacement) for phrase in phrases] == ([parts] if parts else [])


def test_rows_are_lines_with_cells_or_numbers_at_their_places() -> None:
    text = "Table 1: Gears\ngate 79.1 80.2\nwords alone here\n\\textbf{gate} & 79.1 \\\\"
    assert list(locate_table_rows(text)) == [("gate 79.1 80.2", 15), ("gate & 79.1 \\\\", 47)]


CHECK_MARK_TABLES = {
    "cells": ("Gate | Spring | mAP\n✓ | ✓ | 81.2\n✓ | × | 79.1", ["Gate", "Spring"]),
    "LaTeX": ("Gate & Spring & mAP \\\\\n\\checkmark & \\xmark & 81.2 \\\\", ["Gate", "Spring"]),
    "text of a PDF": ("Table 2: Parts\nGate Spring mAP\n✓ ✓ 81.2", ["Gate", "Spring"]),
    "one mark alone": ("Gate | mAP\n✓ | 81.2", []),
    "no marks": ("Gate | mAP\n1 | 81.2", []),
}


@pytest.mark.parametrize(("table", "heads"), CHECK_MARK_TABLES.values(), ids=CHECK_MARK_TABLES.keys())
def test_heads_above_check_marks_name_the_parts(table: str, heads: list[str]) -> None:
    phrases = [each for each in find_check_marked_parts_and_variants(table) if each.action is Action.REMOVE]
    assert [phrase.part for phrase in phrases] == heads
    assert all(table[phrase.start :].startswith(phrase.part) for phrase in phrases)


SENTENCES = {
    "We remove the gate.": ("the gate", Action.REMOVE, ""),
    "Without the gate, it falls.": ("the gate", Action.REMOVE, ""),
    "after disabling the gate": ("the gate", Action.REMOVE, ""),
    "The gate is removed.": ("gate", Action.REMOVE, ""),
    "Dropping the gate hurts": ("the gate hurts", Action.REMOVE, ""),
    "We replace the gate with a valve.": ("the gate", Action.REPLACE, "a valve"),
    "substituting the gate by a valve": ("the gate", Action.REPLACE, "a valve"),
    "The gate is replaced by a valve.": ("gate", Action.REPLACE, "a valve"),
    "We use a valve instead of the gate.": ("the gate", Action.REPLACE, "a valve"),
    "We turn the gate.": None,
}


@pytest.mark.parametrize(("sentence", "ablation"), SENTENCES.items(), ids=SENTENCES.keys())
def test_a_sentence_removes_or_replaces_a_part(sentence: str, ablation: tuple[str, Action, str] | None) -> None:
    phrases = list(find_removals_and_replacements(sentence))
    assert [(phrase.part, phrase.action, phrase.replacement) for phrase in phrases] == ([ablation] if ablation else [])
    assert all(sentence[phrase.start :].startswith(phrase.part) for phrase in phrases)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Effect of the gate", "the gate"),
        ("Impact of gate width on speed", "gate width on speed"),
        ("Sensitivity to the threshold", "the threshold"),
        ("Sensitivity of OWL to the threshold", "the threshold"),
        ("Ablation on the gate", "the gate"),
        ("Importance of each spring", "each spring"),
        ("Choice of springs", "springs"),
    ],
)
def test_a_heading_names_the_part_whose_effect_is_studied(text: str, part: str) -> None:
    assert list(find_studied_parts(text)) == [AblationPhrase(part, Action.REMOVE, "", text.index(part))]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("We vary the gate width", "the gate width"),
        ("different gate widths", "gate widths"),
        ("it is robust to the threshold", "the threshold"),
        ("We set λ to 0.5", "λ"),
        ("setting the width = {1, 2}", "width"),
    ],
)
def test_a_sentence_names_a_varied_part(text: str, part: str) -> None:
    assert AblationPhrase(part, Action.REPLACE, "", text.index(part)) in list(find_varied_choices_and_values(text))


EXPANSIONS = {
    "the gated fusion unit (GFU)": [("GFU", "gated fusion unit")],
    "Gated Fusion Units (GFUs)": [("GFU", "Gated Fusion Units")],
    "mean opinion score (MOS) and hoot error rate (HER)": [("MOS", "mean opinion score"), ("HER", "hoot error rate")],
    "multi-head gear turning (MHGT)": [("MHGT", "multi-head gear turning")],
    "\\textbf{gated fusion unit} (GFU)": [("GFU", "gated fusion unit")],
    "a gating rig unit (GU)": [("GU", "gating rig unit")],
    "In lagged cross-station attention (LCA)": [("LCA", "lagged cross-station attention")],
    "multiple kernel maximum mean discrepancy (MK-MMD)": [("MK-MMD", "multiple kernel maximum mean discrepancy")],
    "a gate. It has fusion units (GFU)": [],
    "(AB)": [],
    "recurrent nets (RNN)": [],
    "a graphics processing unit (GPU)": [],
    "as shown (GFU)": [],
    "in the table (Table)": [],
    "a unit of gears. So it is (GSI)": [],
}


@pytest.mark.parametrize(("text", "expected"), EXPANSIONS.items(), ids=EXPANSIONS.keys())
def test_an_acronym_stands_for_the_words_before_it(text: str, expected: list[tuple[str, str]]) -> None:
    acronyms = list(find_defined_acronyms(text))
    assert [(acronym.abbreviation, acronym.expansion) for acronym in acronyms] == expected
    assert all(text[acronym.expansion_start :].startswith(acronym.expansion) for acronym in acronyms)


@given(st.text(alphabet="ABc", min_size=2, max_size=5), st.text(alphabet="abc -.(", max_size=40))
def test_an_expansion_ends_the_text_and_begins_with_the_letter(short: str, before: str) -> None:
    for acronym in find_defined_acronyms(f"{before} ({short})"):
        assert before.rstrip().endswith(acronym.expansion)
        assert acronym.expansion[0].lower() == short[0].lower()


PHRASES = {
    "the novel gated fusion unit that turns": "gated fusion unit",
    "a gate for speed": "gate",
    "our spring (see Figure 2)": "spring",
    "**Echo memory.**": "Echo memory",
    "mixture of springs": "mixture of springs",
    "a novel and simple **echo memory** that stores": "echo memory",
    "number of heads in the encoder": "number of heads",
    "gate hurts": "gate",
    "gate quickly opens": "gate",
    "fully gated unit": "fully gated unit",
    "gate introduced": "gate",
    "m concentrate more": "m",
    "the effectiveness of the gate": "gate",
    "the": "",
    "": "",
    "investigate the gate": "",
    "it": "",
    "one two three four five six seven eight nine": "",
}


@pytest.mark.parametrize(("text", "phrase"), PHRASES.items(), ids=PHRASES.keys())
def test_a_noun_phrase_ends_where_its_clause_goes_on(text: str, phrase: str) -> None:
    assert extract_bare_name(text) == phrase


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("the gate and the spring", ["gate", "spring"]),
        ("gate, spring, cog", ["gate", "spring", "cog"]),
        ("the echo memory and the night loss, both heads", ["echo memory", "night loss", "both heads"]),
        ("gate & spring", ["gate", "spring"]),
        ("gate + spring", ["gate", "spring"]),
        ("sandbank", ["sandbank"]),
        ("", []),
    ],
)
def test_a_list_is_split(text: str, parts: list[str]) -> None:
    assert split_into_bare_names(text) == parts


@given(ODD_TEXT)
def test_a_phrase_has_few_words_and_no_space_around_it(text: str) -> None:
    phrase = extract_bare_name(text)
    assert len(phrase.split()) <= 8
    assert phrase == phrase.strip()


def test_run_in_headings_stand_at_the_start_of_a_line() -> None:
    text = "Gated unit. It turns.\nand then: It stops.\n**Echo memory** stores.\n\\paragraph{Owl loss} parts."
    headings = list(locate_run_in_headings(text))
    assert [name for name, _ in headings] == ["Gated unit", "Echo memory", "Owl loss"]
    assert [start for _, start in headings] == [0, text.index("**"), text.index("\\paragraph")]


TERMS: dict[str, tuple[str, list[str]]] = {
    "we propose": ("We further propose a gated fusion unit, which turns", ["gated fusion unit"]),
    "our model": ("our model uses an echo memory.", ["echo memory"]),
    "others do": ("They propose a gated fusion unit.", []),
    "bold in Markdown": ("a **gated unit** turns", ["gated unit"]),
    "bold in LaTeX": ("a \\textbf{gated unit} turns", ["gated unit"]),
    "one stressed word": ("it is \\emph{not} so", []),
    "a threshold": ("with the threshold τ it turns", ["threshold τ"]),
    "a symbol that is": ("$\\lambda$ is a balancing coefficient", ["balancing coefficient $\\lambda$"]),
    "a plain number": ("with a threshold of 5", []),
}


@pytest.mark.parametrize(("text", "names"), TERMS.values(), ids=TERMS.keys())
def test_terms_of_a_text_are_components(text: str, names: list[str]) -> None:
    passages = split_sections_into_passages((section("Method", (P, text)),))
    assert [component.name for component in find_components(passages)] == names


def test_known_names_are_found_whole_and_acronyms_in_their_case() -> None:
    index = KnownNames([("Gated fusion unit", "GFU"), ("spring", ""), ("", "SO")])
    assert list(index.locate_mentions("The gated Fusion unit (GFU) and so springs; SO a spring.")) == [
        (0, 4), (0, 23), (2, 44), (1, 49)
    ]  # fmt: skip
    assert list(index.locate_mentions("gfu, gated fusion units")) == []


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("**Gate**", "Gate"),
        (r"\subsection{The \emph{Gate}}\label{s:g}", "The Gate"),
        ('<span id="a"></span>**Gate**', "Gate"),
        ("\\textbf{Gate}~unit", "Gate unit"),
        ("## Gate ##", "Gate"),
        ("Gate\\label{g} \\cite{a}", "Gate"),
        ("<b>Gate</b>", "Gate"),
        ("snake_case", "snake_case"),
        ("$x$ \\& y", "x & y"),
    ],
)
def test_markup_is_removed_from_words(text: str, plain: str) -> None:
    assert strip_markup(text) == plain


@pytest.mark.parametrize("spelling", ["F1-score", "F1 score", "F-score", "f1"])
def test_spellings_of_a_metric_are_one(spelling: str) -> None:
    metrics = find_metrics(
        split_sections_into_passages((section("Experiments", (P, f"The F1 and the {spelling} rise.")),))
    )
    assert [metric.mention_count for metric in metrics] == [2]


@given(st.lists(st.tuples(st.sampled_from([P, T]), ODD_TEXT.filter(bool)), max_size=4))
def test_findings_lie_inside_the_text_under_a_heading_of_it(blocks: list[tuple[BlockKind, str]]) -> None:
    sections = (section("3 Method", *blocks), section("4.1 Ablation Study", *blocks))
    text = "\n\n".join(part.text for part in sections)
    analysis = analyse_sections(sections)
    locations = [component.location for component in analysis.components]
    locations += [ablation.location for ablation in analysis.reported_ablations]
    locations += [metric.location for metric in analysis.metrics]
    for location in locations:
        assert 0 <= location.paper_offset <= len(text)
        assert location.heading in ("3 Method", "4.1 Ablation Study")
