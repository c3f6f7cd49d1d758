"""Select the sections that a task sees: the reviewer task all, the author task those before the experiments."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from planner.errors import PaperError
from planner.papers.headings import bare
from planner.papers.leaks import seal, without_announcements
from planner.papers.paper import Excerpt, LeftOut, Paper, Section, SectionKind
from planner.schema import Task

_NEVER_SENT: Final = {
    SectionKind.REFERENCES: "references are not sent",
    SectionKind.CHECKLIST: "checklists are not sent",
}
_RESULTS: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION})


@dataclass(frozen=True, slots=True)
class Cut:
    """The sections of a paper that a task sends, and the omissions."""

    abstract: str
    kept: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]
    warnings: tuple[str, ...] = ()

    def without(self, dropped: Iterable[Section], why: str) -> "Cut":
        """Return a copy that omits further sections, for the reason `why`."""
        gone = set(map(id, dropped))
        parts = tuple(left_out(section, why) for section in self.kept if id(section) in gone)
        kept = tuple(section for section in self.kept if id(section) not in gone)
        return replace(self, kept=kept, left_out=self.left_out + parts)

    def excerpt(self, paper: Paper) -> Excerpt:
        """Return the text of the kept sections as an excerpt."""
        text = "\n\n".join(section.text for section in self.kept)
        return Excerpt(paper.title, self.abstract, text, self.left_out, self.warnings)


def cut(paper: Paper, task: Task, cut_at: str = "") -> Cut:
    """Select the sections that `task` sees; `cut_at` is the heading at which the author task stops.

    Raises:
        PaperError: if the author task finds no heading at which to stop.
    """
    body = tuple(section for section in paper.sections if section.kind is not SectionKind.ABSTRACT)
    if task is Task.REVIEWER:
        return _whole(paper.abstract, body)
    end = _end_of_method(paper, body, cut_at)
    method = (*(section for section in body[:end] if cut_at or section.kind not in _RESULTS), *_late_method(body, end))
    beyond = tuple(section for section in body if section not in method)
    before = _whole(without_announcements(paper.abstract), method)
    sealed = seal(before.kept, beyond)
    why = f"the author task ends before {body[end].heading!r}"
    after = tuple(left_out(section, why) for section in beyond)
    return replace(before, kept=sealed.sections, left_out=(*before.left_out, *sealed.left_out, *after))


def left_out(section: Section, why: str) -> LeftOut:
    """Return the omission of a whole section."""
    return LeftOut(section.heading or "(before the first heading)", len(section.text), why)


def _whole(abstract: str, body: tuple[Section, ...]) -> Cut:
    kept = tuple(section for section in body if section.kind not in _NEVER_SENT)
    parts = tuple(left_out(section, _NEVER_SENT[section.kind]) for section in body if section.kind in _NEVER_SENT)
    return Cut(abstract, kept, parts)


def _late_method(body: tuple[Section, ...], end: int) -> tuple[Section, ...]:
    """Return the method sections after `end` if none come before it, as in papers of the life sciences."""
    if any(section.kind is SectionKind.METHOD for section in body[:end]):
        return ()
    return tuple(section for section in body[end:] if section.kind is SectionKind.METHOD)


def _end_of_method(paper: Paper, body: tuple[Section, ...], cut_at: str) -> int:
    if cut_at:
        wanted = {cut_at.casefold(), bare(cut_at).casefold()}
        found = [i for i, section in enumerate(body) if wanted & _names(section)]
        complaint = f"there is no heading {cut_at!r} to cut at"
    else:
        found = [i for i, section in enumerate(body) if section.kind in _RESULTS]
        # A method may have a subsection of results; only that subsection is omitted, not the rest of the method.
        found = [i for i in found if body[i].level == 1] or found
        complaint = "no heading starts the experiments, where the author task ends; name one with --cut-at HEADING"
    if not found:
        raise PaperError(f"{paper.source}: {complaint}; it has {_headings(body)}")
    return found[0]


def _names(section: Section) -> set[str]:
    return {section.heading.casefold(), bare(section.heading).casefold()}


def _headings(body: Iterable[Section]) -> str:
    headings = [repr(section.heading) for section in body if section.level == 1]
    return ", ".join(headings) if headings else "no headings"
