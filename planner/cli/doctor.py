"""`doctor`: check that the model can be reached."""

import asyncio

import click

from planner.chat import Message, Prompt
from planner.cli.console import log_to
from planner.cli.models import add_retries, log_destination, open_model
from planner.cli.options import LogOptions, ModelSpec, log_options, model_options
from planner.errors import ModelError
from planner.papers.paper import Paper
from planner.planning.question import PlanSettings
from planner.sanitize import make_printable
from planner.schema import DEFAULT_K, Task


@click.command(epilog="Example: ablation-planner doctor --model gpt-4o")
@model_options
@log_options
def doctor(model_spec: ModelSpec, log_settings: LogOptions) -> None:
    """Check the key, the endpoint and the model with one tiny request."""
    with log_to(log_settings):
        raise SystemExit(asyncio.run(_check_model(model_spec)))


async def _check_model(model_spec: ModelSpec) -> int:
    async with open_model(model_spec, PlanSettings(Task.REVIEWER, DEFAULT_K[Task.REVIEWER])) as model:
        card = model.info
        if not card.endpoint:
            click.echo("The built-in planner needs no key and no network. Nothing was sent.")
            return 0
        log_destination(model.host, card)
        question = Prompt.from_messages([Message("user", "Reply with the one word: ready")])
        nobody = Paper("doctor", "", "", (), "", "")
        try:
            answer = await add_retries(model.make_model(nobody), model_spec.max_wait).complete(question)
        except ModelError as error:
            click.echo(make_printable(f"No answer from {card.endpoint}, model {card.asked}: {error}"))
            return 1
    click.echo(make_printable(f"{card.endpoint} answered as {answer.model or card.asked!r} in {answer.seconds:.1f} s."))
    return 0
