"""Parse the JSON of responses: completions, and errors in their many forms."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import JsonValue

from planner.chat import Completion, Usage
from planner.errors import ModelError
from planner.masking import SecretMask

JsonObject = dict[str, JsonValue]

REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "reasoning_details")
_MOST_TOKENS: Final = 10**12  # more than any reply has; a larger count is an error of the endpoint

# Parameters that can be left out of a request or sent under another name.
_ADAPTABLE: Final = re.compile(
    r"\b(?:max_tokens|max_completion_tokens|temperature|top_p|seed|reasoning_effort|stream_options|stream)\b"
)
_OVERFLOW_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_OVERFLOW: Final = re.compile(
    r"maximum (?:context|prompt|model) length|context length (?:of only|exceeded|\(\d)|too large for model with"
    r"|exceed\w* (?:the |max |maximum )*(?:available |model's |allowed )*(?:context|input)[ _](?:size|length|window)"
    r"|longer than the (?:maximum model|model's context) length|(?:prompt|input) is too long|prompt too long"
    r"|exceeds the maximum number of (?:input )?tokens|tokens.{0,40}must be <=|must have less than \d+ tokens"
    r"|too many tokens|request too large|request body too large|reduce the length of the (?:messages|prompt|input)",
    re.IGNORECASE,
)
_WINDOWS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"maximum (?:context|prompt|model) length (?:is|of|limit is)(?: only)? ([\d,]+)",
        r"([\d,]+) (?:tokens? )?maximum context length",
        r"tokens > ([\d,]+) maximum",
        r"maximum number of (?:input )?tokens allowed \(?([\d,]+)",
        r"context (?:length|size|window)(?: of only| of| is)? \(?([\d,]+)",
        r"must be <= ([\d,]+)",
        r"must have less than ([\d,]+) tokens",
        r"max size: ([\d,]+) tokens",
        r"prompt cannot exceed ([\d,]+)",
    )
)
_COUNTS: Final = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        r"([\d,]+) (?:tokens )?(?:in|from) the (?:input|messages|prompt)\b",
        r"(?:has|had|contains|resulted in|input \()(?: at least)? ?([\d,]+) (?:input )?tokens",
        r"([\d,]+) tokens > [\d,]+ maximum",
        r"input token count(?: of)? \(?([\d,]+)",
        r"prompt \(length ([\d,]+)\)",
        r"given: ([\d,]+)",
        r"received ([\d,]+)",
    )
)
# A proxy may replace an error's type and code by its own, and quote those of the provider only in the message.
_EXHAUSTED: Final = re.compile(
    r"insufficient[ _](?:user[ _])?(?:credits?|balance|funds|quota)"
    r"|(?:credit|account) balance is (?:too low|insufficient)"
    r"|(?:out of|more) credits|(?:no|used all|run out of) (?:available |remaining )?credits"
    r"|credit (?:limit|quota) (?:is |was |has been )?(?:exceeded|reached)"
    r"|exceeded \S+ (?:monthly )?(?:included )?credits"
    r"|exceeded[ _](?:your |the |my )?current[ _]quota|out of call volume quota"
    r"|billing[ _](?:hard[ _])?limit|billing[ _](?:is )?not[ _]active|check your (?:plan and )?billing|payment required"
    r"|spending limit|key limit exceeded|budget[ _](?:has been |was )?exceeded|(?:over|exceeded ?|crossed) ?budget",
    re.IGNORECASE,
)
# Some providers report a limit per minute in the words of a used-up quota, but then say how long to wait.
_RETRY_SOON: Final = re.compile(r"(?:retry|try again) (?:in|after) [\d.]+ ?(?:m?s\b|seconds?)", re.IGNORECASE)
_REJECTED: Final = re.compile(
    r"unsupported|not support|only the default|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed"
    r"|deprecated|must be verified|extra_forbidden",
    re.IGNORECASE,
)
_MAX_MESSAGE_CHARS: Final = 4000  # characters of a message that are read; an endpoint may send megabytes


def parse_completion(response_json: JsonValue) -> Completion | None:
    """Return the completion in a response's body, None if the body has no choices."""
    body = get_object_or_empty(response_json)
    choice = next(iter(list_object_items(body.get("choices"))), None)
    if choice is None:
        return None
    message = get_object_or_empty(choice.get("message"))
    content = message.get("content")
    return Completion(
        text=content if isinstance(content, str) else _join_texts(content, "text"),
        reasoning=_read_reasoning(message),
        refusal=get_string_or_empty(message.get("refusal")) or _join_texts(content, "refusal"),
        finish_reason=get_string_or_empty(choice.get("finish_reason")),
        usage=_parse_usage(body.get("usage")),
        model=get_string_or_empty(body.get("model")),
        request_id=get_string_or_empty(body.get("id")),
        raw=body,
    )


def parse_and_mask_completion(response_json: JsonValue, mask: SecretMask) -> Completion | None:
    """Return the completion in a response's body with secrets masked, None if it has no choices.

    If a secret is split over several parts of a message, the completion and its `raw` hold the joined, masked text.
    """
    completion = parse_completion(mask.mask_reply_json(response_json))
    if completion is None:
        return None
    joined = (completion.text, completion.reasoning, completion.refusal)
    masked = tuple(map(mask.mask_reply_text, joined))
    if masked == joined:
        return completion
    text, reasoning, refusal = masked
    message: JsonObject = {"role": "assistant", "content": text, "reasoning": reasoning, "refusal": refusal}
    choices: list[JsonValue] = [{"message": message, "finish_reason": completion.finish_reason}]
    raw = {**completion.raw, "choices": choices}
    return replace(completion, text=text, reasoning=reasoning, refusal=refusal, raw=raw)


def _parse_usage(value: JsonValue) -> Usage:
    """Return the token counts in the `usage` of a body; a count that is missing or makes no sense is None."""
    counts = get_object_or_empty(value)
    return Usage(
        prompt_tokens=_to_count(counts.get("prompt_tokens")),
        completion_tokens=_to_count(counts.get("completion_tokens")),
        reasoning_tokens=_to_count(
            get_object_or_empty(counts.get("completion_tokens_details")).get("reasoning_tokens")
        ),
        cached_tokens=_to_count(get_object_or_empty(counts.get("prompt_tokens_details")).get("cached_tokens")),
    )


def list_object_items(value: JsonValue) -> list[JsonObject]:
    """Return the items of a list that are objects, an empty list if the value is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def get_object_or_empty(value: JsonValue) -> JsonObject:
    """Return the value if it is an object, else an empty object."""
    return value if isinstance(value, dict) else {}


def get_string_or_empty(value: JsonValue) -> str:
    """Return the value if it is a string, else ""."""
    return value if isinstance(value, str) else ""


def read_field_text(value: JsonValue, separator: str = "") -> str:
    """Return the text of a field that holds a string or a list; the texts of the list's items are joined."""
    return value if isinstance(value, str) else _join_texts(value, None, separator)


def _read_reasoning(message: Mapping[str, JsonValue]) -> str:
    """Return the reasoning in a message; gateways send it in fields with different names."""
    for name in REASONING_FIELDS:
        if text := read_field_text(message.get(name), "\n\n"):
            return text
    return _join_texts(message.get("content"), "thought", "\n\n")


def _join_texts(value: JsonValue, kind: str | None, separator: str = "") -> str:
    """Join the texts of the items of one kind, or of all items if `kind` is None."""
    items = (item for item in list_object_items(value) if kind in (None, _find_item_kind(item)))
    return separator.join(filter(None, map(_read_item_text, items)))


def _read_item_text(item: JsonObject) -> str:
    texts = (read_field_text(item.get(name)) for name in ("text", "summary", "thinking", "refusal", "content"))
    return next(filter(None, texts), "")


def _find_item_kind(item: JsonObject) -> str:
    match item.get("type"):
        case "thinking" | "reasoning":
            return "thought"
        case "refusal":
            return "refusal"
        case _:
            return "text"


def _to_count(value: JsonValue) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS else None


class RejectedParameterError(ModelError):
    """An error for a parameter that the endpoint does not accept; `parameter` is its name in the request."""

    def __init__(self, message: str, *, parameter: str, status: int | None, request_id: str, body: str) -> None:
        super().__init__(message, status=status, request_id=request_id, body=body)
        self.parameter = parameter


class FilteredPromptError(ModelError):
    """An error for a prompt that a content filter refused; the model did not see the prompt."""


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """An error in the body of a response; a field that the body lacks is "" or None.

    `code` is text even if it was a number. `status` is the HTTP status that the body states. `window` is the model's
    context window and `prompt_tokens` the length of the prompt, both in tokens.
    """

    message: str
    code: str = ""
    type: str = ""
    parameter: str = ""
    status: int | None = None
    window: int | None = None
    prompt_tokens: int | None = None

    def is_prompt_too_long(self, status: int) -> bool:
        """Return whether the prompt exceeds the context window or the limit on tokens per minute."""
        if status in (401, 403, 404):
            return False
        if status == 429:
            return "request too large" in self.message.lower()  # than the limit of a minute
        coded = bool({self.code, self.type} & _OVERFLOW_CODES)
        return status == 413 or coded or bool(_OVERFLOW.search(self.message))

    @property
    def is_quota_exhausted(self) -> bool:
        """True if the account's quota is used up; waiting does not help then."""
        coded = bool(_EXHAUSTED.search(f"{self.code} {self.type}"))
        return coded or bool(_EXHAUSTED.search(self.message) and not _RETRY_SOON.search(self.message))

    @property
    def is_prompt_filtered(self) -> bool:
        """True if a content filter refused the prompt."""
        return "content_filter" in (self.code, self.type) or self.code == "content_policy_violation"

    @property
    def rejected_parameter(self) -> str:
        """The name of the parameter that the endpoint does not accept.

        It is "" if only the value is wrong, or if a request cannot do without the parameter.
        """
        if not _REJECTED.search(f"{self.code.replace('_', ' ')} {self.message}"):
            return ""
        if named := self.parameter.rpartition(".")[2]:
            return named if _ADAPTABLE.fullmatch(named) else ""
        match = _ADAPTABLE.search(self.message)
        return match[0] if match else ""


def parse_error_body(body: JsonValue) -> ErrorBody | None:
    """Return the error that a response's body describes, None if there is none."""
    if not isinstance(body, dict):
        return None
    error = body.get("error") or body.get("detail") or (body if body.get("object") == "error" else None)
    if error is None or error is False:
        return None
    if not isinstance(error, dict):
        error = {"message": _to_text(error) or "an error without a message"}
    # OpenRouter passes on the provider's error text as `metadata.raw`.
    texts = (_to_text(error.get("message")), _to_text(get_object_or_empty(error.get("metadata")).get("raw")))
    message = " ".join(filter(None, texts)) or _to_text(error)
    code = _to_text(error.get("code"))
    return ErrorBody(
        message=message,
        code=code,
        type=_to_text(error.get("type")),
        parameter=_to_text(error.get("param")),
        status=int(code) if re.fullmatch(r"[345]\d\d", code, re.ASCII) else None,  # an HTTP status
        window=_to_count(error.get("n_ctx")) or _find_number(_WINDOWS, message),
        prompt_tokens=_to_count(error.get("n_prompt_tokens")) or _find_number(_COUNTS, message),
    )


def parse_and_mask_error(response_json: JsonValue, mask: SecretMask) -> ErrorBody | None:
    """Return the error of a response or of its first choice with secrets masked, None if there is no error."""
    if parse_error_body(response_json):
        return parse_error_body(mask.mask_json(response_json))
    choice = next(iter(list_object_items(get_object_or_empty(response_json).get("choices"))), {})
    stopped = "the provider stopped with an error" if choice.get("finish_reason") == "error" else None
    return parse_error_body({"error": mask.mask_json(choice.get("error")) or stopped})


def _to_text(value: JsonValue) -> str:
    """Return the value as text of limited length; "" for None and False."""
    if value is None or value is False:
        return ""
    return (value if isinstance(value, str) else str(value))[:_MAX_MESSAGE_CHARS]


def _find_number(patterns: Sequence[re.Pattern[str]], message: str) -> int | None:
    """Return the number that the first matching pattern finds in the message, or None."""
    for pattern in patterns:
        if (match := pattern.search(message)) and (digits := match[1].replace(",", "")) and len(digits) < 12:
            return int(digits)
    return None
