"""The strategies by which a paper is planned: the requests that each one sends, and what these take.

A new strategy is a function that gets a `PlanSession` and returns a reply, and a row in the table of `STRATEGIES`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from planner.chat import Prompt

if TYPE_CHECKING:
    from planner.analysis.check import PlanCheck
    from planner.parsing.reply import Reply  # the processes that only read papers need no parser

TYPICAL_REPLY_TOKENS: Final = 1_500  # of a current model


class PlanSession(Protocol):
    """The planning of one paper as a strategy sees it."""

    async def build_prompt(self) -> Prompt:
        """Build the first prompt about the paper, fitted to the model's window."""

    def continue_prompt(self, prompt: Prompt, template: str, **values: object) -> Prompt:
        """Return the opening of a prompt with the last reply and a message that is rendered from a template.

        Raises:
            PromptError: if the template is missing or faulty.
        """

    async def ask(self, prompt: Prompt, step: str = "") -> "Reply":
        """Send a prompt and return the parsed reply; ask again with the findings while the reply is invalid.

        Every prompt but the first has a `step`, the name by which the records tell its requests from first ones.

        Raises:
            ModelError: if there is no completion.
            BudgetExceeded: if the request could exceed the cost limit.
            OutputError: if the reply holds no plan.
        """

    def check_plan(self, reply: "Reply") -> "PlanCheck":
        """Return the faults of a plan, and its details with their quotes located in what was sent."""


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """The number of requests that a paper takes, and the tokens of their prompts and replies."""

    requests: int
    prompt_tokens: int
    reply_tokens: int


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to plan a paper: `run` asks the model, `estimate` takes the tokens of the first prompt.

    `templates` names the prompts that it needs besides those of the task. `needs_paper` is true if it needs the paper
    itself besides the prompt.
    """

    name: str
    run: Callable[[PlanSession], Awaitable["Reply"]]
    estimate: Callable[[int], RequestEstimate]
    templates: tuple[str, ...] = ()
    needs_paper: bool = False


async def plan_at_once(session: PlanSession) -> "Reply":
    """Return the plan of the first valid reply."""
    return await session.ask(await session.build_prompt())


def estimate_one_request(prompt_tokens: int) -> RequestEstimate:
    """Return the estimate of one request."""
    return RequestEstimate(1, prompt_tokens, TYPICAL_REPLY_TOKENS)


STRATEGIES: Final = {strategy.name: strategy for strategy in (Strategy("single", plan_at_once, estimate_one_request),)}
