"""The folder of one judge's run over one system's plans.

`<id>.jsonl` and `evaluations.json` are AblationBench's forms, so the published code can score and vote on them;
`judging.json` holds what those forms have no place for, and `replies/` every reply with the sides that it was given.
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
    """What of a planned ablation a report needs."""

    name: str
    action: Action
    replacements: int = 0


class JudgedPaper(_Facts):
    """One gold paper, its plan and its verdicts; costs are in USD, None where they are not known.

    `gold` are the names of the paper's ablations (author), `suggestions` the number that the reviews ask for
    (reviewer). `asked` counts replies, `flags` say what in plan or verdicts a reader should look at. The verdicts are
    no part of the JSON: they have their own file.
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
        """The names of the planned ablations, in rank order."""
        return tuple(item.name for item in self.plan)


class JudgeRun(_Facts):
    """One judge over one system's plans; `repetition` is the sample number of each question."""

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
        """What two runs into one folder must agree on."""
        return (self.task, self.system, self.judge, self.endpoint, str(self.repetition))


@dataclass(frozen=True, slots=True)
class Judging:
    """A whole run, with the verdicts of each scored paper."""

    run: JudgeRun
    verdicts: Mapping[str, tuple[Verdict, ...]]


def read_judging(folder: Path) -> Judging:
    """A run with its verdicts.

    Raises:
        TableError: a file of the run is damaged or missing.
        UsageError: the folder holds no run.
    """
    run = read_run(folder)
    scored = [paper.id for paper in run.papers if paper.status is Status.SCORED]
    return Judging(run, {paper_id: read_verdicts(folder, paper_id, run.task) for paper_id in scored})


def read_run(folder: Path) -> JudgeRun:
    """The facts of a run.

    Raises:
        TableError: the folder's judging.json is damaged.
        UsageError: the folder holds none.
    """
    path = folder / RUN_FILE
    try:
        return JudgeRun.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{folder}: no {RUN_FILE} there; `python -m eval judge` writes such a folder") from error
    except ValidationError as error:
        raise TableError(f"{path}: {'; '.join(findings(error)[:3])}") from error


def write_judging(folder: Path, judging: Judging, k: int | None = None) -> None:
    """Write everything but the replies; `k` cuts the plans for the numbers of evaluations.json only.

    A file of verdicts that an earlier run left for a paper without any is removed.
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
    """The verdicts on one paper.

    Raises:
        TableError: the file is damaged, or there is none.
    """
    path = verdict_path(folder, paper_id)
    try:
        return read_author_verdicts(path) if task is Task.AUTHOR else read_reviewer_verdicts(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror or error}") from error


def labels_of(task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None) -> Labels:
    """The published labels of one paper at k."""
    names = paper.names[:k]
    if task is Task.AUTHOR:
        return author_labels(paper.gold, names, [v for v in verdicts if isinstance(v, AuthorVerdict)])
    appears = {v.name_in_plan: v.appears_in_review for v in verdicts if isinstance(v, ReviewerVerdict)}
    return reviewer_labels([appears[name] for name in names if name in appears], paper.suggestions)


def evaluation(task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None) -> dict[str, Any]:
    """One record of evaluations.json, with AblationBench's keys."""
    labels = labels_of(task, paper, verdicts, k)
    precision, recall, f1 = precision_recall_f1(labels)
    record: dict[str, Any] = {"id": paper.id, "true_labels": list(labels.true), "pred_labels": list(labels.pred)}
    record |= {"precision": precision, "recall": recall, "f1_score": f1}
    if task is Task.AUTHOR:
        record["ndcg_score"] = published_ndcg(labels, min(len(paper.names[:k]), len(paper.gold)))
    return {**record, "cost": paper.judge_cost}
