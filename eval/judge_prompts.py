"""Build the prompts of a judge for one paper, and parse its reply strictly: one plain verdict for every id shown."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from eval.gold import AuthorGold, ReviewerGold
from eval.sides import Sides
from planner.chat import Completion, Message, Prompt
from planner.errors import Outcome, OutputError
from planner.planning.prompts import PromptTemplates, derive_absent_end_marker
from planner.schema import Ablation

_REASK: Final = "judge-reask.jinja"
_MAX_REPLY_LENGTH: Final = 20_000
_MAX_FINDING_LENGTH: Final = 300
_MAX_FINDINGS: Final = 20


def build_author_prompt(
    gold: AuthorGold, plan: Sequence[Ablation], sides: Sides, repetition: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks which ablations of the two sides are the same.

    Raises:
        PromptError: if a template is missing or faulty.
    """
    ours, theirs = (gold.ablations, plan) if sides.plan == "B" else (plan, gold.ablations)
    a, b = _ablation_lines(ours, sides.a, sides.a_ids), _ablation_lines(theirs, sides.b, sides.b_ids)
    prompt = PromptTemplates(folder).render_prompt(
        "judge-author.system.jinja",
        "judge-author.user.jinja",
        required_later_templates=(_REASK,),
        title=" ".join(gold.title.split()),
        fence=derive_absent_end_marker((gold.title, *a, *b)),
        a=a,
        b=b,
        a_ids=sides.a_ids,
    )
    return replace(prompt, sample=repetition)


def build_reviewer_prompt(
    gold: ReviewerGold, plan: Sequence[Ablation], sides: Sides, repetition: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks which ablations of the plan a review asks for.

    Raises:
        PromptError: if a template is missing or faulty.
    """
    shown = _ablation_lines(plan, sides.a, sides.a_ids)
    prompt = PromptTemplates(folder).render_prompt(
        "judge-reviewer.system.jinja",
        "judge-reviewer.user.jinja",
        required_later_templates=(_REASK,),
        title=" ".join(gold.title.split()),
        fence=derive_absent_end_marker((gold.title, *gold.reviews, *shown)),
        reviews=gold.reviews,
        plan=shown,
        ids=sides.a_ids,
    )
    return replace(prompt, sample=repetition)


def build_reask_prompt(
    prompt: Prompt, reply: str, findings: Sequence[str], failures: int, folder: Path | None = None
) -> Prompt:
    """Build the prompt that asks again, with the last reply and the findings on it.

    `failures` is the number of invalid replies so far; it makes the prompt new even if a judge repeats its reply.

    Raises:
        PromptError: if the template is missing or faulty.
    """
    said = [" ".join(finding.split())[:_MAX_FINDING_LENGTH] for finding in findings[:_MAX_FINDINGS]]
    request = Message("user", PromptTemplates(folder).render_template(_REASK, findings=said, failures=failures))
    messages = (*prompt.messages[:2], Message("assistant", reply[-_MAX_REPLY_LENGTH:]), request)
    return Prompt.from_messages(messages, prompt.template_sha256, prompt.sample)


def _ablation_lines(ablations: Sequence[Ablation], names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """Return each ablation as a line of JSON with its short id, in the order of the names."""
    by_name = {ablation.name: ablation for ablation in ablations}
    return [_ablation_json(item, by_name[name]) for item, name in zip(ids, names, strict=True)]


def _ablation_json(item: str, ablation: Ablation) -> str:
    fields = ablation.model_dump(mode="json", include={"name", "ablated_part", "action", "replacement", "metrics"})
    return json.dumps({"id": item, **fields}, ensure_ascii=False)


_BLOCK: Final = re.compile(r"<verdicts>(.*?)</verdicts>", re.DOTALL | re.IGNORECASE)
_FENCE: Final = re.compile(r"\s*```\w*\s*")
_TRUNCATED_REASONS: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
_REFUSED_REASONS: Final = frozenset({"content_filter", "refusal", "safety"})


def parse_matches(completion: Completion, sides: Sides) -> dict[str, tuple[str, ...]]:
    """Return, for each id of side A, the ids of side B that are the same ablation.

    Raises:
        OutputError: if the reply is refused, truncated, empty or invalid; it is also invalid if it matches every item
            of A with every item of B.
    """
    findings: list[str] = []
    matches: dict[str, tuple[str, ...]] = {}
    for item, verdict in _parse_verdicts(completion, sides.a_ids, "matches", findings):
        if isinstance(verdict, list) and all(isinstance(name, str) for name in verdict):
            matches[item] = tuple(dict.fromkeys(verdict))
            unknown = [name for name in matches[item] if name not in sides.b_ids]
            findings += [f"{item}: there is no {name!r} among {_format_id_range(sides.b_ids)}" for name in unknown]
        else:
            findings.append(f'{item}: "matches" should be a list of ids of side B, is {json.dumps(verdict)[:60]}')
    if min(len(sides.a), len(sides.b)) > 1 and all(set(m) == set(sides.b_ids) for m in matches.values()) and matches:
        findings.append("every item of A is matched with every item of B, but the items of one list differ")
    _raise_findings(findings)
    return matches


def parse_review_requests(completion: Completion, sides: Sides) -> dict[str, bool]:
    """Return, for each id that was shown, True if a review asks for it.

    Raises:
        OutputError: if the reply is refused, truncated, empty or invalid.
    """
    findings: list[str] = []
    asked: dict[str, bool] = {}
    for item, verdict in _parse_verdicts(completion, sides.a_ids, "asked", findings):
        if isinstance(verdict, bool):
            asked[item] = verdict
        else:
            findings.append(f'{item}: "asked" should be true or false, is {json.dumps(verdict)[:60]}')
    _raise_findings(findings)
    return asked


def _parse_verdicts(
    completion: Completion, ids: Sequence[str], field: str, findings: list[str]
) -> Iterator[tuple[str, Any]]:
    """Yield each id with the value of `field`; add a finding for everything that is not as the prompt demands."""
    seen: set[str] = set()
    for number, line in _verdict_lines(completion):
        value = _parse_object(line)
        if value is None or set(value) != {"id", field} or not isinstance(value["id"], str):
            findings.append(f'verdict {number} should be a JSON object with "id" and "{field}", is {line[:80]!r}')
        elif value["id"] not in ids:
            findings.append(f"verdict {number}: there is no {value['id']!r} among {_format_id_range(ids)}")
        elif value["id"] in seen:
            findings.append(f"{value['id']} has more than one verdict")
        else:
            seen.add(value["id"])
            yield value["id"], value[field]
    missing = [item for item in ids if item not in seen]
    if missing:
        findings.append(f"no verdict for {', '.join(missing)}")


def _verdict_lines(completion: Completion) -> list[tuple[int, str]]:
    """Return the numbered lines of the last block of verdicts, since a judge may correct itself."""
    reason = completion.finish_reason.lower()
    if completion.refusal or reason in _REFUSED_REASONS:
        raise OutputError(Outcome.REFUSED, (f"the judge refused: {completion.refusal or reason}",))
    if reason in _TRUNCATED_REASONS:
        raise OutputError(Outcome.TRUNCATED, (f"the reply was cut by a token limit (finish_reason {reason!r})",))
    if not completion.text.strip():
        raise OutputError(Outcome.EMPTY, ("the reply has no text",))
    blocks = _BLOCK.findall(completion.text)
    if not blocks:
        raise OutputError(Outcome.INVALID, ("there is no <verdicts> block",))
    lines = [line.strip() for line in blocks[-1].split("\n") if line.strip() and not _FENCE.fullmatch(line)]
    return list(enumerate(lines, start=1))


def _parse_object(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _raise_findings(findings: list[str]) -> None:
    if findings:
        raise OutputError(Outcome.INVALID, tuple(findings))


def _format_id_range(ids: Sequence[str]) -> str:
    return f"{ids[0]} to {ids[-1]}" if len(ids) > 1 else "".join(ids)
