"""A model at an OpenAI-compatible endpoint."""

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self

from pydantic import JsonValue
from pydantic_core import to_json

from planner.chat import Completion, ModelCard, Prompt
from planner.controls import whole_text
from planner.openai_chat.complaints import FilteredPromptError, RejectedParameterError
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.parameters import Dialect, Json
from planner.openai_chat.windows import cut_notes

if TYPE_CHECKING:
    from types import TracebackType

    from planner.openai_chat.wire import Wire

PLANNER: Final = "lm-planner"


@dataclass(frozen=True, slots=True)
class ChatSettings:
    """The options of requests to a model; a parameter that is None is not sent.

    `timeout` is in seconds: of silence in a stream, or in total without streaming (with the wait for a connection).
    Streaming is the default because gateways cut silent connections during long reasoning; it costs 14 ms of CPU for
    1,000 chunks, and a reply without streaming 1 ms (`python -m tests.openai_chat.bench`).
    `connections` is the largest number of connections. `cap` is sent as `max_tokens` if the user gave none; it only
    serves a cost limit, so it is not part of the request's identity.
    """

    stream: bool = True
    timeout: float = 600.0
    connections: int = 256
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    cap: int | None = None

    @property
    def parameters(self) -> tuple[tuple[str, JsonValue], ...]:
        """The parameters that the user set, sorted by name."""
        asked: dict[str, JsonValue] = {
            "max_tokens": self.max_tokens,
            "reasoning_effort": self.reasoning_effort,
            "seed": self.seed,
            "temperature": self.temperature,
            "top_p": self.top_p,
        }
        return tuple((name, value) for name, value in sorted(asked.items()) if value is not None)


_DEFAULTS: Final = ChatSettings()


class OpenAIChat:
    """A model at an endpoint; each call sends one request, and `planner.retrying` does the retries.

    An async context manager that closes its connections. A parameter that the endpoint rejects is renamed or left out
    from then on, and `Completion.notes` reports it. Use one instance in one event loop only.
    """

    def __init__(self, endpoint: Endpoint, settings: ChatSettings = _DEFAULTS) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self._dialect = Dialect()
        self._wire: Wire | None = None

    def __repr__(self) -> str:
        return f"OpenAIChat({self.endpoint!r}, {self.settings!r})"

    @cached_property
    def card(self) -> ModelCard:
        """The model's name, endpoint and parameters."""
        endpoint = self.endpoint
        return ModelCard(PLANNER, endpoint.model, endpoint.model, endpoint.base_url, self.settings.parameters)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: "TracebackType | None"
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        if self._wire is not None:
            wire, self._wire = self._wire, None
            await wire.close()

    def prepare(self) -> None:
        """Import the SDK and load certificates in advance, since both are slow; any thread may call this."""
        self._open()

    async def complete(self, prompt: Prompt) -> Completion:
        """Send the prompt once; a prompt refused by a content filter gives a completion with a refusal and no text.

        Raises:
            ModelError: if there is no completion; `TooLongError` if the prompt does not fit the window.
        """
        started = time.monotonic()
        try:
            completion = await self._ask(prompt)
        except FilteredPromptError as filtered:
            completion = refused(filtered)
        notes = (*self._dialect.notes, *completion.notes, *cut_notes(prompt, completion.usage))
        return replace(completion, seconds=time.monotonic() - started, notes=notes)

    async def _ask(self, prompt: Prompt) -> Completion:
        """Send the request, and send it again without each parameter that the endpoint rejects."""
        parameters = parameters_of(self.endpoint.model, self.settings)
        while True:
            sent = self._dialect.spoken(parameters)
            try:
                return await self._open().post(body_of(sent, prompt), streams=bool(sent.get("stream")))
            except RejectedParameterError as refusal:
                if not self._dialect.learn(refusal.parameter, sent):
                    raise

    def _open(self) -> "Wire":
        if self._wire is None:
            from planner.openai_chat.wire import Wire  # imports the SDK, which takes 0.4 s

            self._wire = Wire(self.endpoint, timeout=self.settings.timeout, connections=self.settings.connections)
        return self._wire


def parameters_of(model: str, settings: ChatSettings) -> Json:
    """Return all of a request's parameters except the messages, not yet adapted to the endpoint."""
    cap: Json = {} if settings.cap is None else {"max_tokens": settings.cap}
    parameters: Json = {"model": whole_text(model), **cap, **dict(settings.parameters)}
    if settings.stream:
        parameters |= {"stream": True, "stream_options": {"include_usage": True}}
    return parameters


def body_of(parameters: Json, prompt: Prompt) -> bytes:
    """Return a request's JSON; the encoded messages are inserted unchanged, without decoding them."""
    return to_json(parameters)[:-1] + b',"messages":' + prompt.encoded + b"}"


def refused(error: FilteredPromptError) -> Completion:
    """Return the completion for a prompt that a content filter refused: a refusal and no text."""
    return Completion(
        text="",
        refusal=str(error),
        finish_reason="content_filter",
        request_id=error.request_id,
        raw={"error": error.body},
    )
