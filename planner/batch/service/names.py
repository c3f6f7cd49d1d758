"""How a batch service names a request: the paper for people, and enough of the identity for the ledger."""

import re
from typing import Final

# Some services take no longer names, and no others than these characters.
_LONGEST: Final = 64
_IDENTITY: Final = 32  # hexadecimal digits: no two requests share 128 bits
_PAPER: Final = _LONGEST - _IDENTITY - 1
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]")
_NAME: Final = re.compile(rf"(?s:.*)-([0-9a-f]{{{_IDENTITY}}})")


def custom_id(paper: str, identity: str) -> str:
    """The name of a request of a paper."""
    return f"{_UNSAFE.sub('_', paper)[:_PAPER]}-{identity[:_IDENTITY]}"


def identity_in(name: str) -> str:
    """The beginning of the identity that a name holds, "" where it is no name of ours."""
    match = _NAME.fullmatch(name)
    return match[1] if match else ""
