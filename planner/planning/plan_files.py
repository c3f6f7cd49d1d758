"""The files of plans in a folder: their paths, the stored replies, and the lock of a paper.

A question is a paper's text, a model and the settings of a prompt. Each question has its own plan.
"""

import asyncio
import itertools
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from planner.chat import Completion, ModelInfo, Prompt
from planner.errors import ModelError, Outcome, TrajectoryError
from planner.files import (
    FileLock,
    describe_os_error,
    require_regular_file,
    write_temporary_file,
)
from planner.names import (
    RECORD_SUFFIX,
    TRAJECTORY_SUFFIX,
    build_record_path,
    build_trajectory_path,
)
from planner.papers.paper import PaperInfo
from planner.papers.sources import propose_paper_id
from planner.planning.record import (
    REPLY_FAILURES,
    AttemptRecord,
    PaperRecord,
    PlanRecord,
    ReplyPricer,
    create_attempt_record,
)

log = logging.getLogger(__name__)

_LOCK_WAIT: Final = 0.2  # seconds between two tries to lock a paper
_MAX_HEAD_BYTES: Final = 65_536  # bytes at the beginning of a record, in which the hash of its paper stands


@dataclass(slots=True)
class RecordStore:
    """A store of the replies about one paper; it writes each request and each reply to `path` at once.

    `reusable_attempts` are requests for other questions about the paper. Their replies are used again.
    """

    path: Path
    record: PlanRecord
    compute_reply_cost: ReplyPricer
    reusable_attempts: tuple[AttemptRecord, ...] = ()

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """The recorded requests."""
        return self.record.attempts

    def reuse_reply(self, identity: str) -> Completion | None:
        """Return the recorded reply to a request, or None. A reply for another question is recorded here too."""
        known = (*self.attempts, *self.reusable_attempts)
        found = next((each for each in known if each.identity == identity and each.completion), None)
        if found is None:
            return None
        if found not in self.attempts:
            self._write_attempts((*self.attempts, found))
        return found.completion

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Record that a request is about to be sent."""
        self._write_attempts((*self.attempts, create_attempt_record(identity, prompt)))

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Record the reply to a request.

        Raises:
            OSError: if the record cannot be written; the message names a temporary file that holds the reply.
        """
        try:
            self._update_attempt(identity, {"completion": completion, "cost": self.compute_reply_cost(completion)})
        except OSError as error:
            raise OSError(f"{self.path}: {describe_os_error(error)}; {self._keep_elsewhere(completion)}") from error

    def _keep_elsewhere(self, completion: Completion) -> str:
        """Write the record with a paid reply to a temporary file; return a sentence that names this file."""
        try:
            place = write_temporary_file(self.record.to_json(), RECORD_SUFFIX)
        except OSError as error:
            reason = describe_os_error(error)
            return f"a temporary file cannot be written either ({reason}), so copy this paid reply: {completion.text}"
        return (
            f"the paid reply is kept in {place}: when {self.path} can be written, "
            "move the file to that path and run the same command again"
        )

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Record the error of a request."""
        self._update_attempt(identity, {"outcome": error.outcome, "findings": (str(error),)})

    def _update_attempt(self, identity: str, update: dict[str, object]) -> None:
        """Update the fields of the last recorded request with this identity."""
        last = next(attempt for attempt in reversed(self.attempts) if attempt.identity == identity)
        self._write_attempts([a.model_copy(update=update) if a is last else a for a in self.attempts])

    def _write_attempts(self, attempts: Sequence[AttemptRecord]) -> None:
        self.record = self.record.model_copy(update={"attempts": tuple(attempts)})
        self.record.write(self.path)


def choose_sample_number(attempts: Sequence[AttemptRecord], prompt: Prompt, force: bool = False) -> int:
    """Return the sample number for a first prompt. A new number makes the model reply anew to the same prompt.

    The number is 0 if no reply is recorded. It is one more than the last number if the recorded replies gave no plan,
    or if `force` is true. Otherwise it is the last number, and the recorded replies are used again.
    """
    starts = [n for n, a in enumerate(attempts) if a.prompt_sha256 == prompt.sha256 and a.completion is not None]
    if not starts:
        return 0
    first, *later = attempts[starts[-1] :]
    # The first request, its re-asks, which have more messages, and the further steps of a strategy.
    chain = [first, *itertools.takewhile(lambda attempt: attempt.step or attempt.messages > first.messages, later)]
    is_planned = any(attempt.outcome is Outcome.PLANNED for attempt in chain)
    return first.sample + (force or (not is_planned and chain[-1].outcome in REPLY_FAILURES))


@dataclass(frozen=True, slots=True)
class PlanFiles:
    """The files of one plan: the path of the trajectory, and the record that exists already (None if there is none)."""

    trajectory_path: Path
    earlier_record: PlanRecord | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the record that belongs to the trajectory at `path`.

        Raises:
            TrajectoryError: if the record's path holds another kind of file.
            OSError: if the record cannot be read.
        """
        record_path = build_record_path(path)
        return cls(path, PlanRecord.read(record_path) if record_path.exists() else None)

    @property
    def record_path(self) -> Path:
        """The path of the record."""
        return build_record_path(self.trajectory_path)

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """The requests in the existing record."""
        return self.earlier_record.attempts if self.earlier_record else ()

    @property
    def planned_record(self) -> PlanRecord | None:
        """The existing record if it has a plan, otherwise None. A record without a plan must not replace it."""
        return self.earlier_record if self.earlier_record and self.earlier_record.outcome is Outcome.PLANNED else None

    @property
    def has_no_plan_or_reply(self) -> bool:
        """True if another question may use the files, because they hold neither a plan nor a reply."""
        if self.earlier_record is None:
            return not self.trajectory_path.exists()
        is_unread = not self.earlier_record.paper.sha256
        return self.planned_record is None and (is_unread or not self.earlier_record.has_reply)


def build_first_plan_path(folder: Path, record: PlanRecord) -> Path:
    """Return the path of the trajectory if a record is the first of its paper in the folder."""
    return folder / build_trajectory_path(record.planner, record.model, record.paper.id)


def build_further_plan_path(folder: Path, record: PlanRecord) -> Path:
    """Return the path of the trajectory if the folder holds a plan for another question about the paper."""
    return folder / build_trajectory_path(record.planner, record.model, record.paper.id, record.question_name)


def choose_plan_files_for_question(folder: Path, record: PlanRecord) -> PlanFiles:
    """Return the files for the plan of a record.

    The first plan of a paper gets the usual file name. A later plan with different settings gets this name with the
    record's `question_name` added.

    Raises:
        TrajectoryError: if both names are taken by other plans, or a file is not from this program.
        OSError: if a record cannot be read.
    """
    first = PlanFiles.read(build_first_plan_path(folder, record))
    further = PlanFiles.read(build_further_plan_path(folder, record))
    own = [each for each in (first, further) if each.earlier_record and each.earlier_record.question == record.question]
    chosen = next(iter(own or [each for each in (first, further) if each.has_no_plan_or_reply]), None)
    if chosen is None:
        raise TrajectoryError(
            f"{further.trajectory_path} holds another plan; move that file, or choose another folder with -o"
        )
    return chosen


def list_answers_to_other_questions(
    folder: Path, record: PlanRecord, chosen_files: PlanFiles
) -> tuple[AttemptRecord, ...]:
    """Return the answered requests in all records of a paper, except those in the record of `chosen_files`.

    The errors are those of `PlanRecord.read`.
    """
    first = build_record_path(build_first_plan_path(folder, record))
    further = build_record_path(build_further_plan_path(folder, record))
    beginning = further.name.removesuffix(f"{record.question_name}{RECORD_SUFFIX}")
    names = (path.name for path in first.parent.iterdir() if path.suffix == RECORD_SUFFIX)
    paths = (first, *map(first.with_name, sorted(name for name in names if name.startswith(beginning))))
    others = [PlanRecord.read(path) for path in paths if path.exists() and path != chosen_files.record_path]
    return tuple(attempt for other in others for attempt in other.attempts if attempt.completion)


def build_lock_path(folder: Path, record: PlanRecord) -> Path:
    """Return the path of the file that is locked while a model plans a paper."""
    path = build_first_plan_path(folder, record)
    return path.with_name(f".{path.name.removesuffix(TRAJECTORY_SUFFIX)}.lock")


@asynccontextmanager
async def lock_paper(folder: Path, record: PlanRecord) -> AsyncIterator[None]:
    """Hold the lock of a paper within the `with` block; wait while another process holds it.

    Raises:
        OSError: if the folder cannot be written.
    """
    lock = FileLock(build_lock_path(folder, record))
    if not (is_held := lock.try_acquire()):
        log.warning("%s: another process is planning this paper; waiting for it", record.paper.id)
    while not is_held:
        await asyncio.sleep(_LOCK_WAIT)
        is_held = lock.try_acquire()
    try:
        yield
    finally:
        lock.delete_and_release()


def find_or_choose_paper_id(plans_folder: Path, paper: PaperInfo, model_info: ModelInfo) -> str:
    """Return the id that a paper has, or will get, in a folder of plans.

    An id that the user gave, or that was made from a title, does not change. Any other id was made from the name of the
    file. If the folder already has a record of the paper, return the id in this record. Otherwise return the paper's
    id, with `-2` added if another paper has it.

    Raises:
        TrajectoryError: if the file at a record's path is not a record, or is damaged.
        OSError: if a record cannot be read.
    """
    if paper.id != propose_paper_id(paper.source):
        return paper.id
    name, number = paper.id, 1
    made_by = model_info.planner, model_info.name
    while (path := plans_folder / build_record_path(build_trajectory_path(*made_by, name))).exists():
        if _is_same_paper(PlanRecord.read(path).paper, paper):
            return name
        number += 1
        name = f"{paper.id}-{number}"
    return _find_id_by_text(path.parent, paper) or name


def _find_id_by_text(model_folder: Path, paper: PaperInfo) -> str:
    """Return the id in the first record with the text of `paper`, "" if there is none."""
    for path in sorted(model_folder.glob(f"*{RECORD_SUFFIX}")) if paper.sha256 else ():
        with suppress(TrajectoryError, OSError):  # a damaged record, or another file
            require_regular_file(path)  # opening a pipe that nobody writes to would never end
            with path.open("rb") as file:
                may_be_same = paper.sha256.encode() in file.read(_MAX_HEAD_BYTES)
            if may_be_same and (earlier := PlanRecord.read(path).paper).sha256 == paper.sha256:
                return earlier.id
    return ""


def _is_same_paper(earlier: PaperRecord, paper: PaperInfo) -> bool:
    """Return whether a record is about `paper`: the text is the same, or the source and the title are the same."""
    if earlier.sha256 and earlier.sha256 == paper.sha256:
        return True
    is_unread = not (earlier.sha256 and paper.sha256)
    return os.path.realpath(earlier.source) == os.path.realpath(paper.source) and (
        is_unread or earlier.title == paper.title
    )
