"""Exports for people: issues, Markdown, texts for a review, and LaTeX."""

import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from planner.details import format_count
from planner.exports.studies import BASELINE, SEEDS, ExportedPlan, ExportedStudy, build_exported_plans
from planner.files import write_file_atomically
from planner.sanitize import remove_unsafe_characters
from planner.schema import Action, Task
from planner.site.copies import format_as_one_line, format_change_as_instruction, format_plan_as_review
from planner.site.entries import PlanEntry

_MAX_TITLE_CHARS: Final = 200  # GitHub allows 256
_BASELINE_STEP: Final = f"- [ ] Run `{BASELINE}`: the method as the paper describes it, once for all studies\n"
_MARKUP: Final = re.compile(r"[\\`*_\[\]<>~|&$#]")
# GitHub notifies people who are named, and links issues and addresses, even after a backslash.
_REFERENCE: Final = re.compile(
    r"(?<=[@#])(?=\w)|(?<=\bgh)(?=-\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)|(?<=\bmailto)(?=:)", re.I
)
_ZERO_WIDTH_SPACE: Final = "\u200b"
_SCRIPT: Final = """\
#!/bin/sh
# Creates a GitHub issue for each ablation, in the order in which to run the ablations. It uses gh and the repository
# of the current folder, or the one in GH_REPO. Each run of this script creates all issues again.
set -eu
folder=$(dirname -- "$0")
"""
_ESCAPES: Final = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        '"': r"\char34{}",
        **{mark: f"\\{mark}" for mark in "{}$&#_%"},
        **{mark: f"{{{mark}}}" for mark in "[]`"},  # no optional argument, and no ligature such as ?`
    }
)
_UNMEASURED: Final = "--"


def write_github_issue_files(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a folder for each plan, with a file for each ablation and a script that turns the files into issues."""
    for plan in build_exported_plans(entries):
        folder, script = target_folder / plan.slug, [_SCRIPT]
        for study in sorted(plan.studies, key=lambda study: study.run_position):
            about = f"From the plan of ablations for: {escape_github_markdown(plan.title)}"
            body = f"{about}\n\nRepeat each run with {len(SEEDS)} seeds:\n\n{_BASELINE_STEP}\n{_render_study(study)}"
            write_file_atomically(folder / f"{study.slug}.md", body, durable=False)
            title = shlex.quote(f"Ablation: {study.headline}"[:_MAX_TITLE_CHARS])
            script.append(f'gh issue create --title {title} --body-file "$folder/{study.slug}.md"\n')
        write_file_atomically(folder / "create-issues.sh", "".join(script), durable=False)


def write_markdown_files(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a Markdown file for each plan with its studies.

    If a plan has fewer studies than the k that was asked for, its best rejected candidates are added as studies until
    there are k. Each other candidate gets one line.
    """
    for plan in build_exported_plans(entries):
        lines = [f"# Ablations: {escape_github_markdown(plan.title)}\n\n", _render_overview(plan)]
        lines += map(_render_section, plan.studies)
        count = max(0, plan.k - len(plan.studies))
        if next_studies := plan.rejected_studies[:count]:
            lines.append("\n# Then\n\nThe next candidates, in this order:\n")
            lines += map(_render_section, next_studies)
        if rest := plan.rejected_studies[count:]:
            lines.append("\n# Also considered\n\n")
            lines += (f"- {escape_github_markdown(_describe_study(study))}\n" for study in rest)
        write_file_atomically(target_folder / f"{plan.slug}.md", "".join(lines), durable=False)


def _describe_study(study: ExportedStudy) -> str:
    change = format_change_as_instruction(study.ablation, study.ablation.replacement)
    return f"{format_as_one_line(change)} ({study.headline})"


def _render_section(study: ExportedStudy) -> str:
    return f"\n## {study.number}. {escape_github_markdown(study.headline)}\n\n{_render_study(study)}"


def _render_overview(plan: ExportedPlan) -> str:
    runs = [(study, variant) for study in plan.studies for variant in study.variants]
    shared = sum(bool(variant.same_as) for _, variant in runs)
    first = sum(len(study.variants_to_run_first) for study in plan.studies)
    notes = (
        f"{shared} may repeat a run of an earlier study" if shared else "",
        f"start with {first + 1} runs, as the others only try values between those" if first < len(runs) else "",
    )
    order = ", ".join(str(study.number) for study in sorted(plan.studies, key=lambda study: study.run_position))
    count = "; ".join((f"{format_count(len(runs) + 1, 'run')} with the baseline", *filter(None, notes)))
    return f"{count}. Each run has {len(SEEDS)} seeds. Run the studies in this order: {order}.\n\n{_BASELINE_STEP}"


def write_peer_review_texts(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a text file for each plan. It has sentences to paste into a review."""
    for plan in build_exported_plans(entries):
        text = remove_unsafe_characters(format_plan_as_review(plan.entry))
        write_file_atomically(target_folder / f"{plan.slug}.txt", text, durable=False)


def _render_study(study: ExportedStudy) -> str:
    notes = (f"- **{label}**: {escape_github_markdown(text)}\n" for label, text in study.iterate_facts())
    first = study.variants_to_run_first
    later = [variant for variant in study.variants if variant not in first]
    steps = [f"- [ ] Run `{each.slug}`: {escape_github_markdown(study.describe_variant(each))}\n" for each in first]
    if later:
        values = ", ".join(f"`{each.slug}`" for each in later)
        steps.append(f"- [ ] If the results of these runs differ, also run the values between them: {values}\n")
    return f"{''.join(notes)}\n{''.join(steps)}- [ ] Report the metrics of all runs beside the baseline's\n"


def escape_github_markdown(text: str) -> str:
    """Escape a part of a line for GitHub. Nothing in it becomes markup, a link or a mention."""
    return _MARKUP.sub(r"\\\g<0>", _REFERENCE.sub(_ZERO_WIDTH_SPACE, text))


def write_latex_fragments(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a file for each plan, to be read by `\\input`. It has a paragraph and a table of the variants."""
    for plan in build_exported_plans(entries):
        write_file_atomically(target_folder / f"{plan.slug}.tex", _render_latex_plan(plan), durable=False)


def _render_latex_plan(plan: ExportedPlan) -> str:
    label = f"tab:ablations-{plan.slug}"
    metrics = tuple(
        dict.fromkeys(format_as_one_line(metric) for study in plan.studies for metric in study.ablation.metrics)
    )
    lines = (
        r"% Needs \usepackage{booktabs}; letters that are not Latin need LuaLaTeX, XeLaTeX or Tectonic.",
        rf"\paragraph{{Ablations.}} Table~\ref{{{label}}} {_render_opening(plan)}",
        "",
        r"\begin{table}[t]",
        r"  \centering",
        rf"  \caption{{Ablations. Mean over {len(SEEDS)} seeds; ``{_UNMEASURED}'' is not measured.}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{p{{0.45\linewidth}}{'c' * len(metrics)}}}",
        r"    \toprule",
        f"    {_render_latex_row('Variant', map(escape_latex, metrics))}",
        r"    \midrule",
        rf"    The method as it is{' & ' * len(metrics)} \\",
        *(f"    {row}" for study in plan.studies for row in _list_latex_rows(study, metrics)),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    )
    return "\n".join(lines) + "\n"


def _render_opening(plan: ExportedPlan) -> str:
    subject = "our method" if plan.entry.task is Task.AUTHOR else escape_latex(plan.title)
    changes = "; ".join(f"({study.number}) {escape_latex(study.headline)}" for study in plan.studies)
    return f"isolates the parts of {subject}, one at a time: {changes}."


def _list_latex_rows(study: ExportedStudy, metrics: Sequence[str]) -> Iterator[str]:
    cells = ["" if metric in map(format_as_one_line, study.ablation.metrics) else _UNMEASURED for metric in metrics]
    yield r"\addlinespace"
    yield rf"\multicolumn{{{len(metrics) + 1}}}{{p{{0.95\linewidth}}}}{{\emph{{{escape_latex(study.headline)}}}}} \\"
    opening = {Action.REMOVE: "without ", Action.REPLACE: "", Action.ADD: "with "}[study.ablation.action]
    for variant in study.variants:
        change = escape_latex((variant.replacement or format_as_one_line(study.ablation.ablated_part)).rstrip("."))
        yield _render_latex_row(rf"\quad {opening}{change}", cells)


def _render_latex_row(name: str, cells: Iterator[str] | Sequence[str]) -> str:
    return " & ".join((name, *cells)) + r" \\"


def escape_latex(text: str) -> str:
    """Escape a line of text for LaTeX. Nothing in it becomes a command, an argument or a comment."""
    return text.translate(_ESCAPES)
