"""Measure how much of a paper the author task keeps, and which evidence of ablations it leaks."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from planner.errors import PaperError
from planner.papers.cut import Cut, cut
from planner.papers.load import load
from planner.papers.paper import BlockKind, Paper, Section, SectionKind
from planner.schema import Task

_RESULTS = frozenset({SectionKind.EXPERIMENTS, SectionKind.ABLATION})


@dataclass(frozen=True, slots=True)
class Label:
    """The evidence of ablations that must not leak, and the heading at which the method ends ("" if not labelled)."""

    id: str
    paper: Path
    evidence: tuple[str, ...]
    method_end: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The numbers of one paper's excerpt: words of running text before the cut, words kept of them, and leaks."""

    id: str
    ends_at: str
    right_end: bool | None
    words: int
    kept: int
    leaked: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the running text before the cut that is kept, from 0 to 1."""
        return self.kept / self.words if self.words else 1.0


def labels(folder: Path) -> Iterator[Label]:
    """Yield the labels of a folder: `<id>.json` beside `<id>.pdf`, or `<id>/meta.json` in a paper's source folder."""
    for path in sorted((*folder.glob("*.json"), *folder.glob("*/meta.json"))):
        data = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "meta.json":
            yield Label(path.parent.name, path.parent, tuple(data.get("ablated_components", ())), "")
        elif path.with_suffix(".pdf").exists():
            evidence = tuple(ablation["evidence"] for ablation in data["ablations"])
            yield Label(path.stem, path.with_suffix(".pdf"), evidence, data["method_end"])


def measure(label: Label) -> Measured:
    """Cut one paper for the author task and look for leaks.

    Raises:
        PaperError: if the paper cannot be read or cut.
    """
    paper = load(str(label.paper))
    sent = cut(paper, Task.AUTHOR)
    ends_at = _end(sent)
    before = _prose(_before(paper, ends_at))
    kept = _prose(sent.kept)
    right_end = _plain(label.method_end) == _plain(ends_at) if label.method_end else None
    return Measured(label.id, ends_at, right_end, len(before.split()), len(kept.split()), tuple(_leaks(label, sent)))


def report(measured: Iterable[Measured]) -> Iterator[str]:
    """Yield the lines of the table: one for each paper, then the sums."""
    yield f"{'paper':28} {'words':>6} {'kept':>6} {'share':>6} {'leaked':>6}  cut before"
    rows = list(measured)
    for one in rows:
        wrong = "  (labelled end is another)" if one.right_end is False else ""
        yield f"{one.id:28} {one.words:6} {one.kept:6} {one.share:6.3f} {len(one.leaked):6}  {one.ends_at}{wrong}"
        yield from (f"    leaked: {leak}" for leak in one.leaked)
    words, kept = sum(one.words for one in rows), sum(one.kept for one in rows)
    leaked = sum(len(one.leaked) for one in rows)
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
    found: list[Measured] = []
    failed = 0
    for label in (label for folder in folders for label in labels(folder)):
        try:
            found.append(measure(label))
        except PaperError as error:
            failed += 1
            click.echo(f"{label.id}: not cut: {error}", err=True)
    for line in report(found):
        click.echo(line)
    raise SystemExit(1 if failed else 0)


def _end(sent: Cut) -> str:
    """Return the heading before which the excerpt ends, read from the reasons of its left-out parts."""
    quoted = (re.search(r"ends before (['\"])(.*)\1$", part.why) for part in sent.left_out)
    return next((match[2] for match in quoted if match), "")


def _before(paper: Paper, heading: str) -> Iterator[Section]:
    """Yield the sections before a heading without results, references and the abstract, which is sent apart."""
    last = max((i for i, section in enumerate(paper.sections) if section.heading == heading), default=0)
    seen = (section for section in paper.sections[:last] if section.kind not in _RESULTS)
    yield from (s for s in seen if s.kind not in (SectionKind.ABSTRACT, SectionKind.REFERENCES))


def _prose(sections: Iterable[Section]) -> str:
    return "\n".join(b.text for section in sections for b in section.blocks if b.kind is BlockKind.PROSE)


def _leaks(label: Label, sent: Cut) -> Iterator[str]:
    text = _plain("\n".join(section.text for section in sent.kept))
    yield from (repr(evidence) for evidence in label.evidence if label.method_end and _plain(evidence) in text)
    yield from (f"section {section.heading!r}" for section in sent.kept if section.kind in _RESULTS)
    tables = [b.text for section in sent.kept for b in section.blocks if b.kind is BlockKind.TABLE]
    yield from (f"table {table[:60]!r}" for table in tables)


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", unicodedata.normalize("NFKC", text).casefold())
