"""What a corpus would take, told from reading it and sending nothing."""

from dataclasses import dataclass, field
from typing import Final

from planner.batch.asking import CHARS_PER_TOKEN
from planner.batch.entry import Corpus, Work
from planner.batch.job import Asked, Bounds
from planner.batch.reading import Readers, reading
from planner.chat import Usage
from planner.errors import PaperError, TooLongError
from planner.gauge import Gauge
from planner.papers.paper import Paper
from planner.pipeline import pose

# What a reply takes, as replies of current models do: tokens, and seconds until the last of them.
REPLY_TOKENS: Final = 1_500
REPLY_SECONDS: Final = 30.0


@dataclass(slots=True)
class Estimate:
    """What one model would take: `prompt_tokens` of all papers that can be read, and what is wrong with the others."""

    asked: Asked
    bounds: Bounds
    papers: int = 0
    prompt_tokens: int = 0
    unreadable: list[str] = field(default_factory=list)

    @property
    def cost(self) -> float | None:
        """USD, None where no price is known."""
        return self.asked.price(Usage(self.prompt_tokens, self.papers * REPLY_TOKENS))

    @property
    def seconds(self) -> float:
        """At the limits that were given."""
        tokens = self.prompt_tokens + self.papers * REPLY_TOKENS
        waits = [self.papers * REPLY_SECONDS / self.bounds.concurrency if self.asked.host else 0.0]
        if self.bounds.rpm:
            waits.append(60 * self.papers / self.bounds.rpm)
        if self.bounds.tpm:
            waits.append(60 * tokens / self.bounds.tpm)
        return max(waits)

    def count(self, paper: Paper) -> None:
        """Count what would be sent of a paper."""
        try:
            _, prompt = pose(paper, self.asked.settings, Gauge())
        except (PaperError, TooLongError) as error:
            self.unreadable.append(str(error))
            return
        self.papers += 1
        self.prompt_tokens += sum(len(message.content) for message in prompt.messages) // CHARS_PER_TOKEN


async def estimate(corpus: Corpus, models: tuple[Asked, ...], bounds: Bounds, readers: Readers) -> list[Estimate]:
    """Read every paper and count what each model would be sent.

    Raises:
        PromptError: the templates are at fault.
    """
    found = [Estimate(asked, bounds) for asked in models]
    work = (Work(entry, "") for entry in corpus.entries[: bounds.max_papers])
    async with reading(work, readers=readers(len(corpus.entries)), ahead=8) as papers:
        async for read in papers:
            for each in found:
                if isinstance(read.paper, PaperError):
                    each.unreadable.append(str(read.paper))
                else:
                    each.count(read.paper)
    return found
