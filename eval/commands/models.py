"""The model that judges, and what its replies cost."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eval.limiting import Limited
from planner.batch.limits import Limits
from planner.chat import ChatModel, Completion
from planner.cli.options import ModelOptions
from planner.cli.talk import log
from planner.openai_chat.endpoint import resolve
from planner.openai_chat.model import ChatSettings, OpenAIChat
from planner.prices import cost, parse_price
from planner.retrying import Retrying, RetryPolicy, Wait
from planner.sidecar import Pricing


@dataclass(frozen=True, slots=True)
class JudgeModel:
    """A model that is ready to be asked, and its pricing."""

    model: ChatModel
    pricing: Pricing


@asynccontextmanager
async def judge_model(options: ModelOptions, limits: Limits) -> AsyncIterator[JudgeModel]:
    """The endpoint that the options and the environment name, within limits, and the transport retry around it.

    Raises:
        UsageError: the address makes no sense.
    """
    endpoint = resolve(options.model, options.base_url, os.environ)
    price = parse_price(options.price) if options.price else None
    settings = ChatSettings(
        stream=options.stream,
        timeout=options.timeout,
        reasoning_effort=options.reasoning_effort or None,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
    )
    async with OpenAIChat(endpoint, settings) as chat:
        log.info("sending to %s, model %s", endpoint.host, chat.card.asked)

        def pricing(completion: Completion) -> float | None:
            spent = cost(chat.card, completion.usage, price)
            return None if spent is None else float(spent)

        yield JudgeModel(
            Retrying(Limited(chat, limits), RetryPolicy(max_wait=options.max_wait), on_wait=_tell), pricing
        )


def _tell(wait: Wait) -> None:
    log.info("waiting %.0f s: %s", wait.seconds, wait.reason)
