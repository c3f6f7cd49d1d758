"""Save a call of `batch` in the ledger, without secrets, for the commands that continue its run."""

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
    """A call of `batch`: its working folder, the address of each model by its given name, and its settings."""

    folder: str
    endpoints: Mapping[str, str]
    settings: Settings
    asking: EndpointOptions
    bounded: BoundOptions
    retry_failed: bool

    def addresses(self) -> Mapping[str, str]:
        """Return the address of each model, "" if the environment gives the same, perhaps with a password."""
        return {name: "" if _environment_names(name, address) else address for name, address in self.endpoints.items()}


_CALL: Final = TypeAdapter(SavedCall)


def save(call: SavedCall) -> str:
    """Return the call as JSON text."""
    return _CALL.dump_json(call).decode()


def load_saved(text: str) -> SavedCall:
    """Read a call from its JSON text.

    Raises:
        RunError: if another version wrote it.
    """
    try:
        return _CALL.validate_json(text)
    except ValidationError as error:
        raise RunError("another version of this program began the run; repeat the `batch` command") from error


def saved_call(run: RunFolder) -> SavedCall:
    """Read the last call of `batch` on a run.

    Raises:
        RunError: if there is no run, or it cannot be continued.
    """
    with opened_to_read(run.ledger) as db:
        row = db.execute("SELECT value FROM run WHERE name = ?", (SAVED,)).fetchone()
    if row is None:
        raise RunError(f"{run.path} holds no saved call; repeat the `batch` command")
    return load_saved(row[0])


def refuse_while_submitted(ledger: Ledger, run: RunFolder, collected: Container[str]) -> None:
    """Refuse a call that would send live, or lose, requests that are at a batch service.

    `collected` are the models whose requests at the service the call itself collects.

    Raises:
        RunError: if requests to other models are there.
    """
    waiting = [part for part in ledger.parts.open() if part.state != RECORDED and part.model not in collected]
    if waiting:
        requests, models = sum(part.requests for part in waiting), sorted({part.model for part in waiting})
        raise RunError(
            f"{requests} requests of {run.path} to {', '.join(models)} are at a batch service; collect them first "
            f"(`ablation-planner collect {run.path}`, with --finish-live to send the rest live)"
        )


async def withdraw(ledger: Ledger, run: RunFolder) -> None:
    """Withdraw the files that were not submitted, so that their requests can be sent live."""
    for number in await ledger.parts.withdraw():
        part_file(run.service, number).unlink(missing_ok=True)


def _environment_names(model: str, address: str) -> bool:
    try:
        return resolve(model, None, os.environ).base_url == address
    except UsageError:
        return False
