"""Export plans as text for people: an issue for each ablation, a page of Markdown, and a text for a review."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from planner.exports.studies import BASELINE, SEEDS, Study, list_plans
from planner.files import write_file_atomically
from planner.sanitize import clean_text
from planner.site.copies import format_review
from planner.site.entries import PlanEntry

_MAX_TITLE_CHARS: Final = 200  # GitHub takes 256
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
            body = f"From the plan of ablations for: {escape_markdown(plan.title)}\n\n{_render_study(study)}"
            write_file_atomically(folder / f"{study.slug}.md", body, durable=False)
            title = shlex.quote(f"Ablation: {study.headline}"[:_MAX_TITLE_CHARS])
            script.append(f'gh issue create --title {title} --body-file "$folder/{study.slug}.md"\n')
        write_file_atomically(folder / "create-issues.sh", "".join(script), durable=False)


def write_markdown(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a Markdown file for each plan: the paper's title, and for each ablation its heading and what to do."""
    for plan in list_plans(entries):
        headings = (f"\n## {study.number}. {escape_markdown(study.headline)}\n\n" for study in plan.studies)
        parts = (f"{heading}{_render_study(study)}" for heading, study in zip(headings, plan.studies, strict=True))
        text = f"# Ablations: {escape_markdown(plan.title)}\n{''.join(parts)}"
        write_file_atomically(target / f"{plan.slug}.md", text, durable=False)


def write_reviews(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a text file for each plan: sentences to paste into a review."""
    for plan in list_plans(entries):
        assert plan.entry.trajectory is not None
        text = format_review(plan.entry.trajectory.plan, plan.entry.task, plan.entry.review_details)
        write_file_atomically(target / f"{plan.slug}.txt", clean_text(text).text, durable=False)


def _render_study(study: Study) -> str:
    notes = (f"- **{label}**: {escape_markdown(text)}\n" for label, text in study.list_notes())
    tasks = (f"Run `{variant.slug}`: {escape_markdown(variant.change)}" for variant in study.variants)
    steps = (f"Run `{BASELINE}`: the method as the paper has it", *tasks, "Report the metrics of all runs")
    checklist = (f"- [ ] {step}\n" for step in steps)
    return f"{''.join(notes)}\nEach with {len(SEEDS)} seeds:\n\n{''.join(checklist)}"


def escape_markdown(text: str) -> str:
    """Return a text of one line that GitHub shows as it is after other words: no markup, link or name in it acts."""
    return _MARKUP.sub(r"\\\g<0>", _REFERENCE.sub(_ZERO_WIDTH_SPACE, text))
