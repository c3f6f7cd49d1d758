"""Whatever the paper and the window: what fits is sent, what gives way is what may, and nothing vanishes unsaid."""

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.chat import Message, Prompt
from planner.errors import TooLongError
from planner.papers.excerpt import fit_sections, select_sections
from planner.papers.paper import Omission, Paper, Section, SectionKind
from planner.schema import Task
from planner.tokens import FixedTokenCounter, TokenCounter
from tests.papers_made import paper, section

GIVES_WAY = {SectionKind.ACKNOWLEDGEMENTS, SectionKind.APPENDIX}
KINDS = st.sampled_from([kind for kind in SectionKind if kind is not SectionKind.ABSTRACT])
SECTIONS = st.lists(
    st.builds(section, st.sampled_from("ABCDE"), KINDS, st.text("gate tide\n", max_size=200)), max_size=8
)
PAPERS = SECTIONS.map(lambda sections: paper(sections=tuple(sections)))
ROOMS = st.integers(0, 1000)


def fitted(whole: Paper, room: int) -> tuple[tuple[Section, ...], tuple[Omission, ...]] | None:
    """What the reviewer's task keeps and leaves out in so much room, a token a character; None where it cannot fit."""
    try:
        done = fit_sections(select_sections(whole, Task.REVIEWER), whole, room, len)
    except TooLongError as error:
        assert error.limit == room
        return None
    return done.sections, done.omissions


@given(PAPERS, ROOMS)
@example(paper(sections=(section("A", SectionKind.APPENDIX, "gate"), section("A", SectionKind.APPENDIX, "gate"))), 35)
def test_what_is_kept_fits_and_what_goes_is_said_with_its_size(whole: Paper, room: int) -> None:
    before = select_sections(whole, Task.REVIEWER)
    done = fitted(whole, room)
    if done is None:
        must = [each for each in before.sections if each.kind not in GIVES_WAY]
        assert len(f"{whole.title}\n{before.abstract}") + sum(len(each.text) for each in must) > room
        return
    kept, left_out = done
    assert len(whole.title) + len(before.abstract) + sum(len(each.text) for each in kept) <= room
    assert sum(len(each.text) for each in kept) + sum(part.chars for part in left_out) == len_of(whole)
    ahead = iter(before.sections)
    assert all(any(other is each for other in ahead) for each in kept), "the order is the paper's"


def len_of(whole: Paper) -> int:
    return sum(len(each.text) for each in whole.sections)


@given(PAPERS, ROOMS)
def test_nothing_gives_way_but_what_may(whole: Paper, room: int) -> None:
    if done := fitted(whole, room):
        counted = [each.kind for each in select_sections(whole, Task.REVIEWER).sections if each.kind not in GIVES_WAY]
        assert [each.kind for each in done[0] if each.kind not in GIVES_WAY] == counted


@given(PAPERS, st.lists(ROOMS, min_size=2, max_size=5).map(sorted))
def test_more_room_never_takes_more_away(whole: Paper, rooms: list[int]) -> None:
    kept = [0 if (done := fitted(whole, room)) is None else len(done[0]) + 1 for room in rooms]
    assert all(first <= second for first, second in pairwise(kept))


@given(PAPERS)
def test_a_window_that_holds_everything_changes_nothing(whole: Paper) -> None:
    before = select_sections(whole, Task.REVIEWER)
    assert fit_sections(before, whole, 10**9, len) == before


PROMPT = Prompt.from_messages((Message("user", "The harmonic residual gate bounds the residual. " * 50),), "")


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**6)), max_size=6))
def test_a_gauge_never_measures_less_than_before_and_a_fixed_one_the_same(counts: list[int | None]) -> None:
    """A prompt that once was too long for a window is not taken to fit it later."""
    gauge, fixed = TokenCounter(), FixedTokenCounter()
    before = first = gauge.count_prompt(PROMPT)
    for count in counts:
        gauge.observe(PROMPT, count)
        fixed.observe(PROMPT, count)
        assert gauge.count_prompt(PROMPT) >= before
        assert fixed.count_prompt(PROMPT) == first
        before = gauge.count_prompt(PROMPT)
    assert before <= 3 * first + 1


def test_the_message_says_what_is_needed_and_what_there_is() -> None:
    with pytest.raises(TooLongError, match=r"paper\.md: about \d+ tokens must be sent and 0 fit; .*--context-window"):
        fit_sections(select_sections(paper(), Task.REVIEWER), paper(), -5, len)
