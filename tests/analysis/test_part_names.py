"""Names of parts, and names of other things."""

import pytest
from hypothesis import given

from planner.analysis.analyse import Analysis, analyse_paper, is_possible_part_name
from planner.analysis.components import find_data_set_names, is_specific_mechanism
from planner.papers.characters import is_english
from tests.analysis.odd_text import ODD_TEXT
from tests.analysis.papers import P, paper, section


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("on the AlpineOwls dataset", ["AlpineOwls"]),
        ("data sets such as Alps, Jura and Vosges.", ["Alps", "Jura", "Vosges"]),
        ("the datasets: Alps, and Jura", ["Alps", "Jura"]),
        ("the owl-Alps benchmark", ["owl-Alps"]),
        ("This dataset is large, and the data set too.", []),
    ],
)
def test_data_sets_are_named_beside_their_kind(text: str, names: list[str]) -> None:
    assert list(find_data_set_names(text)) == names


@given(ODD_TEXT)
def test_a_data_set_is_in_the_text(text: str) -> None:
    assert all(name in text for name in find_data_set_names(text))


@pytest.mark.parametrize("name", ["accuracy", "third", "batch size", "RQ3", "alps", "parts of alps", "owl baselines"])
def test_other_names_are_no_parts(name: str) -> None:
    assert not is_possible_part_name(name, frozenset({"alps"}))


@pytest.mark.parametrize("name", ["gate", "alps gate", "precision", "echo memory"])
def test_parts_are_possible(name: str) -> None:
    assert is_possible_part_name(name, frozenset({"alps"}))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gated fusion unit", True),
        ("EchoAttention", True),
        ("call converter", True),
        ("mixture of springs", False),
        ("multiple kernel technique", True),
        ("unit", False),
        ("neural network", False),
        ("wind disorder", False),
        ("fusion task", False),
        ("", False),
    ],
)
def test_a_mechanism_has_a_name_of_its_own(name: str, expected: bool) -> None:
    assert is_specific_mechanism(name) is expected


def test_english_is_known_by_its_common_words() -> None:
    assert is_english("We hear the owls and count the calls of each nest. " * 20)
    assert not is_english("Nous écoutons des chouettes dans chaque forêt. " * 20)
    assert is_english("")


def test_a_paper_that_is_not_in_english_is_not_analysed() -> None:
    words = "我们提出门控单元 (Gated Unit, GU)。**门控单元** 用于融合。"
    chinese = paper(
        section("2 方法", (P, words * 9)), section("3 实验 Experiments", (P, "We remove the gate. " + words * 9))
    )
    assert analyse_paper(chinese) == Analysis((), (), ())
