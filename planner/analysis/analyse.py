"""Find the components, reported ablations and metrics in a paper's text, and index it for the checks of a plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.analysis.components import Component, find_components
from planner.analysis.metrics import Metric, find_metrics
from planner.analysis.passages import EXPERIMENT_SECTIONS, IndexedSection, PaperIndex, ReportedAblation, split_passages
from planner.analysis.reported import ComponentNames, find_reported_ablations, is_about_ablations
from planner.papers.paper import BlockKind, Excerpt, Paper, Section, SectionKind, is_english_paper
from planner.schema import Task

_UNREAD_KINDS: Final = frozenset({SectionKind.REFERENCES, SectionKind.CHECKLIST})
_MAX_REPORTED: Final = 1_000  # ablations that are compared; ten times those of any real paper
_FLOAT_KINDS: Final = frozenset({BlockKind.TABLE, BlockKind.FIGURE})


@dataclass(frozen=True, slots=True)
class Analysis:
    """The components and reported ablations of a paper in reading order, and its metrics by frequency."""

    components: tuple[Component, ...]
    reported_ablations: tuple[ReportedAblation, ...]
    metrics: tuple[Metric, ...]


def analyse_paper(paper: Paper) -> Analysis:
    """Find the components, reported ablations and metrics of a paper, each with its place in `paper.text`.

    No model is used, and the time is linear in the length of the text. An empty tuple means that nothing was found, as
    in a paper that is not in English, whose words are not known.
    """
    if not is_english_paper(paper.sections):
        return Analysis((), (), ())
    return analyse_sections(paper.sections, paper.title)


def analyse_sections(sections: Sequence[Section], title: str = "") -> Analysis:
    """Find the components, reported ablations and metrics of sections; offsets count from the start of the first."""
    passages = split_passages(sections)
    components = find_components(passages)
    reported = find_reported_ablations(passages, ComponentNames(lambda: components, title))
    return Analysis(components, reported, find_metrics(passages))


def index_paper(paper: Paper, task: Task, excerpt: Excerpt) -> PaperIndex:
    """Return the part of a paper that the check of a plan needs; `excerpt` is what was sent to the model.

    References and checklists are left out, as no task sends them.
    """
    if task is not Task.REVIEWER:
        return PaperIndex(task, tuple(_index_sections(paper, excerpt, frozenset())))
    passages = split_passages(paper.sections)
    names = ComponentNames(lambda: find_components(passages, count_mentions=False), paper.title)
    about = (p.text for p in passages if p.section_kind in EXPERIMENT_SECTIONS and is_about_ablations(p))
    sections = tuple(_index_sections(paper, excerpt, frozenset(about)))
    return PaperIndex(task, sections, find_reported_ablations(passages, names)[:_MAX_REPORTED])


def _index_sections(paper: Paper, excerpt: Excerpt, ablation_texts: frozenset[str]) -> Iterator[IndexedSection]:
    abstract_page = next((section.page for section in paper.sections if section.kind is SectionKind.ABSTRACT), None)
    yield IndexedSection("Abstract", (excerpt.title, excerpt.abstract), pages=(abstract_page,) * 2)
    sent = {block.text for section in excerpt.sections for block in section.blocks}
    for section in excerpt.sections:
        yield _index_blocks(section, ablation_texts)
    for section in paper.sections:
        unsent = [block for block in section.blocks if block.text not in sent]
        if unsent and section.kind not in _UNREAD_KINDS:
            yield IndexedSection(section.heading, tuple(block.text for block in unsent), is_sent=False)


def _index_blocks(section: Section, ablation_texts: frozenset[str]) -> IndexedSection:
    """Index the blocks of a section; tables and figures come last, as they stand between the parts of sentences."""
    ordered = sorted(section.blocks, key=lambda block: block.kind in _FLOAT_KINDS)
    texts = tuple(block.text for block in ordered)
    pages = tuple(block.page for block in ordered)
    about = tuple(number for number, text in enumerate(texts) if text in ablation_texts)
    return IndexedSection(
        section.heading,
        texts,
        pages=pages if any(pages) else (),
        ablation_passages=about,
        is_experiment=section.kind in EXPERIMENT_SECTIONS,
    )
