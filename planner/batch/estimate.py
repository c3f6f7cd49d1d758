"""Estimate what planning a corpus would take, by reading it and sending nothing."""

from dataclasses import dataclass, field
from typing import Final

from planner.batch.manifest import PlanTask
from planner.batch.read_ahead import RemotePaper, read_papers_ahead
from planner.batch.spec import BatchJob, RunLimits, RunModel
from planner.chat import TokenCounter, Usage
from planner.errors import PaperError, PlannerError, TooLongError
from planner.models.pricing import UsagePrice
from planner.planning.strategies import STRATEGIES

TYPICAL_REPLY_SECONDS: Final = 30.0  # until the reply of a current model is complete


@dataclass(slots=True)
class ModelEstimate:
    """The estimate for one model: requests and tokens of all readable papers, and the errors of the unreadable ones."""

    model: RunModel
    price: UsagePrice
    limits: RunLimits
    paper_count: int = 0
    request_count: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    paper_errors: list[str] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """The cost in USD, None where no price is known."""
        return self.price(Usage(self.prompt_tokens, self.reply_tokens))

    @property
    def seconds(self) -> float:
        """The time in seconds, at the limits that were given."""
        waits = [
            self.request_count * TYPICAL_REPLY_SECONDS / self.limits.concurrency if self.model.client.host else 0.0
        ]
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
        paper_prompt = paper if isinstance(paper, PaperError) else paper.paper_prompt
        if isinstance(paper_prompt, PaperError | TooLongError):
            self.paper_errors.append(str(paper_prompt))
        elif isinstance(paper_prompt, PlannerError):
            raise paper_prompt
        else:
            self.paper_count += 1
            strategy = STRATEGIES[self.model.settings.strategy]
            estimate = strategy.estimate(TokenCounter().count_prompt(paper_prompt.prompt))
            self.request_count += estimate.requests
            self.prompt_tokens += estimate.prompt_tokens
            self.reply_tokens += estimate.reply_tokens


async def estimate_run(job: BatchJob, *, at_batch_service: bool) -> list[ModelEstimate]:
    """Read every paper and estimate what each model would be sent, live or through its batch service.

    Raises:
        PromptError: if the templates are at fault.
    """
    models = {model.ledger_model.key: model for model in job.models}
    estimates = {
        key: ModelEstimate(
            model, model.client.price_at_batch_service if at_batch_service else model.client.compute_price, job.limits
        )
        for key, model in models.items()
    }
    tasks = (PlanTask(entry, key) for entry in job.corpus.entries[: job.limits.max_papers] for key in models)
    readers = job.make_readers(len(job.corpus.entries))
    async with read_papers_ahead(tasks, models, readers=readers, max_ahead=8) as papers:
        async for item in papers:
            estimates[item.plan_task.model].add_paper(item.paper)
    return list(estimates.values())
