"""Single lines of a page: their runs, captions, numbers and titles, and page furniture among them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.paper import BlockKind
from planner.papers.pdf.floats import LineKind, classify_lines, find_label_kind
from planner.papers.pdf.front_matter import find_title_lines
from planner.papers.pdf.lines import (
    Line,
    build_line,
    measure_body_style,
    remove_headers_and_footers,
    remove_line_numbers,
)
from planner.papers.pdf.outline import (
    OutlineItem,
    PrintedHeading,
    extract_section_number,
    find_heading_per_item,
    find_line_range_under_each_heading,
    find_missing_items,
    fold_to_alphanumerics,
    strip_section_number,
)
from planner.papers.pdf.paragraphs import BlockBuilder, Vocabulary, join_lines
from planner.papers.pdf.runs import TextRun
from tests.papers.pdf.typeset import BODY, PROSE, line, run, stacked

NO_WORDS = Vocabulary(())

LABELS = {
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


@pytest.mark.parametrize(("text", "kind"), LABELS.items(), ids=LABELS.keys())
def test_a_caption_is_known_by_its_beginning(text: str, kind: LineKind | None) -> None:
    assert find_label_kind(line(text)) is kind


@pytest.mark.parametrize(
    ("before", "gap", "kind"),
    [
        (PROSE + " and see", 12, LineKind.PROSE),
        (PROSE + ".", 12, LineKind.TABLE_CAPTION),
        (PROSE + " and see", 30, LineKind.TABLE_CAPTION),
        ("1.5 2.5", 12, LineKind.TABLE_CAPTION),
    ],
    ids=["within a sentence", "after a sentence", "set apart", "after numbers"],
)
def test_a_sentence_that_breaks_before_a_number_is_no_caption(before: str, gap: float, kind: LineKind) -> None:
    assert classify_lines([line(before, 700), line("Table 2. It turns", 700 - gap)], (), BODY)[1] is kind


@pytest.mark.parametrize(
    ("changes", "continues"),
    [({}, True), ({"size": 9}, False), ({"page": 2}, False), ({"y": 680}, False), ({"y": 720}, False)],
    ids=["close below", "other type", "other page", "far below", "above"],
)
def test_a_caption_continues_in_its_type_close_below(changes: dict[str, float], continues: bool) -> None:
    caption, below = line("Table 1: a", 700), line("b", **{"y": 688, **changes})
    kinds = classify_lines([caption, below], (), BODY)
    assert (kinds[1] is LineKind.TABLE_CAPTION) is continues


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
def test_a_heading_is_split_into_number_and_words(text: str, parts: tuple[str, str]) -> None:
    assert (extract_section_number(text), strip_section_number(text)) == parts


def test_printings_of_one_heading_share_their_letters() -> None:
    assert (
        fold_to_alphanumerics("3.1 State-of-the-Art: Gears")
        == fold_to_alphanumerics("31 state of the\u00a0art gears")
        == "31stateoftheartgears"
    )


def test_a_section_ends_where_the_next_heading_starts() -> None:
    first, second = PrintedHeading(range(2, 3), "A", 1), PrintedHeading(range(5, 7), "B", 1)
    assert find_line_range_under_each_heading([first, second], 9) == [range(3, 5), range(7, 9)]
    assert find_line_range_under_each_heading([], 9) == []


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
    built = build_line(1, runs)
    assert (built.text, built.cells) == (text, cells)
    assert (built.x0, built.x1) == (runs[0].x0, runs[-1].x1)


def test_marks_of_footnotes_are_known_at_both_ends() -> None:
    mark = {"size": 6, "y": 704}
    ended = build_line(1, [run("On Gears", 100, 150), run("*", 151, 154, **mark), run("1", 155, 157, **mark)])
    assert (ended.bare_text, ended.text) == ("On Gears", "On Gears*1")
    assert build_line(1, [run("1", 95, 98, **mark), run("Our code", 100, 150)]).has_note_mark
    assert not build_line(1, [run("1", 95, 98), run("Gears", 105, 150)]).has_note_mark


def test_a_line_is_bold_and_of_the_size_that_most_of_it_has() -> None:
    built = build_line(1, [run("Gated springs", 100, 170, bold=True, size=12), run("so", 172, 180)])
    assert (built.bold, built.size) == (True, 12)
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


def test_the_body_style_is_that_of_most_of_the_text() -> None:
    style = measure_body_style([line("On Gears", 760, size=17), *stacked([PROSE] * 9), line("note", 90, size=7)])
    assert (style.font_size, style.line_width, style.line_spacing) == (10, 300, 12)
    assert style.has_large_type(line("a", size=12))
    assert style.has_small_type(line("a", size=9))
    assert not style.has_large_type(line("a", size=10.5)) and not style.has_small_type(line("a", size=9.6))
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
    "as in the metadata": ([line("Cog Letters", 760, size=20), line("On Gears", 720, size=17)], "On gears", "On Gears"),
    "other metadata": (
        [line("On Gears", 720, size=17), line("Introduction", 600, size=12)],
        "Microsoft Word 3",
        "On Gears",
    ),
    "no letters": ([line("2026", 720, size=17)], "", ""),
    "turned": ([line("arXiv:2507.1", 500, size=20, is_rotated=True), line("On Gears", 720, size=17)], "", "On Gears"),
    "nothing": ([], "", ""),
}


@pytest.mark.parametrize(("lines", "metadata_title", "title"), TITLES.values(), ids=TITLES.keys())
def test_the_title_is_the_largest_type_that_is_no_banner(lines: list[Line], metadata_title: str, title: str) -> None:
    title_lines = find_title_lines(lines, metadata_title, NO_WORDS)
    assert join_lines([title_line.text for title_line in title_lines], NO_WORDS) == title


SENTENCES = [("springs push", "cogs turn"), ("gates shut", "belts slip"), ("wheels spin", "teeth wear")]
BODY_TEXTS = [[f"{top} {PROSE}", f"{bottom} {PROSE}"] for top, bottom in SENTENCES]


def pages_with(edges: list[str], y: float) -> list[list[Line]]:
    """Return pages of two lines of text each, with one more line at a given height."""
    return [
        [line(edge, y, page=number), line(top, 700, page=number), line(bottom, 100, page=number)]
        for number, (edge, (top, bottom)) in enumerate(zip(edges, BODY_TEXTS, strict=True), 1)
    ]


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
def test_page_furniture_is_removed(edges: list[str], y: float) -> None:
    pages = remove_headers_and_footers(pages_with(edges, y))
    assert [[kept.text for kept in page] for page in pages] == BODY_TEXTS


@pytest.mark.parametrize(("edges", "y"), PARTS_OF_THE_TEXT.values(), ids=PARTS_OF_THE_TEXT.keys())
def test_text_that_only_resembles_furniture_stays(edges: list[str], y: float) -> None:
    pages = pages_with(edges, y)
    assert remove_headers_and_footers(pages) == pages


@pytest.mark.parametrize("step", [1, 5], ids=["each line", "every fifth line"])
def test_line_numbers_are_removed_and_a_column_of_results_stays(step: int) -> None:
    text = [run(PROSE, 100, 400, y=700 - 12 * at) for at in range(10)]
    numbers = [run(str(step * at), 80, 88, y=700 - 12 * at) for at in range(1, 11)]
    results = [run(str(at * at % 7), 80, 88, y=700 - 12 * at) for at in range(10)]
    assert remove_line_numbers([[*text, *numbers]]) == [text]
    assert remove_line_numbers([[*text, *results]]) == [[*text, *results]]


def paragraphs(*texts: str, **changes: float) -> list[str]:
    lines = stacked(texts, **changes)
    builder = BlockBuilder(lines, [LineKind.PROSE] * len(lines), BODY, NO_WORDS)
    return [block.text for block in builder.build_blocks(0, len(lines))]


def test_a_paragraph_ends_with_a_short_line_or_before_an_item() -> None:
    assert paragraphs(PROSE, PROSE) == [f"{PROSE} {PROSE}"]
    assert paragraphs(PROSE + ".", "• one", "• two") == [PROSE + ".", "• one", "• two"]
    short = line("It ends.", 688, x1=200)
    lines = [line(PROSE), short, line("Then " + PROSE, 676)]
    blocks = BlockBuilder(lines, [LineKind.PROSE] * 3, BODY, NO_WORDS).build_blocks(0, len(lines))
    assert [block.text for block in blocks] == [f"{PROSE} It ends.", f"Then {PROSE}"]


def test_a_table_keeps_a_row_a_line_and_comes_after_the_paragraph_that_it_interrupts() -> None:
    row = line("gate 79.1", 676, cells=("gate", "79.1"))
    lines = [line(PROSE), line("Table 1: Gears", 688), row, line("so it ends.", 664)]
    kinds = [LineKind.PROSE, LineKind.TABLE_CAPTION, LineKind.TABLE, LineKind.PROSE]
    blocks = BlockBuilder(lines, kinds, BODY, NO_WORDS).build_blocks(0, len(lines))
    assert [(block.kind, block.text) for block in blocks] == [
        (BlockKind.PROSE, f"{PROSE} so it ends."),
        (BlockKind.TABLE, "Table 1: Gears\ngate  79.1"),
    ]


LINES = st.sampled_from(["gate 1", "It ends.", "Table 1: a", "• one"])


@given(st.lists(st.tuples(st.sampled_from(LineKind), LINES), max_size=12))
def test_no_line_is_lost_in_building_blocks(kinds_and_texts: list[tuple[LineKind, str]]) -> None:
    kinds, texts = [kind for kind, _ in kinds_and_texts], [text for _, text in kinds_and_texts]
    blocks = BlockBuilder(stacked(texts), kinds, BODY, NO_WORDS).build_blocks(0, len(texts))
    assert sorted(" ".join(block.text for block in blocks).split()) == sorted(" ".join(texts).split())


def test_titles_of_the_outline_are_found_on_their_page_or_the_next() -> None:
    lines = [line("1 Gears", 700), line(PROSE, 680), line("2 Cogs and", 700, page=2), line("Their Teeth", 688, page=2)]
    titles = {"Gears": 1, "Cogs and Their Teeth": 1, "Springs": 2, "Their": 2, "Nowhere": None}
    items = [OutlineItem(title, 1, page) for title, page in titles.items()]
    headings = find_heading_per_item(items, lines, NO_WORDS)
    assert headings == [
        PrintedHeading(range(1), "1 Gears", 1),
        PrintedHeading(range(2, 4), "2 Cogs and Their Teeth", 1),
        *(None, None, None),
    ]
    assert [item.title for item in find_missing_items(items, headings, lines)] == ["Springs", "Nowhere"]
