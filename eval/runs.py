"""Read and write the folder of a judged run: one judge's verdicts on one system's plans.

`<id>.jsonl` and `evaluations.json` have AblationBench's formats, so the published code can score and vote on them.
`judging.json` holds everything else, and `replies/` every reply with the sides that the judge saw.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.coverage import Status
from eval.metrics import Labels, author_labels, precision_recall_f1, published_ndcg, reviewer_labels
from eval.tables import TableError
from eval.verdicts import (
    AuthorVerdict,
    ReviewerVerdict,
    Verdict,
    read_author_verdicts,
    read_reviewer_verdicts,
    verdict_path,
    write_verdicts,
)
from planner import __version__
from planner.errors import Outcome, UsageError
from planner.schema import Action, Task, findings
from planner.trajectory.files import write_atomically

FORMAT_VERSION: Final = "ablation-judging-1"
RUN_FILE: Final = "judging.json"
EVALUATIONS_FILE: Final = "evaluations.json"
REPLIES: Final = "replies"


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Item(_Facts):
    """The facts about a planned ablation that a report needs."""

    name: str
    action: Action
    replacements: int = 0


class JudgedPaper(_Facts):
    """A gold paper, its plan and its status; costs are in USD, None if unknown. The verdicts have a file of their own.

    `gold` are the names of the paper's ablations (author); `suggestions` is the number of ablations that the paper
    has or the reviews ask for. `asked` is the number of replies; `flags` are doubts about the plan or the verdicts, and
    `positional` is True if the judge matched the first items that it saw.
    """

    id: str
    status: Status
    reason: str = ""
    outcome: Outcome | None = None
    gold: tuple[str, ...] = ()
    suggestions: int = 0
    plan: tuple[Item, ...] = ()
    plan_cost: float | None = None
    judge_cost: float | None = None
    asked: int = 0
    positional: bool | None = None
    flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the planned ablations, in the plan's order."""
        return tuple(item.name for item in self.plan)


class JudgeRun(_Facts):
    """The record of a judged run, as in judging.json; `repetition` is the sample number of each prompt."""

    format_version: str = FORMAT_VERSION
    program_version: str = __version__
    task: Task
    system: str
    judge: str
    endpoint: str = ""
    parameters: Mapping[str, Any] = {}
    repetition: int = 0
    gold: str = ""
    without_gold: int = 0
    papers: tuple[JudgedPaper, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, ...]:
        """The facts that two runs must share to be written to one folder."""
        return (self.task, self.system, self.judge, self.endpoint, str(self.repetition))


@dataclass(frozen=True, slots=True)
class Judging:
    """A judged run: its record, and the verdicts on each scored paper by its id."""

    run: JudgeRun
    verdicts: Mapping[str, tuple[Verdict, ...]]


def read_judging(folder: Path) -> Judging:
    """Read a judged run with its verdicts.

    Raises:
        TableError: if a file of the run is damaged or missing.
        UsageError: if the folder holds no run.
    """
    run = read_run(folder)
    scored = [paper.id for paper in run.papers if paper.status is Status.SCORED]
    return Judging(run, {paper_id: read_verdicts(folder, paper_id, run.task) for paper_id in scored})


def read_run(folder: Path) -> JudgeRun:
    """Read the record of a judged run.

    Raises:
        TableError: if the folder's judging.json is damaged.
        UsageError: if the folder has no judging.json.
    """
    path = folder / RUN_FILE
    try:
        return JudgeRun.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{folder}: there is no {RUN_FILE}; `python -m eval judge` writes such a folder") from error
    except ValidationError as error:
        raise TableError(f"{path}: {'; '.join(findings(error)[:3])}") from error


def write_judging(folder: Path, judging: Judging, k: int | None = None) -> None:
    """Write a judged run without its replies; `k` limits the plans in evaluations.json only.

    If a paper has no verdicts now, the file of verdicts from an earlier run is deleted.
    """
    run, verdicts = judging.run, judging.verdicts
    for paper in run.papers:
        path = verdict_path(folder, paper.id)
        if paper.id in verdicts:
            write_verdicts(path, verdicts[paper.id])
        else:
            path.unlink(missing_ok=True)
    records = [evaluation(run.task, p, verdicts[p.id], k) for p in run.papers if p.id in verdicts]
    write_atomically(folder / EVALUATIONS_FILE, json.dumps(records, ensure_ascii=False, indent=1) + "\n")
    write_atomically(folder / RUN_FILE, run.model_dump_json(indent=1) + "\n")


def read_verdicts(folder: Path, paper_id: str, task: Task) -> tuple[Verdict, ...]:
    """Read the verdicts on one paper.

    Raises:
        TableError: if the file is damaged or cannot be read.
    """
    path = verdict_path(folder, paper_id)
    try:
        return read_author_verdicts(path) if task is Task.AUTHOR else read_reviewer_verdicts(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror or error}") from error


def labels_of(task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None) -> Labels:
    """Return the published labels of one paper at k."""
    names = paper.names[:k]
    if task is Task.AUTHOR:
        return author_labels(paper.gold, names, [v for v in verdicts if isinstance(v, AuthorVerdict)])
    appears = {v.name_in_plan: v.appears_in_review for v in verdicts if isinstance(v, ReviewerVerdict)}
    return reviewer_labels([appears[name] for name in names if name in appears], paper.suggestions)


def evaluation(task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None) -> dict[str, Any]:
    """Return a paper's entry in evaluations.json, with AblationBench's keys."""
    labels = labels_of(task, paper, verdicts, k)
    precision, recall, f1 = precision_recall_f1(labels)
    record: dict[str, Any] = {"id": paper.id, "true_labels": list(labels.true), "pred_labels": list(labels.pred)}
    record |= {"precision": precision, "recall": recall, "f1_score": f1}
    if task is Task.AUTHOR:
        record["ndcg_score"] = published_ndcg(labels, min(len(paper.names[:k]), len(paper.gold)))
    return {**record, "cost": paper.judge_cost}
