"""Find the papers of the open bench in a folder of PDFs by their checksums, and score runs on those that are there."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.baseline import LabelledPaper, plan_labelled_papers
from eval.gold import GoldSet, read_gold
from eval.judging import judge_run_offline
from eval.plans import read_systems
from eval.runs import RUN_FILE, JudgedRun, read_judged_run
from eval.tables import TableError, read_table_rows
from planner.errors import UsageError
from planner.schema import Task, list_validation_faults

LABELS: Final = Path(__file__).parent / "bench" / "labels.jsonl"


class BenchPaper(BaseModel):
    """A paper of the bench: the address of its page and of its PDF, the PDF's checksum, and where its method ends."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    address: str
    pdf: str
    sha256: str
    method_end: str

    @property
    def pdf_names(self) -> tuple[str, str]:
        """The names under which the PDF is expected: that of the label, and that of a download."""
        return f"{self.id}.pdf", self.pdf.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class BenchFolder:
    """The papers of the bench that a folder holds, by id, and a sentence for each that is missing."""

    found: Mapping[str, Path]
    missing: tuple[str, ...]


def read_bench_papers() -> tuple[BenchPaper, ...]:
    """Read the papers of the bench.

    Raises:
        TableError: if a row of the labels is damaged.
    """
    try:
        return tuple(BenchPaper.model_validate(row) for row in read_table_rows(LABELS))
    except ValidationError as error:
        raise TableError(f"{LABELS}: {'; '.join(list_validation_faults(error)[:3])}") from error


def find_bench_papers(folder: Path, papers: Sequence[BenchPaper]) -> BenchFolder:
    """Find the PDFs of the papers in a folder by their SHA-256, whatever their names are.

    Raises:
        UsageError: if the folder holds none of them.
        OSError: if a PDF cannot be read.
    """
    paths = {_hash_file(path): path for path in _list_pdfs(folder)}
    found = {paper.id: paths[paper.sha256] for paper in papers if paper.sha256 in paths}
    if not found:
        raise UsageError(f"{folder}: holds none of the {len(papers)} PDFs of the bench; {LABELS} has their addresses")
    missing = tuple(_describe_missing(folder, paper) for paper in papers if paper.id not in found)
    return BenchFolder(found, missing)


async def plan_bench_papers(found: Mapping[str, Path], papers: Sequence[BenchPaper], output: Path, k: int) -> None:
    """Plan the papers that were found with the built-in planner.

    Raises:
        OSError: if the folder cannot be written.
    """
    labelled = (LabelledPaper(paper.id, found[paper.id], paper.method_end) for paper in papers if paper.id in found)
    await plan_labelled_papers(tuple(labelled), output, k)


async def judge_bench_run(folder: Path, found: Mapping[str, Path]) -> list[JudgedRun]:
    """Return the judged runs of a folder on the papers that were found; plans are judged offline.

    Raises:
        TableError: if a file of the run is damaged.
        UsageError: if the folder holds no plans or judged run of the author task.
    """
    gold = read_gold(LABELS, Task.AUTHOR)
    if (folder / RUN_FILE).exists():
        return [_select_papers(read_judged_run(folder), folder, found)]
    gold = GoldSet(gold.task, gold.source, {name: paper for name, paper in gold.papers.items() if name in found})
    return [await judge_run_offline(gold, system) for system in read_systems(folder, Task.AUTHOR)]


def _select_papers(run: JudgedRun, folder: Path, found: Mapping[str, Path]) -> JudgedRun:
    papers = tuple(paper for paper in run.record.papers if paper.id in found)
    if run.record.task is not Task.AUTHOR or not papers:
        raise UsageError(f"{folder}: was not judged with the labels of the bench: --gold {LABELS}")
    return replace(run, record=run.record.model_copy(update={"papers": papers}))


def _list_pdfs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() == ".pdf" and path.is_file())


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe_missing(folder: Path, paper: BenchPaper) -> str:
    if other := next((name for name in paper.pdf_names if (folder / name).is_file()), ""):
        return f"{paper.id}: {other} is not the PDF that was labelled (another SHA-256); it is at {paper.pdf}"
    return f"{paper.id}: missing; it is at {paper.pdf}"
