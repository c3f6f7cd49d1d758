"""The model that answers: one at an endpoint, or the built-in planner if no model, key or address is given."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from planner.balancing import balanced
from planner.batch.job import Asked, UsagePrice
from planner.batch.outpost import RemoteModel
from planner.chat import ChatModel, ModelCard, Usage
from planner.cli.options import ModelOptions
from planner.cli.talk import log
from planner.errors import PaperError, UsageError
from planner.openai_chat.endpoint import Endpoint, resolve
from planner.openai_chat.model import ChatSettings, OpenAIChat
from planner.papers.cut import cut
from planner.papers.paper import Excerpt, Paper
from planner.posing import Settings
from planner.prices import cost, parse_price, window
from planner.retrying import Retrying, RetryPolicy, Wait

if TYPE_CHECKING:
    from planner.openai_chat.service import BatchService

EXTRACTIVE: Final = "extractive"
# A user who has set one of these wants a model, and has only forgotten to name it.
_SIGNS: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY")


@asynccontextmanager
async def asked_model(
    options: ModelOptions,
    settings: Settings,
    *,
    offline: bool = False,
    connections: int = 256,
    cap: int | None = None,
    batches: bool = False,
) -> AsyncIterator[Asked]:
    """Yield the open model that the options and the environment name; its settings hold its context window.

    `connections` is the most requests at once; `cap` is the most tokens of a reply if the user set no limit. With
    `batches` the endpoint's batch service is opened too.

    Raises:
        UsageError: if a key or an address is set but no model is named, or if the address is invalid.
    """
    if _is_builtin(options):
        log.info("using the built-in extractive planner, which calls no model (name one with --model)")
        from planner.extractive import CARD  # compiles a hundred patterns, which only this planner needs

        yield Asked(CARD, settings, lambda paper: _builtin(paper, settings), lambda _: 0.0)
        return
    if offline:
        raise UsageError(
            f"--offline forbids asking {options.model!r}; use --model {EXTRACTIVE}, or `prompt` and `parse`"
        )
    async with connected(options, connections=connections, cap=cap, batches=batches) as there:
        card = there.chat.card
        known = replace(settings, window=settings.window or window(card))
        where = (there.host, there.remote, there.service, there.prepare)
        yield Asked(card, known, lambda _: there.chat, there.price, *where)


def say_where(host: str, card: ModelCard) -> None:
    """Log the host that requests go to; the built-in planner has no host, and sends nothing."""
    if host:
        log.info("sending to %s, model %s", host, card.asked)


@dataclass(frozen=True, slots=True)
class Connection:
    """An open connection to an endpoint: `chat` sends once, without retries; `price` returns USD, None if unknown."""

    chat: ChatModel
    price: UsagePrice
    host: str
    remote: RemoteModel
    service: "BatchService | None" = None
    prepare: Callable[[], None] = lambda: None


@asynccontextmanager
async def connected(
    options: ModelOptions, *, connections: int = 256, cap: int | None = None, batches: bool = False
) -> AsyncIterator[Connection]:
    """Yield a connection to the endpoint, or to several that share the work, from the options and the environment.

    Raises:
        UsageError: if an address is invalid.
    """
    endpoints = [resolve(options.model, url, os.environ) for url in dict.fromkeys(options.base_url or ("",))]
    price = parse_price(options.price) if options.price else None
    chat_settings = ChatSettings(
        stream=options.stream,
        timeout=options.timeout,
        reasoning_effort=options.reasoning_effort or None,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        connections=connections,
        cap=cap,
    )
    async with AsyncExitStack() as stack:
        chats = [await stack.enter_async_context(OpenAIChat(endpoint, chat_settings)) for endpoint in endpoints]
        service = await stack.enter_async_context(_batch_service(endpoints, chat_settings)) if batches else None
        chat, card = balanced(chats), chats[0].card
        host = ", ".join(endpoint.host for endpoint in endpoints)

        def priced(usage: Usage) -> float | None:
            spent = cost(card, usage, price)
            return None if spent is None else float(spent)

        def prepare() -> None:
            for each in chats:
                each.prepare()

        # An address with a password is not sent to other machines: each has it in its own environment.
        addresses = tuple("" if endpoint.credentials else endpoint.base_url for endpoint in endpoints)
        remote = RemoteModel(card, options.model, addresses, chat_settings)
        yield Connection(chat, priced, host, remote, service, prepare)


def _batch_service(endpoints: list[Endpoint], settings: ChatSettings) -> "BatchService":
    from planner.openai_chat.service import BatchService  # imports the SDK, which takes 0.4 s

    if len(endpoints) > 1:
        raise UsageError("a batch service has one address; give --base-url once")
    return BatchService(endpoints[0], settings)


def patient(model: ChatModel, max_wait: float) -> ChatModel:
    """Return a model that retries failed requests for up to `max_wait` seconds and logs its waits."""
    return Retrying(model, RetryPolicy(max_wait=max_wait), on_wait=_tell)


def _builtin(paper: Paper | None, settings: Settings) -> ChatModel:
    from planner.extractive import Extractive

    assert paper is not None, "the built-in planner reads papers"
    try:
        sent = cut(paper, settings.task, settings.cut_at).excerpt(paper)
    except PaperError:
        sent = Excerpt("", "", "")  # planning fails at the same cut, with a message, before it calls the model
    return Extractive(sent, settings.task, settings.k)


def _is_builtin(options: ModelOptions) -> bool:
    if options.model:
        return options.model == EXTRACTIVE
    if options.base_url or any(os.environ.get(name) for name in _SIGNS):
        raise UsageError(
            "a key or an address is set but no model is named; add --model gpt-4o, or ABLATION_PLANNER_MODEL"
        )
    return True


def _tell(wait: Wait) -> None:
    log.info("waiting %.0f s: %s", wait.seconds, wait.reason)
