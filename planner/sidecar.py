"""The sidecar: the JSON file next to a trajectory, with the record of its planning and every paid reply."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from planner import __version__
from planner.chat import Completion, ModelCard, Prompt, Usage
from planner.controls import printable
from planner.errors import ModelError, Outcome, TrajectoryError
from planner.papers.paper import LeftOut, PaperHead
from planner.pipeline import Planning, Settings
from planner.schema import Task
from planner.trajectory.files import write_atomically

FORMAT_VERSION: Final = "ablation-planner-1"

# A paper with one of these outcomes failed because of its reply, so planning it again needs another reply.
ENDED_BY_REPLY: Final = frozenset({Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID})


# Returns the cost of a completion in USD, or None if its price is unknown.
Pricing = Callable[[Completion], float | None]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PaperFacts(_Facts):
    """The paper that was read, and the parts of it that were not sent; sizes are in characters."""

    id: str
    title: str
    source: str
    format: str
    main_file: str
    sha256: str
    chars: int
    left_out: tuple[LeftOut, ...] = ()


class AttemptFacts(_Facts):
    """One request and its result; `completion` is None if no reply came, `cost` (in USD) None if it is unknown."""

    identity: str
    prompt_sha256: str
    sample: int
    messages: int
    started: datetime
    outcome: Outcome | None = None
    findings: tuple[str, ...] = ()
    cost: float | None = None
    completion: Completion | None = None


class Sidecar(_Facts):
    """The record of planning one paper; `cost` (in USD) and `usage` (in tokens) are sums over all its replies."""

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
    outcome: Outcome = Outcome.INTERRUPTED
    reason: str = ""
    paper: PaperFacts
    prompt_sha256: str = ""
    template_sha256: str = ""
    started: datetime
    seconds: float = 0.0
    usage: Usage = Usage()
    cost: float | None = None
    warnings: tuple[str, ...] = ()
    attempts: tuple[AttemptFacts, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the record from a sidecar file.

        Raises:
            TrajectoryError: if the file is not a sidecar file of this format.
            OSError: if the file cannot be read.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise TrajectoryError(f"{path}: not a sidecar of ablation-planner: {error.errors()[0]['msg']}") from error

    def write(self, path: Path) -> None:
        """Write the record to a sidecar file, atomically."""
        write_atomically(path, self.as_text())

    def as_text(self) -> str:
        """Return the file's content, JSON text."""
        return self.model_dump_json(indent=1) + "\n"


class SidecarStore:
    """The reply store of one paper: it writes each request and each reply to the sidecar file at once."""

    def __init__(self, path: Path, opening: Sidecar, pricing: Pricing, anew: bool = False) -> None:
        self._path = path
        self._sidecar = opening
        self._pricing = pricing
        self._anew = anew

    @property
    def attempts(self) -> tuple[AttemptFacts, ...]:
        """All recorded requests."""
        return self._sidecar.attempts

    def sample(self, prompt: Prompt) -> int:
        """Return the number of the sample to request for a first prompt, as `next_sample` does."""
        return next_sample(self.attempts, prompt, self._anew)

    def find(self, identity: str) -> Completion | None:
        """Return the recorded reply to a request, or None."""
        kept = (a.completion for a in self.attempts if a.identity == identity and a.completion is not None)
        return next(kept, None)

    def begin(self, identity: str, prompt: Prompt) -> None:
        """Record that a request is about to be sent."""
        self._record((*self.attempts, begun(identity, prompt)))

    def commit(self, identity: str, completion: Completion) -> None:
        """Record the reply to the last request."""
        self._replace_last(identity, {"completion": completion, "cost": self._pricing(completion)})

    def fail(self, identity: str, error: ModelError) -> None:
        """Record the error of the last request."""
        self._replace_last(identity, {"outcome": error.outcome, "findings": (str(error),)})

    def _replace_last(self, identity: str, update: dict[str, object]) -> None:
        *before, last = self.attempts
        assert last.identity == identity, "requests are sent one at a time"
        self._record((*before, last.model_copy(update=update)))

    def _record(self, attempts: Sequence[AttemptFacts]) -> None:
        self._sidecar = self._sidecar.model_copy(update={"attempts": tuple(attempts)})
        self._sidecar.write(self._path)


def begun(identity: str, prompt: Prompt) -> AttemptFacts:
    """Return the record of a request that is about to be sent."""
    return AttemptFacts(
        identity=identity,
        prompt_sha256=prompt.sha256,
        sample=prompt.sample,
        messages=prompt.turns,
        started=datetime.now(UTC),
    )


def opened(paper: PaperHead, card: ModelCard, settings: Settings, earlier: Sidecar | None = None) -> Sidecar:
    """Return the record of a planning that starts now; it keeps the requests of the `earlier` record."""
    return Sidecar(
        planner=card.planner,
        model=card.name,
        model_asked=card.asked,
        endpoint=card.endpoint,
        parameters=dict(card.parameters),
        task=settings.task,
        k=settings.k,
        paper=PaperFacts(
            id=paper.id,
            title=paper.title,
            source=printable(paper.source),  # a file name may not be valid Unicode
            format=paper.format,
            main_file=printable(paper.main_file),
            sha256=paper.sha256,
            chars=paper.chars,
        ),
        started=datetime.now(UTC),
        attempts=earlier.attempts if earlier else (),
    )


def closed(opening: Sidecar, planning: Planning, attempts: Iterable[AttemptFacts]) -> Sidecar:
    """Return the record of a finished planning; `attempts` are all recorded requests, including earlier ones."""
    settled, question = _settled(tuple(attempts), planning), planning.question
    answers = [attempt.completion.model for attempt in planning.attempts if attempt.completion]
    return opening.model_copy(
        update={
            "model_answered": answers[-1] if answers else "",
            "outcome": planning.outcome,
            "reason": planning.reason,
            "paper": opening.paper.model_copy(update={"left_out": question.left_out if question else ()}),
            "prompt_sha256": question.prompt.sha256 if question else "",
            "template_sha256": question.prompt.template_sha256 if question else "",
            "seconds": (datetime.now(UTC) - opening.started).total_seconds(),
            "usage": total_usage(a.completion.usage for a in settled if a.completion),
            "cost": total_cost(a.cost for a in settled if a.completion),
            "warnings": planning.warnings,
            "attempts": settled,
        }
    )


def _settled(attempts: Sequence[AttemptFacts], planning: Planning) -> tuple[AttemptFacts, ...]:
    """Return the requests with their outcomes; a request without reply or outcome was interrupted."""
    judged = {attempt.identity: attempt for attempt in planning.attempts}
    last = {attempt.identity: number for number, attempt in enumerate(attempts)}
    settled = []
    for number, attempt in enumerate(attempts):
        if attempt.identity in judged and number == last[attempt.identity]:
            verdict = judged[attempt.identity]
            attempt = attempt.model_copy(update={"outcome": verdict.outcome, "findings": verdict.findings})
        elif attempt.outcome is None and attempt.completion is None:
            attempt = attempt.model_copy(update={"outcome": Outcome.INTERRUPTED})
        settled.append(attempt)
    return tuple(settled)


def next_sample(attempts: Sequence[AttemptFacts], prompt: Prompt, anew: bool = False) -> int:
    """Return the number of the sample to request for a first prompt, from the recorded requests.

    A recorded reply is used again if it gave a plan or has no outcome yet. A new sample is requested if the last reply
    was truncated, refused, empty or invalid, or if `anew` is true.
    """
    asked = [n for n, a in enumerate(attempts) if a.prompt_sha256 == prompt.sha256 and a.completion is not None]
    if not asked:
        return 0
    first = attempts[asked[-1]]
    last = first
    for attempt in attempts[asked[-1] + 1 :]:
        if attempt.messages <= first.messages:
            break
        last = attempt
    return first.sample + 1 if anew or last.outcome in ENDED_BY_REPLY else first.sample


def total_usage(usages: Iterable[Usage]) -> Usage:
    """Return the sums of the token counts; missing counts are skipped, and a sum is None if all are missing."""
    counted = list(usages)

    def total(name: str) -> int | None:
        known = [count for usage in counted if (count := getattr(usage, name)) is not None]
        return sum(known) if known else None

    return Usage(*(total(name) for name in Usage.__dataclass_fields__))


def total_cost(costs: Iterable[float | None]) -> float | None:
    """Return the sum of the costs, or None if any cost is unknown."""
    known = 0.0
    for cost in costs:
        if cost is None:
            return None
        known += cost
    return known
