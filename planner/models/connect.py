"""Open the model that the user names, or the built-in planner if the user names none."""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from planner.chat import LM_PLANNER, Completion, Model, ModelInfo, Prompt, Usage
from planner.errors import PaperError, UsageError
from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import Endpoint, resolve_endpoint
from planner.models.pricing import (
    UsagePrice,
    compute_cost,
    find_context_window,
    find_missing_prefix_warning,
    parse_price,
)
from planner.models.prompt_files import PromptFileModel, PromptFiles, PromptFolders
from planner.models.wrappers import ModelWrapper, ReplicatedModel, RetryingModel, RetryPolicy, log_wait
from planner.papers.excerpt import cut_excerpt
from planner.papers.paper import Excerpt, Paper
from planner.schema import Task

if TYPE_CHECKING:
    from planner.models.openai_chat.batch_api import BatchService

EXTRACTIVE: Final = "extractive"
# A user who has set one of these variables wants a model, and has only forgotten to name it.
_MODEL_VARIABLES: Final = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY")
# The price of a request at a batch service, as a share of the price of a live request.
_BATCH_PRICE_SHARE: Final = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model as the user names it, with its addresses and the parameters of its requests.

    Times are in seconds. If there are several addresses, they share the requests. A parameter that is "" or None is not
    sent. `price` is "IN,OUT" in USD per million tokens; if it is "", the price is looked up. `key_variable` is the
    environment variable that holds the key: "" for no key, None to choose it by the address or the model's prefix.
    """

    model: str = ""
    base_url: tuple[str, ...] = ()
    stream: bool = True
    timeout: float = 600.0
    max_wait: float = 600.0
    reasoning_effort: str = ""
    temperature: float | None = None
    max_tokens: int | None = None
    price: str = ""
    key_variable: str | None = None


@dataclass(frozen=True, slots=True)
class WorkerModelSpec:
    """A description of a model, for a worker on another machine; it holds no key or password.

    `model` is the name that the user gave. An address with a password is "" in `base_urls`; the worker takes this
    address from its own environment. The worker opens the model and checks that its name, address and parameters are
    those in `info`. `key_variable` has the same meaning as in `ModelSpec`.
    """

    info: ModelInfo
    model: str
    base_urls: tuple[str, ...]
    options: RequestOptions
    key_variable: str | None = None


@dataclass(frozen=True, slots=True)
class ModelClient:
    """A model that is ready for requests.

    `model` sends each request once, without retries; it is None for the built-in planner. `compute_cost` returns the
    cost of a request in USD, None if it is unknown. `host` is the host that gets the requests, "" if none are sent. A
    worker on another machine opens the model from `worker_spec`. `batch_service` is None if the batch service was not
    opened. `warm_up` does slow work before the first request; any thread may call it. `key_source` says where the key
    comes from; it is "" if no key is sent.
    """

    info: ModelInfo
    compute_cost: UsagePrice
    host: str = ""
    model: Model | None = None
    worker_spec: WorkerModelSpec | None = None
    batch_service: "BatchService | None" = None
    warm_up: Callable[[], None] = lambda: None
    key_source: str = ""

    @property
    def window(self) -> int | None:
        """The model's context window in tokens; None if it is unknown, and for the built-in planner."""
        return None if self.model is None else find_context_window(self.info)

    def make_paper_model(
        self, paper: Paper | None, task: Task, k: int, cut_at: str = "", *, with_details: bool = True
    ) -> Model:
        """Return `model`; if it is None, return a built-in planner for this paper."""
        if self.model is not None:
            return self.model
        from planner.analysis.analyse import index_paper_for_check
        from planner.analysis.repeats import RepeatSearch
        from planner.models.extractive import ExtractiveModel

        assert paper is not None, "the built-in planner needs the paper, not only a prompt"
        try:
            excerpt = cut_excerpt(paper, task, cut_at)
        except PaperError:
            excerpt = Excerpt("", "", "")  # planning fails at the same cut, with a message, before it calls the model
        is_author = task is Task.AUTHOR  # whose text reports nothing yet
        repeats = None if is_author else RepeatSearch(index_paper_for_check(paper, task, excerpt))
        return ExtractiveModel(excerpt, k, with_details=with_details, repeat_search=repeats)

    def compute_batch_request_cost(self, usage: Usage) -> float | None:
        """Return the cost in USD of a request that is sent in a batch, None if no price is known."""
        live = self.compute_cost(usage)
        return None if live is None else live * _BATCH_PRICE_SHARE


@asynccontextmanager
async def open_model(
    spec: ModelSpec,
    *,
    offline: bool = False,
    max_connections: int = 256,
    max_reply_tokens: int | None = None,
    with_batch_service: bool = False,
    sends_requests: bool = True,
    on_text: Callable[[str], None] | None = None,
) -> AsyncIterator[ModelClient]:
    """Open the model that `spec` names, and yield a client for it.

    `max_connections` is the largest number of requests at a time. `max_reply_tokens` is the largest number of tokens in
    a reply; it applies if the user set no limit. If `with_batch_service` is true, the client can also send batches. If
    `sends_requests` is false, the client will send nothing, and needs neither a key nor the network. `on_text` gets the
    text and the reasoning of a reply in pieces, with keys masked.

    Raises:
        UsageError: if no model is named but a key or an address is set, if the address or the price is invalid, or
            if `offline` forbids requests.
    """
    if not spec.model and (spec.base_url or any(os.environ.get(name) for name in _MODEL_VARIABLES)):
        raise UsageError(
            "a key or an address is set, but no model is named; add --model gpt-4o (or set ABLATION_PLANNER_MODEL),"
            f" or add --model {EXTRACTIVE} to use the built-in planner, which sends nothing"
        )
    if spec.model in ("", EXTRACTIVE):
        from planner.models.extractive import BUILTIN_INFO  # compiles a hundred patterns, which only this planner needs

        hint = "" if spec.model else " (name one with --model)"
        log.info("using the built-in extractive planner, which calls no model%s", hint)
        yield ModelClient(BUILTIN_INFO, lambda _: 0.0)
        return
    if offline and sends_requests:
        raise UsageError(
            f"--offline forbids asking {spec.model!r}", f"use --model {EXTRACTIVE}, or `prompt` and `parse`"
        )
    endpoints = _resolve_endpoints(spec, requires_key=sends_requests)
    options = RequestOptions(
        stream=spec.stream,
        timeout=spec.timeout,
        reasoning_effort=spec.reasoning_effort or None,
        temperature=spec.temperature,
        max_tokens=spec.max_tokens,
        max_connections=max_connections,
        default_max_tokens=max_reply_tokens,
    )
    async with AsyncExitStack() as stack:
        chats = [
            await stack.enter_async_context(OpenAIChat(endpoint, options, on_text=on_text)) for endpoint in endpoints
        ]
        service = None
        if with_batch_service:
            service = await stack.enter_async_context(_create_batch_service(endpoints, options))
        info = chats[0].info
        # An address with a password is not sent to other machines: each has it in its own environment.
        addresses = tuple("" if endpoint.credentials else endpoint.base_url for endpoint in endpoints)
        yield ModelClient(
            info,
            partial(compute_cost, info, price=parse_price(spec.price) if spec.price else None),
            host=", ".join(endpoint.host for endpoint in endpoints),
            model=ReplicatedModel(chats),
            worker_spec=WorkerModelSpec(info, spec.model, addresses, options, spec.key_variable),
            batch_service=service,
            warm_up=lambda: _warm_up(chats),
            key_source=endpoints[0].key_source,
        )


def build_prompt_file_client(spec: ModelSpec, prompt_folders: PromptFolders) -> ModelClient:
    """Return a client that writes its prompts to files and reads the replies from files, at no cost.

    Raises:
        UsageError: if no model is named.
    """
    if spec.model.strip() in ("", EXTRACTIVE):
        raise UsageError("--prompts-to and --replies-from need --model NAME, the name of the model that replies")
    info = ModelInfo(LM_PLANNER, spec.model, spec.model)
    return ModelClient(info, lambda _: 0.0, model=PromptFileModel(info, PromptFiles(prompt_folders), ""))


def log_request_host(client: ModelClient) -> None:
    """Log the host that gets the requests; log nothing if there is none."""
    if client.host:
        log.info("sending to %s, model %s", client.host, client.info.asked)


@dataclass
class _HostLoggingModel(ModelWrapper):
    """The model of a client, which logs its host before it sends its first request."""

    client: ModelClient
    has_sent: bool = False

    async def complete(self, prompt: Prompt) -> Completion:
        if not self.has_sent:
            self.has_sent = True
            log_request_host(self.client)
        return await self.model.complete(prompt)


def add_host_logging(client: ModelClient) -> ModelClient:
    """Return a client that logs its host before it sends its first request."""
    return replace(client, model=_HostLoggingModel(client.model, client)) if client.model else client


def add_retries(model: Model, max_wait: float) -> Model:
    """Return a model that retries failed requests for up to `max_wait` seconds and logs its waits."""
    return RetryingModel(model, RetryPolicy(max_wait=max_wait), on_wait=partial(log_wait, level=logging.INFO))


def _resolve_endpoints(spec: ModelSpec, *, requires_key: bool) -> list[Endpoint]:
    """Return one endpoint for each address; warn if OpenAI is used by default but probably lacks the model."""
    hint = None if spec.base_url else find_missing_prefix_warning(spec.model, os.environ)
    try:
        endpoints = [
            resolve_endpoint(spec.model, url, os.environ, key_variable=spec.key_variable, requires_key=requires_key)
            for url in dict.fromkeys(spec.base_url or ("",))
        ]
    except UsageError as error:
        raise UsageError(f"{error.fault}; {hint}" if hint else error.fault, error.advice) from None
    if hint:
        log.warning("%s", hint)
    return endpoints


def _create_batch_service(endpoints: list[Endpoint], options: RequestOptions) -> "BatchService":
    from planner.models.openai_chat.batch_api import BatchService  # only needed for batch services

    if len(endpoints) > 1:
        raise UsageError("batches can be sent to only one address; give --base-url once")
    return BatchService(endpoints[0], options)


def _warm_up(chats: list[OpenAIChat]) -> None:
    for chat in chats:
        chat.warm_up()
