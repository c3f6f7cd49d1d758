"""`doctor`: check that the model can be reached."""

import asyncio

import click

from planner.chat import Message, Prompt
from planner.cli.models import asked_model, patient, say_where
from planner.cli.options import ModelOptions, TalkOptions, model_options, talk_options
from planner.cli.talk import talking
from planner.controls import printable
from planner.errors import ModelError
from planner.papers.paper import Paper
from planner.posing import Settings
from planner.schema import DEFAULT_K, Task


@click.command(epilog="Example: ablation-planner doctor --model gpt-4o")
@model_options
@talk_options
def doctor(asking: ModelOptions, talk: TalkOptions) -> None:
    """Check the key, the endpoint and the model with one tiny request."""
    with talking(talk):
        raise SystemExit(asyncio.run(_examine(asking)))


async def _examine(asking: ModelOptions) -> int:
    async with asked_model(asking, Settings(Task.REVIEWER, DEFAULT_K[Task.REVIEWER])) as model:
        card = model.card
        if not card.endpoint:
            click.echo("The built-in planner needs no key and no network. Nothing was sent.")
            return 0
        say_where(model.host, card)
        question = Prompt.of([Message("user", "Reply with the one word: ready")])
        nobody = Paper("doctor", "", "", (), "", "")
        try:
            answer = await patient(model.sender(nobody), asking.max_wait).complete(question)
        except ModelError as error:
            click.echo(printable(f"No answer from {card.endpoint}, model {card.asked}: {error}"))
            return 1
    click.echo(printable(f"{card.endpoint} answered as {answer.model or card.asked!r} in {answer.seconds:.1f} s."))
    return 0
