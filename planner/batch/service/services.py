"""The batch services of models, and the names of requests there.

A name consists of the paper's id and the beginning of the request's hash, by which the request is found again.
"""

import re
from typing import Final, NamedTuple

from planner.errors import UsageError
from planner.models.connect import ModelClient
from planner.models.openai_chat.batch_api import BatchService
from planner.models.pricing import UsagePrice

# Characters of the longest name that all services accept.
_MAX_LENGTH: Final = 64
# Hexadecimal digits of an identity that a name holds, 128 bits, so that no two names are the same.
_IDENTITY_DIGITS: Final = 32
_MAX_PAPER_LENGTH: Final = _MAX_LENGTH - _IDENTITY_DIGITS - 1
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_CUSTOM_ID: Final = re.compile(rf"(?s:.*)-([0-9a-f]{{{_IDENTITY_DIGITS}}})")


def format_custom_id(paper_id: str, identity: str) -> str:
    """Return the name of a request: the paper's id and the beginning of the request's hash (`identity`)."""
    return f"{_UNSAFE.sub('_', paper_id)[:_MAX_PAPER_LENGTH]}-{identity[:_IDENTITY_DIGITS]}"


def parse_identity_prefix(custom_id: str) -> str | None:
    """Return the beginning of the request's hash in a name, None if this program did not make the name."""
    match = _CUSTOM_ID.fullmatch(custom_id)
    return match[1] if match else None


class PricedService(NamedTuple):
    """The batch service of a model; `compute_cost` takes a token count and returns its price there in USD."""

    service: BatchService
    compute_cost: UsagePrice


def require_batch_service(client: ModelClient) -> BatchService:
    """Return the batch service of a model.

    Raises:
        UsageError: if the model has no batch service.
    """
    if client.batch_service is None:
        raise UsageError(
            f"{client.info.asked!r} has no batch service; --engine openai-batch needs a model at an endpoint"
        )
    return client.batch_service
