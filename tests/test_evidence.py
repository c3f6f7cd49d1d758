"""The quotes of a plan are located in what was sent, also where the paper was read in another process."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from planner.analysis.passages import IndexedSection, PaperIndex
from planner.batch.read_ahead import PaperWithPrompt
from planner.chat import TokenCounter
from planner.details import QuoteMatch
from planner.models.fake import FakeModel
from planner.papers.load import load_paper
from planner.papers.paper import Paper
from planner.planning.first_prompt import PaperPrompt, PlanSettings
from planner.planning.output import PlanOutput, plan_to_folder
from planner.planning.plan import PlanResult, plan_paper
from planner.reading.request import PromptRequest, ReadLimits, ReadRequest, ReadResult, decode_result, encode_result
from planner.reading.worker import read_paper_with_prompts
from planner.schema import Task
from tests.analysis.papers import LATEX, PLAIN, index
from tests.conftest import ROOT
from tests.papers_made import paper
from tests.scripted import GOOD_ABLATION, contract

GATE = "The harmonic residual gate bounds the residual."
RESULT = "In all experiments, MAE falls to 0.085 here."


def reply(*quotes: str, **changes: Any) -> str:
    ablations = [
        {**GOOD_ABLATION, "name": f"No gate {number}", "metrics": ["MAE"], "evidence": quote, "chance": 80, **changes}
        for number, quote in enumerate(quotes)
    ]
    return contract("The gate is never removed.", ablations)


def plan(text: str, folder: Path, task: Task, **settings: Any) -> PlanOutput:
    model = FakeModel(text)
    return asyncio.run(plan_to_folder(folder, paper(), model, PlanSettings(task, k=5, **settings), lambda _: 0.5))


def list_found(output: PlanOutput) -> list[QuoteMatch | None]:
    return [each.evidence.found if each.evidence else None for each in output.record.details]


def test_a_quote_is_located_in_the_record(tmp_path: Path) -> None:
    done = plan(reply(GATE, "The gate was praised by sailors in many ports"), tmp_path, Task.AUTHOR)
    first, second = (each.evidence for each in done.record.details)
    assert first is not None
    assert second is not None
    assert (first.found, first.section, first.page) == (QuoteMatch.EXACT, "Method", None)
    assert (second.found, second.section, second.page) == (QuoteMatch.ABSENT, "", None)
    assert any("is not in the text that was sent" in warning for warning in done.record.warnings)
    stored = json.loads(done.trajectory_path.with_suffix(".json").read_text(encoding="utf-8"))
    assert [each["evidence"]["found"] for each in stored["details"]] == ["exact", "absent"]


@pytest.mark.parametrize(("task", "found"), [(Task.AUTHOR, [QuoteMatch.ABSENT]), (Task.REVIEWER, [QuoteMatch.EXACT])])
def test_the_author_task_has_quotes_from_the_excerpt_alone(tmp_path: Path, task: Task, found: list[QuoteMatch]) -> None:
    assert list_found(plan(reply("MAE falls to 0.085"), tmp_path, task)) == found


def test_the_quotes_of_candidates_that_are_not_kept_are_located_too(tmp_path: Path) -> None:
    done = plan(reply(GATE, GATE, chance=20), tmp_path, Task.AUTHOR)
    assert [each.details.evidence and each.details.evidence.found for each in done.record.considered] == ["exact"]


def test_a_plan_in_plain_form_has_no_further_warnings(tmp_path: Path) -> None:
    twice = contract("Why.", [{**GOOD_ABLATION, "name": name, "metrics": ["MAE"]} for name in ("a", "b")])
    done = plan(twice, tmp_path, Task.AUTHOR, plain=True)
    assert done.record.warnings == ()
    assert done.record.details == ()


def test_a_reviewer_is_told_what_the_paper_reports(tmp_path: Path) -> None:
    block = '<reported>\n{"name": "the residual", "quote": "MAE falls to 0.085."}\n</reported>\n<predictions>'
    done = plan(reply(GATE).replace("<predictions>", block), tmp_path, Task.REVIEWER)
    assert [(each.name, each.section, each.by) for each in done.record.reported] == [
        ("the residual", "Experiments", "model")
    ]


def test_a_paper_that_was_read_in_another_process_is_checked_alike() -> None:
    settings = PlanSettings(Task.AUTHOR, k=5)
    request = ReadRequest("-", data=b"", prompts=(PromptRequest(settings, TokenCounter()),))
    answer = read_paper_with_prompts(request, None, ReadLimits(), lambda *_: paper())  # type: ignore[arg-type]
    encoded = encode_result(answer)
    assert encoded.count(GATE.encode()) == 1, "the prompt holds the sentence, and the index does not"
    result = decode_result(encoded[4:])
    remote = PaperWithPrompt(result, result.prompts[0], request.prompts[0], _fail_to_rebuild)
    done: PlanResult = asyncio.run(
        plan_paper(remote, FakeModel(reply(GATE, RESULT)), settings, lambda _: 0, TokenCounter())
    )
    assert [each.evidence and each.evidence.found for each in done.details.details] == ["exact", "absent"]


def read_index(source: Paper, task: Task, templates: Path | None = None) -> tuple[ReadResult, PaperIndex]:
    """Read a paper as another process does; return the result as it is received, and the index as it is made here."""
    settings = PlanSettings(task, k=5, templates=templates)
    request = ReadRequest("-", data=b"", prompts=(PromptRequest(settings, TokenCounter()),))
    result = decode_result(encode_result(read_paper_with_prompts(request, None, ReadLimits(), lambda *_: source))[4:])  # type: ignore[arg-type]
    return result, index(source, task)


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize("source", [PLAIN, LATEX, load_paper(str(ROOT / "planner" / "demo" / "paper.md"))])
def test_the_text_of_a_paper_comes_from_another_process_once(source: Paper, task: Task) -> None:
    result, whole = read_index(source, task)
    assert result.restore_full_index() == whole
    assert result.index_without_excerpt is not None
    assert not any(each.passages for each in result.index_without_excerpt.sections[1:] if each.is_sent), (
        "the prompt holds them"
    )


@pytest.mark.parametrize(("before", "after"), [("{{ text }}", "{{ text | upper }}"), ("{{ text }}", "")])
def test_a_prompt_that_changes_the_text_of_its_paper_checks_a_plan_alike(
    tmp_path: Path, before: str, after: str
) -> None:
    templates = tmp_path / "prompts"
    shutil.copytree(ROOT / "prompts", templates)
    user = templates / "reviewer-details.user.jinja"
    user.write_text(user.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    result, whole = read_index(PLAIN, Task.REVIEWER, templates)
    assert result.restore_full_index() == whole


@pytest.mark.parametrize(
    "sections",
    [
        (),
        (IndexedSection("Method", ("a", "b"), ablation_passage_indices=(2,)),),
        (IndexedSection("Method", (), passage_lengths=(1, 2), ablation_passage_indices=(-1,)),),
        (IndexedSection("Method", ("a", "b"), pages=(1,)),),
    ],
)
def test_an_index_of_passages_that_are_not_there_is_refused(sections: tuple[IndexedSection, ...]) -> None:
    result, _ = read_index(PLAIN, Task.REVIEWER)
    encoded = encode_result(replace(result, index_without_excerpt=PaperIndex(Task.REVIEWER, sections)))
    with pytest.raises(ValueError, match="passages"):
        decode_result(encoded[4:])


def test_an_index_has_no_more_text_than_its_prompt() -> None:
    lengths = (5, 10**18, 7, 3) * 100
    index_received = PaperIndex(
        Task.REVIEWER, (IndexedSection("Method", (), passage_lengths=lengths, float_indices=(2, 9_999)),) * 9
    )
    restored = index_received.restore_excerpt("x" * 50)
    assert sum(len(passage) for section in restored.sections for passage in section.passages) <= 50


async def _fail_to_rebuild(_: PromptRequest) -> PaperPrompt:
    raise AssertionError("the prompt is there already")
