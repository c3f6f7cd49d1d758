"""Store a judge's replies on one paper, with the sides that it saw, in a JSON file; each is on disk before use."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.sides import Sides
from eval.tables import TableError
from planner.chat import Completion, Message, Prompt
from planner.errors import ModelError, Outcome
from planner.sidecar import Pricing, total_cost
from planner.trajectory.files import write_atomically


class Asked(BaseModel):
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


class Replies(BaseModel):
    """The requests on one paper, oldest first."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    paper: str
    asked: tuple[Asked, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the stored replies; return None if there is no file.

        Raises:
            TableError: if the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise TableError(f"{path}: is not a file of replies: {error.errors()[0]['msg']}") from error


class ReplyFile:
    """A store of the requests and replies on one paper (a `planner.keeping.Store`)."""

    def __init__(self, path: Path, paper: str, pricing: Pricing, *, anew: bool = False) -> None:
        self._path = path
        self._pricing = pricing
        self._anew = anew
        self._replies = Replies.read(path) or Replies(paper=paper)
        self._sides: Sides | None = None

    def sides(self, tossed: Sides, plan: Sequence[str], gold: Sequence[str]) -> Sides:
        """Choose the sides of the prompt: those stored for exactly these names, else `tossed`."""
        fitting = [asked.sides for asked in self._replies.asked if asked.sides.shows(plan, gold)]
        self._sides = fitting[0] if fitting else tossed
        return self._sides

    def find(self, identity: str) -> Completion | None:
        """Return the stored reply to a request, None if there is none or stored replies are ignored."""
        if self._anew:
            return None
        kept = (a.completion for a in self._replies.asked if a.identity == identity and a.completion is not None)
        return next(kept, None)

    def begin(self, identity: str, prompt: Prompt) -> None:
        """Store a request that is about to be sent."""
        assert self._sides is not None, "sides are chosen before a request begins"
        opened = Asked(identity=identity, sides=self._sides, messages=prompt.messages, started=datetime.now(UTC))
        self._record((*self._replies.asked, opened))

    def commit(self, identity: str, completion: Completion) -> None:
        """Store the reply to a request, with its cost."""
        self._update(identity, {"completion": completion, "cost": self._pricing(completion)})

    def fail(self, identity: str, error: ModelError) -> None:
        """Store the error of a request that has no reply."""
        self._update(identity, {"outcome": error.outcome, "findings": (str(error),)})

    def judged(self, identity: str, outcome: Outcome, findings: tuple[str, ...] = ()) -> None:
        """Store the outcome and findings of a reply, unless they are stored already."""
        last = self._last(identity)
        if (last.outcome, last.findings) != (outcome, findings):
            self._update(identity, {"outcome": outcome, "findings": findings})

    def cost(self, identities: Sequence[str]) -> float | None:
        """Return the cost of the replies to these requests in USD, None if a price is unknown."""
        return total_cost(a.cost for a in self._replies.asked if a.identity in identities and a.completion is not None)

    def _last(self, identity: str) -> Asked:
        return next(asked for asked in reversed(self._replies.asked) if asked.identity == identity)

    def _update(self, identity: str, update: dict[str, object]) -> None:
        last = self._last(identity)
        self._record(tuple(a.model_copy(update=update) if a is last else a for a in self._replies.asked))

    def _record(self, asked: tuple[Asked, ...]) -> None:
        self._replies = self._replies.model_copy(update={"asked": asked})
        write_atomically(self._path, self._replies.model_dump_json(indent=1) + "\n")
