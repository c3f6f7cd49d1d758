"""The requests of a run: prompts that repeat, papers that come from another process, a cap that is no parameter."""

import pickle
from pathlib import Path

from planner.batch.status import LedgerStatus, PaperFailure
from planner.chat import FixedTokenCounter, Message, Prompt, TokenCounter
from planner.cli.batch import batch
from planner.errors import Outcome
from planner.files import write_file_atomically
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.papers.excerpt import cut_excerpt, omit_sections_to_fit
from planner.schema import Task
from tests.papers_made import paper


def test_papers_travel_between_processes_unchanged() -> None:
    made = paper()
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_fixed_gauge_learns_nothing_so_that_prompts_repeat() -> None:
    prompt = Prompt.from_messages((Message("user", "some words of a paper " * 50),), "")
    learning, fixed = TokenCounter(), FixedTokenCounter()
    before = fixed.count_text("words")
    for counter in (learning, fixed):
        counter.raise_factor(prompt, 600)
    assert learning.count_text("many words of a paper") > fixed.count_text("many words of a paper")
    assert fixed.count_text("words") == before


def test_a_paper_with_fewer_bytes_than_tokens_fit_is_not_measured() -> None:
    def never(_: str) -> int:
        raise AssertionError("nothing is to be measured")

    whole = cut_excerpt(paper(), Task.REVIEWER)
    assert omit_sections_to_fit(whole, paper(), 100_000, never) == whole


def test_a_cap_for_a_cost_limit_makes_no_other_request() -> None:
    endpoint = resolve_endpoint("m", "http://localhost:1/v1", {})
    plain, capped = (OpenAIChat(endpoint, RequestOptions(default_max_tokens=cap)) for cap in (None, 400))
    prompt = Prompt.from_messages((Message("user", "plan"),), "")
    assert capped.info.identify_request(prompt) == plain.info.identify_request(prompt)
    assert capped.build_parameters()["max_tokens"] == 400
    assert "max_tokens" not in plain.build_parameters()
    smaller = OpenAIChat(endpoint, RequestOptions(default_max_tokens=400, max_tokens=300))
    assert smaller.build_parameters()["max_tokens"] == 300


def test_a_file_that_need_not_be_durable_is_whole_all_the_same(tmp_path: Path) -> None:
    write_file_atomically(tmp_path / "a" / "b.md", "text", durable=False)
    assert (tmp_path / "a" / "b.md").read_bytes() == b"text"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]


def test_every_option_of_batch_says_what_it_does() -> None:
    assert not [option.name for option in batch.params if option.param_type_name == "option" and not option.help]


def test_failures_are_grouped_without_the_names_of_their_papers() -> None:
    failures = tuple(
        PaperFailure(paper, "m", Outcome.PAPER_ERROR, f"in/{paper}.pdf: the page, a table, cannot be read")
        for paper in ("pag", "b-1", "not")
    )
    status = LedgerStatus(3, 0, {"m": {Outcome.PAPER_ERROR: 3}}, 0, 0, 0, 0, None, failures=failures)
    *_, group, papers = status.as_text(with_failures=True).split("\n")
    assert papers == "  pag, b-1, not"
    assert "the page" in group and "cannot be read" in group
