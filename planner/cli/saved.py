"""What a call of `batch` asked for, kept in the ledger for the commands that go on with its run; no secret is in it."""

import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from planner.batch.ledger import Ledger
from planner.batch.parts import RECORDED
from planner.batch.run import RunFolder
from planner.batch.schema import opened_to_read
from planner.batch.service.writing import part_file
from planner.cli.bounds import BoundOptions
from planner.cli.options import EndpointOptions
from planner.errors import RunError, UsageError
from planner.openai_chat.endpoint import resolve
from planner.posing import Settings

SAVED: Final = "call"


@dataclass(frozen=True, slots=True)
class SavedCall:
    """A call: the folder where it was made, the address of each model by the name that was given, and how to ask."""

    folder: str
    endpoints: Mapping[str, str]
    settings: Settings
    asking: EndpointOptions
    bounded: BoundOptions
    retry_failed: bool

    def addresses(self) -> Mapping[str, str]:
        """Where each model is; "" where the environment says the same, perhaps with a password."""
        return {name: "" if _environment_names(name, address) else address for name, address in self.endpoints.items()}


_CALL: Final = TypeAdapter(SavedCall)


def save(call: SavedCall) -> str:
    """The call as text."""
    return _CALL.dump_json(call).decode()


def load_saved(text: str) -> SavedCall:
    """The call in a text.

    Raises:
        RunError: it was written by another version.
    """
    try:
        return _CALL.validate_json(text)
    except ValidationError as error:
        raise RunError("the run was begun by another version of this program; repeat the `batch` command") from error


def saved_call(run: RunFolder) -> SavedCall:
    """The last call of `batch` on a run.

    Raises:
        RunError: there is no run, or it cannot be gone on with.
    """
    with opened_to_read(run.ledger) as db:
        row = db.execute("SELECT value FROM run WHERE name = ?", (SAVED,)).fetchone()
    if row is None:
        raise RunError(f"{run.path} does not say how it was begun; repeat the `batch` command")
    return load_saved(row[0])


def refuse_while_submitted(ledger: Ledger, run: RunFolder, collected: Container[str]) -> None:
    """Keep a call from asking live for what is at a batch service, and from forgetting it.

    `collected` are the models whose requests there the call goes on with.

    Raises:
        RunError: something else is there.
    """
    waiting = [part for part in ledger.parts.open() if part.state != RECORDED and part.model not in collected]
    if waiting:
        requests, models = sum(part.requests for part in waiting), sorted({part.model for part in waiting})
        raise RunError(
            f"{requests} requests of {run.path} to {', '.join(models)} are at a batch service; collect them first "
            f"(`ablation-planner collect {run.path}`, with --finish-live if the rest is to be asked live)"
        )


async def withdraw(ledger: Ledger, run: RunFolder) -> None:
    """Take back the files that no service has taken: their requests are asked live."""
    for number in await ledger.parts.withdraw():
        part_file(run.service, number).unlink(missing_ok=True)


def _environment_names(model: str, address: str) -> bool:
    try:
        return resolve(model, None, os.environ).base_url == address
    except UsageError:
        return False
