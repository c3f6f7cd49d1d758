"""Select the sections of a paper that a task sends, and omit sections that do not fit into the model's window.

The task `reviewer` sends all sections except references and checklists. The task `author` sends only the sections
before the experiments.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from planner.errors import PaperError, TooLongError
from planner.papers.headings import classify_heading, is_measurement_setup_heading, strip_number_and_punctuation
from planner.papers.leaks import remove_results_and_ablations
from planner.papers.outline import BACK_MATTER_KINDS
from planner.papers.paper import BlockKind, Excerpt, Omission, Paper, Section, SectionKind
from planner.schema import Task

_UNSENT_REASONS: Final = {
    SectionKind.REFERENCES: "references are not sent",
    SectionKind.CHECKLIST: "checklists are not sent",
}
_BACK_MATTER_KINDS: Final = BACK_MATTER_KINDS | frozenset(_UNSENT_REASONS)
_RESULT_KINDS: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION})
_OPENING_KINDS: Final = frozenset({SectionKind.INTRODUCTION, SectionKind.RELATED_WORK})
_METHOD_NAME: Final = re.compile(
    r"(?:online|star|detailed|materials?|data|patients|participants|subjects|experimental|and|[^\w\s]|\s)*"
    r"(?:methods?(?: details)?|methodology|materials|experimental procedures?)",
    re.I,
)
_MIN_METHOD_SHARE: Final = 0.1  # of the prose between the opening sections and the back matter
_FIT_REASON: Final = "left out to fit the model's window"
_FIRST_OMITTED_KINDS: Final = (SectionKind.REFERENCES, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST)
_LONG_WORD: Final = re.compile(r"[^\W\d_]{4,}")


def cut_excerpt(paper: Paper, task: Task, end_heading: str = "") -> Excerpt:
    """Return the excerpt of a paper that a task sends to the model.

    The excerpt for the task `author` ends before `end_heading`. If this is "", it ends before the results.

    Raises:
        PaperError: if the paper has no such heading, or if no heading starts the results.
    """
    body = tuple(section for section in paper.sections if section.kind is not SectionKind.ABSTRACT)
    opening = Excerpt(paper.title, paper.abstract, text="")
    if task is Task.REVIEWER:
        return opening.copy_with_sections(*_split_unsent_sections(body))
    end = _find_end(paper, body, end_heading)
    method = (
        *(section for section in body[:end] if end_heading or section.kind not in _RESULT_KINDS),
        *(() if end_heading else _find_late_method(body, end)),
    )
    chosen = set(map(id, method))
    later = tuple(section for section in body if id(section) not in chosen)
    excerpt = remove_results_and_ablations(opening.copy_with_sections(*_split_unsent_sections(method)), later)
    reason = f"the author task ends before {body[end].heading!r}"
    omissions = (*excerpt.omissions, *(_describe_omission(section, reason) for section in later))
    return replace(excerpt, omissions=omissions, warnings=_warn_of_lost_method(body, excerpt.sections))


def _split_unsent_sections(body: Sequence[Section]) -> tuple[list[Section], list[Omission]]:
    """Leave out references and checklists. Return (the other sections, an omission for each that is left out)."""
    unsent = [section for section in body if section.kind in _UNSENT_REASONS]
    omissions = [_describe_omission(section, _UNSENT_REASONS[section.kind]) for section in unsent]
    return [section for section in body if section.kind not in _UNSENT_REASONS], omissions


def _describe_omission(section: Section, reason: str) -> Omission:
    return Omission(section.display_heading, len(section.text), reason)


def _find_end(paper: Paper, body: tuple[Section, ...], end_heading: str) -> int:
    if end_heading:
        names = _make_heading_variants(end_heading)
        ends = [i for i, section in enumerate(body) if names & _make_heading_variants(section.heading)]
        problem = f"no heading is named {end_heading!r}; name another with --cut-at HEADING"
    else:
        ends = _find_result_ends(body)
        problem = "no heading of experiments was found; name the heading at which to cut the paper: --cut-at HEADING"
    if not ends:
        headings = [repr(section.heading) for section in body if section.level == 1]
        raise PaperError(f"{paper.source}: {problem}; first-level headings: {', '.join(headings) or 'none'}")
    return ends[0]


def _find_result_ends(body: tuple[Section, ...]) -> list[int]:
    """Return the indexes of the sections that may start the results, the likeliest first.

    These are the first-level sections on results in the main part. If there are none, they are the subsections on
    results in the main part; if there are none either, they are sections after the main part. A first section such as
    "Evaluation Metrics" is skipped if the method comes after it.
    """
    results = [i for i, section in enumerate(body) if section.kind in _RESULT_KINDS]
    first_level = [i for i in results if body[i].level == 1]
    back_matter = _find_back_matter(body)
    main = [i for i in first_level if i < back_matter]
    if main and _is_ahead_of_method(body, *main[:2]):
        return main[1:]
    return main or [i for i in results if i < back_matter] or first_level or results


def _find_back_matter(body: tuple[Section, ...]) -> int:
    """Return the index of the first section after the main part, such as the conclusion; `len(body)` if none exists."""
    ends = (i for i, section in enumerate(body) if section.level == 1 and section.kind in _BACK_MATTER_KINDS)
    return next(ends, len(body))


def _is_ahead_of_method(body: tuple[Section, ...], index: int, next_index: int = 0) -> bool:
    """Return whether section `index`, such as "Metrics", precedes the method, which begins before `next_index`."""
    is_method = [section.level == 1 and section.kind in (SectionKind.METHOD, SectionKind.OTHER) for section in body]
    return (
        is_measurement_setup_heading(body[index].heading)
        and any(is_method[index:next_index])
        and not any(is_method[:index])
    )


def _make_heading_variants(heading: str) -> set[str]:
    return {heading.casefold(), strip_number_and_punctuation(heading).casefold()}


def _find_late_method(body: tuple[Section, ...], end: int) -> Iterator[Section]:
    """Yield the sections on the method from index `end` on, since some papers describe the method after the results.

    A section "Methods" is yielded with its subsections. Other sections on the method are yielded only if no section
    before `end` is on the method, or if section `end` is a subsection and the main part goes on after it.
    """
    has_method = any(section.kind is SectionKind.METHOD for section in body[:end])
    has_main_results = body[end].level == 1
    back_matter = _find_back_matter(body)
    is_named = False
    for index, section in enumerate(body[end:], end):
        if section.level == 1:
            is_named = bool(_METHOD_NAME.fullmatch(strip_number_and_punctuation(section.heading)))
        if section.kind is SectionKind.METHOD:
            is_sent = is_named or not has_method or (not has_main_results and index < back_matter)
        else:
            is_sent = is_named and classify_heading(section.heading, SectionKind.METHOD) is SectionKind.METHOD
        if is_sent:
            yield section


def _warn_of_lost_method(body: Iterable[Section], sent: Iterable[Section]) -> tuple[str, ...]:
    """Return a warning if `sent` holds under a tenth of the prose between introduction and conclusion."""
    whole, left = (sum(map(_count_method_characters, sections)) for sections in (body, sent))
    if left >= _MIN_METHOD_SHARE * whole:
        return ()
    return (
        f"only {left / whole:.0%} of the text between the introduction and the conclusion is sent in the author task; "
        "if the method is cut away, name the heading at which the results begin: --cut-at HEADING",
    )


def _count_method_characters(section: Section) -> int:
    if section.level == 0 or section.kind in _OPENING_KINDS | _BACK_MATTER_KINDS:
        return 0
    return sum(len(block.text) for block in section.blocks if block.kind is BlockKind.PROSE)


def omit_sections_to_fit(
    excerpt: Excerpt, paper: Paper, token_limit: int, count_tokens: Callable[[str], int]
) -> Excerpt:
    """Return the excerpt, shortened to at most `token_limit` tokens; `count_tokens` counts the tokens of a text.

    References, acknowledgements and checklists are omitted first. Sections of the appendix are omitted next, beginning
    with those that share the fewest words with the title, abstract and method. All other sections are always kept.

    Raises:
        TooLongError: if the sections that are always kept do not fit.
    """
    texts = (paper.title, excerpt.abstract, *(section.text for section in excerpt.sections))
    if sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) < token_limit:
        return excerpt  # a token has at least one byte, so the text fits without a count
    needed = count_tokens(f"{paper.title}\n{excerpt.abstract}")
    needed += sum(count_tokens(section.text) for section in excerpt.sections)
    omitted: set[int] = set()
    for section in _order_for_omission(excerpt):
        if needed <= token_limit:
            break
        needed -= count_tokens(section.text)
        omitted.add(id(section))
    if needed > token_limit:
        raise TooLongError(
            f"{paper.source}: about {needed:,} tokens must be sent, but only {max(token_limit, 0):,} fit the model; "
            "use a model with a larger context window, or give the window's size with --context-window",
            limit=token_limit,
        )
    kept = [section for section in excerpt.sections if id(section) not in omitted]
    unsent = (_describe_omission(section, _FIT_REASON) for section in excerpt.sections if id(section) in omitted)
    return excerpt.copy_with_sections(kept, unsent)


def _order_for_omission(excerpt: Excerpt) -> Iterator[Section]:
    """Yield the sections that may be omitted, the least important first."""
    for kind in _FIRST_OMITTED_KINDS:
        yield from (section for section in excerpt.sections if section.kind is kind)
    method = [section.text for section in excerpt.sections if section.kind is SectionKind.METHOD]
    words = _extract_words(" ".join((excerpt.title, excerpt.abstract, *method)))
    appendix = (section for section in excerpt.sections if section.kind is SectionKind.APPENDIX)
    yield from sorted(appendix, key=lambda section: _compute_overlap(section, words))


def _compute_overlap(section: Section, words: frozenset[str]) -> float:
    """Return the share of a section's distinct words that are in `words`, as a number from 0 to 1."""
    section_words = _extract_words(section.text)
    return len(section_words & words) / len(section_words) if section_words else 0.0


def _extract_words(text: str) -> frozenset[str]:
    return frozenset(match[0].casefold() for match in _LONG_WORD.finditer(text))
