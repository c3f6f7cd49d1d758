"""Each task sees its part of a paper, and the author sees nothing of the results."""

import re
import time
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.labelled import read_excerpt_labels, score_excerpt
from planner.errors import PaperError, TooLongError
from planner.papers.excerpt import cut_excerpt, omit_sections_to_fit
from planner.papers.headings import classify_heading
from planner.papers.leaks import remove_results_and_ablations, split_sentences
from planner.papers.load import load_paper
from planner.papers.paper import Block, BlockKind, Excerpt, Paper, Section, SectionKind
from planner.schema import Task
from tests.conftest import ROOT
from tests.papers_made import paper, section


def text(selection: Excerpt) -> str:
    return "\n\n".join(s.text for s in selection.sections)


def with_sections(*sections: Section, **changes: object) -> Paper:
    return paper(sections=sections, **changes)


METHOD = section("3 Method", SectionKind.METHOD, "The gate bounds the residual.")
EXPERIMENTS = section("4 Experiments", SectionKind.EXPERIMENTS, "MAE falls to 0.085.")
ABLATION = section("4.3 Ablation Study", SectionKind.ABLATION, "Without the gate it rises.", level=2)


def with_block(kind: BlockKind, content: str, *prose: str) -> Section:
    method = section("3 Method", SectionKind.METHOD, *prose)
    return replace(method, blocks=(*method.blocks, Block(kind, content)))


def test_the_demo_paper_is_cut_before_its_experiments_and_says_what_is_left_out() -> None:
    selection = cut_excerpt(load_paper(str(ROOT / "planner" / "demo" / "paper.md")), Task.AUTHOR)
    assert "Surge-weighted sampling (SWS) draws windows" in text(selection)
    assert "0.098" not in text(selection)
    assert "Ablations show" not in selection.abstract
    headings = [part.heading for part in selection.omissions]
    assert headings[0] == "4 Experiments"
    assert "References" in headings


def test_a_heading_to_cut_at_is_found_with_or_without_its_number() -> None:
    full_paper = with_sections(METHOD, section("4 Analysis", SectionKind.OTHER, "Deep."), EXPERIMENTS)
    for name in ("4 Analysis", "analysis", "4. Analysis"):
        assert "Deep." not in text(cut_excerpt(full_paper, Task.AUTHOR, end_heading=name))
    with pytest.raises(PaperError, match="'3 Method', '4 Analysis'"):
        cut_excerpt(full_paper, Task.AUTHOR, end_heading="Conclusion")


def test_a_method_behind_the_results_is_the_method_all_the_same() -> None:
    intro = section("Introduction", SectionKind.INTRODUCTION, "Cells divide.")
    selection = cut_excerpt(with_sections(intro, EXPERIMENTS, METHOD), Task.AUTHOR)
    assert "bounds the residual" in text(selection)
    assert "0.085" not in text(selection)


def test_results_in_the_midst_of_the_method_go_and_what_follows_stays() -> None:
    inside = section("3.2 Pilot Evaluation", SectionKind.EXPERIMENTS, "It wins.", level=2)
    after = section("3.3 Training", SectionKind.METHOD, "We train for a day.", level=2)
    selection = cut_excerpt(with_sections(METHOD, inside, after, EXPERIMENTS), Task.AUTHOR)
    assert "It wins." not in text(selection)
    assert "We train for a day." in text(selection)


@pytest.mark.parametrize(
    "float_text",
    [
        "Table 2: Results on three estuaries.\nSLACK 0.085 5.1\nw/o LCA 0.098 6.9",
        "Figure 3: Effect of removing the gate.",
        "Figure 4: Accuracy and error of all baselines.",
        "Table 7: Settings.\nrate 0.01",
    ],
)
def test_a_float_of_results_among_the_method_is_gone(float_text: str) -> None:
    kind = BlockKind.TABLE if float_text.startswith("Table") else BlockKind.FIGURE
    for as_kind in (kind, BlockKind.PROSE):
        selection = cut_excerpt(with_sections(with_block(as_kind, float_text, "We gate."), EXPERIMENTS), Task.AUTHOR)
        assert float_text.split(":")[1] not in text(selection)
        assert "We gate." in text(selection)


def test_the_caption_of_a_figure_of_the_method_stays_and_its_labels_go() -> None:
    figure = "Conv\nGate\nAttn\nFigure 1: Overview of the gated architecture."
    selection = cut_excerpt(with_sections(with_block(BlockKind.FIGURE, figure), EXPERIMENTS), Task.AUTHOR)
    assert "Overview of the gated architecture." in text(selection)
    assert "Attn" not in text(selection)


def test_a_paragraph_that_a_loader_took_for_a_figure_stays() -> None:
    content = "both networks interact with the same environment,\nand we therefore introduce a shared buffer for them."
    selection = cut_excerpt(with_sections(with_block(BlockKind.FIGURE, content), EXPERIMENTS), Task.AUTHOR)
    assert "shared buffer" in text(selection)


@pytest.mark.parametrize(
    "sentence",
    [
        "Ablations show that the gate matters.",
        "See the ablation in Appendix A.",
        "We confirm this in Sec. 4.3.",
        "Section 4.3 looks into each part.",
        "Figure 3 compares our matrix with the one estimated without regularization.",
        "Removing the gate hurts all three estuaries.",
        "We analyze the contribution of each component.",
        "Without the gate, accuracy drops to 70%.",
        "When we replace the gate by a sum the score falls by three points.",
    ],
)
def test_sentences_that_announce_ablations_are_gone_and_their_neighbours_stay(sentence: str) -> None:
    method = section("3 Method", SectionKind.METHOD, f"We gate the prior. {sentence} The gate is learned.")
    selection = cut_excerpt(with_sections(method, EXPERIMENTS, ABLATION), Task.AUTHOR)
    assert sentence not in text(selection)
    assert "We gate the prior." in text(selection)
    assert "The gate is learned." in text(selection)
    assert any("sentences" in part.why for part in selection.omissions)


def test_a_latex_reference_to_a_table_of_ablations_is_one_too() -> None:
    table = Block(BlockKind.TABLE, r"\begin{table}\caption{Ablation}\label{tab:abl} w/o gate & 1.2 \end{table}")
    ablation = Section("Ablation", 1, SectionKind.ABLATION, (table,))
    method = section("Method", SectionKind.METHOD, r"We gate. Table~\ref{tab:abl} tells more. We train.")
    selection = cut_excerpt(with_sections(method, ablation), Task.AUTHOR)
    assert "tab:abl" not in text(selection)
    assert "We train." in text(selection)


def test_an_appendix_of_ablations_is_known_by_its_letter_and_others_stay() -> None:
    proofs = section("Appendix A. Proofs", SectionKind.APPENDIX, "Trivial.")
    ablation = section("Appendix B. More ablations", SectionKind.ABLATION, "Without the gate it rises.")
    method = section("3 Method", SectionKind.METHOD, "We gate. Appendix A proves it. Appendix B has more. We train.")
    selection = cut_excerpt(with_sections(method, EXPERIMENTS, proofs, ablation), Task.AUTHOR)
    assert "We gate. Appendix A proves it. We train." in text(selection)


def test_a_reference_to_a_figure_of_the_method_stays() -> None:
    figure = "Figure 1: Overall architecture, compared to the input at scale 1/4."
    method = with_block(BlockKind.FIGURE, figure, "The model is illustrated in Fig. 1.")
    assert "illustrated in Fig. 1." in text(cut_excerpt(with_sections(method, EXPERIMENTS), Task.AUTHOR))


def test_the_reviewer_sees_all_but_references_and_checklists() -> None:
    full_paper = with_sections(
        METHOD, EXPERIMENTS, ABLATION, section("Checklist", SectionKind.CHECKLIST, "Yes."), *paper().sections[-1:]
    )
    selection = cut_excerpt(full_paper, Task.REVIEWER)
    assert "Without the gate it rises." in text(selection)
    assert [part.heading for part in selection.omissions] == ["Checklist", "References"]


@given(
    st.lists(st.sampled_from(["We gate. ", "As in Fig. 2, e.g. here, it holds. ", "A\n\nB", "- one\n- two\n", "x? "]))
)
def test_sentences_joined_are_the_text(parts: list[str]) -> None:
    assert "".join(split_sentences("".join(parts))) == "".join(parts)


@given(st.text())
def test_any_text_is_cut_into_sentences_without_loss(content: str) -> None:
    assert "".join(split_sentences(content)) == content
    remove_results_and_ablations(Excerpt("T", content, ""), [])


def test_shortened_words_end_no_sentence() -> None:
    content = "As in Fig. 2 of Smith et al. (2020), i.e. here, J. Doe holds. Next one."
    assert [s.strip() for s in split_sentences(content)] == [content[:-10], "Next one."]


def words_of(text: str) -> int:
    return len(text.split())


def test_a_paper_that_fits_is_sent_whole() -> None:
    full_paper = paper()
    selection = cut_excerpt(full_paper, Task.REVIEWER)
    assert omit_sections_to_fit(selection, full_paper, 10_000, words_of) == selection


def test_what_matters_least_goes_first_and_is_said() -> None:
    near = section("A Gate details", SectionKind.APPENDIX, "The harmonic residual gate bounds every residual. " * 20)
    far = section("B Broader impact", SectionKind.APPENDIX, "Society benefits hugely from navigation safety. " * 20)
    thanks = section("Acknowledgements", SectionKind.ACKNOWLEDGEMENTS, "We thank the harbour masters. " * 20)
    full_paper = with_sections(*paper().sections[:3], near, thanks, far)
    selection = cut_excerpt(full_paper, Task.REVIEWER)
    everything = words_of(text(selection)) + words_of(f"{full_paper.title} {full_paper.abstract}")
    omitted_headings = [
        [part.heading for part in omit_sections_to_fit(selection, full_paper, everything - spare, words_of).omissions]
        for spare in (1, 120, 230)
    ]
    assert omitted_headings[0] == ["Acknowledgements"]
    assert sorted(omitted_headings[1]) == ["Acknowledgements", "B Broader impact"]
    assert sorted(omitted_headings[2]) == ["A Gate details", "Acknowledgements", "B Broader impact"]


def test_what_must_be_sent_is_never_cut_to_fit() -> None:
    full_paper = paper()
    with pytest.raises(TooLongError, match="--context-window"):
        omit_sections_to_fit(cut_excerpt(full_paper, Task.REVIEWER), full_paper, 5, words_of)


def plain(content: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKC", content).casefold())


def test_on_labelled_papers_no_evidence_gets_through_and_the_text_stays(shared: Path) -> None:
    for label in read_excerpt_labels(shared / "papers" / "labelled"):
        measured = score_excerpt(label)
        assert measured.leaks == (), label.id
        assert measured.is_end_correct, f"{label.id}: {measured.end_heading}"
        # What is missing beyond 2 % is sentences that announce ablations, read one by one.
        assert measured.kept_share >= (0.95 if "yamaguchi" in label.id else 0.98), label.id


def test_on_labelled_sources_no_results_get_through(shared: Path) -> None:
    for label in read_excerpt_labels(shared / "papers" / "source"):
        assert score_excerpt(label).leaks == (), label.id


def subsection(heading: str, kind: SectionKind, *prose: str) -> Section:
    return section(heading, kind, *prose, level=2)


def test_results_in_subsections_only_are_omitted_and_the_methods_around_them_stay() -> None:
    full_paper = with_sections(
        section("2 Turning", SectionKind.METHOD, "We turn."),
        subsection("2.1 Evaluation", SectionKind.EXPERIMENTS, "It wins."),
        section("3 Training", SectionKind.METHOD, "We train."),
        subsection("3.1 Evaluation", SectionKind.EXPERIMENTS, "It wins again."),
        section("4 Conclusion", SectionKind.CONCLUSION, "It won."),
        section("A Ablations", SectionKind.ABLATION, "It loses."),
    )
    sent = text(cut_excerpt(full_paper, Task.AUTHOR))
    assert ("We turn." in sent, "We train." in sent) == (True, True)
    assert not re.search("It w|It loses", sent)


def test_measures_before_the_method_do_not_end_the_author_task() -> None:
    full_paper = with_sections(
        section("1 Introduction", SectionKind.INTRODUCTION, "Gears."),
        section("2 Evaluation Metrics", SectionKind.EXPERIMENTS, "We count."),
        section("3 The Gear", SectionKind.OTHER, "We turn."),
        EXPERIMENTS,
    )
    selection = cut_excerpt(full_paper, Task.AUTHOR)
    assert "We turn." in text(selection)
    assert "0.085" not in text(selection)


@pytest.mark.parametrize("name", ["Methods", "Materials and Methods", "Online Methods", "STAR★Methods"])
def test_a_late_section_named_methods_is_sent_although_a_background_comes_first(name: str) -> None:
    background = section("Background", SectionKind.METHOD, "Gears are old.")
    late = section(name, SectionKind.METHOD, "We turn them.")
    statistics = subsection("Statistics", SectionKind.METHOD, "We count them.")
    sent = text(cut_excerpt(with_sections(background, EXPERIMENTS, late, statistics), Task.AUTHOR))
    assert "We turn them." in sent
    assert "We count them." in sent


@pytest.mark.parametrize("name", [">" * 400, "& " * 400, "★" * 400 + " method of", "materials " * 400])
def test_a_heading_of_any_characters_is_read_in_no_time(name: str) -> None:
    late = section(name, SectionKind.OTHER, "The gate bounds the residual.")
    started = time.process_time()
    cut_excerpt(with_sections(METHOD, EXPERIMENTS, late), Task.AUTHOR)
    assert time.process_time() - started < 1


@pytest.mark.parametrize("name", ["Model Analysis", "Training Dynamics Analysis", "Analysis of the Trained Network"])
def test_an_analysis_of_what_the_method_gave_is_not_sent_as_a_late_method(name: str) -> None:
    method = section("2 CogNet", SectionKind.OTHER, "We turn.")
    late = section(name, classify_heading(name), "It rose by 3 points.")
    sent = text(cut_excerpt(with_sections(method, EXPERIMENTS, late), Task.AUTHOR))
    assert "We turn." in sent and "3 points" not in sent


def test_a_method_of_which_little_is_left_is_warned_of() -> None:
    results = section("2 Results", SectionKind.EXPERIMENTS, "It turns and turns. " * 30)
    intro = section("1 Introduction", SectionKind.INTRODUCTION, "Gears.")
    (warning,) = cut_excerpt(with_sections(intro, results), Task.AUTHOR).warnings
    assert warning.startswith("only 0% of the text")
    assert "--cut-at" in warning
    assert cut_excerpt(with_sections(intro, METHOD, EXPERIMENTS), Task.AUTHOR).warnings == ()


@pytest.mark.parametrize(
    "rows", ["no cog    7.5  0.4\nall       8.5  0.6", "no cog & 7.5\nall & 8.5", "| no | 7.5 |\n| x | 8 |"]
)
def test_rows_of_numbers_among_the_method_are_gone(rows: str) -> None:
    sent = text(cut_excerpt(with_sections(with_block(BlockKind.PROSE, rows, "We turn."), EXPERIMENTS), Task.AUTHOR))
    assert "7.5" not in sent
    assert "We turn." in sent


def test_lines_of_a_formula_are_no_table() -> None:
    formula = "x_1 & = 2.5 y_1\nx_2 & = 3.5 y_2"
    selection = cut_excerpt(with_sections(with_block(BlockKind.PROSE, formula), EXPERIMENTS), Task.AUTHOR)
    assert formula in text(selection)
