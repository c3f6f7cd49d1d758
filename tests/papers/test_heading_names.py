"""Kinds of sections, over the names that papers of many fields give them, with every way to number them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.headings import classify_heading, has_letter_number, has_roman_numbers, strip_number_and_punctuation
from planner.papers.paper import SectionKind

NAMES = {
    SectionKind.ABSTRACT: "Abstract|ABSTRACT|Summary|Author Summary",
    SectionKind.INTRODUCTION: "Introduction|INTRODUCTION|Introduction and Motivation|Motivation"
    "|Motivation and Overview",
    SectionKind.RELATED_WORK: "Related Work|Related Works|Prior Work|Previous Work|Related Literature|Literature Review"
    "|Background & Related Work|Related Work and Discussion|Discussion of Prior Work",
    SectionKind.METHOD: "Method|Methods|Methodology|Our Approach|Proposed Method|The Proposed Framework|Model"
    "|Model Architecture|System Overview|Problem Formulation|Preliminaries|Preliminary|Background|Problem Setup"
    "|Problem Setting|Training|Training Objective|Learning Algorithm|Notation|Notations|Materials and Methods"
    "|Network Design|Algorithm Design|Proposed Algorithm|Convergence Analysis of the Algorithm",
    SectionKind.EXPERIMENTS: "Experiments|Experiment|Experimental Results|Experimental Setup|Experimental Settings"
    "|Experiments and Results|Results|Results and Analysis|Evaluation|Evaluation Setup|Empirical Evaluation"
    "|Empirical Results|Quantitative Results|Qualitative Results|Simulation Experiments|Numerical Results"
    "|Real-World Experiments|Real-World Applications|Case Studies|Benchmark Results|Experimental Comparison"
    "|Parameter Sensitivity|Hyperparameter Sensitivity Experiments|Comparison with Other Methods"
    "|Performance Comparison|Performance Analysis|Empirical Validation|Evaluation Metrics",
    SectionKind.ABLATION: "Ablation|Ablation Study|Ablation Studies|Ablation Analysis|Ablations and Analysis"
    "|Ablation Experiments|Ablative Analysis|Component Analysis|Effect of Each Module|Effectiveness of Each Component"
    "|Impact of Different Components|Importance of Individual Modules|Further Ablations|Ablating the Gate"
    "|Results of the Ablation Study|Analysis of Key Components",
    SectionKind.CONCLUSION: "Conclusion|Conclusions|Concluding Remarks|Conclusion and Future Work|Discussion"
    "|Discussion and Conclusion|Limitations|Limitation|Limitations and Future Work|Future Work|Outlook"
    "|Discussion and Limitations|Summary and Outlook",
    SectionKind.REFERENCES: "References|REFERENCES|Reference|Bibliography|Literature Cited|Works Cited"
    "|References and Notes|List of References",
    SectionKind.ACKNOWLEDGEMENTS: "Acknowledgements|Acknowledgments|Acknowledgement|Acknowledgment|Funding"
    "|Author Contributions|ACKNOWLEDGMENT|Acknowledgments and Disclosure of Funding|Funding Statement",
    SectionKind.CHECKLIST: "NeurIPS Paper Checklist|Checklist|Reproducibility Checklist|ACL Responsible NLP Checklist",
    SectionKind.APPENDIX: "Appendix|Appendices|APPENDIX|Supplementary Material|Supplement|Supplemental Material"
    "|Supplementary Information|Appendix: Proofs",
    SectionKind.OTHER: "Model Analysis|System Behaviour Analysis|Training Analysis|Analysis of the Learned Model"
    "|Ethics Statement|Broader Impact|Proof of Theorem 1|Datasets|Contents|Contributions|Definitions"
    "|Code Availability|References to Gears|Gated Springs|Why Gears Turn|Convergence|Keywords",
}
CASES = [(kind, name) for kind, listed in NAMES.items() for name in listed.split("|")]
NUMBERS = ["", "3 ", "3. ", "3.2 ", "3.2. ", "12.1.4 ", "IV. ", "Section 3 ", "Section 3: ", "C. "]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda value: str(value))
def test_a_section_is_of_the_kind_that_its_name_says(kind: SectionKind, name: str) -> None:
    assert classify_heading(name) is kind


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.strip() or "none")
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, listed.split("|")[0]) for kind, listed in NAMES.items()], ids=lambda value: str(value)
)
def test_a_number_changes_no_kind(number: str, kind: SectionKind, name: str) -> None:
    assert classify_heading(number + name) is kind


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, name in CASES if name.isalpha() and len(name) > 4])
def test_spaced_letters_change_no_kind(kind: SectionKind, name: str) -> None:
    assert classify_heading("2 " + " ".join(name.upper())) is kind


@pytest.mark.parametrize(("kind", "name"), CASES, ids=lambda value: str(value))
def test_case_and_a_final_colon_change_no_kind(kind: SectionKind, name: str) -> None:
    assert classify_heading(name.upper()) is classify_heading(name.lower()) is classify_heading(f"{name}:") is kind


@pytest.mark.parametrize(
    ("heading", "words"),
    [
        ("3.2. Training:", "Training"),
        ("IV. EXPERIMENTS", "EXPERIMENTS"),
        ("A.1 Proofs", "Proofs"),
        ("Appendix B: Data", "Data"),
        ("Section 2 Model", "Model"),
        ("A1. Proofs", "Proofs"),
        ("2) Model", "Model"),
        ("  Results  ", "Results"),
        ("References.", "References"),
        ("Training", "Training"),
        ("2", "2"),
        ("3.", "3"),
        ("3D Reconstruction", "3D Reconstruction"),
        ("2-Step Training", "2-Step Training"),
        ("", ""),
    ],
)
def test_a_heading_is_bared_of_its_number_and_never_of_all(heading: str, words: str) -> None:
    assert strip_number_and_punctuation(heading) == words


@given(st.text(max_size=60))
def test_baring_keeps_words_of_the_heading_and_some_kind_is_always_found(heading: str) -> None:
    assert strip_number_and_punctuation(heading) in heading
    assert bool(strip_number_and_punctuation(heading)) == bool(heading.strip())
    assert isinstance(classify_heading(heading), SectionKind)


@given(st.sampled_from(CASES), st.sampled_from(sorted(SectionKind)))
def test_ablations_and_thanks_are_such_under_any_parent_and_other_children_follow_theirs(
    case: tuple[SectionKind, str], parent: SectionKind
) -> None:
    found = classify_heading(case[1], parent)
    assert found in (case[0], parent)
    if case[0] in (SectionKind.ABLATION, SectionKind.ACKNOWLEDGEMENTS):
        assert found is case[0]


@pytest.mark.parametrize("parent", [SectionKind.EXPERIMENTS, SectionKind.APPENDIX, SectionKind.RELATED_WORK])
@pytest.mark.parametrize("name", ["Model", "Datasets", "Baselines and Training", "Implementation Details"])
def test_a_subsection_without_a_say_is_what_its_section_is(parent: SectionKind, name: str) -> None:
    assert classify_heading(name, parent) is parent


@pytest.mark.parametrize(
    ("headings", "roman"),
    [
        (["I. INTRODUCTION", "II. METHOD"], True),
        (["I. INTRODUCTION"], False),
        (["I am a heading", "II am none"], False),
        (["1. Introduction", "2. Method"], False),
        (["V. RESULTS", "I. INTRODUCTION", "A. Data", "II. METHOD"], True),
        ([], False),
    ],
)
def test_a_count_in_roman_numbers_has_its_first_two(headings: list[str], roman: bool) -> None:
    assert has_roman_numbers(headings) is roman


@pytest.mark.parametrize(
    ("heading", "lettered"),
    [("B. Training", True), ("A) Data", True), ("I. Introduction", False), ("V. Results", False), ("X. Y", False),
     ("A Training", False), ("AB. Training", False), ("b. training", False)],
)  # fmt: skip
def test_a_lettered_heading_has_a_letter_that_is_no_number(heading: str, lettered: bool) -> None:
    assert has_letter_number(heading) is lettered
