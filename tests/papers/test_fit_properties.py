"""Whatever the paper and the window: what fits is sent, what gives way is what may, and nothing vanishes unsaid."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.chat import FixedTokenCounter, Message, Prompt, TokenCounter
from planner.errors import TooLongError
from planner.papers.excerpt import cut_excerpt, omit_sections_to_fit
from planner.papers.paper import Omission, Paper, Section, SectionKind
from planner.schema import Task
from tests.papers_made import paper, section

OMITTED_KINDS = {SectionKind.ACKNOWLEDGEMENTS, SectionKind.APPENDIX}
KINDS = st.sampled_from([kind for kind in SectionKind if kind is not SectionKind.ABSTRACT])
SECTIONS = st.lists(
    st.builds(section, st.sampled_from("ABCDE"), KINDS, st.text("gate tide\n", max_size=200)), max_size=8
)
PAPERS = SECTIONS.map(lambda sections: paper(sections=tuple(sections)))
LIMITS = st.integers(0, 1000)


def fit_to_limit(full_paper: Paper, limit: int) -> tuple[tuple[Section, ...], tuple[Omission, ...]] | None:
    """Return what the reviewer's task keeps and leaves out in so many characters; None if the paper cannot fit."""
    try:
        fitted = omit_sections_to_fit(cut_excerpt(full_paper, Task.REVIEWER), full_paper, limit, len)
    except TooLongError as error:
        assert error.limit == limit
        return None
    return fitted.sections, fitted.omissions


@given(PAPERS, LIMITS)
@example(paper(sections=(section("A", SectionKind.APPENDIX, "gate"), section("A", SectionKind.APPENDIX, "gate"))), 35)
def test_what_is_kept_fits_and_what_goes_is_said_with_its_size(full_paper: Paper, limit: int) -> None:
    before = cut_excerpt(full_paper, Task.REVIEWER)
    fitted = fit_to_limit(full_paper, limit)
    if fitted is None:
        kept_always = [item for item in before.sections if item.kind not in OMITTED_KINDS]
        assert len(f"{full_paper.title}\n{before.abstract}") + sum(len(item.text) for item in kept_always) > limit
        return
    kept, omissions = fitted
    assert len(full_paper.title) + len(before.abstract) + sum(len(item.text) for item in kept) <= limit
    assert sum(len(item.text) for item in kept) + sum(part.chars for part in omissions) == count_chars(full_paper)
    remaining = iter(before.sections)
    assert all(any(other is item for other in remaining) for item in kept), "the order is the paper's"


def count_chars(full_paper: Paper) -> int:
    return sum(len(item.text) for item in full_paper.sections)


@given(PAPERS, LIMITS)
def test_nothing_gives_way_but_what_may(full_paper: Paper, limit: int) -> None:
    if fitted := fit_to_limit(full_paper, limit):
        counted = [
            item.kind for item in cut_excerpt(full_paper, Task.REVIEWER).sections if item.kind not in OMITTED_KINDS
        ]
        assert [item.kind for item in fitted[0] if item.kind not in OMITTED_KINDS] == counted


@given(PAPERS, st.lists(LIMITS, min_size=2, max_size=5).map(sorted))
def test_more_room_never_takes_more_away(full_paper: Paper, limits: list[int]) -> None:
    kept = [0 if (fitted := fit_to_limit(full_paper, limit)) is None else len(fitted[0]) + 1 for limit in limits]
    assert all(first <= second for first, second in pairwise(kept))


@given(PAPERS)
def test_a_window_that_holds_everything_changes_nothing(full_paper: Paper) -> None:
    before = cut_excerpt(full_paper, Task.REVIEWER)
    assert omit_sections_to_fit(before, full_paper, 10**9, len) == before


PROMPT = Prompt.from_messages((Message("user", "The harmonic residual gate bounds the residual. " * 50),), "")


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**6)), max_size=6))
def test_a_gauge_never_measures_less_than_before_and_a_fixed_one_the_same(counts: list[int | None]) -> None:
    """A prompt that once was too long for a window is not taken to fit it later."""
    counter, fixed = TokenCounter(), FixedTokenCounter()
    before = first = counter.count_prompt(PROMPT)
    for count in counts:
        counter.raise_factor(PROMPT, count)
        fixed.raise_factor(PROMPT, count)
        assert counter.count_prompt(PROMPT) >= before
        assert fixed.count_prompt(PROMPT) == first
        before = counter.count_prompt(PROMPT)
    assert before <= 3 * first + 1


def test_the_message_says_what_is_needed_and_what_there_is() -> None:
    with pytest.raises(TooLongError, match=r"\.md: about \d+ tokens must be sent, but only 0 fit .*--context-window"):
        omit_sections_to_fit(cut_excerpt(paper(), Task.REVIEWER), paper(), -5, len)
