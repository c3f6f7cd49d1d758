"""The commands `analysis` and `cuts`: measure how papers are analysed and cut, against labels made by hand."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from eval.commands.options import EXISTING_FOLDER
from eval.labelled import AnalysisScore, ExcerptScore, MatchCounts, read_excerpt_labels, score_analyses, score_excerpt
from planner.errors import PaperError


@click.command()
@click.argument("folder", type=EXISTING_FOLDER)
def analysis(folder: Path) -> None:
    """Measure recall and precision of the reported ablations and metrics on a FOLDER of labelled papers.

    A label is a JSON file beside its paper (`ablations`, `metrics`), or a meta.json inside a paper's source folder
    (`ablated_components`, `metrics`).

    A finding matches a label if the label (name, ablated part and replacements) contains 60 % of the finding's words,
    stemmed and without stop words; each label needs a finding of its own.
    """
    scores = list(score_analyses(folder, lambda message: click.echo(message, err=True)))
    if not scores:
        raise click.UsageError(f"no labelled papers (<id>.json beside the paper, or <id>/meta.json) in {str(folder)!r}")
    for line in _format_analysis_table(scores):
        click.echo(line)


@click.command(epilog="Example: python -m eval cuts papers/labelled papers/source")
@click.argument("folders", nargs=-1, required=True, metavar="FOLDER…", type=EXISTING_FOLDER)
def cuts(folders: tuple[Path, ...]) -> None:
    """Measure the text that the author task keeps and leaks, for each labelled paper of the FOLDERs.

    Kept is the share of the running text (no figures or tables) before the cut. A leak is labelled evidence of an
    ablation, a section of results, or a table in the text that is kept.
    """
    scores: list[ExcerptScore] = []
    failures = 0
    for label in (label for folder in folders for label in read_excerpt_labels(folder)):
        try:
            scores.append(score_excerpt(label))
        except PaperError as error:
            failures += 1
            click.echo(f"{label.id}: not cut: {error}", err=True)
    for line in _format_excerpt_table(scores):
        click.echo(line)
    raise SystemExit(1 if failures else 0)


def _format_analysis_table(scores: Iterable[AnalysisScore]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums over all papers."""
    yield f"{'paper':32}  {'ablations':>21}  {'metrics':>21}"
    yield f"{'':32}  {'recall':>10} {'precision':>10}  {'recall':>10} {'precision':>10}"
    ablations = metrics = MatchCounts(0, 0, 0, 0)
    for score in scores:
        yield _format_analysis_row(score.id, score.ablations, score.metrics)
        ablations, metrics = ablations + score.ablations, metrics + score.metrics
    yield _format_analysis_row("all", ablations, metrics)
    for name, total in (("ablations", ablations), ("metrics", metrics)):
        recall, precision = _format_share(total.recall), _format_share(total.precision)
        yield f"{name}: recall {recall}, precision {precision}, over {total.label_count} labels"


def _format_analysis_row(name: str, ablations: MatchCounts, metrics: MatchCounts) -> str:
    cells = [
        f"{counts.found_labels}/{counts.label_count:<2} {counts.correct_findings:>7}/{counts.finding_count:<3}"
        for counts in (ablations, metrics)
    ]
    return f"{name[:32]:32}  {cells[0]:>21}  {cells[1]:>21}"


def _format_share(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def _format_excerpt_table(scores: list[ExcerptScore]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums."""
    yield f"{'paper':28} {'words':>6} {'kept':>6} {'share':>6} {'leaked':>6}  cut before"
    for score in scores:
        counts = f"{score.word_count:6} {score.kept_words:6} {score.kept_share:6.3f} {len(score.leaks):6}"
        remark = "  (the label names another heading)" if score.is_end_correct is False else ""
        yield f"{score.id:28} {counts}  {score.end_heading}{remark}"
        yield from (f"    leaked: {leak}" for leak in score.leaks)
    words, kept = sum(score.word_count for score in scores), sum(score.kept_words for score in scores)
    leaked = sum(len(score.leaks) for score in scores)
    yield f"{'all':28} {words:6} {kept:6} {kept / max(words, 1):6.3f} {leaked:6}"
