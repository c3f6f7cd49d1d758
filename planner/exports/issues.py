"""Export plans as text for people: an issue for each ablation, a page of Markdown, and a text for a review."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from planner.details import format_count
from planner.exports.studies import BASELINE, SEEDS, ExportedPlan, Study, list_plans
from planner.files import write_file_atomically
from planner.sanitize import clean_text
from planner.site.copies import describe_change, format_line, format_review
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
    """Write a Markdown file for each plan: its runs in order, then candidates of the next rank, at most k studies."""
    for plan in list_plans(entries):
        lines = [f"# Ablations: {escape_markdown(plan.title)}\n\n", _render_overview(plan)]
        lines += map(_render_section, plan.studies)
        count = max(0, plan.k - len(plan.studies))
        if next_studies := plan.further_studies[:count]:
            lines.append("\n# Then\n\nThe candidates of the next rank, in this order:\n")
            lines += map(_render_section, next_studies)
        if rest := plan.further_studies[count:]:
            lines.append("\n# Also considered\n\n")
            lines += (f"- {escape_markdown(_describe_study(study))}\n" for study in rest)
        write_file_atomically(target / f"{plan.slug}.md", "".join(lines), durable=False)


def _describe_study(study: Study) -> str:
    change = describe_change(study.ablation, study.ablation.replacement)
    return f"{format_line(change)} ({study.headline})"


def _render_section(study: Study) -> str:
    return f"\n## {study.number}. {escape_markdown(study.headline)}\n\n{_render_study(study)}"


def _render_overview(plan: ExportedPlan) -> str:
    runs = [(study, variant) for study in plan.studies for variant in study.variants]
    shared = sum(bool(variant.same_as) for _, variant in runs)
    first = sum(len(study.first_runs) for study in plan.studies)
    notes = (
        f"{shared} seem to stand in two studies" if shared else "",
        f"{first + 1} to start with, the others are values of sweeps" if first < len(runs) else "",
    )
    order = ", ".join(str(study.number) for study in sorted(plan.studies, key=lambda study: study.place))
    count = "; ".join((f"{format_count(len(runs) + 1, 'run')} with the baseline", *filter(None, notes)))
    return f"{count}. Each has {len(SEEDS)} seeds. Run the studies in this order: {order}.\n\n{_BASELINE_STEP}"


def write_reviews(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a text file for each plan: sentences to paste into a review."""
    for plan in list_plans(entries):
        text = clean_text(format_review(plan.entry)).text
        write_file_atomically(target / f"{plan.slug}.txt", text, durable=False)


def _render_study(study: Study) -> str:
    notes = (f"- **{label}**: {escape_markdown(text)}\n" for label, text in study.list_notes())
    first = study.first_runs
    later = [variant for variant in study.variants if variant not in first]
    steps = [f"- [ ] Run `{each.slug}`: {escape_markdown(study.describe_run(each))}\n" for each in first]
    if later:
        values = ", ".join(f"`{each.slug}`" for each in later)
        steps.append(f"- [ ] Only if these differ, the values between them: {values}\n")
    return f"{''.join(notes)}\n{''.join(steps)}- [ ] Report the metrics of all runs beside the baseline's\n"


def escape_markdown(text: str) -> str:
    """Return a text of one line that GitHub shows as it is after other words: no markup, link or name in it acts."""
    return _MARKUP.sub(r"\\\g<0>", _REFERENCE.sub(_ZERO_WIDTH_SPACE, text))
