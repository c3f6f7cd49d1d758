"""Read and write the folder of a judged run: one judge's verdicts on one system's plans.

`<id>.jsonl` and `evaluations.json` have AblationBench's formats, so the published code can score and vote on them.
`judging.json` holds everything else, and `replies/` every reply with the sides that the judge saw.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eval.metrics import (
    LabelPairs,
    compute_precision_recall_f1,
    compute_published_ndcg,
    label_author_plan,
    label_reviewer_plan,
)
from eval.plans import PaperStatus
from eval.tables import MAX_TABLE_BYTES, TableError
from eval.verdicts import (
    AuthorVerdict,
    ReviewerVerdict,
    Verdict,
    build_verdict_path,
    read_author_verdicts,
    read_reviewer_verdicts,
    write_verdicts,
)
from planner import __version__
from planner.errors import Outcome, UsageError
from planner.files import read_bounded_file, write_file_atomically
from planner.schema import Action, Task, list_validation_faults

FORMAT_VERSION: Final = "ablation-judging-1"
RUN_FILE: Final = "judging.json"
EVALUATIONS_FILE: Final = "evaluations.json"
REPLIES_FOLDER: Final = "replies"


class _FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PlannedItem(_FrozenModel):
    """The facts about a planned ablation that a report needs."""

    name: str
    action: Action
    replacements: int = 0
    chance: int | None = Field(default=None, exclude_if=lambda chance: chance is None)


class JudgedPaper(_FrozenModel):
    """A gold paper, its plan and its status; costs are in USD, None if unknown. The verdicts have a file of their own.

    `gold` holds the names of the paper's ablations (author task); `suggestions` is the number of ablations that the
    paper has or the reviews ask for. Only masked papers have `considered`, candidates that were judged and are not in
    the plan, and `reported`, the number of planned ablations that the text reports already (None if unknown). `asked`
    is the number of replies; `flags` are doubts about the plan or the verdicts, and `positional` is True if the judge
    matched the first items that it saw.
    """

    id: str
    status: PaperStatus
    reason: str = ""
    outcome: Outcome | None = None
    gold: tuple[str, ...] = ()
    suggestions: int = 0
    plan: tuple[PlannedItem, ...] = ()
    considered: tuple[PlannedItem, ...] = Field(default=(), exclude_if=lambda considered: not considered)
    reported: int | None = Field(default=None, exclude_if=lambda reported: reported is None)
    plan_cost: float | None = None
    judge_cost: float | None = None
    asked: int = 0
    positional: bool | None = None
    flags: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def planned_names(self) -> tuple[str, ...]:
        """The names of the planned ablations, in the plan's order."""
        return tuple(item.name for item in self.plan)

    @property
    def judged_items(self) -> tuple[PlannedItem, ...]:
        """The ablations that were judged, in the order in which they rank: those of the plan come first."""
        return (*self.plan, *self.considered)


class JudgingRecord(_FrozenModel):
    """The record of a judged run, as in judging.json; `repetition` is the sample number of each prompt.

    `is_masked` is true if the gold are masked papers.
    """

    format_version: str = FORMAT_VERSION
    program_version: str = __version__
    task: Task
    is_masked: bool = Field(default=False, exclude_if=lambda is_masked: not is_masked)
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
        return (self.task, self.system, self.judge, self.endpoint, str(self.repetition), str(self.is_masked))

    @property
    def verdict_task(self) -> Task:
        """The task whose verdicts the run has; those on masked papers match ablations with answers, as author's do."""
        return Task.AUTHOR if self.is_masked else self.task


@dataclass(frozen=True, slots=True)
class JudgedRun:
    """A judged run: its record, and the verdicts on each scored paper by its id."""

    record: JudgingRecord
    verdicts: Mapping[str, tuple[Verdict, ...]]


def read_judged_run(folder: Path) -> JudgedRun:
    """Read a judged run with its verdicts.

    Raises:
        TableError: if a file of the run is damaged or missing.
        UsageError: if the folder holds no run.
    """
    record = read_judging_record(folder)
    scored = [paper.id for paper in record.papers if paper.status is PaperStatus.SCORED]
    return JudgedRun(record, {paper_id: read_verdicts(folder, paper_id, record.verdict_task) for paper_id in scored})


def read_judging_record(folder: Path) -> JudgingRecord:
    """Read the record of a judged run.

    Raises:
        TableError: if the folder's judging.json is damaged.
        UsageError: if the folder has no judging.json.
    """
    path = folder / RUN_FILE
    try:
        return JudgingRecord.model_validate_json(read_bounded_file(path, MAX_TABLE_BYTES))
    except OSError as error:
        raise UsageError(f"{folder}: there is no {RUN_FILE}; `python -m eval judge` writes such a folder") from error
    except ValidationError as error:
        raise TableError(f"{path}: {'; '.join(list_validation_faults(error)[:3])}") from error


def write_judged_run(folder: Path, judged_run: JudgedRun, k: int | None = None) -> None:
    """Write a judged run without its replies; `k` limits the plans in evaluations.json only.

    If a paper has no verdicts now, the file of verdicts from an earlier run is deleted.
    """
    record, verdicts = judged_run.record, judged_run.verdicts
    for paper in record.papers:
        path = build_verdict_path(folder, paper.id)
        if paper.id in verdicts:
            write_verdicts(path, verdicts[paper.id])
        else:
            path.unlink(missing_ok=True)
    evaluations = [
        build_evaluation(record.verdict_task, p, verdicts[p.id], k) for p in record.papers if p.id in verdicts
    ]
    write_file_atomically(folder / EVALUATIONS_FILE, json.dumps(evaluations, ensure_ascii=False, indent=1) + "\n")
    write_file_atomically(folder / RUN_FILE, record.model_dump_json(indent=1) + "\n")


def read_verdicts(folder: Path, paper_id: str, task: Task) -> tuple[Verdict, ...]:
    """Read the verdicts on one paper.

    Raises:
        TableError: if the file is damaged or cannot be read.
    """
    path = build_verdict_path(folder, paper_id)
    try:
        return read_author_verdicts(path) if task is Task.AUTHOR else read_reviewer_verdicts(path)
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror or error}") from error


def label_paper(task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None) -> LabelPairs:
    """Return the published labels of one paper at k."""
    names = [item.name for item in paper.judged_items][:k]
    if task is Task.AUTHOR:
        return label_author_plan(paper.gold, names, [v for v in verdicts if isinstance(v, AuthorVerdict)])
    appears = {v.name_in_plan: v.appears_in_review for v in verdicts if isinstance(v, ReviewerVerdict)}
    return label_reviewer_plan([appears[name] for name in names if name in appears], paper.suggestions)


def build_evaluation(
    task: Task, paper: JudgedPaper, verdicts: Iterable[Verdict], k: int | None = None
) -> dict[str, Any]:
    """Return a paper's entry in evaluations.json, with AblationBench's keys."""
    labels = label_paper(task, paper, verdicts, k)
    precision, recall, f1 = compute_precision_recall_f1(labels)
    scores = {"precision": precision, "recall": recall, "f1_score": f1}
    if task is Task.AUTHOR:
        scores["ndcg_score"] = compute_published_ndcg(labels, min(len(paper.judged_items[:k]), len(paper.gold)))
    names = {"id": paper.id, "true_labels": list(labels.true), "pred_labels": list(labels.pred)}
    return {**names, **scores, "cost": paper.judge_cost}
