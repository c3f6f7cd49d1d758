"""Send prompts to a model at an OpenAI-compatible endpoint, and list the models of an endpoint.

If an endpoint rejects a parameter, later requests leave it out or rename it. Some endpoints, such as Ollama, truncate
long prompts without an error. The number of prompt tokens in the response shows this.
"""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from pydantic import JsonValue
from pydantic_core import to_json

from planner.chat import LM_PLANNER, Completion, ModelInfo, Prompt, Usage
from planner.errors import ModelError
from planner.models.openai_chat.endpoint import Endpoint, resolve_endpoint
from planner.models.openai_chat.replies import (
    REASONING_FIELDS,
    FilteredPromptError,
    JsonObject,
    RejectedParameterError,
    get_object_or_empty,
    list_object_items,
)
from planner.sanitize import remove_unsafe_characters, repair_surrogates, truncate_long_name

if TYPE_CHECKING:
    from planner.models.openai_chat.transport import Transport

_MIN_TOKENS: Final = 500  # tokens; no endpoint truncates a shorter prompt
_OTHER_NAMES: Final[Mapping[str, str]] = {"max_tokens": "max_completion_tokens"}
_HELD_CHARS: Final = 60  # characters at the end of an arriving reply that are held back, as a password may have spaces
_MAX_HELD_CHARS: Final = 400  # without a space in them, as no key has one
_WINDOW_NAMES: Final = ("context_length", "max_model_len", "context_window")  # OpenRouter, vLLM, Groq
_OPTIONAL: Final = frozenset({"temperature", "top_p", "seed", "reasoning_effort", "stream", "stream_options"})


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """The options of requests to a model; a parameter that is None is not sent.

    `timeout` is in seconds. With streaming, it limits the time without a token; otherwise, it limits the whole reply.
    Streaming is the default because gateways close silent connections during long reasoning. A reply of 1,000 chunks
    takes 14 ms of CPU with streaming and 1 ms without (`python -m tests.openai_chat.bench`). `default_max_tokens` is
    sent as `max_tokens` if the user set no limit. It limits the cost, and does not change the request's hash.
    """

    stream: bool = True
    timeout: float = 600.0
    max_connections: int = 256
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    default_max_tokens: int | None = None

    @property
    def user_parameters(self) -> tuple[tuple[str, JsonValue], ...]:
        """The parameters that the user set, sorted by name."""
        names = ("max_tokens", "reasoning_effort", "seed", "temperature", "top_p")
        return tuple((name, value) for name in names if (value := getattr(self, name)) is not None)


class EndpointClient:
    """A client of one endpoint; an async context manager that closes its connections.

    `fast` allows the use of aiohttp, which is faster for many requests at once.
    """

    def __init__(self, endpoint: Endpoint, options: RequestOptions, *, fast: bool = False) -> None:
        self.endpoint = endpoint
        self.options = options
        self._fast = fast
        self._adapter = _ParameterAdapter()
        self._transport: Transport | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            await transport.close()

    def open_transport(self) -> "Transport":
        """Return the transport for the requests; open it if none is open.

        Raises:
            ModelError: if a proxy in the environment cannot be used.
        """
        if self._transport is None:
            from planner.models.openai_chat.transport import Transport  # imports the SDK, which takes 0.4 s

            timeout, max_connections = self.options.timeout, self.options.max_connections
            self._transport = Transport(self.endpoint, timeout, max_connections, fast=self._fast)
        return self._transport

    def build_parameters(self) -> JsonObject:
        """Return all parameters of a request except its messages, in the form that the endpoint accepts."""
        options = self.options
        cap: JsonObject = {} if options.default_max_tokens is None else {"max_tokens": options.default_max_tokens}
        parameters = {"model": repair_surrogates(self.endpoint.model), **cap, **dict(options.user_parameters)}
        if options.stream:
            parameters |= {"stream": True, "stream_options": {"include_usage": True}}
        return self._adapter.adapt_parameters(parameters)


class OpenAIChat(EndpointClient):
    """A model at an endpoint; an async context manager that closes its connections.

    `model` is an `Endpoint` or a name, such as "gpt-4o" or "ollama/llama3.1". For a name, the address and the key come
    from the environment, and failed requests are retried. For an `Endpoint`, each call sends one request;
    `RetryingModel` adds retries. If the endpoint rejects a parameter, later requests leave it out or rename it, and
    `Completion.notes` says so. `on_text` gets the text and the reasoning of a streamed reply in pieces. Use an instance
    in one event loop only.

    Raises:
        UsageError: if the environment has no key for the named model, or an invalid address.
    """

    def __init__(
        self,
        model: str | Endpoint,
        options: RequestOptions = RequestOptions(),
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> None:
        endpoint = resolve_endpoint(model, "", os.environ) if isinstance(model, str) else model
        super().__init__(endpoint, options, fast=True)
        self.info = ModelInfo(LM_PLANNER, endpoint.model, endpoint.model, endpoint.base_url, options.user_parameters)
        self._on_text = on_text
        self._retries = isinstance(model, str)

    def __repr__(self) -> str:
        return f"OpenAIChat({self.endpoint!r}, {self.options!r})"

    def warm_up(self) -> None:
        """Import the SDK and load certificates in advance, since both are slow; any thread may call this."""
        with suppress(ModelError):  # an unusable proxy, which the first request reports
            self.open_transport()

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the completion; if a content filter refuses the prompt, the completion has a refusal and no text.

        Raises:
            TooLongError: if the prompt does not fit the model's context window.
            ModelError: if the request fails for another reason.
        """
        if not self._retries:
            return await self._complete_once(prompt)
        from planner.models.wrappers import RetryPolicy, call_with_retry

        return await call_with_retry(partial(self._complete_once, prompt), RetryPolicy())

    async def _complete_once(self, prompt: Prompt) -> Completion:
        started = time.monotonic()
        try:
            completion = await self._send(prompt)
        except FilteredPromptError as filtered:
            completion = build_content_filter_completion(filtered)
        notes = (*self._adapter.notes, *completion.notes, *build_truncation_warnings(prompt, completion.usage))
        return replace(completion, seconds=time.monotonic() - started, notes=notes)

    async def _send(self, prompt: Prompt) -> Completion:
        """Send the request; if the endpoint rejects a parameter, adapt the request and send it again."""
        while True:
            sent = self.build_parameters()
            try:
                return await self._send_once(sent, prompt)
            except RejectedParameterError as refusal:
                if not self._adapter.observe_rejection(refusal.parameter, sent):
                    raise

    async def _send_once(self, parameters: JsonObject, prompt: Prompt) -> Completion:
        """Send one request, and report the text of the reply as it arrives."""
        transport, streams = self.open_transport(), bool(parameters.get("stream"))
        body = build_request_body(parameters, prompt)
        if self._on_text is None:
            return await transport.fetch_completion(body, streams=streams)
        reporter = _MaskedTextReporter(self._on_text, self.endpoint.mask.mask_reply_text)
        try:
            return await transport.fetch_completion(body, streams=streams, on_piece=reporter.add_piece)
        finally:
            reporter.finish()


class _ParameterAdapter:
    """A record of the parameters that one endpoint rejects; it adapts later requests.

    The limit on tokens may be renamed but is never left out, because a cost limit may need it.
    """

    def __init__(self) -> None:
        self._dropped: set[str] = set()
        self._renamed: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """The changes that were made to requests, one sentence each."""
        dropped = (f"{name} was not sent, as the endpoint does not accept it" for name in sorted(self._dropped))
        renamed = (f"{name} was sent as {other}, as the endpoint requires" for name, other in self._renamed.items())
        return (*dropped, *renamed)

    def adapt_parameters(self, parameters: Mapping[str, JsonValue]) -> JsonObject:
        """Return the parameters of a request as the endpoint accepts them: some renamed, some left out."""
        dropped = self._dropped | ({"stream_options"} if "stream" in self._dropped else set())
        return {self._renamed.get(name, name): value for name, value in parameters.items() if name not in dropped}

    def observe_rejection(self, parameter: str, sent: Mapping[str, JsonValue]) -> bool:
        """Remember that the endpoint rejects `parameter`; return whether a request can leave it out or rename it."""
        if parameter not in sent:
            return False
        if parameter in _OTHER_NAMES:
            self._renamed[parameter] = _OTHER_NAMES[parameter]
        elif parameter in _OPTIONAL:
            self._dropped.add(parameter)
        else:
            return False
        return True


class _MaskedTextReporter:
    """A reporter of the text and the reasoning of a reply while they arrive.

    `on_text` gets whole words. `mask` hides keys in a text. A key may arrive in pieces, so the last characters are held
    back until more text arrives. If reasoning comes in several fields, only one of them is reported.
    """

    def __init__(self, on_text: Callable[[str], None], mask: Callable[[str], str]) -> None:
        self._on_text = on_text
        self._mask = mask
        self._field = ""
        self._reasoning_field = ""
        self._rest = ""

    def add_piece(self, field: str, text: str) -> None:
        """Add a piece of text that arrived in `field`, and report all text except the last characters."""
        if field in REASONING_FIELDS:
            self._reasoning_field = self._reasoning_field or field
        if not text or (field in REASONING_FIELDS and field != self._reasoning_field):
            return
        paragraph = "\n\n" if self._field and field != self._field else ""
        self._field = field
        self._rest = self._mask(f"{self._rest}{paragraph}{text}")
        last = max(0, len(self._rest) - _HELD_CHARS)
        end = max(self._rest.rfind(" ", 0, last), self._rest.rfind("\n", 0, last), len(self._rest) - _MAX_HELD_CHARS)
        if end > 0:
            self._on_text(self._rest[:end])
            self._rest = self._rest[end:]

    def finish(self) -> None:
        """Report the last characters, which were held back."""
        if self._rest:
            self._on_text(self._rest)
        self._rest = ""


def build_request_body(parameters: JsonObject, prompt: Prompt) -> bytes:
    """Return the JSON of a request with these parameters and the messages of `prompt`."""
    return to_json(parameters)[:-1] + b',"messages":' + prompt.messages_json + b"}"


def build_content_filter_completion(filtered_prompt_error: FilteredPromptError) -> Completion:
    """Return a completion with a refusal and no text, for a prompt that a content filter refused."""
    return Completion(
        text="",
        refusal=str(filtered_prompt_error),
        finish_reason="content_filter",
        request_id=filtered_prompt_error.request_id,
        raw={"error": filtered_prompt_error.body},
    )


def build_truncation_warnings(prompt: Prompt, usage: Usage) -> tuple[str, ...]:
    """Return one warning if the endpoint counted fewer tokens than the prompt has, otherwise an empty tuple."""
    least, counted = prompt.min_tokens, usage.prompt_tokens
    if counted is None or least < _MIN_TOKENS:
        return ()
    if usage.cached_tokens is not None and usage.cached_tokens > counted:  # some gateways count them separately
        counted += usage.cached_tokens
    if counted >= least:
        return ()
    return (
        f"the endpoint counted {counted:,} prompt tokens instead of at least {least:,},"
        " so it may have truncated the prompt",
    )


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model as its endpoint lists it; the window is in tokens, None if the endpoint does not say."""

    name: str
    window: int | None


async def list_endpoint_models(endpoint: Endpoint) -> list[ListedModel]:
    """Return the models that an endpoint lists, sorted by name.

    Raises:
        ModelError: if the endpoint cannot be reached, refuses the request, or sends no list.
    """
    async with EndpointClient(endpoint, RequestOptions(timeout=30.0, max_connections=1)) as client:
        reply = get_object_or_empty(await client.open_transport().request_json("GET", "models"))
    if not isinstance(reply.get("data"), list):
        raise ModelError(f"{endpoint.host} sent no list of models; check --base-url, which usually ends in /v1")
    listed = dict[str, ListedModel]()
    for model in list_object_items(reply.get("data")):
        window = next((size for name in _WINDOW_NAMES if isinstance(size := model.get(name), int)), None)
        if isinstance(name := model.get("id"), str) and name.strip():
            listed.setdefault(name, ListedModel(truncate_long_name(remove_unsafe_characters(name)), window))
    return sorted(listed.values(), key=lambda model: model.name)
