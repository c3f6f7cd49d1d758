"""Store a judge's replies on one paper, with the sides that it saw, in a JSON file; each is on disk before use."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.sides import Sides
from eval.tables import MAX_TABLE_BYTES, TableError
from planner.chat import Completion, Message, Prompt
from planner.errors import ModelError, Outcome
from planner.files import read_bounded_file, write_file_atomically
from planner.planning.record import ReplyPricer, sum_costs_if_all_known


class JudgeExchange(BaseModel):
    """A request to a judge: the sides and messages that were sent, and the reply if there is one; `cost` is in USD."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    identity: str
    sides: Sides
    messages: tuple[Message, ...]
    started: datetime
    completion: Completion | None = None
    cost: float | None = None
    outcome: Outcome | None = None
    findings: tuple[str, ...] = ()


class ReplyRecord(BaseModel):
    """The requests on one paper, oldest first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    paper: str
    asked: tuple[JudgeExchange, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the stored replies; return None if there is no file.

        Raises:
            TableError: if the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(read_bounded_file(path, MAX_TABLE_BYTES))
        except ValidationError as error:
            raise TableError(f"{path}: is not a file of replies: {error.errors()[0]['msg']}") from error


class ReplyFile:
    """A store of the requests and replies on one paper (a `planner.models.wrappers.ReplyStore`)."""

    def __init__(self, path: Path, paper: str, pricing: ReplyPricer, *, ignore_recorded: bool = False) -> None:
        self._path = path
        self._pricing = pricing
        self._ignore_recorded = ignore_recorded
        self._record = ReplyRecord.read(path) or ReplyRecord(paper=paper)
        self._sides: Sides | None = None

    def choose_sides(self, new_sides: Sides, plan: Sequence[str], gold: Sequence[str]) -> Sides:
        """Choose the sides of the prompt: those stored for exactly these names, else `new_sides`."""
        stored = (exchange.sides for exchange in self._record.asked if exchange.sides.has_names(plan, gold))
        self._sides = next(stored, new_sides)
        return self._sides

    def reuse_reply(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, None if there is none or stored replies are ignored."""
        if self._ignore_recorded:
            return None
        return next((e.completion for e in self._record.asked if e.identity == identity and e.completion), None)

    def record_request(self, identity: str, prompt: Prompt) -> None:
        """Store a request that is about to be sent."""
        assert self._sides is not None, "sides are chosen before a request begins"
        exchange = JudgeExchange(
            identity=identity, sides=self._sides, messages=prompt.messages, started=datetime.now(UTC)
        )
        self._write_exchanges((*self._record.asked, exchange))

    def record_reply(self, identity: str, completion: Completion) -> None:
        """Store the reply to a request, with its cost."""
        self._update_exchange(identity, {"completion": completion, "cost": self._pricing(completion)})

    def record_failure(self, identity: str, error: ModelError) -> None:
        """Store the error of a request that has no reply."""
        self._update_exchange(identity, {"outcome": error.outcome, "findings": (str(error),)})

    def record_outcome(self, identity: str, outcome: Outcome, findings: tuple[str, ...] = ()) -> None:
        """Store the outcome and findings of a reply, unless they are stored already."""
        last = self._last_exchange(identity)
        if (last.outcome, last.findings) != (outcome, findings):
            self._update_exchange(identity, {"outcome": outcome, "findings": findings})

    def sum_costs(self, identities: Sequence[str]) -> float | None:
        """Return the cost of the replies to these requests in USD, None if a price is unknown."""
        return sum_costs_if_all_known(e.cost for e in self._record.asked if e.identity in identities and e.completion)

    def _last_exchange(self, identity: str) -> JudgeExchange:
        return next(exchange for exchange in reversed(self._record.asked) if exchange.identity == identity)

    def _update_exchange(self, identity: str, update: dict[str, object]) -> None:
        last = self._last_exchange(identity)
        self._write_exchanges(tuple(e.model_copy(update=update) if e is last else e for e in self._record.asked))

    def _write_exchanges(self, exchanges: tuple[JudgeExchange, ...]) -> None:
        self._record = self._record.model_copy(update={"asked": exchanges})
        write_file_atomically(self._path, self._record.model_dump_json(indent=1) + "\n")
