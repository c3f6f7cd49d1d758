"""`doctor`: check that the model can be reached."""

import asyncio
import os
from collections.abc import Iterator
from typing import Final

import click
from click.core import ParameterSource

from planner.chat import Message, Prompt
from planner.cli.command import command
from planner.cli.options import LogOptions, log_options, model_options
from planner.cli.settings import get_settings
from planner.cli.terminal.console import log, send_log_messages
from planner.errors import ModelError
from planner.models.connect import ModelSpec, add_retries, log_request_host, open_model
from planner.models.openai_chat.endpoint import PROVIDERS
from planner.sanitize import make_printable

_MAX_SECONDS: Final = 60  # for the whole answer, unless --timeout is given


@command(epilog="Example: ablation-planner doctor --model gpt-4o")
@model_options
@log_options
def doctor(model_spec: ModelSpec, log_settings: LogOptions) -> None:
    """Check the key, the endpoint and the model with one tiny request."""
    is_default = click.get_current_context().get_parameter_source("timeout") is ParameterSource.DEFAULT
    with send_log_messages(log_settings):
        log.info("looked for %s", ", ".join(_describe_variables()))
        raise SystemExit(asyncio.run(_check_model(model_spec, _MAX_SECONDS if is_default else None)))


def _describe_variables() -> Iterator[str]:
    """Yield the name of each environment variable that can give a key, an address or a model, and whether it is set."""
    known = [name for provider in PROVIDERS for name in (provider.key_variable, provider.address_variable) if name]
    for name in (*known, *get_settings().key_variables, "ABLATION_PLANNER_MODEL"):
        yield f"{name} ({'found' if os.environ.get(name, '').strip() else 'not set'})"


async def _check_model(model_spec: ModelSpec, max_seconds: float | None) -> int:
    async with open_model(model_spec) as client:
        if client.model is None:
            click.echo("The built-in planner needs no key and no network. Nothing was sent.")
            return 0
        log_request_host(client)
        info, prompt = client.info, Prompt.from_messages([Message("user", "Reply with the one word: ready")])
        try:
            async with asyncio.timeout(max_seconds):
                completion = await add_retries(client.model, model_spec.max_wait).complete(prompt)
        except (ModelError, TimeoutError) as error:
            reason = str(error) or f"no whole answer within {max_seconds} s; a longer --timeout allows more"
            click.echo(make_printable(f"No answer from {info.endpoint}, model {info.asked}: {reason}"))
            return 1
    model, seconds = completion.model or info.asked, completion.seconds
    click.echo(make_printable(f"{info.endpoint} answered as {model!r} in {seconds:.1f} s."))
    return 0
