"""Estimate what planning a corpus would take, by reading it and sending nothing."""

from dataclasses import dataclass, field
from typing import Final

from planner.batch.job import ModelClient, RunLimits
from planner.batch.manifest import Corpus, PlanTask
from planner.batch.rate_limit import CHARS_PER_TOKEN
from planner.batch.read_ahead import RemotePaper, read_papers_ahead
from planner.chat import Usage
from planner.errors import PaperError, PlannerError, TooLongError
from planner.planning.strategies import STRATEGIES
from planner.reading.process import ReaderFactory

TYPICAL_REPLY_SECONDS: Final = 30.0  # until the reply of a current model is complete


@dataclass(slots=True)
class ModelEstimate:
    """The estimate for one model: requests and tokens of all readable papers, and the errors of the unreadable ones."""

    client: ModelClient
    limits: RunLimits
    paper_count: int = 0
    request_count: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    paper_errors: list[str] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """The cost in USD, None where no price is known."""
        return self.client.price(Usage(self.prompt_tokens, self.reply_tokens))

    @property
    def seconds(self) -> float:
        """The time in seconds, at the limits that were given."""
        waits = [self.request_count * TYPICAL_REPLY_SECONDS / self.limits.concurrency if self.client.host else 0.0]
        if self.limits.rpm:
            waits.append(60 * self.request_count / self.limits.rpm)
        if self.limits.tpm:
            waits.append(60 * (self.prompt_tokens + self.reply_tokens) / self.limits.tpm)
        return max(waits)

    def add_paper(self, paper: RemotePaper | PaperError) -> None:
        """Add the prompt of a paper, or the error that prevented it.

        Raises:
            PromptError: if the templates are at fault.
        """
        question = paper if isinstance(paper, PaperError) else paper.paper_prompt
        if isinstance(question, PaperError | TooLongError):
            self.paper_errors.append(str(question))
        elif isinstance(question, PlannerError):
            raise question
        else:
            self.paper_count += 1
            strategy = STRATEGIES[self.client.settings.strategy]
            estimate = strategy.estimate(len(question.prompt.messages_json) // CHARS_PER_TOKEN)
            self.request_count += estimate.requests
            self.prompt_tokens += estimate.prompt_tokens
            self.reply_tokens += estimate.reply_tokens


async def estimate_run(
    corpus: Corpus, models: tuple[ModelClient, ...], limits: RunLimits, make_readers: ReaderFactory
) -> list[ModelEstimate]:
    """Read every paper and estimate what each model would be sent.

    Raises:
        PromptError: if the templates are at fault.
    """
    found = {asked.ledger_model.key: ModelEstimate(asked, limits) for asked in models}
    asked = {key: each.client for key, each in found.items()}
    work = (PlanTask(entry, key) for entry in corpus.entries[: limits.max_papers] for key in found)
    async with read_papers_ahead(work, asked, readers=make_readers(len(corpus.entries)), max_ahead=8) as papers:
        async for read in papers:
            found[read.plan_task.model].add_paper(read.paper)
    return list(found.values())
