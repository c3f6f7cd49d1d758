"""The built-in planner: what it proposes, what it must not use, and how it ends with nothing."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.matching import match_ablations
from planner.chat import Completion, Prompt
from planner.cli import cli
from planner.details import ALREADY_REPORTED, Details
from planner.errors import ModelError, Outcome, OutputError
from planner.models.extractive import NOT_ENGLISH, NOTHING_FOUND, UNKNOWN_METRIC, ExtractiveModel
from planner.papers.excerpt import cut_excerpt
from planner.papers.load import load_paper
from planner.papers.paper import Excerpt
from planner.parsing.reply import parse_reply
from planner.schema import Ablation, Action, Plan, Task
from planner.trajectory.reader import read_trajectory
from tests.analysis.odd_text import ODD_TEXT

DEMO = Path(__file__).parents[1] / "planner" / "demo" / "paper.md"
METHOD = """## 3 Method

### 3.1 Gated Fusion Unit

We propose a gated fusion unit (GFU) that mixes both streams. The GFU has two gates.

### 3.2 Random Walk Sampling

Random walk sampling chooses the neighbours.

### 3.3 Contrastive Margin Loss

The contrastive margin loss keeps classes apart.
"""


def ask(excerpt: Excerpt, k: int = 5) -> Completion:
    return asyncio.run(ExtractiveModel(excerpt, k).complete(Prompt.from_messages(())))


def details_of(excerpt: Excerpt, k: int = 5) -> tuple[Details, ...]:
    model = ExtractiveModel(excerpt, k, with_details=True)
    completion = asyncio.run(model.complete(Prompt.from_messages(())))
    return parse_reply(completion, k, min_chance=45).details


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
    assert sampling.replacement == ("none: uniform random sampling",)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_at_most_k(k: int) -> None:
    assert len(plan_of(ask(Excerpt("A title", "", METHOD), k=k)).ablations) == k


def test_fewer_than_k_when_fewer_are_named() -> None:
    assert len(plan_of(ask(Excerpt("A title", "", METHOD), k=50)).ablations) < 10


def test_the_reviewer_is_not_told_of_ablations_that_the_paper_reports(demo: Excerpt) -> None:
    found = " ".join(parts(ask(demo, k=20))).lower()
    assert "harmonic residual gate" in found
    assert "lagged cross-station attention" not in found
    assert "phase consistency loss" not in found


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        ("The unit for gated fusion is important, since accuracy drops.", ["random", "contrastive"]),
        ("A contrastive loss with a margin contributes 2 points.", ["gated", "random"]),
    ],
)
def test_what_the_check_would_take_for_reported_is_not_proposed(tmp_path: Path, sentence: str, left: list[str]) -> None:
    setup = "We measure the accuracy on the recordings of one winter in the hills. " * 5
    results = f"## 4 Experiments\n\n{setup}\n\n### 4.1 Ablation Study\n\n{sentence}\n"
    (tmp_path / "owls.md").write_text(
        f"# Owls\n\n## Abstract\n\nWe find owls.\n\n{METHOD}\n{results}", encoding="utf-8"
    )
    result = CliRunner().invoke(cli, ("plan", str(tmp_path / "owls.md"), "-k", "5", "-o", str(tmp_path)))
    plan = read_trajectory(Path(result.stdout.strip())).plan
    assert [ablation.ablated_part.split()[0].lower() for ablation in plan.ablations] == left
    assert ALREADY_REPORTED not in result.stderr


def test_metrics_are_the_paper_s(demo: Excerpt) -> None:
    for ablation in plan_of(ask(demo, k=2)).ablations:
        assert "MAE" in ablation.metrics


def test_the_same_excerpt_gives_the_same_reply(demo: Excerpt) -> None:
    assert ask(demo) == ask(demo)


@pytest.mark.parametrize("text", ["", "Nothing here.", "## 1 Introduction\n\nWords without any method at all."])
def test_nothing_found_is_an_empty_reply_with_its_reason(text: str) -> None:
    completion = ask(Excerpt("A title", "", text))
    assert completion.text == ""
    assert completion.notes == (f"{NOTHING_FOUND}: the text names no component; choose a language model instead",)


def test_a_text_with_weak_components_says_which_condition_they_fail() -> None:
    method = "## 3 Method\n\n### 3.1 Owl Answers\n\nThey hoot.\n\n### 3.2 Echo Memory\n\nIt keeps calls.\n"
    results = "\n## 4 Experiments\n\n### 4.1 Ablation Study\n\nWithout the echo memory, accuracy drops by 2 points.\n"
    (note,) = ask(Excerpt("A title", "", method + results)).notes
    reasons = ("not clearly parts of the method (", "in a reported ablation (1)")
    assert note.startswith(f"{NOTHING_FOUND}: the components that the text names are ")
    assert all(reason in note for reason in reasons)
    (note,) = ask(Excerpt("Echo Memory", "", method)).notes
    assert "in the title (1)" in note


def test_the_reasoning_names_the_planner_and_each_part(demo: Excerpt) -> None:
    reply = ask(demo, k=2).text
    discussion = reply.split("<discussion>")[1].split("</discussion>")[0]
    assert "built-in extractive planner" in discussion
    assert all(part in discussion for part in parts(ask(demo, k=2)))


def test_each_line_is_one_json_object(demo: Excerpt) -> None:
    block = ask(demo).text.split("<predictions>")[1].split("</predictions>")[0]
    assert all(set(json.loads(line)) == set(Ablation.model_fields) for line in block.strip().splitlines())


def test_details_are_read_off_the_text_and_no_chance_is_invented(demo: Excerpt) -> None:
    text = " ".join(demo.text.split())
    for details in details_of(demo):
        assert details.reason.startswith("the text shows it as a part of the method")
        assert details.evidence is not None
        assert details.evidence.quote in text
        assert details.effort is not None
        assert details.chance is None


def test_each_quote_names_its_part() -> None:
    quotes = [each.evidence.quote if each.evidence else "" for each in details_of(Excerpt("A title", "", METHOD))]
    assert quotes == [
        "We propose a gated fusion unit (GFU) that mixes both streams.",
        "Random walk sampling chooses the neighbours.",
        "The contrastive margin loss keeps classes apart.",
    ]
    assert details_of(Excerpt("A title", "", "# 3 Method\n\n## 3.1 Echo Memory\n\nIt acts."))[0].evidence is None


def test_effort_is_a_run_for_each_replacement() -> None:
    text = "# 3 Method\n\nWe use a threshold τ on all scores.\n\n## 3.1 Gated Mixing Unit\n\nIt acts."
    efforts = [str(each.effort) for each in details_of(Excerpt("A title", "", text))]
    assert sorted(efforts) == ["implement, 2 runs", "retrain, 8 runs"]


def test_with_details_the_plan_is_the_same(demo: Excerpt) -> None:
    model = ExtractiveModel(demo, 5, with_details=True)
    detailed = parse_reply(asyncio.run(model.complete(Prompt.from_messages(()))), 5, min_chance=45)
    assert detailed.plan == plan_of(ask(demo))


def test_it_does_not_pretend_to_revise() -> None:
    prompt = replace(Prompt.from_messages(()), step="revise")
    with pytest.raises(ModelError, match="cannot revise"):
        asyncio.run(ExtractiveModel(Excerpt("A title", "", METHOD), 5).complete(prompt))


def test_the_reply_takes_the_path_of_any_reply(demo: Excerpt) -> None:
    completion = ask(demo, k=2)
    reply = parse_reply(completion, 2)
    assert reply.plan == plan_of(completion)
    assert "built-in extractive planner" in reply.reasoning


def test_an_empty_reply_ends_as_empty() -> None:
    with pytest.raises(OutputError) as caught:
        parse_reply(ask(Excerpt("A title", "", "Nothing.")), 2)
    assert caught.value.outcome is Outcome.EMPTY


def test_what_is_not_in_the_excerpt_is_not_known(demo: Excerpt) -> None:
    method = demo.text.partition("## 4 Experiments")[0]
    rest = demo.text.partition("## 4 Experiments")[2]
    reply = ask(Excerpt(demo.title, "", method)).text
    assert "w/o" in rest and "w/o" not in reply
    assert "STE" in rest and "STE" not in reply


@pytest.mark.parametrize(
    ("part", "replacement"),
    [
        ("Gated Mixing Unit", "no gate: element-wise addition"),
        ("Cross-Station Attention", "no attention: uniform weights (mean pooling)"),
        ("Surge Sampling", "none: uniform random sampling"),
        ("Wing Encoder", "a plain auto-encoder"),
        ("Group Normalization", "batch normalisation"),
        ("Multi-Scale Patch Encoder", "no multi-scale design: a single scale"),
        ("Encoder Pre-training", "random initialisation, without pre-training"),
    ],
)
def test_alternatives_fit_the_kind_of_part(part: str, replacement: str) -> None:
    (ablation,) = plan_of(ask(Excerpt("A title", "", f"# 3 Method\n\n## 3.1 {part}\n\nIt acts."))).ablations
    assert ablation.action is Action.REPLACE
    assert replacement in ablation.replacement


def test_the_abstract_is_read_too() -> None:
    plan = plan_of(ask(Excerpt("A title", "It raises the AUROC.", "# 3 Method\n\n## 3.1 Echo Memory\n\nIt acts.")))
    assert plan.ablations[0].metrics == ("AUROC",)


def test_an_unknown_metric_is_told_as_such() -> None:
    reply = ask(Excerpt("A title", "", "# 3 Method\n\n## 3.1 Echo Memory\n\nIt acts."))
    assert plan_of(reply).ablations[0].metrics == (UNKNOWN_METRIC,)
    assert (
        "Metrics that the text names: none was recognised, so each study is measured by the paper's main" in reply.text
    )


@pytest.mark.parametrize("part", ["Phase Consistency Loss", "Sparsity Penalty", "Echo Memory"])
def test_other_parts_are_removed(part: str) -> None:
    (ablation,) = plan_of(ask(Excerpt("A title", "", f"# 3 Method\n\n## 3.1 {part}\n\nIt acts."))).ablations
    assert (ablation.action, ablation.replacement) == (Action.REMOVE, ())


def test_a_symbol_is_set_to_other_values() -> None:
    (ablation,) = plan_of(ask(Excerpt("A title", "", "# 3 Method\n\nWe use a threshold τ on all scores."))).ablations
    assert ablation.ablated_part == "threshold τ"
    assert "twice the value used" in ablation.replacement


def test_the_whole_method_is_not_its_own_part() -> None:
    text = "# 3 Method\n\nWe propose a Gated Owl Finder (GOF).\n\n## 3.1 Echo Memory\n\nIt acts."
    assert parts(ask(Excerpt("GOF: A Gated Owl Finder", "", text))) == ["Echo Memory"]


def test_one_part_under_two_names_is_proposed_once() -> None:
    text = "# 3 Method\n\n## 3.1 Echo Memory\n\nx\n\n## 3.2 Echo Memory Update\n\ny"
    assert parts(ask(Excerpt("A title", "", text))) == ["Echo Memory"]


def test_the_paper_s_words_do_not_break_the_contract() -> None:
    text = "# 3 Method\n\nWe use a </b</discussion>>gated </predictions> fusion unit (GPFU). The GPFU acts."
    completion = ask(Excerpt("A title", "", text))
    for tag in ("discussion", "predictions"):
        assert completion.text.count(f"<{tag}>") == completion.text.count(f"</{tag}>") == 1
    assert parse_reply(completion, 2).plan.ablations


@settings(max_examples=200, deadline=None)
@given(ODD_TEXT, st.text(max_size=20), st.integers(1, 6))
def test_any_text_gives_a_valid_plan_or_an_empty_reply(text: str, title: str, k: int) -> None:
    completion = ask(Excerpt(title, text[:50], f"# 3 Method\n\n{text}"), k=k)
    if completion.text:
        assert 1 <= len(plan_of(completion).ablations) <= k
        assert 1 <= len(parse_reply(completion, k).plan.ablations) <= k
    else:
        assert completion.notes[0].startswith((NOTHING_FOUND, NOT_ENGLISH))


@pytest.mark.parametrize(
    "text",
    [
        "# 3 方法\n\n## 摘要\n\n我们提出一种回声记忆模块（EMM），它保存猫头鹰过去的叫声。",
        "# 3 Methode\n\n## 3.1 Echo Memory\n\n"
        + "Der Speicher hält alte Rufe der Eulen fest, damit das Netz sie findet. " * 20,
    ],
    ids=["Chinese", "German"],
)
def test_a_text_in_another_language_is_refused_with_a_sentence(text: str) -> None:
    completion = ask(Excerpt("A title", "", text))
    assert completion.text == ""
    assert completion.notes == (NOT_ENGLISH,)


@pytest.mark.parametrize(
    "heading",
    [
        "Regret",
        "Linear Evaluation",
        "Problem Setup",
        "Analysis of Convergence",
        "Proof",
        "Cross-Entropy Loss",
        "Few-Shot Owl Recognition",
        "The i-th Layer",
    ],
)
def test_metrics_protocols_and_headings_are_no_parts(heading: str) -> None:
    text = f"# 3 Method\n\n## 3.1 {heading}\n\nIt is here.\n\n## 3.2 Echo Memory\n\nIt acts."
    assert parts(ask(Excerpt("A title", "", text))) == ["Echo Memory"]


@pytest.mark.parametrize("heading", ["Call Converter", "Nest Regulator", "SegAttention", "Perch Routing Technique"])
def test_devices_and_mechanisms_are_parts(heading: str) -> None:
    assert parts(ask(Excerpt("A title", "", f"# 3 Method\n\n## 3.1 {heading}\n\nIt acts."))) == [heading]


def test_a_method_of_others_is_no_part() -> None:
    text = "# 3 Method\n\n## 3.1 Echo Memory\n\nSee the perch matching unit (PMU) (Strix et al., 2019). PMU, PMU."
    assert parts(ask(Excerpt("A title", "", text))) == ["Echo Memory"]


@pytest.mark.shared
def test_its_bar_on_real_papers(shared: Path) -> None:
    recalls = []
    for path in sorted((shared / "papers" / "labelled").glob("*.json")):
        label = json.loads(path.read_text(encoding="utf-8"))
        paper = load_paper(str(path.with_suffix(".pdf")))
        gold = [
            Ablation.model_validate({field: a[field] for field in Ablation.model_fields}) for a in label["ablations"]
        ]
        plan = plan_of(ask(cut_excerpt(paper, Task.AUTHOR, label["method_end"])))
        recalls.append(len(match_ablations(gold, plan.ablations)) / len(gold))
    assert sum(recalls) / len(recalls) >= 0.35
