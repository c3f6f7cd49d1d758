"""Every command of the program by its name; the program itself imports only the one that is called."""

import click

from planner.cli import cli


def commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in cli.list_commands(context)}
    return {name: command for name, command in found.items() if command is not None}
