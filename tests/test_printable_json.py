"""JSON on a terminal: nothing steers, and every value stays what it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.sanitize import make_json_printable, make_printable, remove_unsafe_characters

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=()))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
)


@given(VALUES, st.sampled_from([None, 1]))
def test_any_value_is_calm_and_reads_back(value: object, indent: int | None) -> None:
    shown = make_json_printable(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(shown) == value
    assert remove_unsafe_characters(shown) == shown == make_printable(shown)
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Größe 日本語 👩‍🔬", '"Größe 日本語 👩‍🔬"'),
        ("\x9b2J", '"\\u009b2J"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("\u202etxt\u2028", '"\\u202etxt\\u2028"'),
        ("half \udc80", '"half \\udc80"'),
    ],
)
def test_only_what_steers_is_escaped(value: str, shown: str) -> None:
    assert make_json_printable(json.dumps(value, ensure_ascii=False)) == shown
