"""Adapt a request's parameters to an endpoint, after its rejections."""

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

Json = dict[str, JsonValue]

_OTHER_NAME: Final[Mapping[str, str]] = {"max_tokens": "max_completion_tokens"}
_DISPENSABLE: Final = frozenset({"temperature", "top_p", "seed", "reasoning_effort", "stream", "stream_options"})


class Dialect:
    """The parameters that one endpoint rejects, remembered for a run.

    Each is renamed or left out. A limit on tokens is only renamed, never left out, since a cost limit may need it.
    """

    def __init__(self) -> None:
        self._dropped: set[str] = set()
        self._renamed: dict[str, str] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """The changes, one sentence each."""
        dropped = (f"the endpoint does not accept {name}; it was not sent" for name in sorted(self._dropped))
        renamed = (f"{name} was sent as {other}, as the endpoint requires" for name, other in self._renamed.items())
        return (*dropped, *renamed)

    def spoken(self, request: Mapping[str, JsonValue]) -> Json:
        """Return the request with parameters renamed and left out for this endpoint."""
        dropped = self._dropped | ({"stream_options"} if "stream" in self._dropped else set())
        return {self._renamed.get(name, name): value for name, value in request.items() if name not in dropped}

    def learn(self, refused: str, sent: Mapping[str, JsonValue]) -> bool:
        """Remember a rejected parameter; return True if the next request will differ from the one sent."""
        if refused not in sent:
            return False
        if refused in self._dropped or refused in self._renamed:
            return True  # another request has remembered it meanwhile
        if refused in _OTHER_NAME:
            self._renamed[refused] = _OTHER_NAME[refused]
            return True
        if refused in _DISPENSABLE:
            self._dropped.add(refused)
            return True
        return False
