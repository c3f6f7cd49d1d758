"""Read the reasoning and the plan from a completion, or raise an error that says why there is no plan."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from planner.chat import Completion
from planner.details import Details, PlanDetails, RejectedAblation, RejectionReason, decide_rejection_reasons
from planner.errors import Outcome, OutputError
from planner.parsing.ablations import build_ablation, read_ablation_details, read_reported_studies
from planner.parsing.predictions import LocatedObject, ParseLog, PlanBlock
from planner.parsing.sections import ReplyParts, find_reply_parts
from planner.parsing.wrappers import unwrap_completion_if_json
from planner.sanitize import normalize_newlines
from planner.schema import Plan, list_validation_faults

MAX_REPLY_CHARS: Final = 1_000_000  # of a reply, and of the provider's reasoning; ten times the longest real ones
_MAX_CONSIDERED: Final = 50
_TRUNCATED_REASONS: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
_REFUSED_REASONS: Final = frozenset({"content_filter", "refusal", "safety"})

_MAX_REFUSAL_CHARS: Final = 600
_TAG: Final = re.compile(r"</?\w[^<>]{0,60}>")

# The things that a model refuses to do: to help, or to give what was asked.
_SERVE: Final = (
    r"(?:\b(?:help|assist|compl|fulfil|continue|engage|provid|offer|giv|creat|generat|produc|writ|shar|support|propos"
    r"|suggest|plan\b|answer|respond|discuss|participat|accommodat|process|fourni|aid|répond|respect|propor|ofre|gener"
    r"|cumpl|ayud|asist|realiz|contest|ajud|fornec|atend|aiut|forn|soddisf|rispond|(?:weiter)?helf|unterstütz"
    r"|(?:bereit)?stell|erfüll|nachkomm|(?:be)?antwort|erstell|liefer|do (?:this|that|so|it))"
    r"|помо[чг]|предостав|выполн|ответ|帮|幫|协助|協助|提供|回答|满足|滿足|完成|生成|手伝|支援|応じ|お応え|対応"
    r"|도와|도움|도울|제공|답변|응할)"
)
_UNABLE: Final = (
    r"(?:\b(?:i|we)(?:\s+(?:really|simply|just|must say i))?\s*"
    r"(?:can(?:['’]?t|not| not)|could(?:n['’]t| not)|won['’]t|will not|['’]m not going to|do(?:n['’]t| not) feel \w+"
    r"|(?:am|are|['’]m|['’]re|was)\s*(?:unable|not (?:able|allowed|permitted|comfortable|willing|in a position)))"
    r"|\bunable\b|\bnot able\b"
    r"|\bno (?:me es posible|puedo|podemos|soy capaz)"
    r"|\bne (?:peux|pouvons|suis|saurais|pourrai|sommes)(?: malheureusement)? (?:pas|en)"
    r"|\bnão (?:posso|consigo|podemos)|\bnon (?:posso|possiamo|sono in grado)"
    r"|\b(?:kann|können|darf|werde)\b[^.!?]{0,40}\bnicht|\bnicht in der lage|не (?:могу|можем|буду)"
    r"|无法|無法|不能|不可以|没办法|沒辦法|不便)"
)
_DECLINE: Final = (
    r"\b(?:i|we)\b[^.!?]{0,30}\b(?:decline|refuse|rather not|prefer not)\b"
    r"|\b(?:against|violat\w+|goes? beyond)\b[^.!?]{0,40}\b(?:guidelines|polic(?:y|ies)|principles)\b"
)
# A large pattern, which is compiled only for a reply without a plan.
_REFUSAL: Final = (
    rf"{_UNABLE}[^.!?。！？]{{0,40}}?{_SERVE}|{_DECLINE}"
    rf"|{_SERVE}[^.!?。！？]{{0,20}}(?:できません|できかね|致しかね|いたしかね|しかねます|수 없|수가 없)"
)
# A model that cannot see or find something has not refused: it can be asked again.
_PERCEIVE: Final = re.compile(r"\b(?:see|find|access|open|read|view|locate)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply(PlanDetails):
    """A valid plan with its reasoning and details; `notes` are sentences about format errors that were repaired."""

    reasoning: str
    plan: Plan
    notes: tuple[str, ...] = ()


def parse_reply(completion: Completion, k: int, min_chance: int | None = None) -> Reply:
    """Read the reasoning and a plan of at most `k` ablations from a completion.

    If `min_chance` (in percent) is given, details are read too, and ablations with a lower chance are not kept.

    A reply that the endpoint truncated counts as truncated, even if it looks complete. A pasted reply has no finish
    reason. It counts as truncated if it ends inside an object, and gets a note if ablations may be missing.

    Raises:
        OutputError: if the reply was refused, truncated or empty, or holds no valid plan; the findings say why.
    """
    _check_size(completion)
    log = ParseLog(reads_details=min_chance is not None)
    note_count, completion = len(completion.notes), unwrap_completion_if_json(completion)
    log.add_repair(*completion.notes[note_count:])
    _check_finish_reason(completion)
    text = normalize_newlines(_select_answer(completion, log))
    parts = find_reply_parts(text, log)
    if (block := parts.plan_block) is None:
        raise _build_output_error(parts, completion, log)
    log.add_repair(*block.log.repairs)
    reasoning = parts.reasoning or _use_provider_reasoning(completion, log)
    _check_parts(parts, block, reasoning, k, completion, log)
    chosen = _choose_plan(block.ablation_objects, k, min_chance, log)
    if chosen is None:
        raise _build_output_error(parts, completion, log)
    plan, details, considered = chosen
    reported = read_reported_studies(parts.reported_text)
    return Reply(reasoning, plan, log.repairs, details=details, considered=considered, reported=reported)


def _check_size(completion: Completion) -> None:
    size = max(len(completion.text), len(completion.reasoning))
    if size > MAX_REPLY_CHARS:
        raise OutputError(
            Outcome.INVALID, (f"the reply has {size:,} characters, over {MAX_REPLY_CHARS:,}; write a shorter one",)
        )


def _check_finish_reason(completion: Completion) -> None:
    reason = completion.finish_reason.lower()
    if completion.refusal or reason in _REFUSED_REASONS:
        refusal = completion.refusal.strip() or f"finish_reason is {completion.finish_reason!r}"
        raise OutputError(Outcome.REFUSED, (f"the model or its provider refused: {refusal}",))
    if reason in _TRUNCATED_REASONS:
        raise OutputError(
            Outcome.TRUNCATED,
            (f"a token limit truncated the reply (finish_reason {completion.finish_reason!r}); raise --max-tokens",),
        )


def _select_answer(completion: Completion, log: ParseLog) -> str:
    if completion.text.strip():
        return completion.text
    if completion.reasoning.strip():
        log.add_repair("the answer was in the provider's reasoning field")
        return completion.reasoning
    reason = f" (finish_reason {completion.finish_reason!r})" if completion.finish_reason else ""
    raise OutputError(Outcome.EMPTY, (f"the reply has no text{reason}",))


def _use_provider_reasoning(completion: Completion, log: ParseLog) -> str:
    reasoning = normalize_newlines(completion.reasoning).strip() if completion.text.strip() else ""
    if reasoning:
        log.add_repair("there was no discussion; the provider's reasoning field was used instead")
    return reasoning


def _check_parts(
    parts: ReplyParts, block: PlanBlock, reasoning: str, k: int, completion: Completion, log: ParseLog
) -> None:
    """Log the missing parts of a reply; raise OutputError if the reply is truncated."""
    if parts.is_unfinished and not completion.finish_reason:
        log.add_invalidating_fault("the reply ends in the middle of its predictions", *block.log.invalidating_faults)
        raise OutputError(Outcome.TRUNCATED, log.invalidating_faults, log.invalidating_faults_with_reply_lines)
    if parts.is_unfinished:
        log.add_invalidating_fault("the predictions end in the middle of an object or an array")
    log.add_invalidating_fault(*block.log.invalidating_faults)
    if not reasoning and parts.is_untagged:
        log.add_repair("there is no discussion: the reply is JSON alone")
    elif not reasoning:
        log.add_invalidating_fault("there is no reasoning in <discussion> tags")
    if not (block.has_closing_tag or completion.finish_reason) and len(block.ablation_objects) < k:
        log.add_repair("the reply may be incomplete: it has no closing tag and fewer ablations than requested")


def _choose_plan(
    objects: Sequence[LocatedObject], k: int, min_chance: int | None, log: ParseLog
) -> tuple[Plan, tuple[Details, ...], tuple[RejectedAblation, ...]] | None:
    """Return (plan, details, candidates not kept), or None if the plan breaks a rule.

    The plan keeps at most `k` candidates: the best one, and others with a chance of at least `min_chance` percent. If
    no candidate states a chance, the plan keeps the first `k`. If `min_chance` is None, details are not read.
    """
    details = [
        Details() if min_chance is None else read_ablation_details(o.value, f"line {o.line_in_block}", log)
        for o in objects
    ]
    ranks = _rank_candidates(details)
    has_chances = any(each.chance is not None for each in details)
    if len(objects) > k and not has_chances:
        log.add_repair(f"{len(objects)} ablations were given; only the first {k} are kept")
    rejections = dict(
        zip(ranks, decide_rejection_reasons([details[n].chance for n in ranks], k, min_chance), strict=True)
    )
    kept = [number for number, why in rejections.items() if why is None]
    plan = _build_plan([objects[n] for n in kept], log)
    if plan is None:
        return None
    if all(each == Details() for each in details):
        return plan, (), ()
    left_out = [(objects[number], details[number], why) for number, why in rejections.items() if why]
    considered = tuple(_build_candidates(left_out[:_MAX_CONSIDERED], log))
    return plan, tuple(details[n] for n in kept), considered


def _rank_candidates(details: Sequence[Details]) -> list[int]:
    """Return the indices of the candidates, the candidate with the highest chance first.

    A candidate without a chance gets the lowest chance of the candidates before it, because models put the best first.
    """
    chances: list[int] = []
    for each in details:
        chances.append(each.chance if each.chance is not None else min(chances, default=100))
    return sorted(range(len(details)), key=lambda number: -chances[number])


def _build_plan(objects: Sequence[LocatedObject], log: ParseLog) -> Plan | None:
    """Return the plan of these objects. If they break the plan's rules, add findings to `log` and return None."""
    ablations = [ablation for each in objects if (ablation := build_ablation(each, log))]
    if log.invalidating_faults:
        return None
    try:
        return Plan(ablations=tuple(ablations))
    except ValidationError as error:
        log.add_invalidating_fault(*list_validation_faults(error))
        return None


def _build_candidates(
    left_out: Sequence[tuple[LocatedObject, Details, RejectionReason]], log: ParseLog
) -> Iterator[RejectedAblation]:
    """Yield the candidates that the plan does not keep; skip invalid ones and add a note to `log`."""
    for candidate, details, why in left_out:
        own_log = ParseLog(reads_details=True)
        if ablation := build_ablation(candidate, own_log):
            yield RejectedAblation(**dict(ablation), details=details, why=why)
        else:
            log.add_repair(
                f"line {candidate.line_in_block}: a candidate that was not kept is invalid, so it is not listed"
            )


def _build_output_error(parts: ReplyParts, completion: Completion, log: ParseLog) -> OutputError:
    if parts.is_unfinished and not completion.finish_reason:
        return OutputError(Outcome.TRUNCATED, ("the reply ends before its predictions are complete",))
    if refusal := _find_refusal(parts.answer):
        return OutputError(Outcome.REFUSED, (f"the model refused: {refusal}",))
    return OutputError(Outcome.INVALID, log.invalidating_faults, log.invalidating_faults_with_reply_lines)


def _find_refusal(answer: str) -> str:
    """Return the answer as one line if it is a short refusal in one of several languages, otherwise ""."""
    line = " ".join(_TAG.sub(" ", answer).split())
    refusal = re.search(_REFUSAL, line, re.IGNORECASE) if len(line) <= _MAX_REFUSAL_CHARS else None
    return line if refusal and not _PERCEIVE.search(refusal[0]) else ""
