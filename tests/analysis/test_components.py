"""Components of a method."""

import pytest

from planner.analysis.components import Component, EvidenceKind, find_components
from planner.analysis.passages import split_sections_into_passages
from planner.analysis.phrases import find_defined_acronyms, is_generic_name
from planner.papers.paper import Paper
from tests.analysis.papers import LATEX, MARKDOWN, PLAIN, P, paper, section


def components_by_name(source: Paper) -> dict[str, Component]:
    return {
        component.name.lower(): component
        for component in find_components(split_sections_into_passages(source.sections))
    }


def test_a_component_is_named_by_heading_acronym_proposal_run_in_and_repetition() -> None:
    components = components_by_name(PLAIN)
    assert components["spectral gating unit"].acronym == "SGU"
    assert components["spectral gating unit"].evidence_kinds >= {EvidenceKind.ACRONYM, EvidenceKind.PROPOSED}
    assert components["echo memory"].evidence_kinds == {EvidenceKind.HEADING}
    assert components["night contrast loss"].evidence_kinds >= {EvidenceKind.RUN_IN, EvidenceKind.REPEATED}
    assert components["coefficient λ"].evidence_kinds == {EvidenceKind.SYMBOL}


@pytest.mark.parametrize("source", [LATEX, MARKDOWN], ids=["latex", "markdown"])
def test_marked_up_terms_are_components(source: Paper) -> None:
    components = components_by_name(source)
    assert components["spectral gating unit"].evidence_kinds >= {EvidenceKind.BOLD}
    assert "echo memory" in components


def test_headings_that_name_a_place_in_the_paper_are_none() -> None:
    assert not {"overview", "training", "method"} & set(components_by_name(PLAIN))


@pytest.mark.parametrize("term", ["Left", "Middle", "Right", "Assumptions", "Lemma"])
def test_terms_that_name_a_place_or_a_statement_are_none(term: str) -> None:
    source = paper(section("3 Method", (P, f"**{term}:** The **ring buffer** holds calls.")))
    assert set(components_by_name(source)) == {"ring buffer"}


def test_methods_of_others_are_no_components() -> None:
    assert "wavelet scattering network" not in components_by_name(PLAIN)


def test_mentions_count_the_name_and_its_acronym() -> None:
    assert components_by_name(PLAIN)["spectral gating unit"].mention_count == 4


def test_one_entry_for_a_name_in_two_spellings() -> None:
    text = "We propose a gated fusion unit (GFU). We use the Gated Fusion Unit again. We design a gated fusion module."
    assert [c.label for c in find_components(split_sections_into_passages([section("Method", (P, text))]))] == [
        "gated fusion unit (GFU)"
    ]


def test_locations_point_to_the_text_and_its_heading() -> None:
    for component in find_components(split_sections_into_passages(PLAIN.sections)):
        place = component.location
        assert PLAIN.text[place.paper_offset :].startswith(place.text), component
        assert place.heading in {s.heading for s in PLAIN.sections}


def test_nothing_named_gives_nothing() -> None:
    assert find_components(split_sections_into_passages([section("Method", (P, "It works."))])) == ()
    assert find_components(()) == ()


def test_the_place_of_an_expansion_is_where_it_stands() -> None:
    text = "x" * 300 + " then the gated fusion unit (GFU) acts"
    (acronym,) = find_defined_acronyms(text)
    assert text[acronym.expansion_start :].startswith("gated fusion unit (GFU)")


@pytest.mark.parametrize(
    "name", ["Overall Architecture", "Ablation Study", "Training", "1e-5", "P", "", "the results", "even", "simply"]
)
def test_generic_names(name: str) -> None:
    assert is_generic_name(name)


@pytest.mark.parametrize("name", ["Echo memory", "λ", "night contrast loss", "T-RPN"])
def test_names_that_are_not_generic(name: str) -> None:
    assert not is_generic_name(name)
