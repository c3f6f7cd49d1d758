"""Measure how well the analysis finds reported ablations and metrics, against labels made by hand."""
# MERGED-DOC """Measure how much of a paper the author task keeps, and which evidence of ablations it leaks."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from planner.analysis.analyse import analyse_paper
from planner.errors import PaperError
from planner.matching.match import find_best_assignment
from planner.matching.similarity import extract_stems
from planner.papers.excerpt import SectionSelection, select_sections
from planner.papers.load import load_paper
from planner.papers.paper import BlockKind, Paper, Section, SectionKind
from planner.schema import Task

MATCH_SHARE: Final = 0.6
"""The least share of a finding's stems that a label must contain for the two to match."""


@dataclass(frozen=True, slots=True)
class AnalysisLabel:
    """A person's reading of one paper: the texts of its ablations and the names of its metrics."""

    paper: Path
    ablations: tuple[str, ...]
    metrics: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """The counts of labels (`found_labels` of them found) and of findings (`correct_findings` of them in a label)."""

    label_count: int
    found_labels: int
    finding_count: int
    correct_findings: int

    def __add__(self, other: "MatchCounts") -> "MatchCounts":
        return MatchCounts(
            self.label_count + other.label_count,
            self.found_labels + other.found_labels,
            self.finding_count + other.finding_count,
            self.correct_findings + other.correct_findings,
        )

    @property
    def recall(self) -> float | None:
        """The share of the labels that were found, None without labels."""
        return self.found_labels / self.label_count if self.label_count else None

    @property
    def precision(self) -> float | None:
        """The share of the findings that are in a label, None without findings."""
        return self.correct_findings / self.finding_count if self.finding_count else None


@dataclass(frozen=True, slots=True)
class AnalysisScore:
    """The counts of one paper."""

    id: str
    ablations: MatchCounts
    metrics: MatchCounts


def count_matches(findings: Sequence[str], labels: Sequence[str]) -> MatchCounts:
    """Compare by stems: a label needs a finding of its own to be recalled; a finding is right if any label holds it."""
    held = [[_label_share(label, text) for text in findings] for label in labels]
    right = sum(any(column) for column in zip(*held, strict=True)) if held else 0
    return MatchCounts(len(labels), len(find_best_assignment(held)), len(findings), right)


def score_analyses(folder: Path, on_error: Callable[[str], None] = lambda _: None) -> Iterator[AnalysisScore]:
    """Analyse every labelled paper of a folder; pass the error of an unreadable one to `on_error` and go on.

    A label is `<id>.json` beside the paper, or `meta.json` inside a paper's source folder.
    """
    for path in (*sorted(folder.glob("*.json")), *sorted(folder.glob("*/meta.json"))):
        if (label := read_analysis_label(path)) is None:
            continue
        try:
            analysis = analyse_paper(load_paper(str(label.paper)))
        except PaperError as error:
            on_error(str(error))
            continue
        parts = [f"{one.part} {one.replacement}".strip() for one in analysis.reported_ablations]
        names = [metric.name for metric in analysis.metrics]
        yield AnalysisScore(
            label.paper.stem, count_matches(parts, label.ablations), count_matches(names, label.metrics)
        )


def read_analysis_label(path: Path) -> AnalysisLabel | None:
    """Read a label from a JSON file; return None if the file is not a label or has no paper beside it."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        return None
    if path.name == "meta.json":
        return _read_source_label(path.parent, data)
    paper = next((p for p in sorted(path.parent.glob(f"{path.stem}.*")) if p != path), None)
    if paper is None or "ablations" not in data:
        return None
    told = (" ".join((one["name"], one["ablated_part"], *one["replacement"])) for one in data["ablations"])
    return AnalysisLabel(paper, tuple(told), tuple(data["metrics"]))


def _read_source_label(folder: Path, data: dict[str, Any]) -> AnalysisLabel | None:
    if "ablated_components" not in data:
        return None
    return AnalysisLabel(folder, tuple(data["ablated_components"]), tuple(data["metrics"]))


def _label_share(label: str, text: str) -> float:
    """Return the share of a finding's stems that a label contains, 0 if it is below `MATCH_SHARE`."""
    said = set(extract_stems(text))
    share = len(said & set(extract_stems(label))) / len(said) if said else 0.0
    return share if share >= MATCH_SHARE else 0.0


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def analysis(folder: Path) -> None:
    """Measure recall and precision of the reported ablations and metrics on a FOLDER of labelled papers.

    A label is a JSON file beside its paper (`ablations`, `find_metrics`), or a meta.json inside a paper's source folder
    (`ablated_components`, `find_metrics`).

    A finding matches a label if the label (name, ablated part and replacements) contains 60 % of the finding's words,
    stemmed and without stop words; each label needs a finding of its own.
    """
    measured = list(score_analyses(folder, lambda message: click.echo(message, err=True)))
    if not measured:
        raise click.UsageError(f"no labelled papers (<id>.json beside the paper, or <id>/meta.json) in {str(folder)!r}")
    for line in format_analysis_table(measured):
        click.echo(line)


def format_analysis_table(scores: Iterable[AnalysisScore]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums over all papers."""
    yield f"{'paper':32}  {'ablations':>21}  {'metrics':>21}"
    yield f"{'':32}  {'recall':>10} {'precision':>10}  {'recall':>10} {'precision':>10}"
    ablations = metrics = MatchCounts(0, 0, 0, 0)
    for one in scores:
        yield _format_row(one.id, one.ablations, one.metrics)
        ablations, metrics = ablations + one.ablations, metrics + one.metrics
    yield _format_row("all", ablations, metrics)
    for name, total in (("ablations", ablations), ("metrics", metrics)):
        yield f"{name}: recall {_format_share(total.recall)}, precision {_format_share(total.precision)}, over {total.label_count} labels"


def _format_row(name: str, ablations: MatchCounts, metrics: MatchCounts) -> str:
    cells = [
        f"{one.found_labels}/{one.label_count:<2} {one.correct_findings:>7}/{one.finding_count:<3}"
        for one in (ablations, metrics)
    ]
    return f"{name[:32]:32}  {cells[0]:>21}  {cells[1]:>21}"


def _format_share(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


_RESULT_KINDS = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION})


@dataclass(frozen=True, slots=True)
class ExcerptLabel:
    """The evidence of ablations that must not leak, and the heading at which the method ends ("" if not labelled)."""

    id: str
    paper: Path
    evidence: tuple[str, ...]
    method_end: str


@dataclass(frozen=True, slots=True)
class ExcerptScore:
    """The numbers of one paper's excerpt: words of running text before the cut, words kept of them, and leaks."""

    id: str
    end_heading: str
    is_end_correct: bool | None
    word_count: int
    kept_words: int
    leaks: tuple[str, ...]

    @property
    def kept_share(self) -> float:
        """The share of the running text before the cut that is kept, from 0 to 1."""
        return self.kept_words / self.word_count if self.word_count else 1.0


def read_excerpt_labels(folder: Path) -> Iterator[ExcerptLabel]:
    """Yield the labels of a folder: `<id>.json` beside `<id>.pdf`, or `<id>/meta.json` in a paper's source folder."""
    for path in sorted((*folder.glob("*.json"), *folder.glob("*/meta.json"))):
        data = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "meta.json":
            yield ExcerptLabel(path.parent.name, path.parent, tuple(data.get("ablated_components", ())), "")
        elif path.with_suffix(".pdf").exists():
            evidence = tuple(ablation["evidence"] for ablation in data["ablations"])
            yield ExcerptLabel(path.stem, path.with_suffix(".pdf"), evidence, data["method_end"])


def score_excerpt(label: ExcerptLabel) -> ExcerptScore:
    """Cut one paper for the author task and look for leaks.

    Raises:
        PaperError: if the paper cannot be read or cut.
    """
    paper = load_paper(str(label.paper))
    sent = select_sections(paper, Task.AUTHOR)
    ends_at = _end_heading(sent)
    before = _running_text(_sections_before(paper, ends_at))
    kept = _running_text(sent.sections)
    right_end = _normalize_text(label.method_end) == _normalize_text(ends_at) if label.method_end else None
    return ExcerptScore(
        label.id, ends_at, right_end, len(before.split()), len(kept.split()), tuple(_find_leaks(label, sent))
    )


def format_excerpt_table(scores: Iterable[ExcerptScore]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums."""
    yield f"{'paper':28} {'words':>6} {'kept':>6} {'share':>6} {'leaked':>6}  cut before"
    rows = list(scores)
    for one in rows:
        wrong = "  (labelled end is another)" if one.is_end_correct is False else ""
        yield f"{one.id:28} {one.word_count:6} {one.kept_words:6} {one.kept_share:6.3f} {len(one.leaks):6}  {one.end_heading}{wrong}"
        yield from (f"    leaked: {leak}" for leak in one.leaks)
    words, kept = sum(one.word_count for one in rows), sum(one.kept_words for one in rows)
    leaked = sum(len(one.leaks) for one in rows)
    yield f"{'all':28} {words:6} {kept:6} {kept / max(words, 1):6.3f} {leaked:6}"


@click.command(epilog="Example: python -m eval cuts papers/labelled papers/source")
@click.argument(
    "folders", nargs=-1, required=True, metavar="FOLDER…", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
def cuts(folders: tuple[Path, ...]) -> None:
    """Measure the text that the author task keeps and leaks, for each labelled paper of the FOLDERs.

    Kept is the share of the running text (no figures or tables) before the cut. A leak is labelled evidence of an
    ablation, a section of results, or a table in the text that is kept.
    """
    found: list[ExcerptScore] = []
    failed = 0
    for label in (label for folder in folders for label in read_excerpt_labels(folder)):
        try:
            found.append(score_excerpt(label))
        except PaperError as error:
            failed += 1
            click.echo(f"{label.id}: not cut: {error}", err=True)
    for line in format_excerpt_table(found):
        click.echo(line)
    raise SystemExit(1 if failed else 0)


def _end_heading(sent: SectionSelection) -> str:
    """Return the heading before which the excerpt ends, read from the reasons of its left-out parts."""
    quoted = (re.search(r"ends before (['\"])(.*)\1$", part.why) for part in sent.omissions)
    return next((match[2] for match in quoted if match), "")


def _sections_before(paper: Paper, heading: str) -> Iterator[Section]:
    """Yield the sections before a heading without results, references and the abstract, which is sent apart."""
    last = max((i for i, section in enumerate(paper.sections) if section.heading == heading), default=0)
    seen = (section for section in paper.sections[:last] if section.kind not in _RESULT_KINDS)
    yield from (s for s in seen if s.kind not in (SectionKind.ABSTRACT, SectionKind.REFERENCES))


def _running_text(sections: Iterable[Section]) -> str:
    return "\n".join(b.text for section in sections for b in section.blocks if b.kind is BlockKind.PROSE)


def _find_leaks(label: ExcerptLabel, sent: SectionSelection) -> Iterator[str]:
    text = _normalize_text("\n".join(section.text for section in sent.sections))
    yield from (repr(evidence) for evidence in label.evidence if label.method_end and _normalize_text(evidence) in text)
    yield from (f"section {section.heading!r}" for section in sent.sections if section.kind in _RESULT_KINDS)
    tables = [b.text for section in sent.sections for b in section.blocks if b.kind is BlockKind.TABLE]
    yield from (f"table {table[:60]!r}" for table in tables)


def _normalize_text(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKC", text).casefold())
