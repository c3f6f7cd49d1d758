"""Measure the analysis and the author task's excerpt of papers against labels that people made by hand."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from eval.matching import find_best_assignment
from eval.tables import TableError, read_json
from planner.analysis.analyse import analyse_paper
from planner.errors import PaperError
from planner.matching import extract_stems
from planner.papers.excerpt import cut_excerpt
from planner.papers.load import load_paper
from planner.papers.paper import BlockKind, Excerpt, Paper, Section, SectionKind
from planner.schema import Task, list_validation_faults

SOURCE_LABEL: Final = "meta.json"
MATCH_SHARE: Final = 0.6
"""The least share of a finding's stems that a label must contain for the two to match."""

_RESULT_KINDS: Final = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION})


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


@dataclass(frozen=True, slots=True)
class ExcerptLabel:
    """The evidence of ablations that must not leak, and the heading at which the method ends ("" if not labelled)."""

    id: str
    paper: Path
    evidence: tuple[str, ...] = ()
    method_end: str = ""


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


class _DescribedAblation(BaseModel):
    name: str
    ablated_part: str
    replacement: tuple[str, ...]


class _AnalysisFile(BaseModel):
    ablations: tuple[_DescribedAblation, ...]
    metrics: tuple[str, ...]


class _AnalysisSourceFile(BaseModel):
    ablated_components: tuple[str, ...]
    metrics: tuple[str, ...]


class _EvidencedAblation(BaseModel):
    evidence: str


class _ExcerptFile(BaseModel):
    ablations: tuple[_EvidencedAblation, ...]
    method_end: str


_File = TypeVar("_File", bound=BaseModel)


def score_analyses(folder: Path, on_error: Callable[[str], None] = lambda _: None) -> Iterator[AnalysisScore]:
    """Analyse every labelled paper of a folder; pass the error of an unreadable one to `on_error` and go on.

    A label is `<id>.json` beside the paper, or `meta.json` inside a paper's source folder.

    Raises:
        TableError: if a label cannot be read.
    """
    for path in (*sorted(folder.glob("*.json")), *sorted(folder.glob(f"*/{SOURCE_LABEL}"))):
        if (label := read_analysis_label(path)) is None:
            continue
        try:
            analysis = analyse_paper(load_paper(str(label.paper)))
        except PaperError as error:
            on_error(str(error))
            continue
        ablations = [f"{found.part} {found.replacement}".strip() for found in analysis.reported_ablations]
        metrics = [metric.name for metric in analysis.metrics]
        yield AnalysisScore(
            label.paper.stem, count_matches(ablations, label.ablations), count_matches(metrics, label.metrics)
        )


def read_analysis_label(path: Path) -> AnalysisLabel | None:
    """Read a label from a JSON file; return None if the file is not a label or has no paper beside it.

    Raises:
        TableError: if the file is not JSON, or a field of the label is missing or has the wrong type.
    """
    is_source = path.name == SOURCE_LABEL
    paper = path.parent if is_source else find_paper_beside(path)
    value = read_json(path) if paper else None
    if paper is None or not isinstance(value, dict):
        return None
    if is_source and "ablated_components" in value:
        source_label = _validate(_AnalysisSourceFile, value, path)
        return AnalysisLabel(paper, source_label.ablated_components, source_label.metrics)
    if not is_source and "ablations" in value:
        label = _validate(_AnalysisFile, value, path)
        texts = (" ".join((found.name, found.ablated_part, *found.replacement)) for found in label.ablations)
        return AnalysisLabel(paper, tuple(texts), label.metrics)
    return None


def find_paper_beside(label_path: Path) -> Path | None:
    """Return the paper that has the name of a label but another ending, None if there is none."""
    return next((path for path in sorted(label_path.parent.glob(f"{label_path.stem}.*")) if path != label_path), None)


def count_matches(findings: Sequence[str], labels: Sequence[str]) -> MatchCounts:
    """Compare by stems: a label needs a finding of its own to be recalled; a finding is right if any label holds it."""
    shares = [[_label_share(label, text) for text in findings] for label in labels]
    correct = sum(any(column) for column in zip(*shares, strict=True)) if shares else 0
    return MatchCounts(len(labels), len(find_best_assignment(shares)), len(findings), correct)


def read_excerpt_labels(folder: Path) -> Iterator[ExcerptLabel]:
    """Yield the labels of a folder: `<id>.json` beside `<id>.pdf`, or `<id>/meta.json` in a paper's source folder.

    Raises:
        TableError: if a label cannot be read.
    """
    for path in sorted((*folder.glob("*.json"), *folder.glob(f"*/{SOURCE_LABEL}"))):
        paper = path.with_suffix(".pdf")
        if path.name == SOURCE_LABEL:
            yield ExcerptLabel(path.parent.name, path.parent)
        elif paper.exists():
            label = _validate(_ExcerptFile, read_json(path), path)
            evidence = tuple(ablation.evidence for ablation in label.ablations)
            yield ExcerptLabel(path.stem, paper, evidence, label.method_end)


def score_excerpt(label: ExcerptLabel) -> ExcerptScore:
    """Cut one paper for the author task and look for leaks.

    Raises:
        PaperError: if the paper cannot be read or cut.
    """
    paper = load_paper(str(label.paper))
    excerpt = cut_excerpt(paper, Task.AUTHOR)
    end_heading = _find_end_heading(excerpt)
    before = _join_prose(_sections_before(paper, end_heading))
    kept = _join_prose(excerpt.sections)
    is_end_correct = _normalize(label.method_end) == _normalize(end_heading) if label.method_end else None
    leaks = tuple(_find_leaks(label, excerpt))
    return ExcerptScore(label.id, end_heading, is_end_correct, len(before.split()), len(kept.split()), leaks)


def _validate(model: type[_File], value: Any, path: Path) -> _File:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise TableError(f"{path}: {'; '.join(list_validation_faults(error)[:3])}") from error


def _label_share(label: str, text: str) -> float:
    """Return the share of a finding's stems that a label contains, 0 if it is below `MATCH_SHARE`."""
    stems = set(extract_stems(text))
    share = len(stems & set(extract_stems(label))) / len(stems) if stems else 0.0
    return share if share >= MATCH_SHARE else 0.0


def _find_end_heading(excerpt: Excerpt) -> str:
    """Return the heading before which the excerpt ends, read from the reasons of its omissions."""
    matches = (re.search(r"ends before (['\"])(.*)\1$", omission.why) for omission in excerpt.omissions)
    return next((match[2] for match in matches if match), "")


def _sections_before(paper: Paper, heading: str) -> Iterator[Section]:
    """Yield the sections before a heading without results, references and the abstract, which is sent apart."""
    last = max((i for i, section in enumerate(paper.sections) if section.heading == heading), default=0)
    left_out = {*_RESULT_KINDS, SectionKind.ABSTRACT, SectionKind.REFERENCES}
    return (section for section in paper.sections[:last] if section.kind not in left_out)


def _join_prose(sections: Iterable[Section]) -> str:
    return "\n".join(b.text for section in sections for b in section.blocks if b.kind is BlockKind.PROSE)


def _find_leaks(label: ExcerptLabel, excerpt: Excerpt) -> Iterator[str]:
    text = _normalize("\n".join(section.text for section in excerpt.sections))
    yield from (repr(evidence) for evidence in label.evidence if label.method_end and _normalize(evidence) in text)
    yield from (f"section {section.heading!r}" for section in excerpt.sections if section.kind in _RESULT_KINDS)
    tables = [b.text for section in excerpt.sections for b in section.blocks if b.kind is BlockKind.TABLE]
    yield from (f"table {table[:60]!r}" for table in tables)


def _normalize(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKC", text).casefold())
