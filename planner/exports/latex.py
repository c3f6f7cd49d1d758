"""Export plans as LaTeX: an empty table of results with booktabs, and the paragraph that announces it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from planner.exports.studies import SEEDS, ExportedPlan, Study, list_plans
from planner.files import write_file_atomically
from planner.schema import Action, Task
from planner.site.copies import format_line
from planner.site.entries import PlanEntry

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
_UNKNOWN: Final = ""
_UNMEASURED: Final = "--"


def write_latex(entries: Sequence[PlanEntry], target: Path) -> None:
    """Write a file for each plan, to be read by `\\input`: a paragraph, and a table with variants as rows."""
    for plan in list_plans(entries):
        write_file_atomically(target / f"{plan.slug}.tex", _render_plan(plan), durable=False)


def _render_plan(plan: ExportedPlan) -> str:
    label = f"tab:ablations-{plan.slug}"
    metrics = tuple(dict.fromkeys(format_line(metric) for study in plan.studies for metric in study.ablation.metrics))
    lines = (
        r"% Needs \usepackage{booktabs}; letters that are not Latin need LuaLaTeX, XeLaTeX or Tectonic.",
        rf"\paragraph{{Ablations.}} Table~\ref{{{label}}} {_announce(plan)}",
        "",
        r"\begin{table}[t]",
        r"  \centering",
        rf"  \caption{{Ablations. Mean over {len(SEEDS)} seeds; ``{_UNMEASURED}'' is not measured.}}",
        rf"  \label{{{label}}}",
        rf"  \begin{{tabular}}{{p{{0.45\linewidth}}{'c' * len(metrics)}}}",
        r"    \toprule",
        f"    {_render_row('Variant', map(escape_latex, metrics))}",
        r"    \midrule",
        f"    {_render_row('The method as it is', [_UNKNOWN] * len(metrics))}",
        *(f"    {row}" for study in plan.studies for row in _list_rows(study, metrics)),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    )
    return "\n".join(lines) + "\n"


def _announce(plan: ExportedPlan) -> str:
    subject = "our method" if plan.entry.task is Task.AUTHOR else escape_latex(plan.title)
    changes = "; ".join(f"({study.number}) {escape_latex(study.headline)}" for study in plan.studies)
    return f"isolates the parts of {subject}, one at a time: {changes}."


def _list_rows(study: Study, metrics: Sequence[str]) -> Iterator[str]:
    cells = [_UNKNOWN if metric in map(format_line, study.ablation.metrics) else _UNMEASURED for metric in metrics]
    yield r"\addlinespace"
    yield rf"\multicolumn{{{len(metrics) + 1}}}{{p{{0.95\linewidth}}}}{{\emph{{{escape_latex(study.headline)}}}}} \\"
    opening = {Action.REMOVE: "without ", Action.REPLACE: "", Action.ADD: "with "}[study.ablation.action]
    for variant in study.variants:
        change = escape_latex((variant.instead or format_line(study.ablation.ablated_part)).rstrip("."))
        yield _render_row(rf"\quad {opening}{change}", cells)


def _render_row(name: str, cells: Iterator[str] | Sequence[str]) -> str:
    return " & ".join((name, *cells)) + r" \\"


def escape_latex(text: str) -> str:
    """Return a text of one line that LaTeX sets as it is: no command, no argument, no comment in it acts."""
    return text.translate(_ESCAPES)
