"""Nothing that steers a terminal or turns a line around survives."""

import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.sanitize import (
    describe_unsafe_characters,
    make_csv_safe,
    make_printable,
    remove_unsafe_characters,
    render_csv,
)

ANY = st.text(st.one_of(st.characters(exclude_categories=()), st.sampled_from("\x1b[]\x07\\\x9b;0m\r\n\t\u202e")))


@pytest.mark.parametrize(
    ("text", "cleaned", "removed"),
    [
        ("plain\ttext\n", "plain\ttext\n", ()),
        ("\x1b[1;31mred\x1b[0m", "red", ("2 terminal escape sequences",)),
        ("\x9b2Jgone", "gone", ("1 terminal escape sequences",)),
        ("\x1b]0;title\x07text", "text", ("1 terminal escape sequences",)),
        ("\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\", "link", ("2 terminal escape sequences",)),
        ("\x1bP1$qm\x1b\\after", "after", ("1 terminal escape sequences",)),
        ("\x1bcreset", "reset", ("1 terminal escape sequences",)),
        ("\x1b]0;open\nnext line stays", "0;open\nnext line stays", ("1 terminal escape sequences",)),
        ("a\x00b\x08c\x7fd\x85e", "abcde", ("4 control characters",)),
        ("\u202eevil\u202c \u2066x\u2069", "evil x", ("4 directional overrides",)),
        ("half \ud83d", "half \ufffd", ("1 halves of characters",)),
        ("a\r\nb\rc", "a\nb\nc", ()),
        ("👩‍🔬 שלום\u200f \u2028", "👩‍🔬 שלום\u200f \u2028", ()),
    ],
)
def test_clean(text: str, cleaned: str, removed: tuple[str, ...]) -> None:
    assert remove_unsafe_characters(text) == cleaned
    assert describe_unsafe_characters(text) == removed


@given(ANY)
def test_cleaning_is_complete_and_done_at_once(text: str) -> None:
    cleaned = remove_unsafe_characters(text)
    cleaned.encode("utf-8")
    assert all(unicodedata.category(c) != "Cc" or c in "\t\n" for c in cleaned)
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", cleaned)
    assert remove_unsafe_characters(cleaned) == cleaned
    assert describe_unsafe_characters(cleaned) == ()


@given(ANY)
def test_a_terminal_sees_one_line_a_line(text: str) -> None:
    shown = make_printable(text)
    assert shown.count("\n") == len(shown.splitlines()) - (not shown.endswith("\n") and shown != "")
    assert make_printable(shown) == shown


def test_a_terminal_is_spared_separators_and_marks() -> None:
    assert make_printable("a\u2028b\ufeffc\u200e") == "a\\u2028b\\ufeffc\\u200e"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\x00=1", "\x1b[31m=1", "\u202e=1"])
def test_no_cell_of_a_csv_file_runs_as_a_formula(start: str) -> None:
    assert make_csv_safe(start).startswith("'")
    [row] = csv.reader(io.StringIO(render_csv([[start, 'plain, "quoted"']])))
    assert row[1] == 'plain, "quoted"'


@pytest.mark.parametrize(("cell", "is_kept"), [("-0.25", True), ("+1.5e-07", True), ("-12 %", False), ("-1+1", False)])
def test_a_number_with_a_sign_is_kept_in_a_table_of_numbers(cell: str, is_kept: bool) -> None:
    assert (make_csv_safe(cell, keep_signed_numbers=True) == cell) is is_kept
    assert make_csv_safe(cell) == f"'{cell}"
