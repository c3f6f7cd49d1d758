"""The part of a paper against which a plan is checked, small enough to go from a reader process to the program."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from planner.analysis.components import find_components
from planner.analysis.passages import EXPERIMENT_SECTIONS, ReportedAblation, split_passages
from planner.analysis.reported import (
    ComponentNames,
    find_reported_ablations,
    is_about_ablations,
)
from planner.papers.paper import Block, BlockKind, Excerpt, Paper, SectionKind
from planner.schema import Task

_UNREAD_KINDS: Final = frozenset({SectionKind.REFERENCES, SectionKind.CHECKLIST})
_MAX_REPORTED: Final = 1_000  # ablations that are compared; ten times those of any real paper
_FLOAT_KINDS: Final = frozenset({BlockKind.TABLE, BlockKind.FIGURE})


@dataclass(frozen=True, slots=True)
class IndexedSection:
    """The passages under a heading that were all sent to the model, or all not.

    `pages` gives the page on which each passage starts, and is empty without pages. `ablation_passages` are the indices
    of those that report ablations; it is empty in the author task.
    """

    heading: str
    passages: tuple[str, ...]
    is_sent: bool = True
    pages: tuple[int | None, ...] = ()
    ablation_passages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PaperIndex:
    """The text of a paper by sections, and the ablations that it reports.

    `reported_ablations` is empty for the author task, which does not need them.
    """

    task: Task
    sections: tuple[IndexedSection, ...]
    reported_ablations: tuple[ReportedAblation, ...] = ()


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
        yield _index_blocks(section.heading, section.blocks, ablation_texts)
    for section in paper.sections:
        unsent = [block for block in section.blocks if block.text not in sent]
        if unsent and section.kind not in _UNREAD_KINDS:
            yield IndexedSection(section.heading, tuple(block.text for block in unsent), is_sent=False)


def _index_blocks(heading: str, blocks: Sequence[Block], ablation_texts: frozenset[str]) -> IndexedSection:
    """Index the blocks of a section; tables and figures come last, as they stand between the parts of sentences."""
    ordered = sorted(blocks, key=lambda block: block.kind in _FLOAT_KINDS)
    texts = tuple(block.text for block in ordered)
    pages = tuple(block.page for block in ordered)
    about = tuple(number for number, text in enumerate(texts) if text in ablation_texts)
    return IndexedSection(heading, texts, pages=pages if any(pages) else (), ablation_passages=about)
