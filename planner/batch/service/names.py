"""Names of requests at a batch service: the paper for people, and enough of the identity for the ledger."""

import re
from typing import Final

# Some services accept no longer names and no other characters.
_LONGEST: Final = 64
_IDENTITY: Final = 32  # hexadecimal digits: no two requests share 128 bits
_PAPER: Final = _LONGEST - _IDENTITY - 1
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_NAME: Final = re.compile(rf"(?s:.*)-([0-9a-f]{{{_IDENTITY}}})")


def custom_id(paper: str, identity: str) -> str:
    """Return the name of a request, made of the paper's id and the request's identity."""
    return f"{_UNSAFE.sub('_', paper)[:_PAPER]}-{identity[:_IDENTITY]}"


def identity_in(name: str) -> str:
    """Return the start of the identity that a name holds, "" if this program did not make the name."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""
