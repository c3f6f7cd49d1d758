"""The record of planning a paper; a JSON file beside the trajectory (the sidecar file) holds the record."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from planner import __version__
from planner.chat import Completion, ModelInfo, Prompt, Usage
from planner.details import Details, Items, RejectedAblation, ReportedStudy, Revision, Vote, choose_run_order
from planner.errors import Outcome, TrajectoryError
from planner.files import read_bounded_file, write_file_atomically
from planner.models.openai_chat.stream import estimate_json_value_count
from planner.papers.paper import Omission, PaperInfo
from planner.planning.first_prompt import PlanSettings
from planner.planning.plan import PlanResult
from planner.sanitize import make_printable, remove_unsafe_characters, repair_json_surrogates
from planner.schema import Task

FORMAT_VERSION: Final = "ablation-planner-1"
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
MAX_ABSTRACT_CHARS: Final = 5_000  # a longer text is not an abstract; the headings after it were not found
MAX_STORED_VALUES: Final = 8_000_000  # values of a record, four times those of a reply

_PLAN_FIELDS: Final = {"strategy", "min_chance", "details", "order", "considered", "reported", "revisions", "votes"}

# A paper with one of these outcomes failed because of its reply, so planning it again needs another reply.
REPLY_FAILURES: Final = frozenset({Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID})

# A function that returns the cost of a completion in USD, None if its price is unknown.
ReplyPricer = Callable[[Completion], float | None]

_Stored = TypeVar("_Stored")


def _is_empty(value: object) -> bool:
    return value in (None, (), "")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)  # JSON has no such numbers


class PaperRecord(_Record):
    """The facts about a paper that was read, and the parts that were not sent; sizes are in characters.

    The fields for the abstract and the authors are left out of the file if they are unknown.
    """

    id: str
    title: str
    source: str
    format: str
    main_file: str
    sha256: str
    chars: int
    left_out: Items[Omission] = ()
    authors: Items[str] = Field(default=(), exclude_if=_is_empty)
    abstract: str = Field(default="", exclude_if=_is_empty)


class AttemptRecord(_Record):
    """One request and its result. `completion` is None if no reply came. `cost` is in USD, None if it is unknown.

    `step` names a later step of the strategy. In the first step, it is "" and is left out of the file.
    """

    identity: str
    prompt_sha256: str
    sample: int
    messages: int
    started: datetime
    outcome: Outcome | None = None
    findings: Items[str] = ()
    cost: float | None = None
    completion: Completion | None = None
    step: str = Field(default="", exclude_if=_is_empty)

    @property
    def is_lost(self) -> bool:
        """True if the request got neither a reply nor an error, for example because the program was killed."""
        return self.completion is None and self.outcome in (None, Outcome.INTERRUPTED)


class PlanRecord(_Record):
    """The record of planning one paper; `cost` (in USD) and `usage` (in tokens) are sums over all replies.

    The cost is None if the cost of any reply is unknown, or if no reply came and a request was lost (see `is_lost`).

    `details` and `votes` have one item for each ablation, or are empty; only a combined plan has votes. `order` lists
    the indices of the ablations in the best order to run them. `min_chance` is None if no chances were asked for. Empty
    fields are not written.
    """

    format_version: str = FORMAT_VERSION
    program_version: str = __version__
    planner: str
    model: str
    model_asked: str
    model_answered: str = ""
    endpoint: str = ""
    parameters: dict[str, JsonValue] = {}
    task: Task
    k: int
    cut_at: str = Field(default="", exclude_if=_is_empty)
    outcome: Outcome = Outcome.INTERRUPTED
    reason: str = ""
    paper: PaperRecord
    prompt_sha256: str = ""
    template_sha256: str = ""
    started: datetime
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float | None = None
    warnings: Items[str] = ()
    strategy: str = Field(default="single", exclude_if=lambda strategy: strategy == "single")
    min_chance: int | None = Field(default=None, exclude_if=_is_empty)
    details: Items[Details] = Field(default=(), exclude_if=_is_empty)
    order: Items[int] = Field(default=(), exclude_if=_is_empty)
    considered: Items[RejectedAblation] = Field(default=(), exclude_if=_is_empty)
    reported: Items[ReportedStudy] = Field(default=(), exclude_if=_is_empty)
    revisions: Items[Revision] = Field(default=(), exclude_if=_is_empty)
    votes: Items[Items[Vote]] = Field(default=(), exclude_if=_is_empty)
    attempts: Items[AttemptRecord] = ()

    @property
    def question(self) -> tuple[str | int, ...]:
        """The facts that identify a plan: the model, the paper, the paper's text and the prompt's settings."""
        paper = (self.paper.id, self.paper.sha256)
        asked = (self.task.value, self.k, self.template_sha256, self.cut_at)
        further = () if self.min_chance is None else (self.min_chance,)
        return self.planner, self.model, *paper, *asked, *further, *({self.strategy} - {"single"})

    @property
    def question_name(self) -> str:
        """The task, `k` and a short hash, such as "author-5-1a2b3c4d", for the file name of a further plan."""
        hashed = hashlib.sha256(json.dumps(self.question).encode()).hexdigest()
        return f"{self.task}-{self.k}-{hashed[:8]}"

    def list_findings(self, index: int, name: str) -> tuple[str, ...]:
        """Return the faults that the program found in the ablation with this index in the plan and this name."""
        beginning = f"ablation {index + 1} ({name!r}): "
        return tuple(each.removeprefix(beginning) for each in self.warnings if each.startswith(beginning))

    def dump_plan_fields(self) -> dict[str, JsonValue]:
        """Return the fields about the plan, such as the details, as JSON values, without empty fields."""
        return self.model_dump(mode="json", include=_PLAN_FIELDS)

    @property
    def has_reply(self) -> bool:
        """True if any request was answered."""
        return any(attempt.completion for attempt in self.attempts)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the record from a sidecar file.

        Raises:
            TrajectoryError: if the file is not a sidecar file of this format.
            OSError: if the file cannot be read.
        """
        try:
            return load_stored_json(TypeAdapter(cls), read_bounded_file(path, MAX_RECORD_BYTES))
        except ValueError as error:
            raise TrajectoryError(f"{path}: not the record of a plan: {error}") from error

    def write(self, path: Path) -> None:
        """Write the record to a sidecar file, atomically."""
        write_file_atomically(path, self.to_json())

    def to_json(self) -> str:
        """Return the record as JSON text, the content of a sidecar file."""
        return self.model_dump_json(indent=1) + "\n"


def load_stored_json(adapter: TypeAdapter[_Stored], content: str | bytes) -> _Stored:
    """Parse JSON that this program stored, and return the value.

    Raises:
        ValueError: if the content is not valid; the message is one line.
    """
    data = content.encode() if isinstance(content, str) else content
    if estimate_json_value_count(data) > MAX_STORED_VALUES:
        raise ValueError(f"it has over {MAX_STORED_VALUES:,} values")
    try:
        # Not `validate_json`, since each of its errors would hold a copy of the whole content.
        return adapter.validate_python(_parse_stored_json(data))
    except ValidationError as error:
        raise ValueError(error.errors(include_input=False)[0]["msg"]) from None


def _parse_stored_json(data: bytes) -> JsonValue:
    try:
        value: JsonValue = from_json(data)
    except ValueError as error:
        # pydantic writes 255 levels of JSON but reads only 200, and earlier versions stored replies with more. Other
        # programs write half a surrogate pair, which pydantic does not read.
        try:
            value = repair_json_surrogates(json.loads(data))
        except (ValueError, RecursionError):
            raise error from None
    return value


def create_attempt_record(identity: str, prompt: Prompt) -> AttemptRecord:
    """Return the record of a request that is about to be sent."""
    return AttemptRecord(
        identity=identity,
        prompt_sha256=prompt.sha256,
        sample=prompt.sample,
        messages=prompt.message_count,
        started=datetime.now(UTC),
        step=prompt.step,
    )


def begin_record(
    paper: PaperInfo,
    info: ModelInfo,
    settings: PlanSettings,
    *,
    template_sha256: str = "",
    started: datetime | None = None,
) -> PlanRecord:
    """Return the record of a paper at the start of its planning; the time is `started` or now."""
    return PlanRecord(
        planner=info.planner,
        model=info.name,
        model_asked=info.asked,
        endpoint=info.endpoint,
        parameters=dict(info.parameters),
        task=settings.task,
        k=settings.k,
        cut_at=make_printable(settings.cut_at),
        strategy=settings.strategy,
        min_chance=settings.effective_min_chance,
        template_sha256=template_sha256,
        paper=PaperRecord(
            id=paper.id,
            title=paper.title,
            source=make_printable(paper.source),  # a file name may not be valid Unicode
            format=paper.format,
            main_file=make_printable(paper.main_file),
            sha256=paper.sha256,
            chars=paper.chars,
            authors=tuple(make_printable(author) for author in paper.authors),
            abstract=remove_unsafe_characters(paper.abstract) if len(paper.abstract) <= MAX_ABSTRACT_CHARS else "",
        ),
        started=started or datetime.now(UTC),
    )


def finish_record(record: PlanRecord, result: PlanResult, attempts: Iterable[AttemptRecord]) -> PlanRecord:
    """Return the record with the result; `attempts` are all recorded requests, including earlier ones."""
    paper_prompt = result.paper_prompt
    models = [attempt.completion.model for attempt in result.attempts if attempt.completion]
    finished = record.model_copy(
        update={
            "model_answered": models[-1] if models else "",
            "outcome": result.outcome,
            "reason": result.reason,
            "paper": record.paper.model_copy(update={"left_out": paper_prompt.omissions if paper_prompt else ()}),
            "prompt_sha256": paper_prompt.prompt.sha256 if paper_prompt else "",
            "template_sha256": paper_prompt.prompt.template_sha256 if paper_prompt else record.template_sha256,
            "seconds": (datetime.now(UTC) - record.started).total_seconds(),
            "warnings": result.warnings,
            "details": result.details.details,
            "order": choose_run_order(result.details.details),
            "considered": result.details.considered,
            "reported": result.details.reported,
            "revisions": result.details.revisions,
        }
    )
    return replace_attempts_and_sums(finished, _update_outcomes(tuple(attempts), result))


def replace_attempts_and_sums(record: PlanRecord, attempts: Sequence[AttemptRecord]) -> PlanRecord:
    """Return the record with these requests in place of its own, and with the sums of their tokens and costs."""
    usage = sum_known_usage(a.completion.usage for a in attempts if a.completion)
    costs = [a.cost for a in attempts if a.completion]
    cost = sum_costs_if_all_known(costs) if costs or not any(a.is_lost for a in attempts) else None
    return record.model_copy(update={"usage": usage, "cost": cost, "attempts": tuple(attempts)})


def _update_outcomes(records: Sequence[AttemptRecord], result: PlanResult) -> tuple[AttemptRecord, ...]:
    """Return the requests with their outcomes. A request that got neither a reply nor an error is INTERRUPTED."""
    attempts = {attempt.identity: attempt for attempt in result.attempts}
    updated: list[AttemptRecord] = []
    for record in reversed(records):
        update: dict[str, object] = {}
        if attempt := attempts.pop(record.identity, None):  # an earlier request with this identity is not updated
            update = {"outcome": attempt.outcome, "findings": attempt.findings, "step": attempt.step}
        elif record.outcome is None and record.completion is None:
            update = {"outcome": Outcome.INTERRUPTED}
        updated.append(record.model_copy(update=update))
    return tuple(reversed(updated))


def sum_known_usage(usages: Iterable[Usage]) -> Usage:
    """Return the sums of the known token counts; a sum is None if none of its counts is known."""
    counted = list(usages)

    def total(name: str) -> int | None:
        known = [count for usage in counted if (count := getattr(usage, name)) is not None]
        return sum(known) if known else None

    return Usage(*(total(name) for name in Usage.__dataclass_fields__))


def sum_costs_if_all_known(costs: Iterable[float | None]) -> float | None:
    """Return the sum of the costs, or None if any cost is unknown."""
    known = list(costs)
    return None if None in known else sum(filter(None, known), 0.0)
