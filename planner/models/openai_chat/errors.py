"""Turn failed requests into `ModelError`s that say what to do, and read rate limits in headers."""

import errno
import math
import re
import socket
import ssl
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import h11
import httpcore2
import httpx2
import openai

from planner.chat import RateLimits
from planner.errors import ModelError, TooLongError
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.openai_chat.replies import (
    ErrorBody,
    FilteredPromptError,
    RejectedParameterError,
    parse_error_body,
)
from planner.models.openai_chat.stream import decode_json_or_none, format_json
from planner.sanitize import remove_unsafe_characters

try:
    import aiohttp
except ImportError:  # the extra `fast` is not installed
    _AIOHTTP_EXCEPTIONS: tuple[type[Exception], ...] = ()
    _AIOHTTP_CONNECTION_EXCEPTIONS: tuple[type[Exception], ...] = ()
else:
    _AIOHTTP_EXCEPTIONS = (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError)
    _AIOHTTP_CONNECTION_EXCEPTIONS = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)

# The base classes of the exceptions of the SDK and its transports, and of exceptions that they do not wrap: those of
# parsers, decoders and the operating system. For a malformed header one raises ValueError, another ClientResponseError.
TRANSPORT_EXCEPTIONS: Final[tuple[type[Exception], ...]] = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    httpx2.CookieConflict,
    *(kind for kind in vars(httpcore2).values() if isinstance(kind, type) and issubclass(kind, Exception)),
    h11.ProtocolError,
    *_AIOHTTP_EXCEPTIONS,
    OSError,  # with those of ssl and the timeouts
    EOFError,
    ValueError,
    zlib.error,
)
_MAX_SHOWN_CHARS: Final = 500  # characters of an endpoint's message that are shown
_MAX_READ_CHARS: Final = 4000  # characters of a body that is not JSON
_CUT: Final = re.compile(r"disconnected|closed|incomplete|not complete|not enough data|reset|eof", re.IGNORECASE)
# The data that an HTTP parser could not parse, which its message repeats after a colon, a quote or a line end.
_PARSED_DATA: Final = re.compile(r"\s*(?::?\n|: *(?:b|bytearray\()?['\"]|\bb['\"]|bytearray|<).*", re.DOTALL)
_BROKEN_TLS_ERRORS: Final = (ssl.SSLWantReadError, ssl.SSLWantWriteError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
# The errors from opening a connection. httpx2's ConnectTimeout is not among them, since the SDK's aiohttp transport
# also raises it for connections that broke later.
_NO_CONNECTION: Final = (
    httpx2.ConnectError,
    httpx2.InvalidURL,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpcore2.ConnectTimeout,
    *_AIOHTTP_CONNECTION_EXCEPTIONS,
)
_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?", re.ASCII
)

_UNITS: Final = (86400.0, 3600.0, 60.0, 1.0, 0.001)
_ADVICE: Final[Mapping[int, str]] = {
    401: "the key is missing or wrong; check {key}",
    403: "this key may not use model {endpoint.model!r}; check {key} and the account's rights",
    404: "is there a model {endpoint.model!r} at {endpoint.base_url}? The address usually ends in /v1",
    405: "is {endpoint.base_url} the address of a chat API? It usually ends in /v1",
}


def convert_transport_exception(
    error: Exception, endpoint: Endpoint, *, timeout: float, received_note: str = "", body_text: str = ""
) -> ModelError:
    """Return the `ModelError` for a failure of the network, which is one of `TRANSPORT_EXCEPTIONS`.

    `timeout` is in seconds. `body_text` is the part of the reply that arrived; `received_note` says how long it is.
    """
    message, retryable = _describe_transport_error(error, endpoint, timeout)
    return ModelError(
        endpoint.mask.mask_text(message) + received_note,
        retryable=retryable,
        body=endpoint.mask.mask_text(body_text),
        is_sent=not _is_connection_missing(error),
    )


def convert_error_response(endpoint: Endpoint, status: int, headers: Mapping[str, str], content: bytes) -> ModelError:
    """Return the `ModelError` for a response with an HTTP error status."""
    # Mask before shortening, since half a key would not be recognised.
    body = endpoint.mask.mask_json(decode_json_or_none(content))
    text = format_json(body) if body is not None else endpoint.mask.mask_text(content.decode("utf-8", "replace"))
    error_body = parse_error_body(body) or ErrorBody(text[:_MAX_READ_CHARS])
    return convert_error_body(error_body, endpoint, status, headers, text)


def convert_error_body(
    error_body: ErrorBody,
    endpoint: Endpoint,
    status: int,
    headers: Mapping[str, str],
    body_text: str,
    received_note: str = "",
) -> ModelError:
    """Return the `ModelError` for an error in a response's body, with secrets masked; `status` may be 200."""
    status = error_body.status or status if status < 400 else status
    request_id = endpoint.mask.mask_text(headers.get("x-request-id", ""))
    message = endpoint.mask.mask_text(_format_message(error_body, endpoint, status, headers)) + received_note
    if error_body.is_prompt_too_long(status):
        return TooLongError(
            message, limit=error_body.window, prompt_tokens=error_body.prompt_tokens, status=status, body=body_text
        )
    if error_body.is_prompt_filtered:
        return FilteredPromptError(message, status=status, request_id=request_id, body=body_text)
    if status in (400, 422) and (parameter := error_body.rejected_parameter):
        return RejectedParameterError(
            message, parameter=parameter, status=status, request_id=request_id, body=body_text
        )
    exhausted = status == 402 or error_body.is_quota_exhausted
    return ModelError(
        message,
        retryable=not exhausted and (status in (408, 409, 425, 429) or status >= 500 or status < 300),
        status=status,
        retry_after=parse_retry_after(headers),
        request_id=request_id,
        exhausted=exhausted,
        body=body_text,
    )


def shorten_to_one_line(text: str) -> str:
    """Return the text as one line of at most 500 printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in remove_unsafe_characters(text)).split())
    return line if len(line) <= _MAX_SHOWN_CHARS else line[: _MAX_SHOWN_CHARS - 1] + "…"


def _format_message(error_body: ErrorBody, endpoint: Endpoint, status: int, headers: Mapping[str, str]) -> str:
    advice = _choose_advice(error_body, endpoint, status, headers)
    reason = shorten_to_one_line(error_body.message)
    return f"{endpoint.host} answered {status}{f': {reason}' if reason else ''}{f' ({advice})' if advice else ''}"


def _choose_advice(error_body: ErrorBody, endpoint: Endpoint, status: int, headers: Mapping[str, str]) -> str:
    """Return advice for the user, "" if there is none."""
    if 300 <= status < 400:
        target = endpoint.mask.mask_text(headers.get("location", "another address"))
        return f"it redirects to {target!r}; redirects are not followed, to protect the key; set --base-url"
    if error_body.is_prompt_too_long(status):
        return "the prompt is too long for this model; shorten the paper or use a model with a larger window"
    if status == 402 or error_body.is_quota_exhausted:
        return "the account has no quota or credit left; waiting does not help"
    return _ADVICE.get(status, "").format(endpoint=endpoint, key=endpoint.key_variable)


def _describe_transport_error(error: Exception, endpoint: Endpoint, timeout: float) -> tuple[str, bool]:
    """Return (message for the user, whether a retry may help) for a failure of the network."""
    causes = _list_causes(error)
    address = endpoint.base_url
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            is_temporary = cause.errno == socket.EAI_AGAIN
            return f"no such endpoint: host {endpoint.host!r} not found; check --base-url", is_temporary
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _BROKEN_TLS_ERRORS):
            reason = shorten_to_one_line(getattr(cause, "reason", None) or str(cause))  # aiohttp's have no `reason`
            return f"no secure connection to {address}: {reason}; check https:// and the certificate", False
        if isinstance(cause, ConnectionRefusedError):
            return f"connection refused by {address}; is the server running?", True
    if any(isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE) for cause in causes):
        return "too many open files; raise the limit (ulimit -n) or lower --concurrency", True
    # The SDK's aiohttp transport reports every broken connection as a ConnectTimeout, even without a timeout.
    is_timeout = any(isinstance(cause, TimeoutError) for cause in causes)
    if is_timeout and any(isinstance(cause, httpx2.ConnectTimeout) for cause in causes):
        return f"timed out connecting to {address}; is the address right?", True
    if is_timeout or isinstance(error, openai.APITimeoutError):
        return f"{endpoint.host} did not answer within {timeout:g} s (--timeout)", True
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return f"{address} is not a valid address; check --base-url", False
    if isinstance(error, openai.OpenAIError) and not isinstance(error, openai.APIConnectionError):
        return f"{endpoint.host}: the openai package failed: {_describe_exception(error)}", False
    return _describe_broken_response(error, _describe_exception(causes[-1]), endpoint), True


def _describe_broken_response(error: Exception, detail: str, endpoint: Endpoint) -> str:
    if _is_connection_missing(error):
        return f"no connection to {endpoint.base_url}: {detail}; is the server running?"
    if isinstance(error, OSError | httpx2.NetworkError | httpx2.TimeoutException) or _CUT.search(detail):
        return f"the connection to {endpoint.host} broke: {detail}"
    return f"{endpoint.host} sent a response that is not valid HTTP: {detail}"


def _is_connection_missing(error: Exception) -> bool:
    """Return whether the error shows that no connection was opened and nothing was sent."""
    return any(isinstance(cause, _NO_CONNECTION) for cause in _list_causes(error))


def _describe_exception(error: BaseException) -> str:
    """Return the message of an exception on one line, without the data that aiohttp adds."""
    message = getattr(error, "message", None)
    reason = message if isinstance(message, str) else str(error)
    return shorten_to_one_line(_PARSED_DATA.sub("", reason)) or type(error).__name__


def _list_causes(error: BaseException) -> list[BaseException]:
    """Return the error and its causes, the outermost first."""
    causes = [error]
    for current in causes:  # which grows meanwhile
        behind = list(current.exceptions) if isinstance(current, BaseExceptionGroup) else []
        behind += [cause for cause in (current.__cause__, current.__context__) if cause is not None]
        causes.extend(cause for cause in behind if all(cause is not other for other in causes))
    return causes


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, from `retry-after-ms` or `Retry-After`; None if neither can be read.

    A date in `Retry-After` is compared with the response's own Date header, because the local clock may be wrong.
    """
    if (milliseconds := _parse_number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    if (seconds := _parse_number(value)) is not None:
        return seconds
    if (until := _parse_date(value)) is None:
        return None
    return max(0.0, (until - (_parse_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds())


def parse_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """Return the rate limits in the `x-ratelimit-*` headers, or None if none can be read."""
    limits = RateLimits(
        requests=_parse_count(headers.get("x-ratelimit-limit-requests")),
        remaining_requests=_parse_count(headers.get("x-ratelimit-remaining-requests")),
        reset_requests=_parse_duration(headers.get("x-ratelimit-reset-requests")),
        tokens=_parse_count(headers.get("x-ratelimit-limit-tokens")),
        remaining_tokens=_parse_count(headers.get("x-ratelimit-remaining-tokens")),
        reset_tokens=_parse_duration(headers.get("x-ratelimit-reset-tokens")),
    )
    return None if limits == RateLimits() else limits


def _parse_number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _parse_count(text: str | None) -> int | None:
    number = _parse_number(text)
    return None if number is None else int(number)


def _parse_duration(text: str | None) -> float | None:
    """Return the seconds in a text such as "6m0s", "12ms" or "1.5", None if it is not a duration."""
    if (seconds := _parse_number(text)) is not None:
        return seconds
    match = _DURATION.fullmatch((text or "").strip())
    if not match or not any(match.groups()):
        return None
    return sum(unit * float(part) for unit, part in zip(_UNITS, match.groups(), strict=True) if part)


def _parse_date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
