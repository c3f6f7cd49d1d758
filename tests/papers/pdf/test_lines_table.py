"""What is told of single lines: their runs, captions, numbers, titles, and what belongs to the page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.paper import BlockKind
from planner.papers.pdf.captions import Part, announced, announced_at, is_caption_start, runs_on
from planner.papers.pdf.furniture import without_furniture, without_line_numbers
from planner.papers.pdf.headline import Headline, letters, number_of, spans, unnumbered
from planner.papers.pdf.hyphens import Vocabulary, joined
from planner.papers.pdf.lines import Line, line_of
from planner.papers.pdf.outline import OutlineItem, locate
from planner.papers.pdf.paragraphs import blocks_of
from planner.papers.pdf.runs import Run
from planner.papers.pdf.setting import setting_of
from planner.papers.pdf.titling import find_title
from tests.papers.pdf.typeset import BODY, PROSE, line, run, stacked

NO_WORDS = Vocabulary(())

ANNOUNCED = {
    "Table 1: Gears": Part.TABLE_CAPTION,
    "Table 2. Gears": Part.TABLE_CAPTION,
    "TABLE III": Part.TABLE_CAPTION,
    "TABLE VIII": Part.TABLE_CAPTION,
    "Fig. XII. A gear": Part.FIGURE_CAPTION,
    "Tab. 3: Gears": Part.TABLE_CAPTION,
    "Table A.1: Gears": Part.TABLE_CAPTION,
    "Supplementary Table 4: Gears": Part.TABLE_CAPTION,
    "Figure 1: A gear": Part.FIGURE_CAPTION,
    "Fig. 2. A gear": Part.FIGURE_CAPTION,
    "Fig 3: A gear": Part.FIGURE_CAPTION,
    "Figure 4 (a) A gear": Part.FIGURE_CAPTION,
    "Figure 5 | A gear": Part.FIGURE_CAPTION,
    "Figure S1: A gear": Part.FIGURE_CAPTION,
    "Extended Data Fig. 6: A gear": Part.FIGURE_CAPTION,
    "Figure 7": Part.FIGURE_CAPTION,
    "Algorithm 1 Turn": Part.ALGORITHM,
    "Procedure 2: Turn": Part.ALGORITHM,
    "Listing 3. Turn": Part.ALGORITHM,
    "Table. 8. Gears": Part.TABLE_CAPTION,
    "Table 1 shows gears": None,
    "Table. 2 shows gears": None,
    "Fig.3a shows gears": None,
    "Fig. 4, the upper gear": None,
    "Figures 1: no": None,
    "Tables are turned": None,
    "Algorithmic gears": None,
    "see Figure 1: it": None,
}


@pytest.mark.parametrize(("text", "part"), ANNOUNCED.items(), ids=ANNOUNCED.keys())
def test_a_caption_is_known_by_its_beginning(text: str, part: Part | None) -> None:
    assert announced(line(text)) is part
    assert is_caption_start(line(text)) is (part in (Part.TABLE_CAPTION, Part.FIGURE_CAPTION))


@pytest.mark.parametrize(
    ("before", "gap", "part"),
    [
        (PROSE + " and see", 12, None),
        (PROSE + ".", 12, Part.TABLE_CAPTION),
        (PROSE + " and see", 30, Part.TABLE_CAPTION),
        ("1.5 2.5", 12, Part.TABLE_CAPTION),
    ],
    ids=["amid a sentence", "after a sentence", "set apart", "after numbers"],
)
def test_a_sentence_that_breaks_before_a_number_is_no_caption(before: str, gap: float, part: Part | None) -> None:
    assert announced_at([line(before, 700), line("Table 2. It turns", 700 - gap)], 1, BODY) is part


@pytest.mark.parametrize(
    ("changes", "on"),
    [({}, True), ({"size": 9}, False), ({"page": 2}, False), ({"y": 680}, False), ({"y": 720}, False)],
    ids=["close below", "other type", "other page", "far below", "above"],
)
def test_a_caption_runs_on_in_its_type_close_below(changes: dict[str, float], on: bool) -> None:
    assert runs_on(line("a", 700), line("b", **{"y": 688, **changes})) is on


NUMBERS = {
    "3 Method": ("3", "Method"),
    "3.1 Gears": ("3.1", "Gears"),
    "3.1. Gears": ("3.1", "Gears"),
    "IV. RESULTS": ("IV", "RESULTS"),
    "B Proofs": ("B", "Proofs"),
    "B.2: Proofs": ("B.2", "Proofs"),
    "Appendix C Data": ("C", "Data"),
    "Section 4 Data": ("4", "Data"),
    "1.2.3.4 Deep": ("1.2.3.4", "Deep"),
    "Method": ("", "Method"),
    "2026": ("", "2026"),
    "100 Gears": ("", "100 Gears"),
}


@pytest.mark.parametrize(("text", "parts"), NUMBERS.items(), ids=NUMBERS.keys())
def test_the_number_of_a_heading_is_parted_from_its_words(text: str, parts: tuple[str, str]) -> None:
    assert (number_of(text), unnumbered(text)) == parts


def test_printings_of_one_heading_share_their_letters() -> None:
    assert letters("3.1 State-of-the-Art: Gears") == letters("31 state of the\u00a0art gears") == "31stateoftheartgears"


def test_each_heading_rules_the_lines_up_to_the_next() -> None:
    one, two = Headline(2, 1, "A", 1), Headline(5, 2, "B", 1)
    assert spans([one, two], 9) == [(one, 3, 5), (two, 7, 9)]
    assert spans([], 9) == []


RUNS = {
    "one word of two runs": ([run("Gat", 100, 115), run("ing", 115, 130)], "Gating", ("Gating",)),
    "a gap without a space": ([run("a", 100, 105), run("b", 108, 113)], "a b", ("a b",)),
    "a space that is painted": ([run("a", 100, 105), run("b", 105, 110, space=True)], "a b", ("a b",)),
    "cells": ([run("gate", 100, 120), run("79.1", 160, 180)], "gate 79.1", ("gate", "79.1")),
    "small capitals": (
        [run("G", 100, 107, size=12), run("ATE", 107, 125, size=9.6, space=True)],
        "GATE",
        ("GATE",),
    ),
    "a break within": ([run("ga\x02te", 100, 130)], "ga-te", ("ga-te",)),
    "a break at the end": ([run("ga\x02", 100, 130)], "ga\x02", ("ga\x02",)),
}


@pytest.mark.parametrize(("runs", "text", "cells"), RUNS.values(), ids=RUNS.keys())
def test_runs_make_the_words_and_cells_of_a_line(runs: list[Run], text: str, cells: tuple[str, ...]) -> None:
    made = line_of(1, runs)
    assert (made.text, made.cells) == (text, cells)
    assert (made.x0, made.x1) == (runs[0].x0, runs[-1].x1)


def test_marks_of_footnotes_are_known_at_both_ends() -> None:
    mark = {"size": 6, "y": 704}
    ended = line_of(1, [run("On Gears", 100, 150), run("*", 151, 154, **mark), run("1", 155, 157, **mark)])
    assert (ended.bare, ended.text) == ("On Gears", "On Gears*1")
    assert line_of(1, [run("1", 95, 98, **mark), run("Our code", 100, 150)]).noted
    assert not line_of(1, [run("1", 95, 98), run("Gears", 105, 150)]).noted


def test_a_line_is_bold_and_of_the_size_that_most_of_it_has() -> None:
    made = line_of(1, [run("Gated springs", 100, 170, bold=True, size=12), run("so", 172, 180)])
    assert (made.bold, made.size) == (True, 12)
    assert not line_of(1, [run("So", 100, 110, bold=True), run("we turn", 112, 150)]).bold


@pytest.mark.parametrize(
    ("text", "changes", "prose"),
    [
        (PROSE, {}, True),
        (PROSE, {"x1": 250}, False),
        (PROSE, {"cells": ("a", "b")}, False),
        ("1 2 3 4 5 6 7 8", {}, False),
        ("four words are few", {}, False),
    ],
    ids=["full", "short", "cells", "numbers", "few words"],
)
def test_a_full_line_of_words_is_running_text(text: str, changes: dict[str, Any], prose: bool) -> None:
    assert BODY.is_prose(line(text, **changes)) is prose


def test_the_setting_is_that_of_most_of_the_text() -> None:
    found = setting_of([line("On Gears", 760, size=17), *stacked([PROSE] * 9), line("note", 90, size=7)])
    assert (found.size, found.measure, found.leading) == (10, 300, 12)
    assert found.is_large(line("a", size=12))
    assert found.is_small(line("a", size=9))
    assert not found.is_large(line("a", size=10.5)) and not found.is_small(line("a", size=9.6))
    assert setting_of([]).size == 10


TITLES = {
    "the largest": ([line("On Gears", 720, size=17), line("A. Author", 690, size=12)], "", "On Gears"),
    "of two lines": (
        [line("On Gears and", 720, size=17), line("Their Cogs", 700, size=17)],
        "",
        "On Gears and Their Cogs",
    ),
    "broken by a hyphen": (
        [line("On Inter-", 720, size=17), line("Locking Gears", 700, size=17)],
        "",
        "On Inter-Locking Gears",
    ),
    "under a banner": ([line("Proceedings of Cogs", 760, size=20), line("On Gears", 720, size=17)], "", "On Gears"),
    "as declared": ([line("Cog Letters", 760, size=20), line("On Gears", 720, size=17)], "On gears", "On Gears"),
    "declared in other words": (
        [line("On Gears", 720, size=17), line("Introduction", 600, size=12)],
        "Microsoft Word 3",
        "On Gears",
    ),
    "no letters": ([line("2026", 720, size=17)], "", ""),
    "turned": ([line("arXiv:2507.1", 500, size=20, turned=True), line("On Gears", 720, size=17)], "", "On Gears"),
    "nothing": ([], "", ""),
}


@pytest.mark.parametrize(("lines", "declared", "title"), TITLES.values(), ids=TITLES.keys())
def test_the_title_is_the_largest_type_that_is_none_of_the_journal(
    lines: list[Line], declared: str, title: str
) -> None:
    assert find_title(lines, declared, NO_WORDS)[0] == title


BODIES = [("springs push", "cogs turn"), ("gates shut", "belts slip"), ("wheels spin", "teeth wear")]


def pages_with(edges: list[str], y: float) -> list[list[Line]]:
    """Pages of their own two lines each, with one more at some height."""
    told = enumerate(zip(edges, BODIES, strict=True), 1)
    return [
        [line(edge, y, page=at), line(f"{one} {PROSE}", 700, page=at), line(f"{two} {PROSE}", 100, page=at)]
        for at, (edge, (one, two)) in told
    ]


BODY_TEXTS = [[f"{one} {PROSE}", f"{two} {PROSE}"] for one, two in BODIES]
FURNITURE = {
    "numbers": (["1", "2", "3"], 50),
    "of so many": (["1 of 3", "2 of 3", "3 of 3"], 50),
    "Roman": (["i", "ii", "iii"], 50),
    "dashed": (["- 1 -", "- 2 -", "- 3 -"], 50),
    "named": (["Page 1", "Page 2", "Page 3"], 50),
    "of the supplement": (["S1", "S2", "S3"], 50),
    "a running head": (["Gears and Cogs", "Gears and Cogs", "Gears and Cogs"], 760),
    "a running head with its page": (["Gears and Cogs 1", "2 Gears and Cogs", "Gears and Cogs 3"], 760),
}
PARTS_OF_THE_TEXT = {
    "headings": (["A Gear", "B Cogs", "C Belts"], 760),
    "captions of one form": (["Figure 1: Gears", "Figure 2: Gears", "Figure 3: Gears"], 760),
    "years in sentences": (["in 2024", "by 2025", "of 2026"], 50),
}


@pytest.mark.parametrize(("edges", "y"), FURNITURE.values(), ids=FURNITURE.keys())
def test_what_each_page_repeats_goes(edges: list[str], y: float) -> None:
    found = without_furniture(pages_with(edges, y))
    assert [[one.text for one in page] for page in found] == BODY_TEXTS


@pytest.mark.parametrize(("edges", "y"), PARTS_OF_THE_TEXT.values(), ids=PARTS_OF_THE_TEXT.keys())
def test_what_only_resembles_furniture_stays(edges: list[str], y: float) -> None:
    pages = pages_with(edges, y)
    assert without_furniture(pages) == pages


@pytest.mark.parametrize("step", [1, 5], ids=["each line", "every fifth line"])
def test_numbers_that_count_lines_go_and_a_column_of_results_stays(step: int) -> None:
    text = [run(PROSE, 100, 400, y=700 - 12 * at) for at in range(10)]
    counted = [run(str(step * at), 80, 88, y=700 - 12 * at) for at in range(1, 11)]
    results = [run(str(at * at % 7), 80, 88, y=700 - 12 * at) for at in range(10)]
    assert without_line_numbers([[*text, *counted]]) == [text]
    assert without_line_numbers([[*text, *results]]) == [[*text, *results]]


def paragraphs(*texts: str, **changes: float) -> list[str]:
    lines = stacked(texts, **changes)
    return [block.text for block in blocks_of(lines, [Part.PROSE] * len(lines), BODY, NO_WORDS)]


def test_a_paragraph_ends_with_a_short_line_or_before_an_item() -> None:
    assert paragraphs(PROSE, PROSE) == [f"{PROSE} {PROSE}"]
    assert paragraphs(PROSE + ".", "• one", "• two") == [PROSE + ".", "• one", "• two"]
    short = line("It ends.", 688, x1=200)
    lines = [line(PROSE), short, line("Then " + PROSE, 676)]
    made = blocks_of(lines, [Part.PROSE] * 3, BODY, NO_WORDS)
    assert [block.text for block in made] == [f"{PROSE} It ends.", f"Then {PROSE}"]


def test_a_table_keeps_a_row_a_line_and_waits_for_the_paragraph_that_it_parts() -> None:
    row = line("gate 79.1", 676, cells=("gate", "79.1"))
    lines = [line(PROSE), line("Table 1: Gears", 688), row, line("so it ends.", 664)]
    parts = [Part.PROSE, Part.TABLE_CAPTION, Part.TABLE, Part.PROSE]
    made = blocks_of(lines, parts, BODY, NO_WORDS)
    assert [(block.kind, block.text) for block in made] == [
        (BlockKind.PROSE, f"{PROSE} so it ends."),
        (BlockKind.TABLE, "Table 1: Gears\ngate  79.1"),
    ]


LINES = st.sampled_from(["gate 1", "It ends.", "Table 1: a", "• one"])


@given(st.lists(st.tuples(st.sampled_from(Part), LINES), max_size=12))
def test_no_line_is_lost_in_making_blocks(told: list[tuple[Part, str]]) -> None:
    lines = stacked([text for _, text in told])
    made = blocks_of(lines, [part for part, _ in told], BODY, NO_WORDS)
    assert sorted(" ".join(block.text for block in made).split()) == sorted(" ".join(t for _, t in told).split())


def test_an_outline_is_found_in_print_on_its_page_or_the_next() -> None:
    lines = [line("1 Gears", 700), line(PROSE, 680), line("2 Cogs and", 700, page=2), line("Their Teeth", 688, page=2)]
    items = [OutlineItem("Gears", 1, 1), OutlineItem("Cogs and Their Teeth", 1, 1), OutlineItem("Springs", 1, 2)]
    found, missing = locate([*items, OutlineItem("Nowhere", 1, None)], lines, NO_WORDS)
    assert [(one.at, one.lines, one.text) for one in found] == [(0, 1, "1 Gears"), (2, 2, "2 Cogs and Their Teeth")]
    assert [item.title for item in missing] == ["Springs", "Nowhere"]


@pytest.mark.parametrize(
    ("within", "lines", "text"),
    [
        ([], ["a gear\x02", "box"], "a gearbox"),
        (["our gear-box"], ["a gear\x02", "box"], "a gear-box"),
        (["our gearbox", "a gear-box", "the gearbox"], ["a gear\x02", "box"], "a gearbox"),
        ([], ["a model\x02", "based view"], "a model-based view"),
        ([], ["the self\x02", "taught gear"], "the self-taught gear"),
        ([], ["single\x02", "and twin gears"], "single- and twin gears"),
        ([], ["von Neu\x02", "Mann"], "von Neu-Mann"),
        ([], ["pages 10\x02", "20"], "pages 10-20"),
    ],
)
def test_a_hyphen_at_a_lines_end_is_kept_where_the_word_has_it(within: list[str], lines: list[str], text: str) -> None:
    assert joined(lines, Vocabulary(within)) == text
