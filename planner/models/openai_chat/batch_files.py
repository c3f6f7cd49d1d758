"""Write the request lines of a batch service's files, and read its result lines.

The format is that of https://platform.openai.com/docs/guides/batch; vLLM's `run-batch` uses the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue
from pydantic_core import to_json

from planner.chat import Completion
from planner.errors import ModelError
from planner.models.openai_chat.chat import build_content_filter_completion
from planner.models.openai_chat.endpoint import Endpoint
from planner.models.openai_chat.error_bodies import ErrorBody, FilteredPromptError, parse_error_body
from planner.models.openai_chat.errors import convert_error_body, format_one_line
from planner.models.openai_chat.replies import JsonObject, find_choice_error, parse_masked_completion, to_object
from planner.models.openai_chat.stream import decode_json, encode_json, repair_json_surrogates

BATCH_URL: Final = "/v1/chat/completions"
_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of the request with this `custom_id`: a completion or an error."""

    custom_id: str
    result: Completion | ModelError


def format_request_line(custom_id: str, body: bytes) -> bytes:
    """Return a request as a line of an input file; `body` is the JSON of the same live request."""
    return to_json({"custom_id": custom_id, "method": "POST", "url": BATCH_URL})[:-1] + b',"body":' + body + b"}\n"


def parse_result_line(content: bytes, endpoint: Endpoint) -> BatchResult | None:
    """Return the result in a line of an output or error file, masked; None if the line is not a result.

    A prompt refused by a content filter is a completion too, as in a live request.
    """
    line = to_object(repair_json_surrogates(decode_json(content)))
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str) or "method" in line:
        return None
    result = _parse_result(line, endpoint)
    return BatchResult(
        custom_id, build_content_filter_completion(result) if isinstance(result, FilteredPromptError) else result
    )


def _parse_result(line: JsonObject, endpoint: Endpoint) -> Completion | ModelError:
    response, mask = to_object(line.get("response")), endpoint.mask
    body = _unpack_body(response.get("body"))
    status = response.get("status_code")
    status = status if isinstance(status, int) else None
    headers = _read_headers(response, endpoint)
    if error := _find_error_body(body, endpoint):
        return convert_error_body(error, endpoint, status or 200, headers, encode_json(mask.mask_json(body)))
    if status is None or status < _FIRST_ERROR:
        completion = parse_masked_completion(body, mask)
        if completion is not None:
            return completion
    failed = mask.mask_json(line.get("error"))
    # vLLM wraps the error once more, as it does in a live response.
    error = (
        parse_error_body(failed) or parse_error_body({"error": failed}) or ErrorBody("no reply and no error message")
    )
    text = encode_json(failed or mask.mask_json(response.get("body")))
    error_status = error.status or (status if status is not None and status >= _FIRST_ERROR else None)
    if error_status is not None:
        return convert_error_body(error, endpoint, error_status, headers, text)
    # An error of the service itself: the request expired or was cancelled before a model saw it.
    code = f" ({format_one_line(error.code)})" if error.code else ""
    return ModelError(f"{endpoint.host}: {format_one_line(error.message)}{code}", retryable=True, body=text)


def _find_error_body(body: JsonValue, endpoint: Endpoint) -> ErrorBody | None:
    failed = body if parse_error_body(body) else find_choice_error(to_object(body))
    return parse_error_body(endpoint.mask.mask_json(failed))


def _unpack_body(body: JsonValue) -> JsonValue:
    """Return the body as a JSON value; some services send it as a string of JSON."""
    return repair_json_surrogates(decode_json(body.encode())) if isinstance(body, str) else body


def _read_headers(response: JsonObject, endpoint: Endpoint) -> Mapping[str, str]:
    request_id = response.get("request_id")
    return {"x-request-id": endpoint.mask.mask_text(request_id)} if isinstance(request_id, str) else {}
