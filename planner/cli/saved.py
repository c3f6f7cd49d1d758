"""Save a call of `batch` in the ledger, without secrets, for the commands that continue its run."""

import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from planner.batch.ledger.schema import open_ledger_readonly
from planner.batch.ledger.store import Ledger
from planner.batch.ledger.submissions import RECORDED
from planner.batch.run_folder import RunFolder
from planner.batch.service.submit import build_submission_path
from planner.cli.bounds import LimitOptions
from planner.cli.options import EndpointOptions
from planner.errors import RunError, UsageError
from planner.models.openai_chat.endpoint import resolve_endpoint
from planner.planning.question import PlanSettings

RUN_SPEC_KEY: Final = "call"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A call of `batch`: its working folder, the address of each model by its given name, and its settings."""

    folder: str
    endpoints: Mapping[str, str]
    settings: PlanSettings
    asking: EndpointOptions
    bounded: LimitOptions
    retry_failed: bool

    def resolve_addresses(self) -> Mapping[str, str]:
        """Return the address of each model, "" if the environment gives the same, perhaps with a password."""
        return {
            name: "" if _is_environment_address(name, address) else address for name, address in self.endpoints.items()
        }


_RUN_SPEC_ADAPTER: Final = TypeAdapter(RunSpec)


def dump_run_spec(spec: RunSpec) -> str:
    """Return the call as JSON text."""
    return _RUN_SPEC_ADAPTER.dump_json(spec).decode()


def parse_run_spec(text: str) -> RunSpec:
    """Read a call from its JSON text.

    Raises:
        RunError: if another version wrote it.
    """
    try:
        return _RUN_SPEC_ADAPTER.validate_json(text)
    except ValidationError as error:
        raise RunError("another version of this program began the run; repeat the `batch` command") from error


def read_run_spec(run: RunFolder) -> RunSpec:
    """Read the last call of `batch` on a run.

    Raises:
        RunError: if there is no run, or it cannot be continued.
    """
    with open_ledger_readonly(run.ledger_path) as db:
        row = db.execute("SELECT value FROM run WHERE name = ?", (RUN_SPEC_KEY,)).fetchone()
    if row is None:
        raise RunError(f"{run.path} holds no saved call; repeat the `batch` command")
    return parse_run_spec(row[0])


def refuse_while_submitted(ledger: Ledger, run: RunFolder, collected_models: Container[str]) -> None:
    """Refuse a call that would send live, or lose, requests that are at a batch service.

    `collected_models` are the models whose requests at the service the call itself collects.

    Raises:
        RunError: if requests to other models are there.
    """
    waiting = [
        part for part in ledger.submissions.list_open() if part.state != RECORDED and part.model not in collected_models
    ]
    if waiting:
        requests, models = sum(part.request_count for part in waiting), sorted({part.model for part in waiting})
        raise RunError(
            f"{requests} requests of {run.path} to {', '.join(models)} are at a batch service; collect them first "
            f"(`ablation-planner collect {run.path}`, with --finish-live to send the rest live)"
        )


async def withdraw_unsubmitted(ledger: Ledger, run: RunFolder) -> None:
    """Withdraw the files that were not submitted, so that their requests can be sent live."""
    for number in await ledger.submissions.withdraw_unsent():
        build_submission_path(run.request_folder, number).unlink(missing_ok=True)


def _is_environment_address(model: str, address: str) -> bool:
    try:
        return resolve_endpoint(model, None, os.environ).base_url == address
    except UsageError:
        return False
