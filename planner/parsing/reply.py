"""Read the reasoning and the plan from a completion, or raise the outcome that explains why there is no plan."""

import re
from dataclasses import dataclass
from typing import Final

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.parsing.fields import build_plan
from planner.parsing.parts import Parts, take_apart
from planner.parsing.remarks import Remarks
from planner.schema import Plan

_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens"})
_WITHHELD: Final = frozenset({"content_filter", "refusal", "safety"})

_LONGEST_REFUSAL: Final = 600
_REFUSAL: Final = re.compile(
    r"\W*(?:(?:i['’]?m|i am)\s+(?:very\s+|really\s+)?sorry\W+|sorry\W+|i apologi[sz]e\W+|unfortunately\W+)?(?:but\s+)?"
    r"(?:i|we)\s*(?:can(?:['’]t|not| not)|won['’]t|will not|am (?:unable|not able) to|['’]m (?:unable|not able) to)\s+"
    r"(?:help|assist|comply|fulfil|fulfill|continue|engage)\b",
    re.IGNORECASE,
)
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Reply:
    """A valid plan with its reasoning; `notes` list the errors of form that were mended, one sentence each."""

    reasoning: str
    plan: Plan
    notes: tuple[str, ...] = ()


def parse(completion: Completion, k: int) -> Reply:
    """Read the reasoning and a plan of at most `k` ablations from a completion.

    A reply that the endpoint cut counts as truncated even if its visible part looks complete: the missing part is
    unknown. Without a finish reason, as for a pasted reply, a text that ends inside an object counts as truncated; one
    that ends after fewer than `k` objects without a closing tag gets a note that ablations may be missing.

    Raises:
        OutputError: if the reply was refused, truncated or empty, or holds no valid plan; the findings say why.
    """
    _check_finish(completion)
    said = Remarks()
    text = _clean(_answer(completion, said), said)
    parts = take_apart(text, said)
    if parts.block is None:
        raise _without_plan(parts, completion, said)
    for note in parts.block.notes:
        said.note(note)
    reasoning = parts.reasoning or _provider_reasoning(completion, said)
    return Reply(reasoning, _plan(parts, reasoning, k, completion, said), said.notes)


def _check_finish(completion: Completion) -> None:
    reason = completion.finish_reason.lower()
    if completion.refusal or reason in _WITHHELD:
        said = completion.refusal.strip() or f"finish_reason is {completion.finish_reason!r}"
        raise OutputError(Outcome.REFUSED, (f"the model or its provider refused: {said}",))
    if reason in _CUT:
        raise OutputError(
            Outcome.TRUNCATED,
            (f"the reply was cut by a token limit (finish_reason {completion.finish_reason!r}); raise --max-tokens",),
        )


def _answer(completion: Completion, said: Remarks) -> str:
    if completion.text.strip():
        return completion.text
    if completion.reasoning.strip():
        said.note("the answer stood in the provider's reasoning field")
        return completion.reasoning
    ended = f" (finish_reason {completion.finish_reason!r})" if completion.finish_reason else ""
    raise OutputError(Outcome.EMPTY, (f"the reply has no text{ended}",))


def _clean(text: str, said: Remarks) -> str:
    """Convert all line ends to LF and replace unpaired surrogates, which no file can hold."""
    whole = _SURROGATE.sub("\ufffd", text)
    if whole != text:
        said.note("half a surrogate pair was replaced")
    return whole.replace("\r\n", "\n").replace("\r", "\n")


def _without_plan(parts: Parts, completion: Completion, said: Remarks) -> OutputError:
    if parts.unfinished and not completion.finish_reason:
        return OutputError(Outcome.TRUNCATED, ("the reply ends before its predictions are complete",))
    answer = " ".join(parts.answer.split())
    if len(answer) <= _LONGEST_REFUSAL and _REFUSAL.match(answer):
        return OutputError(Outcome.REFUSED, (f"the model refused: {answer}",))
    return OutputError(Outcome.INVALID, said.findings)


def _provider_reasoning(completion: Completion, said: Remarks) -> str:
    reasoning = _clean(completion.reasoning, said).strip() if completion.text.strip() else ""
    if reasoning:
        said.note("there was no discussion; the provider's reasoning is the reasoning")
    return reasoning


def _plan(parts: Parts, reasoning: str, k: int, completion: Completion, said: Remarks) -> Plan:
    assert parts.block is not None
    if parts.unfinished and not completion.finish_reason:
        raise OutputError(Outcome.TRUNCATED, ("the reply ends in the middle of its predictions", *parts.block.findings))
    if parts.unfinished:
        said.find("the predictions end in the middle of an object or an array")
    for finding in parts.block.findings:
        said.find(finding)
    if not reasoning:
        said.find("there is no reasoning in <discussion> tags")
    if not (parts.block.closed or completion.finish_reason) and len(parts.block.records) < k:
        said.note("the reply may have been cut: it has no closing tag and fewer ablations than requested")
    plan = build_plan(parts.block.records, k, said)
    if plan is None:
        raise OutputError(Outcome.INVALID, said.findings)
    return plan
