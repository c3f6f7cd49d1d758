"""The built-in planner: what it proposes, what it must not use, and how it ends with nothing."""

import asyncio
import json
from pathlib import Path

import pytest

from planner.chat import Completion, Prompt
from planner.extractive import NOTHING_FOUND, Extractive
from planner.papers.paper import Excerpt
from planner.schema import Ablation, Action, Plan, Task

DEMO = Path(__file__).parents[1] / "planner" / "demo" / "paper.md"
METHOD = """## 3 Method

### 3.1 Gated Fusion Unit

We propose a gated fusion unit (GFU) that mixes both streams. The GFU has two gates.

### 3.2 Random Walk Sampling

Random walk sampling chooses the neighbours.

### 3.3 Contrastive Margin Loss

The contrastive margin loss keeps classes apart.
"""


def ask(excerpt: Excerpt, task: Task = Task.AUTHOR, k: int = 5) -> Completion:
    return asyncio.run(Extractive(excerpt, task, k).complete(Prompt((), "")))


def plan_of(completion: Completion) -> Plan:
    block = completion.text.split("<predictions>")[1].split("</predictions>")[0]
    return Plan(ablations=tuple(Ablation.model_validate_json(line) for line in block.strip().splitlines()))


def parts(completion: Completion) -> list[str]:
    return [ablation.ablated_part for ablation in plan_of(completion).ablations]


@pytest.fixture(scope="module")
def demo() -> Excerpt:
    text = DEMO.read_text(encoding="utf-8")
    return Excerpt(title=text.splitlines()[0].removeprefix("# "), abstract="", text=text)


def test_the_method_s_named_parts_become_ablations() -> None:
    found = parts(ask(Excerpt("A title", "", METHOD)))
    assert {p.lower() for p in found} >= {"gated fusion unit (gfu)", "random walk sampling", "contrastive margin loss"}


def test_a_sampler_is_replaced_by_random_sampling() -> None:
    plan = plan_of(ask(Excerpt("A title", "", METHOD)))
    sampling = next(a for a in plan.ablations if "sampling" in a.ablated_part.lower())
    assert sampling.action is Action.REPLACE
    assert sampling.replacement == ("uniform random sampling",)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_at_most_k(k: int) -> None:
    assert len(plan_of(ask(Excerpt("A title", "", METHOD), k=k)).ablations) == k


def test_fewer_than_k_when_fewer_are_named() -> None:
    assert len(plan_of(ask(Excerpt("A title", "", METHOD), k=50)).ablations) < 10


def test_the_reviewer_is_not_told_of_ablations_that_the_paper_reports(demo: Excerpt) -> None:
    found = " ".join(parts(ask(demo, Task.REVIEWER, k=20))).lower()
    assert "harmonic residual gate" in found
    assert "lagged cross-station attention" not in found
    assert "phase consistency loss" not in found


def test_metrics_are_the_paper_s(demo: Excerpt) -> None:
    for ablation in plan_of(ask(demo, Task.REVIEWER, k=2)).ablations:
        assert "MAE" in ablation.metrics


def test_the_same_excerpt_gives_the_same_reply(demo: Excerpt) -> None:
    assert ask(demo) == ask(demo)


@pytest.mark.parametrize("text", ["", "Nothing here.", "## 1 Introduction\n\nWords without any method at all."])
def test_nothing_found_is_an_empty_reply_with_its_reason(text: str) -> None:
    completion = ask(Excerpt("A title", "", text))
    assert completion.text == ""
    assert completion.notes == (NOTHING_FOUND,)


def test_the_reasoning_names_the_planner_and_each_part(demo: Excerpt) -> None:
    reply = ask(demo, Task.REVIEWER, k=2).text
    discussion = reply.split("<discussion>")[1].split("</discussion>")[0]
    assert "built-in extractive planner" in discussion
    assert all(part in discussion for part in parts(ask(demo, Task.REVIEWER, k=2)))


def test_each_line_is_one_json_object(demo: Excerpt) -> None:
    block = ask(demo).text.split("<predictions>")[1].split("</predictions>")[0]
    assert all(set(json.loads(line)) == set(Ablation.model_fields) for line in block.strip().splitlines())
