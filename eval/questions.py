"""Build the prompts of a judge for one paper, from the templates `judge-*.jinja`."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from eval.gold import AuthorGold, ReviewerGold
from eval.sides import Sides
from planner.chat import Message, Prompt
from planner.prompting import Templates, fence
from planner.schema import Ablation

_REASK: Final = "judge-reask.jinja"
_LONGEST_REPLY: Final = 20_000
_LONGEST_FINDING: Final = 300
_MOST_FINDINGS: Final = 20


def author_question(
    gold: AuthorGold, plan: Sequence[Ablation], sides: Sides, repetition: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks which ablations of the two sides are the same.

    Raises:
        PromptError: if a template is missing or faulty.
    """
    ours, theirs = (gold.ablations, plan) if sides.plan == "B" else (plan, gold.ablations)
    a, b = _shown(ours, sides.a, sides.a_ids), _shown(theirs, sides.b, sides.b_ids)
    prompt = Templates(folder).prompt(
        "judge-author.system.jinja",
        "judge-author.user.jinja",
        also=(_REASK,),
        title=" ".join(gold.title.split()),
        fence=fence(gold.title, *a, *b),
        a=a,
        b=b,
        a_ids=sides.a_ids,
    )
    return replace(prompt, sample=repetition)


def reviewer_question(
    gold: ReviewerGold, plan: Sequence[Ablation], sides: Sides, repetition: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks which ablations of the plan a review asks for.

    Raises:
        PromptError: if a template is missing or faulty.
    """
    shown = _shown(plan, sides.a, sides.a_ids)
    prompt = Templates(folder).prompt(
        "judge-reviewer.system.jinja",
        "judge-reviewer.user.jinja",
        also=(_REASK,),
        title=" ".join(gold.title.split()),
        fence=fence(gold.title, *gold.reviews, *shown),
        reviews=gold.reviews,
        plan=shown,
        ids=sides.a_ids,
    )
    return replace(prompt, sample=repetition)


def asked_again(
    prompt: Prompt, reply: str, findings: Sequence[str], failures: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks again, with the last reply and the findings on it.

    `failures` is the number of invalid replies so far; it makes the prompt new even if a judge repeats its reply.

    Raises:
        PromptError: if the template is missing or faulty.
    """
    said = [" ".join(finding.split())[:_LONGEST_FINDING] for finding in findings[:_MOST_FINDINGS]]
    request = Message("user", Templates(folder).text(_REASK, findings=said, failures=failures))
    messages = (*prompt.messages[:2], Message("assistant", reply[-_LONGEST_REPLY:]), request)
    return Prompt.of(messages, prompt.template_sha256, prompt.sample)


def _shown(ablations: Sequence[Ablation], names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Return each ablation as a line of JSON with its short id, in the order of the names."""
    by_name = {ablation.name: ablation for ablation in ablations}
    return [_json(item, by_name[name]) for item, name in zip(ids, names, strict=True)]


def _json(item: str, ablation: Ablation) -> str:
    fields = ablation.model_dump(mode="json", include={"name", "ablated_part", "action", "replacement", "metrics"})
    return json.dumps({"id": item, **fields}, ensure_ascii=False)
