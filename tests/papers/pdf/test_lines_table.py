"""What is told of single lines: their runs, captions, numbers, titles, and what belongs to the page."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.paper import BlockKind
from planner.papers.pdf.floats import LineKind, is_caption_start, is_continuation, match_label, match_label_at
from planner.papers.pdf.front_matter import find_title
from planner.papers.pdf.furniture import remove_line_numbers, remove_page_furniture
from planner.papers.pdf.lines import Line, build_line, measure_body_style
from planner.papers.pdf.outline import (
    OutlineItem,
    PrintedHeading,
    extract_section_number,
    find_section_spans,
    extract_letters,
    locate_outline_items,
    strip_section_number,
)
from planner.papers.pdf.paragraphs import Vocabulary, build_blocks, join_lines
from planner.papers.pdf.runs import TextRun
from tests.papers.pdf.typeset import BODY, PROSE, line, run, stacked

NO_WORDS = Vocabulary(())

ANNOUNCED = {
    "Table 1: Gears": LineKind.TABLE_CAPTION,
    "Table 2. Gears": LineKind.TABLE_CAPTION,
    "TABLE III": LineKind.TABLE_CAPTION,
    "TABLE VIII": LineKind.TABLE_CAPTION,
    "Fig. XII. A gear": LineKind.FIGURE_CAPTION,
    "Tab. 3: Gears": LineKind.TABLE_CAPTION,
    "Table A.1: Gears": LineKind.TABLE_CAPTION,
    "Supplementary Table 4: Gears": LineKind.TABLE_CAPTION,
    "Figure 1: A gear": LineKind.FIGURE_CAPTION,
    "Fig. 2. A gear": LineKind.FIGURE_CAPTION,
    "Fig 3: A gear": LineKind.FIGURE_CAPTION,
    "Figure 4 (a) A gear": LineKind.FIGURE_CAPTION,
    "Figure 5 | A gear": LineKind.FIGURE_CAPTION,
    "Figure S1: A gear": LineKind.FIGURE_CAPTION,
    "Extended Data Fig. 6: A gear": LineKind.FIGURE_CAPTION,
    "Figure 7": LineKind.FIGURE_CAPTION,
    "Algorithm 1 Turn": LineKind.ALGORITHM,
    "Procedure 2: Turn": LineKind.ALGORITHM,
    "Listing 3. Turn": LineKind.ALGORITHM,
    "Table. 8. Gears": LineKind.TABLE_CAPTION,
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
def test_a_caption_is_known_by_its_beginning(text: str, part: LineKind | None) -> None:
    assert match_label(line(text)) is part
    assert is_caption_start(line(text)) is (part in (LineKind.TABLE_CAPTION, LineKind.FIGURE_CAPTION))


@pytest.mark.parametrize(
    ("before", "gap", "part"),
    [
        (PROSE + " and see", 12, None),
        (PROSE + ".", 12, LineKind.TABLE_CAPTION),
        (PROSE + " and see", 30, LineKind.TABLE_CAPTION),
        ("1.5 2.5", 12, LineKind.TABLE_CAPTION),
    ],
    ids=["amid a sentence", "after a sentence", "set apart", "after numbers"],
)
def test_a_sentence_that_breaks_before_a_number_is_no_caption(before: str, gap: float, part: LineKind | None) -> None:
    assert match_label_at([line(before, 700), line("Table 2. It turns", 700 - gap)], 1, BODY) is part


@pytest.mark.parametrize(
    ("changes", "on"),
    [({}, True), ({"size": 9}, False), ({"page": 2}, False), ({"y": 680}, False), ({"y": 720}, False)],
    ids=["close below", "other type", "other page", "far below", "above"],
)
def test_a_caption_runs_on_in_its_type_close_below(changes: dict[str, float], on: bool) -> None:
    assert is_continuation(line("a", 700), line("b", **{"y": 688, **changes})) is on


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
    assert (extract_section_number(text), strip_section_number(text)) == parts


def test_printings_of_one_heading_share_their_letters() -> None:
    assert (
        extract_letters("3.1 State-of-the-Art: Gears")
        == extract_letters("31 state of the\u00a0art gears")
        == "31stateoftheartgears"
    )


def test_each_heading_rules_the_lines_up_to_the_next() -> None:
    one, two = PrintedHeading(2, 1, "A", 1), PrintedHeading(5, 2, "B", 1)
    assert find_section_spans([one, two], 9) == [(one, 3, 5), (two, 7, 9)]
    assert find_section_spans([], 9) == []


RUNS = {
    "one word of two runs": ([run("Gat", 100, 115), run("ing", 115, 130)], "Gating", ("Gating",)),
    "a gap without a space": ([run("a", 100, 105), run("b", 108, 113)], "a b", ("a b",)),
    "a space that is painted": ([run("a", 100, 105), run("b", 105, 110, space_before=True)], "a b", ("a b",)),
    "cells": ([run("gate", 100, 120), run("79.1", 160, 180)], "gate 79.1", ("gate", "79.1")),
    "small capitals": (
        [run("G", 100, 107, size=12), run("ATE", 107, 125, size=9.6, space_before=True)],
        "GATE",
        ("GATE",),
    ),
    "a break within": ([run("ga\x02te", 100, 130)], "ga-te", ("ga-te",)),
    "a break at the end": ([run("ga\x02", 100, 130)], "ga\x02", ("ga\x02",)),
}


@pytest.mark.parametrize(("runs", "text", "cells"), RUNS.values(), ids=RUNS.keys())
def test_runs_make_the_words_and_cells_of_a_line(runs: list[TextRun], text: str, cells: tuple[str, ...]) -> None:
    made = build_line(1, runs)
    assert (made.text, made.cells) == (text, cells)
    assert (made.x0, made.x1) == (runs[0].x0, runs[-1].x1)


def test_marks_of_footnotes_are_known_at_both_ends() -> None:
    mark = {"size": 6, "y": 704}
    ended = build_line(1, [run("On Gears", 100, 150), run("*", 151, 154, **mark), run("1", 155, 157, **mark)])
    assert (ended.bare_text, ended.text) == ("On Gears", "On Gears*1")
    assert build_line(1, [run("1", 95, 98, **mark), run("Our code", 100, 150)]).has_note_mark
    assert not build_line(1, [run("1", 95, 98), run("Gears", 105, 150)]).has_note_mark


def test_a_line_is_bold_and_of_the_size_that_most_of_it_has() -> None:
    made = build_line(1, [run("Gated springs", 100, 170, bold=True, size=12), run("so", 172, 180)])
    assert (made.bold, made.size) == (True, 12)
    assert not build_line(1, [run("So", 100, 110, bold=True), run("we turn", 112, 150)]).bold


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
    assert BODY.is_full_line(line(text, **changes)) is prose


def test_the_setting_is_that_of_most_of_the_text() -> None:
    found = measure_body_style([line("On Gears", 760, size=17), *stacked([PROSE] * 9), line("note", 90, size=7)])
    assert (found.font_size, found.line_width, found.line_spacing) == (10, 300, 12)
    assert found.has_large_type(line("a", size=12))
    assert found.has_small_type(line("a", size=9))
    assert not found.has_large_type(line("a", size=10.5)) and not found.has_small_type(line("a", size=9.6))
    assert measure_body_style([]).font_size == 10


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
    "turned": ([line("arXiv:2507.1", 500, size=20, is_rotated=True), line("On Gears", 720, size=17)], "", "On Gears"),
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
    found = remove_page_furniture(pages_with(edges, y))
    assert [[one.text for one in page] for page in found] == BODY_TEXTS


@pytest.mark.parametrize(("edges", "y"), PARTS_OF_THE_TEXT.values(), ids=PARTS_OF_THE_TEXT.keys())
def test_what_only_resembles_furniture_stays(edges: list[str], y: float) -> None:
    pages = pages_with(edges, y)
    assert remove_page_furniture(pages) == pages


@pytest.mark.parametrize("step", [1, 5], ids=["each line", "every fifth line"])
def test_numbers_that_count_lines_go_and_a_column_of_results_stays(step: int) -> None:
    text = [run(PROSE, 100, 400, y=700 - 12 * at) for at in range(10)]
    counted = [run(str(step * at), 80, 88, y=700 - 12 * at) for at in range(1, 11)]
    results = [run(str(at * at % 7), 80, 88, y=700 - 12 * at) for at in range(10)]
    assert remove_line_numbers([[*text, *counted]]) == [text]
    assert remove_line_numbers([[*text, *results]]) == [[*text, *results]]


def paragraphs(*texts: str, **changes: float) -> list[str]:
    lines = stacked(texts, **changes)
    return [block.text for block in build_blocks(lines, [LineKind.PROSE] * len(lines), BODY, NO_WORDS)]


def test_a_paragraph_ends_with_a_short_line_or_before_an_item() -> None:
    assert paragraphs(PROSE, PROSE) == [f"{PROSE} {PROSE}"]
    assert paragraphs(PROSE + ".", "• one", "• two") == [PROSE + ".", "• one", "• two"]
    short = line("It ends.", 688, x1=200)
    lines = [line(PROSE), short, line("Then " + PROSE, 676)]
    made = build_blocks(lines, [LineKind.PROSE] * 3, BODY, NO_WORDS)
    assert [block.text for block in made] == [f"{PROSE} It ends.", f"Then {PROSE}"]


def test_a_table_keeps_a_row_a_line_and_waits_for_the_paragraph_that_it_parts() -> None:
    row = line("gate 79.1", 676, cells=("gate", "79.1"))
    lines = [line(PROSE), line("Table 1: Gears", 688), row, line("so it ends.", 664)]
    parts = [LineKind.PROSE, LineKind.TABLE_CAPTION, LineKind.TABLE, LineKind.PROSE]
    made = build_blocks(lines, parts, BODY, NO_WORDS)
    assert [(block.kind, block.text) for block in made] == [
        (BlockKind.PROSE, f"{PROSE} so it ends."),
        (BlockKind.TABLE, "Table 1: Gears\ngate  79.1"),
    ]


LINES = st.sampled_from(["gate 1", "It ends.", "Table 1: a", "• one"])


@given(st.lists(st.tuples(st.sampled_from(LineKind), LINES), max_size=12))
def test_no_line_is_lost_in_making_blocks(told: list[tuple[LineKind, str]]) -> None:
    lines = stacked([text for _, text in told])
    made = build_blocks(lines, [part for part, _ in told], BODY, NO_WORDS)
    assert sorted(" ".join(block.text for block in made).split()) == sorted(" ".join(t for _, t in told).split())


def test_an_outline_is_found_in_print_on_its_page_or_the_next() -> None:
    lines = [line("1 Gears", 700), line(PROSE, 680), line("2 Cogs and", 700, page=2), line("Their Teeth", 688, page=2)]
    items = [OutlineItem("Gears", 1, 1), OutlineItem("Cogs and Their Teeth", 1, 1), OutlineItem("Springs", 1, 2)]
    found, missing = locate_outline_items([*items, OutlineItem("Nowhere", 1, None)], lines, NO_WORDS)
    assert [(one.first_line, one.line_count, one.text) for one in found] == [
        (0, 1, "1 Gears"),
        (2, 2, "2 Cogs and Their Teeth"),
    ]
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
    assert join_lines(lines, Vocabulary(within)) == text
