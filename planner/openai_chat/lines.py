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
from planner.openai_chat.complaints import Complaint, FilteredPromptError, complaint
from planner.openai_chat.decoding import decoded, encoded, whole
from planner.openai_chat.endpoint import Endpoint
from planner.openai_chat.failures import from_complaint, one_line
from planner.openai_chat.model import refused
from planner.openai_chat.replies import Json, error_in_choice, read

URL: Final = "/v1/chat/completions"
_FIRST_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of the request with this `custom_id`: a completion or an error."""

    custom_id: str
    result: Completion | ModelError


def request_line(custom_id: str, body: bytes) -> bytes:
    """Return a request as a line of an input file; `body` is the JSON of the same live request."""
    return to_json({"custom_id": custom_id, "method": "POST", "url": URL})[:-1] + b',"body":' + body + b"}\n"


def read_line(content: bytes, endpoint: Endpoint) -> Answer | None:
    """Return the result in a line of an output or error file, masked; None if the line is not a result.

    A prompt refused by a content filter is a completion too, as in a live request.
    """
    line = _object(whole(decoded(content)))
    custom_id = line.get("custom_id")
    if not isinstance(custom_id, str) or "method" in line:
        return None
    result = _result(line, endpoint)
    return Answer(custom_id, refused(result) if isinstance(result, FilteredPromptError) else result)


def _result(line: Json, endpoint: Endpoint) -> Completion | ModelError:
    response, mask = _object(line.get("response")), endpoint.mask
    body = _unpacked(response.get("body"))
    status = response.get("status_code")
    status = status if isinstance(status, int) else None
    headers = _headers(response, endpoint)
    if told := _complaint_in(body, endpoint):
        return from_complaint(told, endpoint, status or 200, headers, encoded(mask.json(body)))
    if status is None or status < _FIRST_ERROR:
        completion = read(mask.content(body))
        if completion is not None:
            return completion
    failed = mask.json(line.get("error"))
    # vLLM wraps the error once more, as it does in a live response.
    said = complaint(failed) or complaint({"error": failed}) or Complaint("no reply and no error message")
    text = encoded(failed or mask.json(response.get("body")))
    known = said.status or (status if status is not None and status >= _FIRST_ERROR else None)
    if known is not None:
        return from_complaint(said, endpoint, known, headers, text)
    # An error of the service itself: the request expired or was cancelled before a model saw it.
    code = f" ({one_line(said.code)})" if said.code else ""
    return ModelError(f"{endpoint.host}: {one_line(said.message)}{code}", retryable=True, body=text)


def _complaint_in(body: JsonValue, endpoint: Endpoint) -> Complaint | None:
    failed = body if complaint(body) else error_in_choice(_object(body))
    return complaint(endpoint.mask.json(failed))


def _unpacked(body: JsonValue) -> JsonValue:
    """Return the body as a JSON value; some services send it as a string of JSON."""
    return whole(decoded(body.encode())) if isinstance(body, str) else body


def _headers(response: Json, endpoint: Endpoint) -> Mapping[str, str]:
    request_id = response.get("request_id")
    return {"x-request-id": endpoint.mask.text(request_id)} if isinstance(request_id, str) else {}


def _object(value: JsonValue) -> Json:
    return value if isinstance(value, dict) else {}
