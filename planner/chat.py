"""The boundary to language models: one prompt in, one completion out.

Whatever can answer a prompt has the one method of `ChatModel`, so endpoints, fakes and wrappers stack.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from planner.controls import whole_text
from planner.tokens import fewest_tokens

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """What is sent: the messages, the hash of the templates that made them, and the number of the sample asked for.

    `encoded` is the messages as the JSON that goes over the wire. A corpus sends a hundred thousand characters for
    each paper, so they are encoded once, where the paper is read, and only looked at again where somebody must.
    """

    encoded: bytes
    template_sha256: str
    sample: int = 0

    @classmethod
    def of(cls, messages: Iterable[Message], template_sha256: str = "", sample: int = 0) -> "Prompt":
        """A prompt of these messages; half a surrogate pair, which no encoding can write, becomes U+FFFD."""
        told = [{"role": message.role, "content": whole_text(message.content)} for message in messages]
        return cls(to_json(told), template_sha256, sample)

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """The messages, as they are sent."""
        return tuple(Message(told["role"], told["content"]) for told in from_json(self.encoded))

    @cached_property
    def sha256(self) -> str:
        """Hash of the messages as they are sent."""
        return hashlib.sha256(self.encoded).hexdigest()

    @cached_property
    def turns(self) -> int:
        """How many messages there are."""
        return len(self.messages)

    @cached_property
    def fewest_tokens(self) -> int:
        """A lower bound of the tokens in the messages, whatever the model."""
        return sum(fewest_tokens(message.content) for message in self.messages)

    def then(self, *messages: Message) -> "Prompt":
        """The same conversation with further messages."""
        return Prompt.of((*self.messages, *messages), self.template_sha256, self.sample)

    def __getstate__(self) -> dict[str, object]:
        """What the whole text must be looked at for is told along with it, so that nobody has to look again."""
        derived = {"sha256": self.sha256, "turns": self.turns, "fewest_tokens": self.fewest_tokens}
        return {"encoded": self.encoded, "template_sha256": self.template_sha256, "sample": self.sample, **derived}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the endpoint counted them, None where it did not say; the last two are part of the first two."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """What an endpoint says of its own limits, None where it does not.

    The counts are of its current window, in most services a minute; resets are seconds until the window is whole.
    """

    requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: float | None = None
    tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply as it arrived, before anything has looked into it.

    `finish_reason` is the endpoint's word ("stop", "length", "content_filter", …), "" when it gave none;
    `reasoning` is the provider's own reasoning field; `seconds` the time from request to last byte;
    `raw` the endpoint's whole answer, masked; `notes` what a reader of the run should know about this reply;
    `limits` the endpoint's word on its rate limits, None when it gave none.
    """

    text: str
    reasoning: str = ""
    refusal: str = ""
    finish_reason: str = ""
    usage: Usage = Usage()
    model: str = ""
    request_id: str = ""
    seconds: float = 0.0
    raw: Mapping[str, JsonValue] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    limits: RateLimits | None = None


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Which model is asked and how: all of a request's identity but the messages.

    `planner` and `name` are the first segments of a trajectory's heading, `endpoint` is the base address without
    credentials ("" for a built-in planner), `parameters` are those that the user asked to send, sorted by name.
    """

    planner: str
    name: str
    asked: str
    endpoint: str = ""
    parameters: tuple[tuple[str, JsonValue], ...] = ()

    def identity(self, prompt: Prompt) -> str:
        """SHA-256 that names one request for ever: the same identity is never paid for twice."""
        how = [self.endpoint, self.asked, self.parameters, prompt.sha256, prompt.sample]
        return hashlib.sha256(_canonical(how)).hexdigest()


class ChatModel(Protocol):
    """Anything that answers a prompt."""

    @property
    def card(self) -> ModelCard:
        """Which model this is."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Answer the prompt.

        Raises:
            ModelError: no completion could be had.
            BudgetExceeded: the request was not sent, since it could pass the cost limit.
        """


def _canonical(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
