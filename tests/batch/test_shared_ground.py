"""What a run asks of the rooms below it: prompts that repeat, papers that travel, a cap that is no parameter."""

import pickle
from pathlib import Path

from planner.chat import Message, Prompt
from planner.cli.batch import batch
from planner.gauge import FixedGauge, Gauge
from planner.openai_chat.endpoint import resolve
from planner.openai_chat.model import ChatSettings, OpenAIChat, parameters_of
from planner.papers.cut import cut
from planner.papers.fit import fit
from planner.schema import Task
from planner.trajectory.files import write_atomically
from tests.papers_made import paper


def test_papers_travel_between_processes_unchanged() -> None:
    made = paper()
    assert pickle.loads(pickle.dumps(made)) == made


def test_a_fixed_gauge_learns_nothing_so_that_prompts_repeat() -> None:
    prompt = Prompt.of((Message("user", "some words of a paper " * 50),), "")
    learning, fixed = Gauge(), FixedGauge()
    before = fixed.measure("words")
    for gauge in (learning, fixed):
        gauge.learn(prompt, 600)
    assert learning.measure("many words of a paper") > fixed.measure("many words of a paper")
    assert fixed.measure("words") == before


def test_a_paper_with_fewer_bytes_than_tokens_fit_is_not_measured() -> None:
    def never(_: str) -> int:
        raise AssertionError("nothing is to be measured")

    whole = cut(paper(), Task.REVIEWER)
    assert fit(whole, paper(), 100_000, never) == whole


def test_a_cap_for_a_cost_limit_makes_no_other_request() -> None:
    endpoint = resolve("m", "http://localhost:1/v1", {})
    plain, capped = (OpenAIChat(endpoint, ChatSettings(cap=cap)) for cap in (None, 400))
    prompt = Prompt.of((Message("user", "plan"),), "")
    assert capped.card.identity(prompt) == plain.card.identity(prompt)
    assert parameters_of("m", capped.settings)["max_tokens"] == 400
    assert "max_tokens" not in parameters_of("m", plain.settings)
    assert parameters_of("m", ChatSettings(cap=400, max_tokens=300))["max_tokens"] == 300


def test_a_file_that_need_not_be_durable_is_whole_all_the_same(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a" / "b.md", "text", durable=False)
    assert (tmp_path / "a" / "b.md").read_bytes() == b"text"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]


def test_every_option_of_batch_says_what_it_does() -> None:
    assert not [option.name for option in batch.params if option.param_type_name == "option" and not option.help]
