"""Which model answers: an endpoint, or the built-in planner where none is named and none can be reached."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from planner.chat import ChatModel, Completion, ModelCard
from planner.cli.options import ModelOptions
from planner.cli.talk import log
from planner.errors import PaperError, UsageError
from planner.extractive import CARD, Extractive
from planner.openai_chat.endpoint import resolve
from planner.openai_chat.model import ChatSettings, OpenAIChat
from planner.papers.cut import cut
from planner.papers.paper import Excerpt, Paper
from planner.pipeline import Settings
from planner.prices import cost, parse_price, window
from planner.retrying import Retrying, RetryPolicy, Wait
from planner.sidecar import Pricing

EXTRACTIVE: Final = "extractive"
# Who has one of these wants a model, and has only forgotten to name it.
_SIGNS: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY")


@dataclass(frozen=True, slots=True)
class Asked:
    """The model of a run: one for each paper, since the built-in planner reads the paper itself, and its pricing."""

    card: ModelCard
    for_paper: Callable[[Paper], ChatModel]
    pricing: Pricing
    window: int | None = None


@asynccontextmanager
async def asked_model(options: ModelOptions, settings: Settings, *, offline: bool = False) -> AsyncIterator[Asked]:
    """The model that the options and the environment name, ready to be asked.

    Raises:
        UsageError: no model is named though there is a key or an address, or the address makes no sense.
    """
    if _is_builtin(options):
        log.info("using the built-in extractive planner, which calls no model (name one with --model)")
        yield Asked(CARD, lambda paper: _builtin(paper, settings), _free)
        return
    if offline:
        raise UsageError(
            f"--offline forbids asking {options.model!r}; use --model {EXTRACTIVE}, or `prompt` and `parse`"
        )
    endpoint = resolve(options.model, options.base_url, os.environ)
    price = parse_price(options.price) if options.price else None
    chat_settings = ChatSettings(
        stream=options.stream,
        timeout=options.timeout,
        reasoning_effort=options.reasoning_effort or None,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
    )
    async with OpenAIChat(endpoint, chat_settings) as chat:
        log.info("sending to %s, model %s", endpoint.host, chat.card.asked)
        model = Retrying(chat, RetryPolicy(max_wait=options.max_wait), on_wait=_tell)

        def pricing(completion: Completion) -> float | None:
            spent = cost(chat.card, completion.usage, price)
            return None if spent is None else float(spent)

        yield Asked(chat.card, lambda _: model, pricing, window(chat.card))


def _builtin(paper: Paper, settings: Settings) -> ChatModel:
    try:
        sent = cut(paper, settings.task, settings.cut_at).excerpt(paper)
    except PaperError:
        sent = Excerpt("", "", "")  # the pipeline fails at the same cut, and says so, before it asks
    return Extractive(sent, settings.task, settings.k)


def _free(_: Completion) -> float:
    return 0.0


def _is_builtin(options: ModelOptions) -> bool:
    if options.model:
        return options.model == EXTRACTIVE
    if options.base_url or any(os.environ.get(name) for name in _SIGNS):
        raise UsageError(
            "there is a key or an address but no model; name one: --model gpt-4o, or ABLATION_PLANNER_MODEL"
        )
    return True


def _tell(wait: Wait) -> None:
    log.info("waiting %.0f s: %s", wait.seconds, wait.reason)
