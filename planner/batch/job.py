"""The job of a `batch` call: a corpus, the models that plan it, and its limits."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from planner.batch.cluster.worker import RemoteModel
from planner.batch.ledger.store import LedgerModel
from planner.batch.manifest import Corpus
from planner.chat import Model, ModelInfo, Usage
from planner.models.retry import RetryPolicy
from planner.papers.paper import Excerpt, Paper
from planner.planning.question import PlanSettings
from planner.planning.strategies import STRATEGIES
from planner.reading.process import ReaderFactory

if TYPE_CHECKING:
    from planner.models.openai_chat.batch_api import BatchService  # imports the SDK

# A function from the tokens of a request to its cost in USD, None where no price is known.
UsagePrice = Callable[[Usage], float | None]


@dataclass(frozen=True, slots=True)
class ModelClient:
    """A model of the run; `make_model` makes a client that sends each request about a paper once, without retries.

    The built-in planner alone needs the paper. `host` is where requests go, "" for the built-in planner. `remote` tells
    a worker on another machine how to connect. `batch_api` is the endpoint's batch service, None if there is none.
    `warm_up` does slow set-up ahead of the first request, in any thread.
    """

    info: ModelInfo
    settings: PlanSettings
    make_model: Callable[[Paper | None], Model]
    price: UsagePrice
    host: str = ""
    remote: RemoteModel | None = None
    batch_api: "BatchService | None" = None
    warm_up: Callable[[], None] = lambda: None

    @property
    def needs_paper(self) -> bool:
        """True for a model or a strategy that needs the paper itself besides the prompt."""
        return not self.host or STRATEGIES[self.settings.strategy].needs_paper

    @property
    def ledger_model(self) -> LedgerModel:
        """The model as the ledger knows it, with a hash of its settings.

        Raises:
            PromptError: if the templates are at fault.
        """
        return LedgerModel(self.info, hash_settings(self.info, self.settings))


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The limits of a call: requests at once, requests and tokens a minute, USD, papers; None is no limit.

    `max_reply_tokens` caps a reply, in tokens, where there is a cost limit.
    """

    concurrency: int
    rpm: float | None = None
    tpm: float | None = None
    max_cost: float | None = None
    max_papers: int | None = None
    max_reply_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A corpus, the models that plan it, and the limits of the call; `make_readers` read its papers."""

    corpus: Corpus
    models: tuple[ModelClient, ...]
    limits: RunLimits
    make_readers: ReaderFactory
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    retry_failed: bool = False


def hash_settings(info: ModelInfo, settings: PlanSettings) -> str:
    """Return a hash of everything that a plan depends on except the paper; when it changes, papers are planned anew."""
    templates = settings.render_prompt(Excerpt("", "", "")).template_sha256
    how = [info.endpoint, info.asked, [list(pair) for pair in info.parameters]]
    what = [settings.task.value, settings.k, settings.reasks, settings.cut_at, templates]
    what += [] if settings.strategy == "single" else [settings.strategy]
    return hashlib.sha256(json.dumps([how, what]).encode()).hexdigest()[:16]
