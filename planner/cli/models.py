"""The model that answers: one at an endpoint, or the built-in planner if no model, key or address is given."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from planner.batch.cluster.worker import RemoteModel
from planner.batch.job import ModelClient, UsagePrice
from planner.chat import Model, ModelInfo, Usage
from planner.cli.console import log
from planner.cli.options import ModelSpec
from planner.errors import PaperError, UsageError
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import Endpoint, resolve_endpoint
from planner.models.pricing import compute_cost, find_context_window, parse_price
from planner.models.replicas import combine_replicas
from planner.models.retry import RetryingModel, RetryPolicy, RetryWait
from planner.papers.excerpt import select_sections
from planner.papers.paper import Excerpt, Paper
from planner.planning.question import PlanSettings

if TYPE_CHECKING:
    from planner.models.openai_chat.batch_api import BatchService

EXTRACTIVE: Final = "extractive"
# A user who has set one of these wants a model, and has only forgotten to name it.
_MODEL_VARIABLES: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY")


@asynccontextmanager
async def open_model(
    options: ModelSpec,
    settings: PlanSettings,
    *,
    offline: bool = False,
    max_connections: int = 256,
    reply_limit: int | None = None,
    with_batch_service: bool = False,
) -> AsyncIterator[ModelClient]:
    """Yield the open model that the options and the environment name; its settings hold its context window.

    `max_connections` is the most requests at once; `reply_limit` is the most tokens of a reply if the user set no limit. With
    `with_batch_service` the endpoint's batch service is opened too.

    Raises:
        UsageError: if a key or an address is set but no model is named, or if the address is invalid.
    """
    if _is_builtin(options):
        log.info("using the built-in extractive planner, which calls no model (name one with --model)")
        from planner.models.extractive import BUILTIN_INFO  # compiles a hundred patterns, which only this planner needs

        yield ModelClient(BUILTIN_INFO, settings, lambda paper: _create_builtin_planner(paper, settings), lambda _: 0.0)
        return
    if offline:
        raise UsageError(
            f"--offline forbids asking {options.model!r}; use --model {EXTRACTIVE}, or `prompt` and `parse`"
        )
    async with connect_endpoint(
        options, max_connections=max_connections, reply_limit=reply_limit, with_batch_service=with_batch_service
    ) as there:
        card = there.model.info
        known = replace(settings, window=settings.window or find_context_window(card))
        where = (there.host, there.remote, there.service, there.warm_up)
        yield ModelClient(card, known, lambda _: there.model, there.price, *where)


def log_destination(host: str, card: ModelInfo) -> None:
    """Log the host that requests go to; the built-in planner has no host, and sends nothing."""
    if host:
        log.info("sending to %s, model %s", host, card.asked)


@dataclass(frozen=True, slots=True)
class EndpointConnection:
    """An open connection to an endpoint: `model` sends once, without retries; `price` returns USD, None if unknown."""

    model: Model
    price: UsagePrice
    host: str
    remote: RemoteModel
    service: "BatchService | None" = None
    warm_up: Callable[[], None] = lambda: None


@asynccontextmanager
async def connect_endpoint(
    options: ModelSpec, *, max_connections: int = 256, reply_limit: int | None = None, with_batch_service: bool = False
) -> AsyncIterator[EndpointConnection]:
    """Yield a connection to the endpoint, or to several that share the work, from the options and the environment.

    Raises:
        UsageError: if an address is invalid.
    """
    endpoints = [resolve_endpoint(options.model, url, os.environ) for url in dict.fromkeys(options.base_url or ("",))]
    price = parse_price(options.price) if options.price else None
    chat_settings = RequestOptions(
        stream=options.stream,
        timeout=options.timeout,
        reasoning_effort=options.reasoning_effort or None,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        connections=max_connections,
        token_cap=reply_limit,
    )
    async with AsyncExitStack() as stack:
        chats = [await stack.enter_async_context(OpenAIChat(endpoint, chat_settings)) for endpoint in endpoints]
        service = (
            await stack.enter_async_context(_create_batch_service(endpoints, chat_settings))
            if with_batch_service
            else None
        )
        chat, card = combine_replicas(chats), chats[0].info
        host = ", ".join(endpoint.host for endpoint in endpoints)

        def priced(usage: Usage) -> float | None:
            spent = compute_cost(card, usage, price)
            return None if spent is None else float(spent)

        def prepare() -> None:
            for each in chats:
                each.warm_up()

        # An address with a password is not sent to other machines: each has it in its own environment.
        addresses = tuple("" if endpoint.credentials else endpoint.base_url for endpoint in endpoints)
        remote = RemoteModel(card, options.model, addresses, chat_settings)
        yield EndpointConnection(chat, priced, host, remote, service, prepare)


def _create_batch_service(endpoints: list[Endpoint], settings: RequestOptions) -> "BatchService":
    from planner.models.openai_chat.batch_api import BatchService  # imports the SDK, which takes 0.4 s

    if len(endpoints) > 1:
        raise UsageError("a batch service has one address; give --base-url once")
    return BatchService(endpoints[0], settings)


def add_retries(model: Model, max_wait: float) -> Model:
    """Return a model that retries failed requests for up to `max_wait` seconds and logs its waits."""
    return RetryingModel(model, RetryPolicy(max_wait=max_wait), on_wait=_log_wait)


def _create_builtin_planner(paper: Paper | None, settings: PlanSettings) -> Model:
    from planner.models.extractive import ExtractiveModel

    assert paper is not None, "the built-in planner reads papers"
    try:
        sent = select_sections(paper, settings.task, settings.cut_at).build_excerpt(paper)
    except PaperError:
        sent = Excerpt("", "", "")  # planning fails at the same cut, with a message, before it calls the model
    return ExtractiveModel(sent, settings.task, settings.k)


def _is_builtin(options: ModelSpec) -> bool:
    if options.model:
        return options.model == EXTRACTIVE
    if options.base_url or any(os.environ.get(name) for name in _MODEL_VARIABLES):
        raise UsageError(
            "a key or an address is set but no model is named; add --model gpt-4o, or ABLATION_PLANNER_MODEL"
        )
    return True


def _log_wait(wait: RetryWait) -> None:
    log.info("waiting %.0f s: %s", wait.seconds, wait.reason)
