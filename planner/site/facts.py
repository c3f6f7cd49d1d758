"""The facts of a run that a page shows: cost, tokens, time and replies, as far as they are known."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from planner.details import format_count
from planner.planning.record import AttemptRecord, PlanRecord
from planner.site.entries import PlanEntry


@dataclass(frozen=True, slots=True)
class RunFact:
    """One line of the run facts."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ReplyView:
    """One request for a plan, and its result."""

    heading: str
    findings: tuple[str, ...]
    text: str
    reasoning: str
    refusal: str


def format_usd(usd: float) -> str:
    """Return a cost as text, with at least two significant digits."""
    return f"${usd:,.2f}" if usd >= 1 or usd == 0 else f"${usd:.2g}" if usd >= 0.0001 else f"${usd:.1e}"


def list_numbers(entry: PlanEntry) -> Iterator[str]:
    """Yield the task and the numbers of an entry; a cost or time that is not known is left out."""
    yield f"{entry.task} task"
    if entry.ablations:
        yield format_count(len(entry.ablations), "ablation")
    if entry.cost is not None:
        yield format_usd(entry.cost)
    if entry.record and _format_seconds(entry.record.seconds):
        yield _format_seconds(entry.record.seconds)
    if entry.warnings:
        yield format_count(len(entry.warnings), "warning")


def list_facts(entry: PlanEntry) -> Iterator[RunFact]:
    """Yield the facts of a run that are known."""
    yield RunFact("Trajectory", f"{entry.planner}/{entry.model}/{entry.paper_id}")
    yield RunFact("Task", entry.task)
    if entry.run:
        yield RunFact("Run", entry.run)
    if entry.record:
        for label, value in _list_run_facts(entry, entry.record):
            if value:
                yield RunFact(label, value)


def _list_run_facts(entry: PlanEntry, record: PlanRecord) -> Iterator[tuple[str, str]]:
    yield "Model asked", record.model_asked
    yield "Model that answered", record.model_answered
    yield "Endpoint", record.endpoint
    yield "Parameters", json.dumps(record.parameters, ensure_ascii=False) if record.parameters else ""
    yield "Ablations asked for", f"up to {record.k}"
    yield "Cost", "" if entry.cost is None else format_usd(entry.cost)
    yield "Tokens", _format_tokens(record)
    yield "Time", _format_seconds(record.seconds)
    yield "Started", record.started.isoformat(sep=" ", timespec="seconds")
    yield "Prompt SHA-256", record.prompt_sha256
    yield "Templates SHA-256", record.template_sha256
    yield "Paper", f"{record.paper.format} of {record.paper.chars:,} characters, SHA-256 {record.paper.sha256}"
    yield "Source", record.paper.source
    yield "Not sent", "; ".join(f"{o.heading} ({o.chars:,} characters: {o.why})" for o in record.paper.left_out)
    yield "Program", f"{record.program_version}, format {record.format_version}"


def _format_tokens(record: PlanRecord) -> str:
    usage = record.usage
    counts = (
        (usage.prompt_tokens, "in"),
        (usage.cached_tokens, "of them cached"),
        (usage.completion_tokens, "out"),
        (usage.reasoning_tokens, "of them reasoning"),
    )
    return ", ".join(f"{count:,} {kind}" for count, kind in counts if count is not None)


def _format_seconds(seconds: float) -> str:
    """Return a time as text, "" for one under a tenth of a second, which no model takes."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else ""


def list_replies(entry: PlanEntry) -> Iterator[ReplyView]:
    """Yield the requests for a plan with their replies, in the order in which they were sent."""
    for number, attempt in enumerate(entry.record.attempts if entry.record else (), start=1):
        yield _build_reply(number, attempt)


def _build_reply(number: int, attempt: AttemptRecord) -> ReplyView:
    outcome = attempt.outcome.value.replace("_", " ") if attempt.outcome else "not judged"
    completion = attempt.completion
    cost = "" if attempt.cost is None else format_usd(attempt.cost)
    facts = (cost, _format_seconds(completion.seconds)) if completion else ("no reply",)
    return ReplyView(
        heading=", ".join(filter(None, (f"Attempt {number}: {outcome}", *facts))),
        findings=(*attempt.findings, *(completion.notes if completion else ())),
        text=completion.text if completion else "",
        reasoning=completion.reasoning if completion else "",
        refusal=completion.refusal if completion else "",
    )
