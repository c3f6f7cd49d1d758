"""The job of a `batch` call: a corpus, the models that plan it, and its limits."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planner.batch.entry import Corpus
from planner.batch.ledger import AskedModel
from planner.batch.outpost import RemoteModel
from planner.batch.reading import Readers
from planner.chat import ChatModel, ModelCard, Usage
from planner.papers.paper import Excerpt, Paper
from planner.posing import Settings
from planner.prompting import render
from planner.retrying import RetryPolicy

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService  # imports the SDK

# A function from the tokens of a request to its cost in USD, None where no price is known.
UsagePrice = Callable[[Usage], float | None]


@dataclass(frozen=True, slots=True)
class Asked:
    """A model of the run; `sender` makes a client that sends each request about a paper once, without retries.

    The built-in planner alone needs the paper. `host` is where requests go, "" for the built-in planner. `remote` tells
    a worker on another machine how to connect. `service` is the endpoint's batch service, None if there is none.
    `prepare` does slow set-up ahead of the first request, in any thread.
    """

    card: ModelCard
    settings: Settings
    sender: Callable[[Paper | None], ChatModel]
    price: UsagePrice
    host: str = ""
    remote: RemoteModel | None = None
    service: "BatchService | None" = None
    prepare: Callable[[], None] = lambda: None

    @property
    def reads_papers(self) -> bool:
        """True for a model that needs the paper itself besides the prompt."""
        return not self.host

    @property
    def record(self) -> AskedModel:
        """The model as the ledger knows it, with a hash of its settings.

        Raises:
            PromptError: if the templates are at fault.
        """
        return AskedModel(self.card, _hash_of(self.card, self.settings))


@dataclass(frozen=True, slots=True)
class Bounds:
    """The limits of a call: requests at once, requests and tokens a minute, USD, papers; None is no limit.

    `most_completion` caps a reply, in tokens, where there is a cost limit.
    """

    concurrency: int
    rpm: float | None = None
    tpm: float | None = None
    max_cost: float | None = None
    max_papers: int | None = None
    most_completion: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A corpus, the models that plan it, and the limits of the call; `readers` read its papers."""

    corpus: Corpus
    models: tuple[Asked, ...]
    bounds: Bounds
    readers: Readers
    patience: RetryPolicy = field(default_factory=RetryPolicy)
    retry_failed: bool = False


def _hash_of(card: ModelCard, settings: Settings) -> str:
    """Return a hash of everything that a plan depends on except the paper; when it changes, papers are planned anew."""
    templates = render(Excerpt("", "", ""), settings.task, settings.k, settings.templates).template_sha256
    how = [card.endpoint, card.asked, [list(pair) for pair in card.parameters]]
    what = [settings.task.value, settings.k, settings.reasks, settings.cut_at, templates]
    return hashlib.sha256(json.dumps([how, what]).encode()).hexdigest()[:16]
