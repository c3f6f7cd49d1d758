"""Estimate what planning a corpus would take, by reading it and sending nothing."""

from dataclasses import dataclass, field
from typing import Final

from planner.batch.asking import CHARS_PER_TOKEN
from planner.batch.entry import Corpus, Work
from planner.batch.job import Asked, Bounds
from planner.batch.reading import Readers, ReadPaper, reading
from planner.chat import Usage
from planner.errors import PaperError, PlannerError, TooLongError

# A typical reply of a current model: its tokens, and the seconds until it is complete.
REPLY_TOKENS: Final = 1_500
REPLY_SECONDS: Final = 30.0


@dataclass(slots=True)
class Estimate:
    """The estimate for one model: `prompt_tokens` of all readable papers, and the errors of the unreadable ones."""

    asked: Asked
    bounds: Bounds
    papers: int = 0
    prompt_tokens: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """The cost in USD, None where no price is known."""
        return self.asked.price(Usage(self.prompt_tokens, self.papers * REPLY_TOKENS))

    @property
    def seconds(self) -> float:
        """The time in seconds, at the limits that were given."""
        tokens = self.prompt_tokens + self.papers * REPLY_TOKENS
        waits = [self.papers * REPLY_SECONDS / self.bounds.concurrency if self.asked.host else 0.0]
        if self.bounds.rpm:
            waits.append(60 * self.papers / self.bounds.rpm)
        if self.bounds.tpm:
            waits.append(60 * tokens / self.bounds.tpm)
        return max(waits)

    def count(self, paper: ReadPaper | PaperError) -> None:
        """Add the prompt of a paper, or the error that prevented it.

        Raises:
            PromptError: if the templates are at fault.
        """
        question = paper if isinstance(paper, PaperError) else paper.question
        if isinstance(question, PaperError | TooLongError):
            self.unreadable.append(str(question))
        elif isinstance(question, PlannerError):
            raise question
        else:
            self.papers += 1
            self.prompt_tokens += len(question.prompt.encoded) // CHARS_PER_TOKEN


async def estimate(corpus: Corpus, models: tuple[Asked, ...], bounds: Bounds, readers: Readers) -> list[Estimate]:
    """Read every paper and estimate what each model would be sent.

    Raises:
        PromptError: if the templates are at fault.
    """
    found = {asked.record.key: Estimate(asked, bounds) for asked in models}
    asked = {key: each.asked for key, each in found.items()}
    work = (Work(entry, key) for entry in corpus.entries[: bounds.max_papers] for key in found)
    async with reading(work, asked, readers=readers(len(corpus.entries)), ahead=8) as papers:
        async for read in papers:
            found[read.work.model].count(read.paper)
    return list(found.values())
