"""Ids made from titles and ids given by users."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.names import UniqueNames, build_paper_id
from planner.papers.sources import strip_folders_and_endings


@pytest.mark.parametrize(
    ("title", "made"),
    [
        ("Playing For You: Text-to-Music", "Playing_For_You__Text_to_Music"),
        ("Is it so?", "Is_it_so_"),
        ("Möbius — bands", "Möbius___bands"),
        ("Mo\u0308bius", "Möbius"),
        ("snake_case 2.0", "snake_case_2_0"),
    ],
)
def test_every_character_but_letters_digits_and_underscores_is_replaced_one_for_one(title: str, made: str) -> None:
    assert build_paper_id(title) == made


@pytest.mark.parametrize(
    ("given_id", "kept"),
    [
        ("swin-transformer", "swin-transformer"),
        ("2507.08038v2", "2507.08038v2"),
        ("../../etc/passwd", "______etc_passwd"),
        ("a\\b:c", "a_b_c"),
        ("con", "con_"),
        ("NUL.txt", "NUL_.txt"),
        ("ends with dots...", "ends with dots___"),
        ("tab\there", "tab_here"),
        ("..", "__"),
    ],
)
def test_a_given_id_is_kept_where_every_file_system_takes_it(given_id: str, kept: str) -> None:
    assert build_paper_id("Some title", given_id=given_id) == kept


def test_long_ids_are_cut_and_stay_apart() -> None:
    one, two = build_paper_id("Long words " * 20 + "one"), build_paper_id("Long words " * 20 + "two")
    assert one != two
    assert len(one.encode()) <= 120
    assert build_paper_id("", given_id="x" * 133) == "x" * 133
    assert len(build_paper_id("", given_id="ö" * 150).encode()) <= 200


def test_without_a_title_the_source_names_the_paper() -> None:
    assert build_paper_id("", file_stem=strip_folders_and_endings("papers/2507.08038v2.tar.gz")) == "2507_08038v2"
    assert build_paper_id("???", file_stem=strip_folders_and_endings("x/my paper.pdf")) == "my_paper"
    assert strip_folders_and_endings("a/b.tex.gz") == "b"


@given(st.text(), st.text())
def test_an_id_is_always_a_safe_file_name(title: str, given_id: str) -> None:
    made = build_paper_id(title, given_id=given_id, file_stem="x")
    assert made
    assert not set(made) & set('/\\:*?"<>|\0\n\r\t')
    assert not made.startswith(".")
    assert not made.endswith((".", " "))
    assert len(made.encode()) <= 200
    assert made.split(".")[0].lower() not in {"con", "nul", "aux", "prn", "com1", "lpt9"}


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd", "Po", "Zs"]), max_size=25))
def test_an_id_made_from_a_short_title_has_its_length(title: str) -> None:
    import unicodedata

    plain = unicodedata.normalize("NFC", title.strip())
    made = build_paper_id(title)
    reserved = made.endswith("_") and made[:3].lower() in {"con", "nul", "aux", "prn", "com", "lpt"}
    if any(c.isalnum() for c in plain) and not reserved:
        assert len(made) == len(plain) or len(plain.encode()) > 120


def test_equal_names_get_numbers_whatever_their_case_and_form() -> None:
    names = UniqueNames(["taken"])
    given = ["Gate", "gate", "GATE", "gate-2", "Taken", "Mo\u0308bius", "Möbius", "other"]
    assert [names.reserve_unique_name(name) for name in given] == [
        "Gate",
        "gate-2",
        "GATE-3",
        "gate-2-2",
        "Taken-2",
        "Mo\u0308bius",
        "Möbius-2",
        "other",
    ]


def test_many_equal_names_take_linear_time() -> None:
    names, started = UniqueNames(), time.process_time()
    assert [names.reserve_unique_name("same") for _ in range(50_000)][-1] == "same-50000"
    assert time.process_time() - started < 5
