"""The token estimate against counts of a real vocabulary (tests/tokens/README.md says how they were made)."""

import json
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.chat import FixedTokenCounter, Message, Prompt, TokenCounter

HERE = Path(__file__).parent / "tokens"
REFERENCE = json.loads((HERE / "reference.json").read_text(encoding="utf-8"))
LEAST = 0.95


@pytest.mark.parametrize("name", sorted(REFERENCE["own"]))
def test_it_seldom_counts_too_few_in_any_script(name: str) -> None:
    ratio = TokenCounter().count_text((HERE / name).read_text(encoding="utf-8")) / REFERENCE["own"][name]
    assert LEAST <= ratio <= 1.5


def test_on_real_papers_it_is_close_and_never_far_too_low(shared: Path) -> None:
    ratios = {
        path: TokenCounter().count_text((shared / path).read_text(encoding="utf-8")) / counted
        for path, counted in REFERENCE["shared"].items()
    }
    lowest = min(ratios, key=ratios.__getitem__)
    assert ratios[lowest] >= LEAST, lowest
    assert median(ratios.values()) <= 1.08


@given(st.text())
def test_every_text_has_an_estimate(text: str) -> None:
    estimate = TokenCounter().count_text(text)
    assert 0 <= estimate <= 4 * len(text) + 1
    assert (estimate == 0) == (text == "")


def prompt(text: str) -> Prompt:
    return Prompt.from_messages((Message("user", text),), "")


def test_a_counter_learns_from_the_endpoints_own_count() -> None:
    counter = TokenCounter()
    asked = prompt("words upon words " * 500)
    estimated = counter.count_prompt(asked)
    counter.raise_factor(asked, int(estimated * 1.25))
    assert counter.count_prompt(asked) == pytest.approx(estimated * 1.25, rel=0.01)


def test_a_refused_prompt_measures_what_the_endpoint_counted_and_the_counter_itself_stays() -> None:
    counter = FixedTokenCounter()
    asked = prompt("words upon words " * 500)
    estimated = counter.count_prompt(asked)
    for counted, measured in ((int(estimated * 1.5), 1.5), (estimated // 2, 1.0), (10**9, 3.0)):
        assert counter.copy_with_raised_factor(asked, counted).count_prompt(asked) == pytest.approx(
            estimated * measured, rel=0.01
        )
    assert counter.count_prompt(asked) == estimated


@pytest.mark.parametrize("counted", [None, 0, 10, 10**9])
def test_a_counter_learns_nothing_from_an_implausible_count(counted: int | None) -> None:
    counter = TokenCounter()
    asked = prompt("words upon words " * 500)
    before = counter.count_prompt(asked)
    counter.raise_factor(asked, counted)
    assert counter.count_prompt(asked) == before


def test_a_stored_count_may_be_any_number() -> None:
    counter = TokenCounter()
    prompt = Prompt.from_messages([Message("user", "Plan the ablations.")])
    counter.raise_factor(prompt, 10**400)
    assert counter.estimate_factor == 1.0
    assert counter.copy_with_raised_factor(prompt, 10**400).estimate_factor == 3.0
