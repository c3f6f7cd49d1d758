"""Judge one paper with a model: build the prompt, ask, and re-ask if the reply is invalid; store replies first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from eval.answers import read_asked, read_matches
from eval.gold import AuthorGold, Gold
from eval.questions import asked_again, author_question, reviewer_question
from eval.replies import ReplyFile
from eval.runs import REPLIES
from eval.sides import Sides, author_verdicts, reviewer_verdicts, tossed
from eval.verdicts import AuthorVerdict, Verdict, verdict_path
from planner.chat import ChatModel, Completion, ModelCard
from planner.errors import BudgetExceeded, ModelError, Outcome, OutputError
from planner.keeping import Keeping
from planner.schema import Ablation
from planner.sidecar import Pricing

REASKS: Final = 2
_HOPELESS: Final = frozenset({401, 402, 403, 404})


@dataclass(frozen=True, slots=True)
class Asking:
    """The settings of a judge that is a model: the model for each paper, its prices, and the folder for replies.

    `repetition` is the sample number; `templates` is a folder of the user's own prompts. `anew` ignores the stored
    replies, for replies that a person writes to files and may correct later.
    """

    card: ModelCard
    model: Callable[[str], ChatModel]
    pricing: Pricing
    folder: Path
    repetition: int = 0
    reasks: int = REASKS
    templates: Path | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A judge's verdicts on one paper, or the reason why there are none.

    `cost` is in USD, None if unknown; `asked` is the number of replies. `positional` is True if the judge matched the
    first items (A1 with B1, or said yes to A1), None if nothing was shown in order. `hopeless` is True if every further
    paper would fail in the same way: a wrong key, an empty account, no such model.
    """

    verdicts: tuple[Verdict, ...] | None
    reason: str = ""
    cost: float | None = None
    asked: int = 0
    positional: bool | None = None
    hopeless: bool = False


class Question:
    """The prompt about one plan, with its sides; sides that are stored for the same names are used again."""

    def __init__(self, asking: Asking, gold: Gold, plan: Sequence[Ablation]) -> None:
        self._asking, self._gold = asking, gold
        self._plan = [ablation.name for ablation in plan]
        self._wanted = [ablation.name for ablation in gold.ablations] if isinstance(gold, AuthorGold) else []
        replies = verdict_path(asking.folder / REPLIES, gold.id).with_suffix(".json")
        self._store = ReplyFile(replies, gold.id, asking.pricing, anew=asking.anew)
        fresh = tossed(self._plan, self._wanted, gold.id, asking.card.asked, asking.repetition)
        self.sides: Sides = self._store.sides(fresh, self._plan, self._wanted)
        if isinstance(gold, AuthorGold):
            self.prompt = author_question(gold, plan, self.sides, asking.repetition, asking.templates)
        else:
            self.prompt = reviewer_question(gold, plan, self.sides, asking.repetition, asking.templates)

    async def ask(self) -> Answer:
        """Ask until the reply has valid verdicts or asking again is of no use; return the answer."""
        identities: list[str] = []
        try:
            verdicts = await self._ask(identities)
        except (ModelError, BudgetExceeded, OutputError) as error:
            return Answer(
                None,
                f"{error.outcome}: {error}",
                cost=self._store.cost(identities),
                asked=len(set(identities)),
                hopeless=isinstance(error, ModelError) and (error.exhausted or error.status in _HOPELESS),
            )
        return Answer(
            verdicts,
            cost=self._store.cost(identities),
            asked=len(set(identities)),
            positional=any(_is_first(verdict, self.sides) for verdict in verdicts),
        )

    async def _ask(self, identities: list[str]) -> tuple[Verdict, ...]:
        """Ask, and re-ask with the findings while the reply is invalid."""
        model = Keeping(self._asking.model(self._gold.id), self._store)
        prompt = self.prompt
        for failures in range(1, self._asking.reasks + 2):
            identity = model.card.identity(prompt)
            completion = await model.complete(prompt)
            identities.append(identity)
            try:
                verdicts = self.read(completion)
            except OutputError as error:
                self._store.judged(identity, error.outcome, error.findings)
                if failures > self._asking.reasks or not error.reaskable:
                    raise
                prompt = asked_again(prompt, completion.text, error.findings, failures, self._asking.templates)
            else:
                self._store.judged(identity, Outcome.PLANNED)
                return verdicts
        raise AssertionError("the last reply is returned or raised")

    def read(self, completion: Completion) -> tuple[Verdict, ...]:
        """Return the verdicts of a reply, by the sides that were shown.

        Raises:
            OutputError: if the reply cannot be used.
        """
        if isinstance(self._gold, AuthorGold):
            return author_verdicts(self.sides, read_matches(completion, self.sides), self._plan, self._wanted)
        return reviewer_verdicts(self.sides, read_asked(completion, self.sides), self._plan)


def _is_first(verdict: Verdict, sides: Sides) -> bool:
    if isinstance(verdict, AuthorVerdict):
        paper, plan = (sides.a[0], sides.b[0]) if sides.plan == "B" else (sides.b[0], sides.a[0])
        return verdict.name_in_paper == paper and plan in verdict.name_in_plan
    return verdict.name_in_plan == sides.a[0] and verdict.appears_in_review
