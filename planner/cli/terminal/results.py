"""The output of `plan`, `demo` and `parse`: paths on stdout, messages on stderr, and plans as text."""

import json
import shlex
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import click

from planner.chat import REUSED_NOTE, ModelInfo
from planner.cli.command import choose_wrap_width, shorten_middle
from planner.cli.terminal.console import is_quiet, log, log_omission_summary
from planner.details import (
    Details,
    QuoteMatch,
    Revision,
    explain_meaning_of_chance_if_known,
    format_count,
    list_run_order_sentences,
)
from planner.errors import Outcome
from planner.models.connect import EXTRACTIVE
from planner.models.pricing import describe_lost_requests, format_tokens, format_usd
from planner.planning.output import PlanOutput
from planner.planning.record import AttemptRecord, PlanRecord, sum_costs_if_all_known, sum_known_usage
from planner.sanitize import make_printable
from planner.schema import Ablation, Action, list_labelled_non_benchmark_fields
from planner.site.copies import format_replacement_as_phrase
from planner.site.entries import PlanEntry, create_planned_entry

_MAX_PREVIEW: Final = 5  # ablations
_MAX_REASON_CHARS: Final = 100
_ACTION_COLOURS: Final = {Action.REMOVE: "red", Action.REPLACE: "yellow", Action.ADD: "green"}
_INDENT: Final = "   "


@dataclass(slots=True)
class PlanReporter:
    """A reporter that prints the results of a command.

    On a terminal, it also shows the progress of replies and the first ablations of each plan. If `shows_plan` is true,
    it prints each plan in full.
    """

    as_json: bool = False
    shows_plan: bool = False
    has_terminal: bool = field(default_factory=lambda: sys.stderr.isatty() and not is_quiet())
    _planned: list[Path] = field(default_factory=list)
    _reply_length: int = 0

    def add_reply_text(self, text: str) -> None:
        """Count a piece of a reply, for the progress of the reply."""
        self._reply_length += len(text)

    def create_reply_view(self, model: ModelInfo) -> AbstractContextManager[object]:
        """Return a live view of a model's reply. It shows nothing without a terminal or an endpoint."""
        if not (self.has_terminal and model.endpoint):
            return nullcontext()
        from planner.cli.terminal.live_view import create_reply_view  # imports rich, which only a terminal needs

        self._reply_length = 0
        return create_reply_view(model.asked, lambda: self._reply_length)

    def report_result(self, source: str, result: PlanOutput) -> None:
        """Print the path or the JSON object of a result on stdout, and the messages about it on stderr."""
        record = result.record
        for warning in record.warnings:
            if warning not in (record.reason, REUSED_NOTE):  # the line with the tokens says that nothing was sent
                log.warning("%s: %s", source, warning)
        log_omission_summary(record.paper.left_out, f"{source}: ")
        if record.revisions:
            log.info("revised: %s", _count_responses(record.revisions))
        _log_outcome(source, result)
        if self.as_json:
            click.echo(json.dumps(result.describe_as_dict(source)))  # ASCII, whatever the terminal's encoding
        elif result.trajectory:
            click.echo(make_printable(str(result.trajectory_path)))
            self._show_plan(result)

    def suggest_next_step(self, output: Path) -> None:
        """Log a command that the user may want to run next."""
        if not self._planned:
            return
        if self.shows_plan:
            log.info("to plan a paper of yours:\n  ablation-planner plan paper.pdf --model gpt-4o")
        elif len(self._planned) == 1:
            log.info("to see the whole plan:\n  ablation-planner show %s", shlex.quote(str(self._planned[0])))
        else:
            log.info("to make pages of all plans:\n  ablation-planner site %s -o pages", shlex.quote(str(output)))

    def _show_plan(self, result: PlanOutput) -> None:
        assert result.trajectory is not None, "only a plan is shown"
        entry = replace(create_planned_entry(result.trajectory), record=result.record)
        if self.shows_plan:
            click.echo(f"\n{format_plan_cards(entry)}")
        elif self.has_terminal:
            click.echo(f"\n{_format_plan_preview(entry)}\n", err=True)
        if self.shows_plan or self.has_terminal:
            self._planned.append(result.trajectory_path)


def _log_outcome(source: str, result: PlanOutput) -> None:
    usage = _describe_usage(result.record)
    if result.trajectory:
        count = format_count(len(result.trajectory.plan.ablations), "ablation")
        explanation = _explain_count(result.record, len(result.trajectory.plan.ablations))
        log.info("planned %s%s%s", count, usage and f" ({usage})", explanation)
        return
    failure = _describe_failure(result)
    log.error("%s", failure if source in failure else f"{source}: {failure}")
    if usage and any(attempt.completion or attempt.is_lost for attempt in result.record.attempts):
        log.info("%s", usage)


def _explain_count(record: PlanRecord, count: int) -> str:
    """Return words that explain why a plan has `count` ablations, such as " of at most 5; …", or "" if not needed."""
    is_full = count >= record.k
    if record.considered:
        more = "; a larger -k keeps more" if is_full else ""
        return f" of at most {record.k}; `show --all` lists {len(record.considered)} more that were not kept{more}"
    if is_full or record.model_asked != EXTRACTIVE:
        return ""
    return f" of at most {record.k}; the built-in planner found no more"


def _count_responses(revisions: Sequence[Revision]) -> str:
    """Return the numbers of findings and of the model's responses, such as "3 findings, 2 mended, 1 defended"."""
    counts = Counter(revision.response for revision in revisions)
    return ", ".join((format_count(len(revisions), "finding"), *(f"{counts[each]} {each}" for each in counts)))


def _describe_failure(result: PlanOutput) -> str:
    """Return the reason why there is no new plan, and the path of the earlier plan or of the replies if they exist."""
    record = result.record
    invalid = "the reply holds no valid plan: " if record.outcome is Outcome.INVALID else ""
    if result.trajectory_path.exists():
        kept = f"; the earlier plan stays in {result.trajectory_path}"
    else:
        kept = f"; the replies are kept in {result.record_path}" if record.has_reply and record.endpoint else ""
    return f"{invalid}{record.reason}{kept}"


def _describe_usage(record: PlanRecord) -> str:
    """Return the tokens and cost of this command and of earlier commands, or "" if the model has no endpoint."""
    if not record.endpoint:
        return ""
    sent_now = [attempt for attempt in record.attempts if attempt.started >= record.started]
    now = _format_usage(sent_now) or ("no reply came" if sent_now else "nothing was sent")
    earlier = _format_usage([attempt for attempt in record.attempts if attempt.started < record.started])
    lost = describe_lost_requests(sum(attempt.is_lost for attempt in record.attempts))
    return "; ".join(filter(None, (now, earlier and f"earlier commands: {earlier}", lost)))


def _format_usage(attempts: Sequence[AttemptRecord]) -> str:
    """Return the tokens and cost of the attempts with a reply, or "" if there are none."""
    answered = [(attempt.completion.usage, attempt.cost) for attempt in attempts if attempt.completion]
    usage = sum_known_usage(usage for usage, _ in answered)
    counts = format_tokens(usage.prompt_tokens, usage.completion_tokens)
    return f"{counts}, {format_usd(sum_costs_if_all_known(cost for _, cost in answered))}" if answered else ""


def format_plan_cards(entry: PlanEntry, *, with_candidates: bool = False) -> str:
    """Return a plan as text for stdout. If `with_candidates` is true, add the candidates that the plan does not keep.

    The text is wrapped only if stdout is a terminal. It has colours, which `click.echo` removes if needed.
    """
    assert entry.trajectory is not None, "only a plan has cards"
    width = choose_wrap_width(sys.stdout)
    return "\n".join(line.render(width) for line in _list_lines(entry, with_candidates, width)) + "\n"


def _format_plan_preview(entry: PlanEntry) -> str:
    """Return the names and reasons of a plan's first ablations as text for stderr."""
    width, more = choose_wrap_width(sys.stderr) or _MAX_REASON_CHARS, len(entry.ablations) - _MAX_PREVIEW
    lines = []
    for number, ablation in enumerate(entry.ablations[:_MAX_PREVIEW], start=1):
        reason = entry.details[number - 1].reason
        text = f"why: {reason}" if reason else f"{ablation.action} {ablation.ablated_part}"
        lines += [_Line(f"{number}. {ablation.name}", bold=True), _Line(_INDENT + _shorten(text, width - len(_INDENT)))]
    lines += [_Line(f"{_INDENT}… and {more} more", dim=True)] if more > 0 else []
    return "\n".join(line.render(width) for line in lines)


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text with its style."""

    text: str = ""
    bold: bool | None = None
    dim: bool | None = None
    colour: str | None = None

    def render(self, width: int | None) -> str:
        """Return the styled text, wrapped to `width` columns unless `width` is None."""
        text = make_printable(self.text).replace("\n", " ")  # a line break in a record must not fake a line
        indent = " " * (len(text) - len(text.lstrip()) + 2)
        lines = [text]
        if width and text.strip():
            lines = textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
        if self.bold or self.dim or self.colour:
            lines = [click.style(line, bold=self.bold, dim=self.dim, fg=self.colour) for line in lines]
        return "\n".join(lines)


def _list_lines(entry: PlanEntry, show_all: bool, width: int | None) -> Iterator[_Line]:
    trajectory = entry.trajectory
    assert trajectory is not None
    name, task = f"{trajectory.planner}/{trajectory.model}/{trajectory.paper_id}", f" ({trajectory.task})"
    yield _Line(shorten_middle(name, width and width - len(task)) + task, dim=True)
    yield _Line()
    for number, (ablation, each) in enumerate(zip(entry.ablations, entry.details, strict=True), start=1):
        yield from _list_card_lines(f"{number}. ", ablation, each)
        for finding in entry.list_findings(number - 1):
            yield _Line(f"{_INDENT}! {finding}", colour="red")
    if entry.record is not None:
        notes = (
            *list_run_order_sentences(entry.run_order, entry.details),
            explain_meaning_of_chance_if_known(entry.task, entry.details),
        )
        yield from _list_record_lines(entry.record, notes, show_all)
    yield _Line()
    yield from map(_Line, trajectory.reasoning.split("\n"))


def _list_card_lines(number: str, ablation: Ablation, details: Details) -> Iterator[_Line]:
    yield _Line(f"{number}{ablation.name}", bold=True)
    yield _Line(f"{_INDENT}{ablation.action} {ablation.ablated_part}", colour=_ACTION_COLOURS[ablation.action])
    for item in ablation.replacement:
        yield _Line(f"{_INDENT}  {format_replacement_as_phrase(item)}")
    yield _Line(f"{_INDENT}measured by {', '.join(ablation.metrics)}")
    is_absent = details.evidence is not None and details.evidence.found is QuoteMatch.ABSENT
    for label, text in (*list_labelled_non_benchmark_fields(ablation), *details.list_labelled_lines()):
        colour = "red" if is_absent and text == str(details.evidence) else None
        yield _Line(f"{_INDENT}{label.lower()}: {text}", colour=colour)


def _list_record_lines(record: PlanRecord, notes: Iterable[str | None], show_all: bool) -> Iterator[_Line]:
    if lines := [_Line(note) for note in notes if note]:
        yield _Line()
        yield from lines
    for title, items in (("already reported by the paper:", record.reported), ("revised:", record.revisions)):
        if items:
            yield from (_Line(), _Line(title, bold=True))
            yield from (_Line(f"{_INDENT}{item}") for item in items)
    if not record.considered:
        return
    yield _Line()
    if not show_all:
        yield _Line(f"{len(record.considered)} more considered and not kept; --all shows them", dim=True)
        return
    yield _Line("considered and not kept:", bold=True)
    for candidate in record.considered:
        yield from _list_card_lines("-  ", candidate, candidate.details)
        yield _Line(f"{_INDENT}not kept: {candidate.why}", dim=True)
