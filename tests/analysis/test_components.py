"""What counts as a component, and what does not."""

import pytest

from planner.analysis.components import Component, Evidence, find_components
from planner.analysis.passages import split_passages
from planner.analysis.phrases import (
    extract_noun_phrase,
    find_acronyms,
    find_expansion,
    is_generic_name,
    split_conjuncts,
)
from planner.papers.paper import Paper
from tests.analysis.papers import LATEX, MARKDOWN, PLAIN, P, section


def found(source: Paper) -> dict[str, Component]:
    return {component.name.lower(): component for component in find_components(split_passages(source.sections))}


def test_a_component_is_named_by_heading_acronym_proposal_run_in_and_repetition() -> None:
    named = found(PLAIN)
    assert named["spectral gating unit"].acronym == "SGU"
    assert named["spectral gating unit"].evidence >= {Evidence.ACRONYM, Evidence.PROPOSED}
    assert named["echo memory"].evidence == {Evidence.HEADING}
    assert named["night contrast loss"].evidence >= {Evidence.RUN_IN, Evidence.REPEATED}
    assert named["coefficient λ"].evidence == {Evidence.SYMBOL}


@pytest.mark.parametrize("source", [LATEX, MARKDOWN], ids=["latex", "markdown"])
def test_marked_up_terms_are_components(source: Paper) -> None:
    named = found(source)
    assert named["spectral gating unit"].evidence >= {Evidence.BOLD}
    assert "echo memory" in named


def test_headings_that_name_a_place_in_the_paper_are_none() -> None:
    assert not {"overview", "training", "method"} & set(found(PLAIN))


def test_what_others_do_is_no_component() -> None:
    assert "wavelet scattering network" not in found(PLAIN)


def test_mentions_count_the_name_and_its_acronym() -> None:
    assert found(PLAIN)["spectral gating unit"].mention_count == 4


def test_one_entry_for_a_name_in_two_spellings() -> None:
    text = "We propose a gated fusion unit (GFU). We use the Gated Fusion Unit again. We design a gated fusion module."
    assert [c.label for c in find_components(split_passages([section("Method", (P, text))]))] == [
        "gated fusion unit (GFU)"
    ]


def test_each_knows_its_heading_and_its_place() -> None:
    for component in find_components(split_passages(PLAIN.sections)):
        place = component.location
        assert PLAIN.text[place.offset :].startswith(place.text), component
        assert place.heading in {s.heading for s in PLAIN.sections}


def test_nothing_named_gives_nothing() -> None:
    assert find_components(split_passages([section("Method", (P, "It works."))])) == ()
    assert find_components(()) == ()


@pytest.mark.parametrize(
    ("short", "before", "expansion"),
    [
        ("GFU", "we use a gated fusion unit", "gated fusion unit"),
        ("LCA", "In lagged cross-station attention", "lagged cross-station attention"),
        ("MK-MMD", "the multiple kernel maximum mean discrepancy", "multiple kernel maximum mean discrepancy"),
        ("XYZ", "nothing of the kind", ""),
        ("AB", "", ""),
        ("GFU", "a gate. It has fusion units", ""),
    ],
)
def test_expansions(short: str, before: str, expansion: str) -> None:
    assert find_expansion(short, before) == expansion


def test_everyday_acronyms_are_no_news() -> None:
    assert not list(find_acronyms("a convolutional neural network (CNN) and a graphics processing unit (GPU)"))


def test_the_place_of_an_expansion_is_where_it_stands() -> None:
    text = "x" * 300 + " then the gated fusion unit (GFU) acts"
    (acronym,) = find_acronyms(text)
    assert text[acronym.start :].startswith("gated fusion unit (GFU)")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("the gated fusion unit to merge both", "gated fusion unit"),
        ("a novel and simple **echo memory** that stores", "echo memory"),
        (r"\textbf{echo memory}", "echo memory"),
        ("number of heads in the encoder", "number of heads"),
        ("the", ""),
        ("", ""),
        ("demonstrate that all is well", ""),
        ("echo memory the speeds suffer", "echo memory"),
    ],
)
def test_noun_phrases(text: str, phrase: str) -> None:
    assert extract_noun_phrase(text) == phrase


def test_conjuncts() -> None:
    assert split_conjuncts("the echo memory and the night loss, both heads") == [
        "echo memory",
        "night loss",
        "both heads",
    ]


@pytest.mark.parametrize(
    "name", ["Overall Architecture", "Ablation Study", "Training", "1e-5", "P", "", "the results", "even", "simply"]
)
def test_generic_names(name: str) -> None:
    assert is_generic_name(name)


@pytest.mark.parametrize("name", ["Echo memory", "λ", "night contrast loss", "T-RPN"])
def test_names_that_say_something(name: str) -> None:
    assert not is_generic_name(name)
