"""The interface to language models: prompts, completions, and an estimate of token counts.

Every model implements the protocol `Model`. A wrapper is a model that passes prompts to another model.

The estimate needs no tokenizer. A text is split in the same way as the tokenizer o200k_base splits it. Each piece has a
weight, and the estimate is the sum of the weights. The weights were fitted to the token counts of 200 texts (LaTeX,
Markdown, HTML, bibliographies, PDF text, program code, eight languages). For these texts, the estimate is 0.96 to 1.2
times the true count; the median is 1.03. A `TokenCounter` raises the estimate if an endpoint counts more tokens.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import ceil
from typing import Annotated, Final, Literal, Protocol

from pydantic import FailFast, FiniteFloat, JsonValue
from pydantic_core import from_json, to_json

from planner.sanitize import repair_json_surrogates, repair_surrogates

Role = Literal["system", "user", "assistant"]
LM_PLANNER: Final = "lm-planner"  # the planner of every language model, as published trajectories name it
COMBINED_PLANNER: Final = "combined-planner"  # the planner of plans that combine the plans of others
REUSED_NOTE: Final = "used a stored reply; no request was sent"
REPAIRED_NOTE: Final = "an invalid character (half a surrogate pair) was replaced"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Prompt:
    """The messages to send to a model, with a hash of their templates and a sample number.

    `messages_json` has the messages as the JSON text that is sent. The text has about 100,000 characters, so it is
    decoded only when it is needed. `sample` is 0 at first; a larger number asks for a new reply to the same messages.
    `step` is the name of the strategy's step that sends the prompt, "" for the first step. Prompts that differ only in
    `step` are the same request.
    """

    messages_json: bytes
    template_sha256: str
    sample: int = 0
    step: str = ""

    @classmethod
    def from_messages(cls, messages: Iterable[Message], template_sha256: str = "", sample: int = 0) -> "Prompt":
        """Return a prompt of the messages. A lone surrogate, which cannot be encoded, becomes U+FFFD."""
        sent = tuple(Message(message.role, repair_surrogates(message.content)) for message in messages)
        prompt = cls(to_json(sent), template_sha256, sample)
        vars(prompt)["messages"] = sent  # otherwise, they would be read from the JSON again
        return prompt

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """The messages that are sent."""
        return tuple(Message(**fields) for fields in from_json(self.messages_json))

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
        """The least number of tokens that the messages can have, for any model."""
        return sum(_compute_min_tokens(message.content) for message in self.messages)

    def __getstate__(self) -> dict[str, object]:
        """Return the values that pickle saves: the fields, and computed values such as `sha256`."""
        names = ("messages_json", "template_sha256", "sample", "sha256", "message_count", "min_tokens")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Usage:
    """The token counts of a request. A count is None if the endpoint did not report it.

    `completion_tokens` includes the reasoning tokens, and `prompt_tokens` includes the cached tokens.
    """

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The rate limits that an endpoint reports. A value is None if the endpoint did not report it.

    Numbers of requests and tokens are for the endpoint's current window, usually one minute. `reset_requests` and
    `reset_tokens` are the seconds until the whole limit is available again.
    """

    requests: int | None = None
    remaining_requests: int | None = None
    reset_requests: FiniteFloat | None = None
    tokens: int | None = None
    remaining_tokens: int | None = None
    reset_tokens: FiniteFloat | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply as it arrived, before it is parsed.

    `finish_reason` is the endpoint's reason for the end of the reply ("stop", "length", "content_filter", …) or "".
    `reasoning` is the model's reasoning, if the provider returns it in a field of its own. `seconds` is the time from
    the request to the last byte. `raw` is the whole response, with secrets masked. `notes` are warnings about this
    reply, one sentence each. `limits` are the rate limits that the endpoint reported, or None.
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

    def __post_init__(self) -> None:
        """Replace lone surrogates, which cannot be stored. If the text or the reasoning had any, add a note."""
        given = (self.text, self.reasoning)
        for name in ("text", "reasoning", "refusal", "finish_reason", "model", "request_id"):
            object.__setattr__(self, name, repair_surrogates(getattr(self, name)))
        object.__setattr__(self, "raw", repair_json_surrogates(dict(self.raw)))
        notes = self.notes if given == (self.text, self.reasoning) else (*self.notes, REPAIRED_NOTE)
        object.__setattr__(self, "notes", tuple(map(repair_surrogates, notes)))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The name, the endpoint and the parameters of a model.

    `planner` and `name` stand in the heading of each trajectory. `asked` is the model name in the requests. `endpoint`
    is the base URL without credentials, or "" for the built-in planner. `parameters` are those that the user set,
    sorted by name.
    """

    planner: str
    name: str
    asked: str
    endpoint: str = ""
    parameters: tuple[tuple[str, JsonValue], ...] = ()

    def identify_request(self, prompt: Prompt) -> str:
        """Return the SHA-256 hash of the request that sends this prompt to this model."""
        identity = [self.endpoint, self.asked, self.parameters, prompt.sha256, prompt.sample]
        text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Model(Protocol):
    """A language model, or any other object that answers prompts."""

    @property
    def info(self) -> ModelInfo:
        """The model's name, endpoint and parameters."""

    async def complete(self, prompt: Prompt) -> Completion:
        """Return the completion of a prompt.

        Raises:
            ModelError: if the model returns no completion.
            BudgetExceeded: if the request could exceed the cost limit. Nothing is sent in this case.
        """


_PIECE: Final = re.compile(
    r"(?P<upper>[A-ZÀ-ÖØ-Þ]{2,}(?![a-zß-öø-ɏ]))"
    r"|(?P<name>[A-ZÀ-ÖØ-ÞĀ-ɏ][a-zß-öø-ɏ]*)"
    r"|(?P<word>[a-zß-öø-ɏ]+)"
    r"|(?P<digits>[0-9]{1,3})"
    r"|(?P<han>[一-鿿㐀-䶿])|(?P<kana>[぀-ヿ])|(?P<hangul>[가-힯])|(?P<cyrillic>[Ѐ-ӿ]+)"
    r"|(?P<script>[Ͱ-Ͽ֐-ࣿऀ-๿]{2,})"
    r"|(?P<letter>[^\W\d_])"
    r"|(?P<line>[\r\n]+)|(?P<wide>[ \t]{2,})|(?P<space>[ \t])"
    r"|(?P<marks>[!-/:-@\[-`{-~]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_WEIGHTS: Final = {
    "upper": 1.06,
    "name": 0.95,
    "word": 0.1,
    "digits": 1.18,
    "han": 0.75,
    "kana": 0.95,
    "hangul": 0.75,
    "cyrillic": 1.05,
    "script": 0.0,
    "letter": 1.0,
    "line": 0.87,
    "wide": 0.7,
    "space": 0.89,
    "marks": 0.81,
    "other": 1.45,
}
_WEIGHTS_WITHOUT_SPACE: Final = {"word": 0.99, "name": 0.69}  # the vocabulary has few words without a space before them
_WEIGHTS_BEYOND_5: Final = {("word", False): 0.035, ("word", True): 0.315, ("name", True): 0.245}
_SCRIPT_WEIGHT: Final = 0.55  # a character of a Greek, Arabic, Hebrew, Indic … word
_ACCENT_WEIGHT: Final = 2.5
_RARE_WEIGHT: Final = 3.0  # beyond the basic plane a character is up to four byte tokens

_MOST_TOKENS = 1_000_000_000  # no prompt has more, and a stored count may be any number
_MIN_FACTOR, _MAX_FACTOR = 0.5, 3.0  # outside this range, the endpoint truncated the prompt or counts something else
_TOKENS_PER_MESSAGE: Final = 4  # tokens that the chat format adds to each message
_WIDE_SPACES: Final = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
# Maps each UTF-8 byte to its class for the lower bound: a space, the first byte of a character from U+3000 on (scripts
# written without spaces), or any other. A loop over the characters of a paper takes twenty times as long.
_BYTE_CLASSES: Final = bytes(
    ord(" ") if byte in b" \t\n\r\v\f" else ord("w" if byte >= 0xE3 else "x") for byte in range(256)
)


@dataclass(slots=True)
class TokenCounter:
    """A token counter for one model. It multiplies each estimate by `estimate_factor`, which may rise."""

    estimate_factor: float = 1.0

    def count_text(self, text: str) -> int:
        """Return the number of tokens in a text, rounded up."""
        return ceil(_estimate_tokens(text) * self.estimate_factor)

    def count_prompt(self, prompt: Prompt) -> int:
        """Return the number of tokens in a prompt."""
        return sum(self.count_text(message.content) + _TOKENS_PER_MESSAGE for message in prompt.messages)

    def raise_factor(self, prompt: Prompt, prompt_tokens: int | None) -> None:
        """Raise the factor if the endpoint counted more tokens than this counter. Implausible counts are ignored."""
        factor = _compute_factor(prompt, prompt_tokens or 0)
        if _MIN_FACTOR <= factor <= _MAX_FACTOR:
            self.estimate_factor = max(self.estimate_factor, factor)

    def copy_with_raised_factor(self, prompt: Prompt, prompt_tokens: int) -> "TokenCounter":
        """Return a new counter that counts at least `prompt_tokens` in the prompt; its factor never exceeds 3."""
        return TokenCounter(max(self.estimate_factor, min(_compute_factor(prompt, prompt_tokens), _MAX_FACTOR)))


@dataclass(slots=True)
class FixedTokenCounter(TokenCounter):
    """A token counter whose factor never changes. Prompts that are made with this counter are the same in every run."""

    def raise_factor(self, prompt: Prompt, prompt_tokens: int | None) -> None:
        """Ignore the count."""


def _compute_min_tokens(text: str) -> int:
    """Return the least number of tokens that a text can have.

    The result is one token per word, since tokenizers split texts at spaces. (English papers have at least 1.3 tokens
    per word.) In scripts without spaces, such as Chinese, the result is one token per two characters.
    """
    for space in _WIDE_SPACES:
        if space in text:
            text = text.replace(space, " ")
    shape = f" {text}".encode("utf-8", "surrogatepass").translate(_BYTE_CLASSES)
    wide_count = shape.count(b" w") + shape.count(b"w") // 2 if b"w" in shape else 0
    return shape.count(b" x") + wide_count


@lru_cache(maxsize=16)  # the prompt without a paper is counted for every paper
def _estimate_tokens(text: str) -> int:
    """Return an estimate of the number of tokens in a text, rounded up."""
    total, before = 0.0, " "
    for match in _PIECE.finditer(text):
        kind, piece = match.lastgroup, match[0]
        assert kind is not None
        total += _weigh_piece(kind, piece, glued=not before.isspace())
        before = piece[-1]
    return int(total) + 1 if text else 0


def _weigh_piece(kind: str, piece: str, *, glued: bool) -> float:
    """Return the token estimate for a piece. `kind` is a group of `_PIECE`; `glued` means that no space precedes it."""
    if kind in _WEIGHTS_WITHOUT_SPACE:
        weight = _WEIGHTS_WITHOUT_SPACE[kind] if glued else _WEIGHTS[kind]
        weight += max(0, len(piece) - 5) * _WEIGHTS_BEYOND_5.get((kind, glued), 0.0)
        return weight if piece.isascii() else weight + _ACCENT_WEIGHT * sum(not c.isascii() for c in piece)
    if kind in ("letter", "other") and piece > "\uffff":
        return _RARE_WEIGHT
    if kind == "script":
        return _SCRIPT_WEIGHT * len(piece)
    return _WEIGHTS[kind] + (0.06 * (len(piece) - 1) if kind == "marks" else 0.0)


def _compute_factor(prompt: Prompt, prompt_tokens: int) -> float:
    """Return `prompt_tokens`, the endpoint's count for a prompt, divided by the estimate for that prompt."""
    return min(prompt_tokens, _MOST_TOKENS) / (TokenCounter().count_prompt(prompt) or 1)
