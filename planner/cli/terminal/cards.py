"""A plan on a terminal: a card for each ablation with what else the record says, or a short preview."""

import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import click

from planner.cli.terminal.messages import measure_width, shorten_middle
from planner.details import Details, QuoteMatch, describe_order
from planner.planning.record import PlanRecord
from planner.sanitize import make_printable
from planner.schema import Ablation, Action, list_extra_fields
from planner.site.copies import describe_replacement
from planner.site.entries import PlanEntry
from planner.trajectory.format import Trajectory

_MAX_PREVIEW: Final = 5  # ablations
_MAX_REASON_CHARS: Final = 100
_ACTION_COLOURS: Final = {Action.REMOVE: "red", Action.REPLACE: "yellow", Action.ADD: "green"}
_INDENT: Final = "   "


def format_plan_cards(entry: PlanEntry, *, show_all: bool = False) -> str:
    """Return a plan as text for the terminal on stdout; `show_all` lists the candidates that are not kept too.

    Lines are wrapped only if stdout is a terminal; `click.echo` leaves out colours that are not wanted.
    """
    assert entry.trajectory is not None, "only a plan has cards"
    width = measure_width(sys.stdout)
    return "\n".join(part for line in _list_lines(entry, show_all, width) for part in line.render(width)) + "\n"


def format_preview(entry: PlanEntry) -> str:
    """Return the first ablations of a plan as text for the terminal on stderr: the name and the reason of each."""
    width, more = measure_width(sys.stderr) or _MAX_REASON_CHARS, len(entry.ablations) - _MAX_PREVIEW
    lines = []
    for number, ablation in enumerate(entry.ablations[:_MAX_PREVIEW], start=1):
        reason = entry.details[number - 1].reason
        text = f"why: {reason}" if reason else f"{ablation.action} {ablation.ablated_part}"
        lines += [_Line(f"{number}. {ablation.name}", bold=True), _Line(_INDENT + _shorten(text, width - len(_INDENT)))]
    lines += [_Line(f"{_INDENT}… and {more} more", dim=True)] if more > 0 else []
    return "\n".join(part for line in lines for part in line.render(width))


def _shorten(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text with its style."""

    text: str = ""
    bold: bool = False
    dim: bool = False
    colour: str | None = None

    def render(self, width: int | None) -> Iterator[str]:
        """Yield the lines of a terminal of this width; one line without a style if it is None."""
        text = make_printable(self.text).replace("\n", " ")  # a record made by others must not make up lines
        indent = " " * (len(text) - len(text.lstrip()) + 2)
        for line in (
            textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
            if width and text.strip()
            else [text]
        ):
            is_plain = not (self.bold or self.dim or self.colour)
            yield line if is_plain else click.style(line, bold=self.bold or None, dim=self.dim or None, fg=self.colour)


def _list_lines(entry: PlanEntry, show_all: bool, width: int | None) -> Iterator[_Line]:
    trajectory = entry.trajectory
    assert trajectory is not None
    yield _Line(_format_heading(trajectory, width), dim=True)
    yield _Line()
    for number, (ablation, each) in enumerate(zip(entry.ablations, entry.details, strict=True), start=1):
        yield from _list_card_lines(f"{number}. ", ablation, each)
        for finding in entry.list_findings(number - 1):
            yield _Line(f"{_INDENT}! {finding}", colour="red")
    if entry.record is not None:
        yield from _list_record_lines(entry.record, describe_order(entry.order, entry.details), show_all)
    yield _Line()
    yield from map(_Line, trajectory.reasoning.split("\n"))


def _format_heading(trajectory: Trajectory, width: int | None) -> str:
    """Return the plan's name and its task as one line of a terminal of this width."""
    name, task = f"{trajectory.planner}/{trajectory.model}/{trajectory.paper_id}", f" ({trajectory.task})"
    return shorten_middle(name, width and width - len(task)) + task


def _list_card_lines(number: str, ablation: Ablation, details: Details) -> Iterator[_Line]:
    yield _Line(f"{number}{ablation.name}", bold=True)
    yield _Line(f"{_INDENT}{ablation.action} {ablation.ablated_part}", colour=_ACTION_COLOURS[ablation.action])
    for item in ablation.replacement:
        yield _Line(f"{_INDENT}  {describe_replacement(item)}")
    yield _Line(f"{_INDENT}measured by {', '.join(ablation.metrics)}")
    is_absent = details.evidence is not None and details.evidence.found is QuoteMatch.ABSENT
    for label, text in (*list_extra_fields(ablation), *details.list_lines()):
        colour = "red" if is_absent and text == str(details.evidence) else None
        yield _Line(f"{_INDENT}{label.lower()}: {text}", colour=colour)


def _list_record_lines(record: PlanRecord, order: Iterable[str], show_all: bool) -> Iterator[_Line]:
    if lines := list(map(_Line, order)):
        yield _Line()
        yield from lines
    if record.reported:
        yield _Line()
        yield _Line("already reported by the paper:", bold=True)
        for study in record.reported:
            yield _Line(f"{_INDENT}{study}")
    if record.revisions:
        yield _Line()
        yield _Line("revised:", bold=True)
        for revision in record.revisions:
            yield _Line(f"{_INDENT}{revision}")
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
