"""`prompt` and `paper`: show what `plan` would send, and what is read from a paper."""

import json
import textwrap
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

import click

from planner.analysis.analyse import Analysis, analyse
from planner.analysis.passages import Found
from planner.cli.options import PaperOptions, TalkOptions, TaskOptions, paper_options, talk_options, task_options
from planner.cli.sources import read_paper, refuse_missing
from planner.cli.talk import log, talking
from planner.controls import printable, printable_json
from planner.errors import PlannerError
from planner.gauge import Gauge
from planner.papers.paper import Excerpt, Paper, Section
from planner.posing import Question, Settings, excerpt_of, pose
from planner.tokens import estimate_tokens

WIDTH: Final = 100


@click.command(epilog="Example: ablation-planner prompt paper.pdf --to text > prompt.txt")
@click.argument("source", metavar="PAPER")
@click.option("--to", "form", type=click.Choice(("json", "text")), default="json", show_default=True, help="Format.")
@paper_options
@task_options
@talk_options
def prompt(source: str, form: str, about: PaperOptions, asked: TaskOptions, talk: TalkOptions) -> None:
    """Print the exact messages that `plan` would send, and send nothing.

    Paste them into any chat window, then give the reply to `parse`.
    """
    refuse_missing((source,))
    with talking(talk):
        question = pose(read_paper(source, about), asked.settings, Gauge())
        _say_left_out(question)
    rendered = question.prompt
    if form == "text":
        click.echo("\n\n".join(message.content for message in rendered.messages).encode())
        return
    messages = [asdict(message) for message in rendered.messages]
    _echo_json({"messages": messages, "sha256": rendered.sha256})


@click.command(epilog="Example: ablation-planner paper paper.pdf --to json")
@click.argument("source", metavar="PAPER")
@click.option(
    "--to", "form", type=click.Choice(("page", "json", "text")), default="page", show_default=True, help="Format."
)
@paper_options
@task_options
@talk_options
def paper(source: str, form: str, about: PaperOptions, asked: TaskOptions, talk: TalkOptions) -> None:
    """Show what is read from a paper: title, abstract, sections, sizes, parts that would be left out, and warnings."""
    refuse_missing((source,))
    settings = asked.settings
    with talking(talk):
        read = read_paper(source, about)
        if form == "text":
            sent = excerpt_of(read, settings, Gauge())
            _say_left_out(sent)
            click.echo(sent.whole.encode())
            return
        understood = _understood(read, settings)
    if form == "json":
        _echo_json(understood)
    else:
        click.echo(printable(_page(read, settings, understood)))


def _echo_json(told: dict[str, object]) -> None:
    click.echo(printable_json(json.dumps(told, ensure_ascii=False, indent=1)).encode())


def _say_left_out(sent: Excerpt | Question) -> None:
    for part in sent.left_out:
        log.info("left out %r, %d characters: %s", part.heading, part.chars, part.why)
    for warning in sent.warnings:
        log.warning("%s", warning)


def _understood(read: Paper, settings: Settings) -> dict[str, object]:
    """Return the paper as a JSON object; if the task cannot cut the paper, that is a warning here."""
    analysis = analyse(read)
    try:
        sent = excerpt_of(read, settings, Gauge())
        left_out, warnings = sent.left_out, (*read.warnings, *sent.warnings)
    except PlannerError as error:
        left_out, warnings = (), (*read.warnings, str(error))
    return {
        "id": read.id,
        "title": read.title,
        "abstract": read.abstract,
        "format": read.format,
        "main_file": read.main_file,
        "sections": [_section(section) for section in read.sections],
        "tokens": estimate_tokens(f"{read.title}\n{read.abstract}\n{read.text}"),
        **_found(analysis),
        "left_out": [asdict(part) for part in left_out],
        "warnings": list(warnings),
    }


def _section(section: Section) -> dict[str, object]:
    return {
        "heading": section.heading,
        "level": section.level,
        "kind": section.kind.value,
        "chars": len(section.text),
        "page": section.page,
    }


def _found(analysis: Analysis) -> dict[str, object]:
    return {
        "components": [{"name": c.label, "mentions": c.mentions, **_place(c.found)} for c in analysis.components],
        "reported_ablations": [
            {"ablated_part": r.part, "action": r.action.value, "replacement": r.replacement, **_place(r.found)}
            for r in analysis.reported_ablations
        ],
        "metrics": [{"name": m.name, "mentions": m.mentions, **_place(m.found)} for m in analysis.metrics],
    }


def _place(found: Found) -> dict[str, object]:
    return {"text": found.text, "heading": found.heading, "offset": found.offset}


def _page(read: Paper, settings: Settings, understood: dict[str, Any]) -> str:
    """Return the paper as text for a terminal: one screen if the paper is short enough."""
    pages = (f"{read.title or '(no title found)'}", f"id {read.id}, {read.format} {read.main_file}".rstrip())
    abstract = textwrap.fill(" ".join(read.abstract.split()) or "(no abstract found)", WIDTH)
    return "\n\n".join(
        (
            "\n".join(pages),
            abstract,
            _listed(f"Sections, about {understood['tokens']:,} tokens", (_section_line(s) for s in read.sections)),
            _listed(f"Left out in the {settings.task} task", map(_left_out_line, understood["left_out"])),
            _listed("Components that the method names", (c["name"] for c in understood["components"])),
            _listed("Ablations that it seems to report", map(_reported_line, understood["reported_ablations"])),
            _listed("Metrics", (m["name"] for m in understood["metrics"])),
            _listed("Warnings", understood["warnings"]),
        )
    )


def _listed(heading: str, lines: Iterable[str]) -> str:
    return (
        "\n".join((f"{heading}:", *(f"  {line}" for line in lines))) if (lines := list(lines)) else f"{heading}: none"
    )


def _section_line(section: Section) -> str:
    page = f", page {section.page}" if section.page else ""
    heading = section.heading or "(before the first heading)"
    return f"{'  ' * max(0, section.level - 1)}{heading}  [{section.kind}, {len(section.text):,} characters{page}]"


def _left_out_line(part: dict[str, Any]) -> str:
    return f"{part['heading']}, {part['chars']:,} characters: {part['why']}"


def _reported_line(reported: dict[str, Any]) -> str:
    replacement = f" with {reported['replacement']}" if reported["replacement"] else ""
    return f"{reported['action']} {reported['ablated_part']}{replacement}  [{reported['heading']}]"
