"""Names of parts, and names of other things."""

import pytest

from planner.analysis.analyse import Analysis, analyse_paper, analyse_sections
from planner.analysis.components import is_specific_mechanism
from planner.papers.characters import is_english
from tests.analysis.papers import P, paper, section


def list_reported_parts(text: str) -> list[str]:
    ablations = analyse_sections((section("Ablation study", (P, text)),)).reported_ablations
    return [ablation.part for ablation in ablations]


@pytest.mark.parametrize(
    ("text", "name", "is_data_set"),
    [
        ("We train on the AlpineOwls dataset.", "AlpineOwls", True),
        *(("We use data sets such as Alps, Jura and Vosges.", name, True) for name in ("Alps", "Jura", "Vosges")),
        ("We use the datasets: Alps, and Jura.", "Jura", True),
        ("We use the owl-Alps benchmark.", "owl-Alps", True),
        ("This dataset is large, and the data set too.", "Alps", False),
    ],
)
def test_a_data_set_that_is_named_beside_its_kind_is_no_part(text: str, name: str, is_data_set: bool) -> None:
    assert list_reported_parts(f"{text} We remove {name}.") == ([] if is_data_set else [name])


@pytest.mark.parametrize("name", ["accuracy", "third", "batch size", "RQ3", "Alps", "parts of Alps", "owl baselines"])
def test_other_names_are_no_parts(name: str) -> None:
    assert list_reported_parts(f"We train on the Alps dataset. We remove the {name}.") == []


@pytest.mark.parametrize("name", ["gate", "Alps gate", "precision", "echo memory"])
def test_parts_are_possible(name: str) -> None:
    assert list_reported_parts(f"We train on the Alps dataset. We remove the {name}.") == [name]


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
