"""The things that every input needs: a folder, an endpoint, a client with a key, a reader of papers, and the log."""

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest.mock import patch

import openai

from planner.models.openai_chat.chat import OpenAIChat, RequestOptions
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.reading.process import IsolatedReader
from planner.sanitize import remove_unsafe_characters
from tests.fuzz.mutations import KEY
from tests.reading.build import OFFLINE
from tests.server.server import Server

T = TypeVar("T")
_LONG_SECONDS = 20.0  # the client's timeout; the server closes each connection after its response
_BEGINNING = re.compile(".{0,16}?".join(map(re.escape, KEY[:6])), re.DOTALL)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


@dataclass(frozen=True, slots=True)
class Input:
    """An input; `kept` is a text that must be on record afterwards, since its reply comes whole."""

    data: bytes
    kept: str = ""


class Context:
    """The surroundings of the inputs of one run, as a context manager; `folder` is empty before each input.

    `most_memory` is the most memory of the process so far, in kilobytes, 0 before the first input.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "input"
        self.logged: list[str] = []
        self.most_memory = 0
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        handler = _ListHandler(self.logged)
        logging.getLogger().addHandler(handler)
        self._exits.callback(logging.getLogger().removeHandler, handler)
        self._runner = self._exits.enter_context(asyncio.Runner())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._exits.close()

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop of all inputs."""
        return self._runner.run(step)

    def clear(self) -> None:
        """Forget what an input left."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.logged.clear()

    @cached_property
    def server(self) -> Server:
        """An endpoint."""
        return self._exits.enter_context(Server())

    @cached_property
    def reader(self) -> IsolatedReader:
        """A process that reads papers."""
        return self._enter(IsolatedReader(OFFLINE, folder=self.folder))

    @cached_property
    def chats(self) -> tuple[OpenAIChat, ...]:
        """Clients of the endpoint: with and without streaming, with either transport."""
        endpoint = resolve_endpoint("m", self.server.base_url, {"OPENAI_API_KEY": KEY})
        made = tuple(
            OpenAIChat(endpoint, RequestOptions(stream=stream, timeout=_LONG_SECONDS))
            for stream in (True, False, True, False)
        )
        with patch.object(openai, "DefaultAioHttpClient", side_effect=RuntimeError):
            for chat in made[:2]:
                chat.warm_up()
        return tuple(self._enter(chat) for chat in made)

    def _enter(self, opened: Any) -> Any:
        self.run(opened.__aenter__())
        self._exits.callback(lambda: self.run(opened.__aexit__(None, None, None)))
        return opened

    def list_texts(self) -> Iterator[str]:
        """Yield all that the program wrote about an input: its log and its files."""
        yield from self.logged
        for path in self.folder.rglob("*"):
            if path.is_file():
                yield path.read_bytes().decode("utf-8", "replace")


# Feeds an input to the program and returns its named outcome; anything else is a failure.
Check = Callable[[Input, Context], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of inputs: its name, how one is made and checked, and the CPU seconds that it may take."""

    name: str
    make: Callable[[Random], Input]
    check: Check
    cpu_seconds: float


def has_key(text: str) -> bool:
    """Return whether a text shows the client's key, perhaps with characters in it that are not seen."""
    return bool(_BEGINNING.search(text)) and KEY in remove_unsafe_characters(text).translate(_INVISIBLE)


class _ListHandler(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))
