"""Plan papers, and write the trajectories and records to a folder.

A question is a paper's text, a model and the settings of a prompt. Each question has its own plan.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from planner.chat import Model, ModelInfo, Prompt, TokenCounter
from planner.errors import NotAPaperError, Outcome, PaperError, TrajectoryError
from planner.files import FileLock, write_file_atomically
from planner.models.connect import ModelClient, add_retries
from planner.models.prompt_files import PastedReplyModel
from planner.models.wrappers import CachedModel
from planner.names import build_record_path
from planner.papers.paper import Paper, PaperInfo
from planner.papers.sources import propose_paper_id
from planner.parsing.reply import parse_reply
from planner.planning.first_prompt import PlanSettings, build_prompt
from planner.planning.plan import PlanResult, make_trajectory, plan_paper
from planner.planning.plan_files import (
    PlanFiles,
    RecordStore,
    build_first_plan_path,
    build_further_plan_path,
    build_lock_path,
    choose_plan_files_for_question,
    choose_sample_number,
    find_or_choose_paper_id,
    list_answers_to_other_questions,
    lock_paper,
)
from planner.planning.record import PlanRecord, ReplyPricer, begin_record, finish_record, replace_attempts_and_sums
from planner.planning.session import StepReporter
from planner.sanitize import make_printable
from planner.trajectory.format import Trajectory, render_trajectory

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PlanOutput:
    """The record of a finished paper, its trajectory, and the path of the trajectory.

    If no plan was made now, `trajectory` is None. A file at `trajectory_path` is then an earlier plan for the same
    question.
    """

    record: PlanRecord
    trajectory: Trajectory | None
    trajectory_path: Path

    @property
    def record_path(self) -> Path:
        """The path of the record's file."""
        return build_record_path(self.trajectory_path)

    def describe_as_dict(self, source: str) -> dict[str, object]:
        """Return the result as a JSON object; `source` is the paper's file or address as the user gave it."""
        record = self.record
        return {
            "source": source,
            "paper_id": record.paper.id,
            "title": record.paper.title,
            "outcome": record.outcome.value,
            "reason": record.reason,
            "trajectory": str(self.trajectory_path) if self.trajectory else None,
            "sidecar": str(self.record_path) if self.record_path.exists() else None,
            "cost": record.cost,
            "warnings": list(record.warnings),
        }


async def plan_to_folder(
    folder: Path,
    paper: Paper,
    model: Model,
    settings: PlanSettings,
    compute_reply_cost: ReplyPricer,
    *,
    force: bool = False,
    token_counter: TokenCounter | None = None,
    report_step: StepReporter = log.info,
) -> PlanOutput:
    """Plan one paper and write its trajectory and record into `folder`.

    A request is not sent if the folder already holds a reply to it, unless this reply made the paper fail or `force` is
    true. Use one `token_counter` for several papers, because it learns from each reply. If a reply is invalid and the
    model is asked again, `report_step` gets the reason.

    Raises:
        TrajectoryError: if the record's path holds another kind of file.
        OSError: if the folder cannot be written.
        PromptError: if a template cannot be rendered.
    """
    paper, settings, record = _open_question(folder, paper, model.info, settings)
    async with lock_paper(folder, record):
        files = choose_plan_files_for_question(folder, record)
        others = list_answers_to_other_questions(folder, record, files)
        record = record.model_copy(update={"attempts": files.attempts})
        store = RecordStore(files.record_path, files.planned_record or record, compute_reply_cost, others)

        def choose_sample(prompt: Prompt) -> int:
            return choose_sample_number((*others, *store.attempts), prompt, force)

        cached = CachedModel(model, store)
        result = await plan_paper(paper, cached, settings, choose_sample, token_counter, report_step)
        return _write_result(files, finish_record(record, result, store.attempts), result.trajectory)


async def plan_to_folder_with_client(
    folder: Path,
    paper: Paper,
    client: ModelClient,
    settings: PlanSettings,
    *,
    max_wait: float,
    force: bool = False,
    token_counter: TokenCounter | None = None,
    report_step: StepReporter = log.info,
) -> PlanOutput:
    """Plan one paper as `plan_to_folder` does; retry failed requests for up to `max_wait` seconds."""
    model = client.make_paper_model(paper, settings.task, settings.k, settings.cut_at, with_details=not settings.plain)
    return await plan_to_folder(
        folder,
        paper,
        add_retries(model, max_wait),
        settings,
        lambda completion: client.compute_cost(completion.usage),
        force=force,
        token_counter=token_counter,
        report_step=report_step,
    )


async def write_pasted_plan(folder: Path, paper: Paper, model: PastedReplyModel, settings: PlanSettings) -> PlanOutput:
    """Write the plan in the replies that the user pasted, as `plan_to_folder` does.

    The pasted replies replace recorded replies, because the user may have corrected them. The model is not asked again.
    """
    return await plan_to_folder(folder, paper, model, replace(settings, reasks=0), lambda _: None, force=True)


def find_complete_plan_path(folder: Path, paper: Paper, info: ModelInfo, settings: PlanSettings) -> Path | None:
    """Return the path of the plan if the folder holds it and no request is left to send, otherwise None.

    The errors are those of `plan_to_folder` and `build_prompt`.
    """
    paper, settings, record = _open_question(folder, paper, info, settings)
    files = choose_plan_files_for_question(folder, record)
    if files.planned_record is None:
        return None
    prompt = build_prompt(paper, settings, TokenCounter()).prompt
    first = info.identify_request(replace(prompt, sample=choose_sample_number(files.attempts, prompt)))
    answered = {attempt.identity for attempt in files.attempts if attempt.completion}
    is_complete = answered.issuperset((first, *(attempt.identity for attempt in files.attempts)))
    return files.trajectory_path if is_complete else None


def _open_question(
    folder: Path, paper: Paper, info: ModelInfo, settings: PlanSettings
) -> tuple[Paper, PlanSettings, PlanRecord]:
    """Return (paper with its id in the folder, settings in which `plain` is not None, new record)."""
    paper = replace(paper, id=find_or_choose_paper_id(folder, paper.info, info))
    settings = replace(settings, plain=_has_plain_plan(folder, paper, info, settings))
    return paper, settings, _begin_record(paper, info, settings)


def _begin_record(paper: Paper, info: ModelInfo, settings: PlanSettings) -> PlanRecord:
    return begin_record(paper.info, info, settings, template_sha256=settings.render_empty_prompt().template_sha256)


def _has_plain_plan(folder: Path, paper: Paper, info: ModelInfo, settings: PlanSettings) -> bool:
    """Return `settings.plain`. If it is None, return whether the folder already has a plain plan for the question."""
    if settings.plain is not None:
        return settings.plain
    record = _begin_record(paper, info, replace(settings, plain=True))
    paths = (build_first_plan_path(folder, record), build_further_plan_path(folder, record))
    earlier = (PlanFiles.read(path).planned_record for path in paths)
    return any(plan is not None and plan.question == record.question for plan in earlier)


def record_unreadable_paper(
    folder: Path, source: str, error: PaperError, info: ModelInfo, settings: PlanSettings, given_id: str = ""
) -> PlanOutput:
    """Write the record of a paper that cannot be read; its id is `given_id` or is made from `source`.

    Nothing is written if `source` is not a paper at all, or if another process is planning the paper.
    """
    paper = PaperInfo(id=given_id or propose_paper_id(source), title="", format="", source=source)
    paper = replace(paper, id=find_or_choose_paper_id(folder, paper, info))
    record = begin_record(paper, info, settings)
    result = PlanResult(Outcome.PAPER_ERROR, reason=make_printable(str(error)))
    path = build_first_plan_path(folder, record)
    lock = FileLock(build_lock_path(folder, record))
    # A process that is planning the paper writes a better record.
    if isinstance(error, NotAPaperError) or not lock.try_acquire():
        return PlanOutput(finish_record(record, result, ()), None, path)
    try:
        files = PlanFiles.read(path)
        return _write_result(files, finish_record(record, result, files.attempts), None)
    finally:
        lock.delete_and_release()


def write_plan_files(folder: Path, record: PlanRecord, trajectory: Trajectory | None) -> None:
    """Write the record and trajectory of a paper in a run; if there is no new plan, keep an earlier one.

    If the path holds a plan for another question, that plan is moved to another path. The files are not synchronised to
    the disk, because the run's ledger can restore them.

    Raises:
        OSError: if the folder cannot be written.
    """
    path, further = build_first_plan_path(folder, record), build_further_plan_path(folder, record)
    if trajectory is None and path.exists() and build_record_path(path).exists():
        return
    has_moved = _move_other_plan(folder, path, record)
    _write_files(path, record, trajectory, durable=False)
    if has_moved:  # this question may be an earlier one, whose plan was moved to the further name
        for file in (further, build_record_path(further)):
            file.unlink(missing_ok=True)


def _move_other_plan(folder: Path, path: Path, record: PlanRecord) -> bool:
    """Move the plan at `path` to another path if it is for another question; return whether it was moved."""
    try:
        earlier = PlanFiles.read(path)
    except TrajectoryError:  # a damaged record, whose content the run's ledger has too
        return False
    if earlier.planned_record is None or earlier.planned_record.question == record.question:
        return False
    further = build_further_plan_path(folder, earlier.planned_record)
    # The trajectory is moved first: if the program is killed in between, the record shows that both must be moved.
    for source, target in ((path, further), (earlier.record_path, build_record_path(further))):
        if source.exists():
            source.replace(target)
    return True


def write_combined_plan(folder: Path, record: PlanRecord, trajectory: Trajectory) -> PlanOutput:
    """Write a plan that was combined from others; plans for other questions about the paper stay.

    The files are not synchronised to the disk, because the plan can be made again.

    Raises:
        TrajectoryError: if the plan's path holds another kind of file, or the plan of another paper.
        OSError: if the folder cannot be written.
    """
    return _write_files(
        choose_plan_files_for_question(folder, record).trajectory_path, record, trajectory, durable=False
    )


def rebuild_trajectory_from_record(record: PlanRecord) -> Trajectory | None:
    """Return the trajectory from the replies in a record, None if no reply gave a plan.

    Raises:
        OutputError: if the reply with the plan can no longer be parsed.
    """
    planned = [a.completion for a in record.attempts if a.outcome is Outcome.PLANNED and a.completion]
    if record.outcome is not Outcome.PLANNED or not planned:
        return None
    reply = parse_reply(planned[-1], record.k, record.min_chance)
    return make_trajectory(record.planner, record.model, record.paper.id, record.task, reply)


def _write_files(path: Path, record: PlanRecord, trajectory: Trajectory | None, *, durable: bool) -> PlanOutput:
    # The trajectory is written first, so a record with the outcome "planned" always has its trajectory.
    if trajectory is not None:
        write_file_atomically(path, render_trajectory(trajectory), durable=durable)
    write_file_atomically(build_record_path(path), record.to_json(), durable=durable)
    return PlanOutput(record, trajectory, path)


def _write_result(files: PlanFiles, record: PlanRecord, trajectory: Trajectory | None) -> PlanOutput:
    """Write the record and the trajectory; if only an earlier plan exists, keep it and update its list of requests."""
    if trajectory is None and files.planned_record:
        write_file_atomically(
            files.record_path, replace_attempts_and_sums(files.planned_record, record.attempts).to_json()
        )
        return PlanOutput(record, None, files.trajectory_path)
    return _write_files(files.trajectory_path, record, trajectory, durable=True)
