"""What single rows, sentences, headings and captions are read as, in the words of many fields."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.analysis.analyse import analyse_sections
from planner.analysis.components import find_emphasized_terms, find_hyperparameters, find_proposed_phrases
from planner.analysis.metrics import find_metrics
from planner.analysis.passages import split_passages, strip_markup
from planner.analysis.phrases import (
    NameIndex,
    extract_noun_phrase,
    find_acronyms,
    find_expansion,
    find_run_in_headings,
    split_conjuncts,
)
from planner.analysis.reported_rows import (
    find_marked_columns,
    match_removal_row,
    match_replacement_row,
    split_table_rows,
)
from planner.analysis.sentences import (
    AblationPhrase,
    find_removals_and_replacements,
    find_studied_parts,
    find_varied_parts,
)
from planner.papers.paper import BlockKind
from planner.schema import Action
from tests.analysis.odd_text import ODD_TEXT
from tests.analysis.papers import P, T, section

LEFT_OUT = {
    "w/o gate 71.2 72.1": "gate",
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
    "**w/o gate** | 71.2": "gate**",
    "Full model 71.2 72.1": None,
    "-1.5 | 2.5": None,
    "with gate | 71.2": None,
}


@pytest.mark.parametrize(("row", "part"), LEFT_OUT.items(), ids=LEFT_OUT.keys())
def test_a_row_says_what_it_leaves_out(row: str, part: str | None) -> None:
    found = match_removal_row(row)
    assert (found[1] if found else None) == part


EXCHANGED = {
    "ReLU → GELU 81.2": ("ReLU", "GELU"),
    "ReLU -> GELU | 81.2": ("ReLU", "GELU"),
    "ReLU $\\to$ GELU & 81.2": ("ReLU", "GELU"),
    "ReLU \\rightarrow GELU & 81.2": ("ReLU", "GELU"),
    "| mean pooling ⇒ max pooling | 81.2 |": ("mean pooling", "max pooling"),
    "5 → 6 | 81.2": None,
    "ReLU | GELU | 81.2": None,
}


@pytest.mark.parametrize(("row", "parts"), EXCHANGED.items(), ids=EXCHANGED.keys())
def test_a_row_says_what_it_exchanges(row: str, parts: tuple[str, str] | None) -> None:
    found = match_replacement_row(row)
    assert ((found[1], found[2]) if found else None) == parts


def test_rows_are_lines_with_cells_or_numbers_at_their_places() -> None:
    text = "Table 1: Gears\ngate 79.1 80.2\nwords alone here\n\\textbf{gate} & 79.1 \\\\"
    assert list(split_table_rows(text)) == [("gate 79.1 80.2", 15), ("gate & 79.1 \\\\", 47)]


MARKED = {
    "cells": ("Gate | Spring | mAP\n✓ | ✓ | 81.2\n✓ | × | 79.1", ["Gate", "Spring"]),
    "LaTeX": ("Gate & Spring & mAP \\\\\n\\checkmark & \\xmark & 81.2 \\\\", ["Gate", "Spring"]),
    "text of a PDF": ("Table 2: Parts\nGate Spring mAP\n✓ ✓ 81.2", ["Gate", "Spring"]),
    "one mark alone": ("Gate | mAP\n✓ | 81.2", []),
    "no marks": ("Gate | mAP\n1 | 81.2", []),
}


@pytest.mark.parametrize(("table", "heads"), MARKED.values(), ids=MARKED.keys())
def test_heads_above_check_marks_name_the_parts(table: str, heads: list[str]) -> None:
    found = list(find_marked_columns(table))
    assert [head for head, _ in found] == heads
    assert all(table[place:].startswith(head) for head, place in found)


SAID = {
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


@pytest.mark.parametrize(("sentence", "said"), SAID.items(), ids=SAID.keys())
def test_a_sentence_says_what_was_taken_away_or_exchanged(sentence: str, said: tuple[str, Action, str] | None) -> None:
    found = list(find_removals_and_replacements(sentence))
    assert [(one.part, one.action, one.replacement) for one in found] == ([said] if said else [])
    assert all(sentence[one.start :].startswith(one.part) for one in found)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Effect of the gate", "the gate"),
        ("Impact of gate width on speed", "gate width on speed"),
        ("Sensitivity to the threshold", "the threshold"),
        ("Ablation on the gate", "the gate"),
        ("Importance of each spring", "each spring"),
        ("Choice of springs", "springs"),
    ],
)
def test_a_heading_says_whose_effect_is_studied(text: str, part: str) -> None:
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
def test_a_sentence_says_what_was_varied(text: str, part: str) -> None:
    assert AblationPhrase(part, Action.REPLACE, "", text.index(part)) in list(find_varied_parts(text))


EXPANSIONS = {
    "the gated fusion unit (GFU)": [("GFU", "gated fusion unit")],
    "Gated Fusion Units (GFUs)": [("GFU", "Gated Fusion Units")],
    "mean opinion score (MOS) and hoot error rate (HER)": [("MOS", "mean opinion score"), ("HER", "hoot error rate")],
    "multi-head gear turning (MHGT)": [("MHGT", "multi-head gear turning")],
    "\\textbf{gated fusion unit} (GFU)": [("GFU", "gated fusion unit")],
    "a gating rig unit (GU)": [("GU", "gating rig unit")],
    "recurrent nets (RNN)": [],
    "as shown (GFU)": [],
    "in the table (Table)": [],
    "a unit of gears. So it is (GSI)": [],
}


@pytest.mark.parametrize(("text", "found"), EXPANSIONS.items(), ids=EXPANSIONS.keys())
def test_an_acronym_stands_for_the_words_before_it(text: str, found: list[tuple[str, str]]) -> None:
    made = list(find_acronyms(text))
    assert [(one.abbreviation, one.expansion) for one in made] == found
    assert all(text[one.start :].startswith(one.expansion) for one in made)


@given(st.text(alphabet="ABc", min_size=2, max_size=5), st.text(alphabet="abc -.(", max_size=40))
def test_an_expansion_ends_the_text_and_begins_with_the_letter(short: str, before: str) -> None:
    if found := find_expansion(short, before):
        assert before.endswith(found)
        assert found[0].lower() == short[0].lower()


PHRASES = {
    "the novel gated fusion unit that turns": "gated fusion unit",
    "a gate for speed": "gate",
    "our spring (see Figure 2)": "spring",
    "**Echo memory.**": "Echo memory",
    "mixture of springs": "mixture of springs",
    "gate hurts": "gate",
    "investigate the gate": "",
    "it": "",
    "one two three four five six seven eight nine": "",
}


@pytest.mark.parametrize(("text", "phrase"), PHRASES.items(), ids=PHRASES.keys())
def test_a_noun_phrase_ends_where_its_clause_goes_on(text: str, phrase: str) -> None:
    assert extract_noun_phrase(text) == phrase


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("the gate and the spring", ["gate", "spring"]),
        ("gate, spring, cog", ["gate", "spring", "cog"]),
        ("gate & spring", ["gate", "spring"]),
        ("gate + spring", ["gate", "spring"]),
        ("sandbank", ["sandbank"]),
        ("", []),
    ],
)
def test_a_list_is_taken_apart(text: str, parts: list[str]) -> None:
    assert split_conjuncts(text) == parts


@given(ODD_TEXT)
def test_a_phrase_has_few_words_and_no_dress(text: str) -> None:
    phrase = extract_noun_phrase(text)
    assert len(phrase.split()) <= 8
    assert phrase == phrase.strip()


def test_run_in_headings_stand_at_the_start_of_a_line() -> None:
    text = "Gated unit. It turns.\nand then: It stops.\n**Echo memory** stores.\n\\paragraph{Owl loss} parts."
    found = list(find_run_in_headings(text))
    assert [name for name, _ in found] == ["Gated unit", "Echo memory", "Owl loss"]
    assert [place for _, place in found] == [0, text.index("**"), text.index("\\paragraph")]


Finder = Callable[[str], Iterator[tuple[str, int]]]
NAMED: dict[str, tuple[Finder, str, list[str]]] = {
    "we propose": (
        find_proposed_phrases,
        "We further propose a gated fusion unit, which turns",
        ["a gated fusion unit"],
    ),
    "our model": (find_proposed_phrases, "our model uses an echo memory.", ["an echo memory"]),
    "others do": (find_proposed_phrases, "They propose a gated fusion unit.", []),
    "bold in Markdown": (find_emphasized_terms, "a **gated unit** turns", ["gated unit"]),
    "bold in LaTeX": (find_emphasized_terms, "a \\textbf{gated unit} turns", ["gated unit"]),
    "one stressed word": (find_emphasized_terms, "it is \\emph{not} so", []),
    "a threshold": (find_hyperparameters, "with the threshold τ it turns", ["threshold τ"]),
    "a symbol that is": (
        find_hyperparameters,
        "$\\lambda$ is a balancing coefficient",
        ["balancing coefficient $\\lambda$"],
    ),
    "a plain number": (find_hyperparameters, "with a threshold of 5", []),
}


@pytest.mark.parametrize(("read", "text", "names"), NAMED.values(), ids=NAMED.keys())
def test_a_text_brings_up_its_parts(read: Finder, text: str, names: list[str]) -> None:
    assert [name for name, _ in read(text)] == names


def test_known_names_are_found_whole_and_acronyms_in_their_case() -> None:
    index = NameIndex([("Gated fusion unit", "GFU"), ("spring", ""), ("", "SO")])
    assert list(index.find_mentions("The gated Fusion unit (GFU) and so springs; SO a spring.")) == [
        (0, 4), (0, 23), (2, 44), (1, 49)
    ]  # fmt: skip
    assert list(index.find_mentions("gfu, gated fusion units")) == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("**Gate**", "Gate"),
        ("\\textbf{Gate}~unit", "Gate unit"),
        ("## Gate ##", "Gate"),
        ("Gate\\label{g} \\cite{a}", "Gate"),
        ("<b>Gate</b>", "Gate"),
        ("snake_case", "snake_case"),
        ("$x$ \\& y", "x & y"),
    ],
)
def test_words_are_undressed(text: str, bare: str) -> None:
    assert strip_markup(text) == bare


@pytest.mark.parametrize("spelling", ["F1-score", "F1 score", "F-score", "f1"])
def test_spellings_of_a_metric_are_one(spelling: str) -> None:
    found = find_metrics(split_passages((section("Experiments", (P, f"The F1 and the {spelling} rise.")),)))
    assert [metric.mention_count for metric in found] == [2]


@given(st.lists(st.tuples(st.sampled_from([P, T]), ODD_TEXT.filter(bool)), max_size=4))
def test_everything_read_off_a_text_stands_where_it_says(blocks: list[tuple[BlockKind, str]]) -> None:
    sections = (section("3 Method", *blocks), section("4.1 Ablation Study", *blocks))
    text = "\n\n".join(one.text for one in sections)
    analysis = analyse_sections(sections)
    for found in [one.location for one in (*analysis.components, *analysis.reported_ablations, *analysis.metrics)]:
        assert 0 <= found.offset <= len(text)
        assert found.heading in ("3 Method", "4.1 Ablation Study")
