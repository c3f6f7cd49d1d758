"""The interface to language models: one prompt in, one completion out.

Everything that answers a prompt implements the same protocol, so a wrapper can go around an endpoint, a fake or another
wrapper.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Final, Literal, Protocol

from pydantic import FailFast, FiniteFloat, JsonValue
from pydantic_core import from_json, to_json

from planner.sanitize import repair_surrogates
from planner.tokens import compute_min_tokens

Role = Literal["system", "user", "assistant"]
LM_PLANNER: Final = "lm-planner"  # the planner of every language model, as published trajectories name it
COMBINED_PLANNER: Final = "combined-planner"  # the planner of plans that are combined from those of others


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """A prompt: its messages, the hash of the templates that it was rendered from, and the sample's number.

    `messages_json` holds the messages as the JSON text that is sent. A prompt has about 100,000 characters, so it is
    encoded only once, in the process that reads the paper, and decoded only where the messages are needed. `step` names
    the step of a strategy that sends it, "" for the first; it is no part of a request's identity.
    """

    messages_json: bytes
    template_sha256: str
    sample: int = 0
    step: str = ""

    @classmethod
    def from_messages(cls, messages: Iterable[Message], template_sha256: str = "", sample: int = 0) -> "Prompt":
        """Return a prompt of these messages; a lone surrogate, which cannot be encoded, becomes U+FFFD."""
        sent = tuple(Message(message.role, repair_surrogates(message.content)) for message in messages)
        fields = [{"role": message.role, "content": message.content} for message in sent]
        prompt = cls(to_json(fields), template_sha256, sample)
        vars(prompt)["messages"] = sent  # else they would be read from the JSON again
        return prompt

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """The messages that are sent."""
        return tuple(Message(fields["role"], fields["content"]) for fields in from_json(self.messages_json))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 hash of the encoded messages, in hexadecimal."""
        return hashlib.sha256(self.messages_json).hexdigest()

    @cached_property
    def message_count(self) -> int:
        """The number of messages."""
        return len(self.messages)

    @cached_property
    def min_tokens(self) -> int:
        """A lower bound of the number of tokens in the messages, for any model."""
        return sum(compute_min_tokens(message.content) for message in self.messages)

    def with_messages(self, *messages: Message) -> "Prompt":
        """Return a copy of the prompt with further messages at its end."""
        return replace(self, messages_json=Prompt.from_messages((*self.messages, *messages)).messages_json)

    def __getstate__(self) -> dict[str, object]:
        """Return the fields and the computed values, so that another process need not compute them again."""
        names = ("messages_json", "template_sha256", "sample", "sha256", "message_count", "min_tokens")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of a request, each None if the endpoint did not report it.

    Reasoning tokens are part of the completion tokens, cached tokens part of the prompt tokens.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rate limits that an endpoint reports, each None if it does not.

    Counts belong to the endpoint's current window, usually one minute; resets are the seconds until the window is full.
    """

    requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: FiniteFloat | None = None
    tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: FiniteFloat | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply as it arrived, not yet parsed.

    `finish_reason` is the endpoint's value ("stop", "length", "content_filter", …) or "";
    `reasoning` is the provider's own reasoning field; `seconds` the time from the request to the last byte;
    `raw` the endpoint's whole response, masked; `notes` are warnings about this reply, one sentence each;
    `limits` the rate limits that the endpoint reported, or None.
    """

    text: str
    reasoning: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: Usage = Usage()
    model: str = ""
    request_id: str = ""
    seconds: FiniteFloat = 0.0
    raw: Mapping[str, JsonValue] = field(default_factory=dict)
    notes: Annotated[tuple[str, ...], FailFast()] = ()
    limits: RateLimits | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model, its endpoint and its parameters: all of a request's identity except the messages.

    `planner` and `name` are the first parts of a trajectory's heading, `asked` is the model name that is sent,
    `endpoint` the base URL without credentials ("" for the built-in planner), and `parameters` are the parameters that
    the user set, sorted by name.
    """

    planner: str
    name: str
    asked: str
    endpoint: str = ""
    parameters: tuple[tuple[str, JsonValue], ...] = ()

    def identify_request(self, prompt: Prompt) -> str:
        """Return the SHA-256 that identifies a request; the same identity is never paid for twice."""
        identity = [self.endpoint, self.asked, self.parameters, prompt.sha256, prompt.sample]
        text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Model(Protocol):
    """A model: anything that answers a prompt."""

    @property
    def info(self) -> ModelInfo:
        """The model's name, endpoint and parameters."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the completion of a prompt.

        Raises:
            ModelError: if the model returns no completion.
            BudgetExceeded: if the request could exceed the cost limit; it is not sent then.
        """
