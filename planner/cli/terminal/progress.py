"""Texts about the progress of a run and about the estimate of a dry run."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.batch.manifest import Corpus
from planner.batch.status import Progress
from planner.details import format_approximate_number, format_count
from planner.errors import Outcome
from planner.models.pricing import format_usd

if TYPE_CHECKING:
    from planner.batch.engine import ModelEstimate  # imports what reads papers


def format_progress(progress: Progress) -> str:
    """Return the progress of a run as one line."""
    papers, tokens = progress.compute_rates()
    left, unanswered = progress.seconds_left, progress.unanswered_prompts
    parts = (
        f"{progress.planned:,} planned, {progress.failed:,} failed, {progress.remaining:,} left",
        f"{progress.requests_in_flight} in flight, {progress.waiting_requests} waiting",
        f"{papers:.0f} plans/min, {tokens:,.0f} tokens/min, {format_actual_and_expected_cost(progress)}",
        f"{format_duration(left)} to go" if left is not None and progress.remaining else "",
        format_rate_limit_pause(progress),
        format_batch_requests(progress),
        f"{format_count(unanswered, 'prompt')} without a reply" if unanswered else "",
    )
    return "; ".join(filter(None, parts))


def format_command_totals(progress: Progress) -> str:
    """Return one line with the plans, failures, tokens and cost of the current `batch` command."""
    if not (progress.outcomes or progress.tokens or progress.remaining):
        return "nothing was left to do"
    planned = progress.outcomes[Outcome.PLANNED]
    failed = progress.outcomes.total() - planned
    spent = f"{progress.tokens:,} tokens, {format_usd(progress.cost)}" if progress.tokens else "no reply"
    return f"{planned:,} planned, {failed:,} failed, {spent}"


def format_duration(seconds: float) -> str:
    """Return a duration in words, such as "40 s", "12 min" or "3 h 05 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def format_actual_and_expected_cost(progress: Progress) -> str:
    """Return the cost of a run so far, with the expected total if it is known."""
    if progress.cost is None:
        return "cost unknown (--price IN,OUT sets a price)"
    if progress.remaining and not (progress.tokens or progress.outcomes):
        return "cost not known yet"
    expected = progress.expected_cost
    return format_usd(progress.cost) + (f" of about {format_usd(expected)}" if expected and progress.remaining else "")


def format_rate_limit_pause(progress: Progress) -> str:
    """Return a message about the current pause between requests, or "" if there is no pause."""
    longest = max(progress.rate_limiters, key=lambda limits: limits.pause_seconds, default=None)
    if longest is None or not (seconds := longest.pause_seconds):
        return ""
    reason = "the endpoint asked to wait" if longest.has_endpoint_asked else "waiting after a 429"
    return f"{reason}: {format_duration(seconds)} more"


def format_batch_requests(progress: Progress) -> str:
    """Return a message about the requests at the batch service, or "" if there are none."""
    states = ", ".join(
        f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(progress.batch_requests_by_state.items())
    )
    return f"at the batch service: {states}" if states else ""


def format_dry_run_text(corpus: Corpus, estimates: "list[ModelEstimate]") -> str:
    """Return the result of a dry run as text: a line for each paper, then a line for each model."""
    lines = [f"{entry.id}\t{entry.kind}\t{entry.source}" for entry in corpus.entries]
    lines += [f"unreadable\t{reason}" for reason in estimates[0].paper_errors]
    for each in estimates:
        facts = [format_count(each.paper_count, "paper"), *_list_estimate_facts(each)] if each.paper_count else []
        if each.finished_paper_count:
            facts.append(f"{format_count(each.finished_paper_count, 'paper')} with a result already")
        lines.append(f"{each.model.info.name}: {', '.join(facts) or 'no paper to plan'}")
    return "\n".join(lines)


def _list_estimate_facts(estimate: "ModelEstimate") -> Iterator[str]:
    host = estimate.model.client.host
    tokens = f"{format_approximate_number(estimate.prompt_tokens)} tokens"
    if host:
        yield f"{tokens} in {format_count(estimate.request_count, 'request')}"
        yield f"{format_approximate_number(estimate.reply_tokens // estimate.request_count)} tokens per reply"
    else:
        yield tokens
    if estimate.cost is None:
        yield "cost unknown (set a price with --price IN,OUT; --max-cost needs a price)"
    else:
        yield f"about {format_usd(estimate.cost)}"
    yield f"about {format_duration(estimate.seconds)}"
    yield f"to {host}" if host else "nothing is sent"


def describe_dry_run_as_json(corpus: Corpus, estimates: "list[ModelEstimate]") -> dict[str, object]:
    """Return the result of a dry run as a JSON object with the papers and an estimate for each model."""
    return {
        "papers": [{"id": e.id, "kind": e.kind, "source": e.source} for e in corpus.entries],
        "problems": [{"source": p.source, "what": p.reason} for p in corpus.problems],
        "unreadable": estimates[0].paper_errors,
        "models": [
            {
                "model": each.model.info.name,
                "papers": each.paper_count,
                "tokens": each.prompt_tokens,
                "cost": each.cost,
                "seconds": each.seconds,
                "host": each.model.client.host,
                "finished": each.finished_paper_count,
            }
            for each in estimates
        ],
    }
