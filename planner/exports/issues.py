"""Export plans as text for people: an issue for each ablation, a page of Markdown, and a text for a review."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from planner.details import format_count
from planner.exports.studies import BASELINE, SEEDS, ExportedPlan, Study, format_line, list_plans
from planner.files import write_file_atomically
from planner.sanitize import clean_text
from planner.site.copies import choose_headline, describe_change, format_review
from planner.site.entries import PlanEntry

_MAX_TITLE_CHARS: Final = 200  # GitHub takes 256
_BASELINE_STEP: Final = f"- [ ] Run `{BASELINE}`: the method as the paper has it, once for all studies\n"
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>~|&$#]")
# GitHub tells a person who is named, and links issues and addresses, also behind a backslash.
_REFERENCE: Final = re.compile(
    r"(?<=[@#])(?=\w)|(?<=\bgh)(?=-\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bmailto)(?=:)", re.I
)
_ZERO_WIDTH_SPACE: Final = "\u200b"
_SCRIPT: Final = """\
#!/bin/sh
# Creates an issue for each ablation, in the order in which to run them, with GitHub's gh:
# in the repository of the working folder, or in that of GH_REPO. Each start creates them anew.
set -eu
folder=$(dirname -- "$0")
"""


def write_issues(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a folder for each plan with a Markdown file for each ablation, and a script that creates the issues."""
    for plan in list_plans(entries):
        folder, script = target / plan.slug, [_SCRIPT]
        for study in sorted(plan.studies, key=lambda study: study.place):
            about = f"From the plan of ablations for: {escape_markdown(plan.title)}"
            body = f"{about}\n\nEach run with {len(SEEDS)} seeds:\n\n{_BASELINE_STEP}\n{_render_study(study)}"
            write_file_atomically(folder / f"{study.slug}.md", body, durable=False)
            title = shlex.quote(f"Ablation: {study.headline}"[:_MAX_TITLE_CHARS])
            script.append(f'gh issue create --title {title} --body-file "$folder/{study.slug}.md"\n')
        write_file_atomically(folder / "create-issues.sh", "".join(script), durable=False)


def write_markdown(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a Markdown file for each plan: what to run in which order, the studies, and what else was considered."""
    for plan in list_plans(entries):
        headings = (f"\n## {study.number}. {escape_markdown(study.headline)}\n\n" for study in plan.studies)
        parts = (f"{heading}{_render_study(study)}" for heading, study in zip(headings, plan.studies, strict=True))
        lines = (f"# Ablations: {escape_markdown(plan.title)}\n\n", _render_overview(plan), *parts, *_list_rest(plan))
        write_file_atomically(target / f"{plan.slug}.md", "".join(lines), durable=False)


def _render_overview(plan: ExportedPlan) -> str:
    variants = [variant for study in plan.studies for variant in study.variants]
    shared = sum(bool(variant.same_as) for variant in variants)
    alike = f", of which {shared} seem to stand in two studies" if shared else ""
    order = ", ".join(str(study.number) for study in sorted(plan.studies, key=lambda study: study.place))
    counted = f"{format_count(len(variants) + 1, 'run')} with the baseline{alike}; each with {len(SEEDS)} seeds"
    return f"{counted}. Run the studies in this order: {order}.\n\n{_BASELINE_STEP}"


def _list_rest(plan: ExportedPlan) -> Iterator[str]:
    """Yield the ablations that were considered and not kept, for whoever has time left."""
    considered = plan.entry.record.considered if plan.entry.record else ()
    if considered:
        yield "\n## Considered, and not in the plan\n\n"
    for each in considered:
        change = escape_markdown(format_line(describe_change(each, each.replacement)))
        yield f"- {change} ({escape_markdown(format_line(choose_headline(each)))})\n"


def write_reviews(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a text file for each plan: sentences to paste into a review."""
    for plan in list_plans(entries):
        assert plan.entry.trajectory is not None
        text = format_review(plan.entry.trajectory.plan, plan.entry.task, plan.entry.review_details)
        write_file_atomically(target / f"{plan.slug}.txt", clean_text(text).text, durable=False)


def _render_study(study: Study) -> str:
    notes = (f"- **{label}**: {escape_markdown(text)}\n" for label, text in study.list_notes())
    steps = (
        f"- [ ] Run `{variant.slug}`: {escape_markdown(study.describe_run(variant))}\n" for variant in study.variants
    )
    first = ", ".join(f"`{variant.slug}`" for variant in study.first_runs)
    is_long = len(study.first_runs) < len(study.variants)
    hint = f"\nStart with {first}; the others are worth their runs only if these differ.\n" if is_long else ""
    return f"{''.join(notes)}{hint}\n{''.join(steps)}- [ ] Report the metrics of all runs beside the baseline's\n"


def escape_markdown(text: str) -> str:
    """Return a text of one line that GitHub shows as it is after other words: no markup, link or name in it acts."""
    return _MARKUP.sub(r"\\\g<0>", _REFERENCE.sub(_ZERO_WIDTH_SPACE, text))
