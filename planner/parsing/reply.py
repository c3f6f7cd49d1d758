"""Read the reasoning and the plan from a completion, or raise the outcome that explains why there is no plan."""

from dataclasses import dataclass
from typing import Final

from planner.chat import Completion
from planner.details import Candidate, Details, ReportedStudy, Revision
from planner.errors import Outcome, OutputError
from planner.parsing.details import read_reported_studies
from planner.parsing.plan import choose_plan
from planner.parsing.predictions import ParseLog
from planner.parsing.sections import ReplyParts, find_reply_parts
from planner.parsing.wrappers import unwrap_completion
from planner.sanitize import repair_surrogates
from planner.schema import Plan

_TRUNCATED_REASONS: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
_REFUSED_REASONS: Final = frozenset({"content_filter", "refusal", "safety"})
MAX_REPLY_CHARS: Final = 1_000_000  # of a reply, and of the provider's reasoning; ten times the longest real ones


@dataclass(frozen=True, slots=True)
class Reply:
    """A valid plan with its reasoning; `notes` list the errors of form that were mended, one sentence each.

    `details` are as long as the plan, or empty if the reply gave none; `considered` are the candidates that the plan
    does not keep, and `reported` the studies that the paper reports already, as the model sees it.
    `revisions` say what became of the faults that the program found in an earlier reply.
    """

    reasoning: str
    plan: Plan
    notes: tuple[str, ...] = ()
    details: tuple[Details, ...] = ()
    considered: tuple[Candidate, ...] = ()
    reported: tuple[ReportedStudy, ...] = ()
    revisions: tuple[Revision, ...] = ()


def parse_reply(completion: Completion, k: int, min_chance: int | None = None) -> Reply:
    """Read the reasoning and a plan of at most `k` ablations from a completion.

    With `min_chance`, in percent, details are read too, and unlikely candidates are not kept.

    A reply that the endpoint cut counts as truncated even if its visible part looks complete: the missing part is
    unknown. Without a finish reason, as for a pasted reply, a text that ends inside an object counts as truncated; one
    that ends after fewer than `k` objects without a closing tag gets a note that ablations may be missing.

    Raises:
        OutputError: if the reply was refused, truncated or empty, or holds no valid plan; the findings say why.
    """
    _check_size(completion)
    completion = unwrap_completion(completion)
    _check_finish_reason(completion)
    log = ParseLog(reads_details=min_chance is not None)
    text = _clean_text(_select_answer(completion, log), log)
    parts = find_reply_parts(text, log)
    if parts.block is None:
        raise _build_output_error(parts, completion, log)
    for note in parts.block.notes:
        log.add_note(note)
    reasoning = parts.reasoning or _use_provider_reasoning(completion, log)
    _check_parts(parts, reasoning, k, completion, log)
    chosen = choose_plan(parts.block.objects, k, min_chance, log)
    if chosen is None:
        raise _build_output_error(parts, completion, log)
    reported = read_reported_studies(parts.reported)
    return Reply(reasoning, chosen.plan, log.notes, chosen.details, chosen.considered, reported)


def _check_finish_reason(completion: Completion) -> None:
    reason = completion.finish_reason.lower()
    if completion.refusal or reason in _REFUSED_REASONS:
        refusal = completion.refusal.strip() or f"finish_reason is {completion.finish_reason!r}"
        raise OutputError(Outcome.REFUSED, (f"the model or its provider refused: {refusal}",))
    if reason in _TRUNCATED_REASONS:
        raise OutputError(
            Outcome.TRUNCATED,
            (f"the reply was cut by a token limit (finish_reason {completion.finish_reason!r}); raise --max-tokens",),
        )


def _check_size(completion: Completion) -> None:
    size = max(len(completion.text), len(completion.reasoning))
    if size > MAX_REPLY_CHARS:
        raise OutputError(
            Outcome.INVALID, (f"the reply has {size:,} characters, over {MAX_REPLY_CHARS:,}; write a shorter one",)
        )


def _select_answer(completion: Completion, log: ParseLog) -> str:
    if completion.text.strip():
        return completion.text
    if completion.reasoning.strip():
        log.add_note("the answer stood in the provider's reasoning field")
        return completion.reasoning
    reason = f" (finish_reason {completion.finish_reason!r})" if completion.finish_reason else ""
    raise OutputError(Outcome.EMPTY, (f"the reply has no text{reason}",))


def _clean_text(text: str, log: ParseLog) -> str:
    """Convert all line ends to LF and replace unpaired surrogates, which no file can hold."""
    whole = repair_surrogates(text)
    if whole != text:
        log.add_note("half a surrogate pair was replaced")
    return whole.replace("\r\n", "\n").replace("\r", "\n")


def _build_output_error(parts: ReplyParts, completion: Completion, log: ParseLog) -> OutputError:
    from planner.parsing.refusal import find_refusal  # compiles a large pattern, for a reply without a plan

    if parts.is_unfinished and not completion.finish_reason:
        return OutputError(Outcome.TRUNCATED, ("the reply ends before its predictions are complete",))
    if refusal := find_refusal(parts.answer):
        return OutputError(Outcome.REFUSED, (f"the model refused: {refusal}",))
    return OutputError(Outcome.INVALID, log.findings)


def _use_provider_reasoning(completion: Completion, log: ParseLog) -> str:
    reasoning = _clean_text(completion.reasoning, log).strip() if completion.text.strip() else ""
    if reasoning:
        log.add_note("there was no discussion; the provider's reasoning is the reasoning")
    return reasoning


def _check_parts(parts: ReplyParts, reasoning: str, k: int, completion: Completion, log: ParseLog) -> None:
    """Note what is missing of a reply with predictions; raise OutputError if it is cut."""
    assert parts.block is not None
    if parts.is_unfinished and not completion.finish_reason:
        raise OutputError(Outcome.TRUNCATED, ("the reply ends in the middle of its predictions", *parts.block.findings))
    if parts.is_unfinished:
        log.add_finding("the predictions end in the middle of an object or an array")
    for finding in parts.block.findings:
        log.add_finding(finding)
    if not reasoning and parts.is_json_alone:
        log.add_note("there is no discussion: the reply is JSON alone")
    elif not reasoning:
        log.add_finding("there is no reasoning in <discussion> tags")
    if not (parts.block.has_closing_tag or completion.finish_reason) and len(parts.block.objects) < k:
        log.add_note("the reply may have been cut: it has no closing tag and fewer ablations than requested")
