"""`config`, `completion` and `help`: the settings files, completion in a shell, and the help of a command."""

import json
import os
from collections.abc import Iterator
from typing import Final

import click
from click.core import ParameterSource
from click.shell_completion import get_completion_class

from planner.cli.command import command
from planner.cli.settings import (
    Settings,
    apply_settings,
    find_named_file,
    find_project_file,
    find_setting_name,
    find_user_file,
)
from planner.models.openai_chat.endpoint import OPENAI, build_environment_mask
from planner.sanitize import make_json_printable, make_printable

_DEFAULT: Final = "default"
_PROGRAM: Final = "ablation-planner"
_COMPLETION_VARIABLE: Final = "_ABLATION_PLANNER_COMPLETE"  # click's name for it


@click.group(epilog="Example: ablation-planner config show")
def config() -> None:
    """Show the settings files, and where each setting comes from."""


@config.command(epilog='Example: $EDITOR "$(ablation-planner config path)"')
def path() -> None:
    """Print the path of your own settings file, whether there is one or not."""
    file = find_named_file() or find_user_file()
    click.echo(make_printable(str(file)))
    if not os.access(file, os.F_OK):
        click.echo("there is no such file yet", err=True)
    if (project := find_project_file()) and find_named_file() is None:
        click.echo(make_printable(f"the project's settings come before it: {project}"), err=True)


@config.command(epilog="Example: ablation-planner config show --json")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
def show(as_json: bool) -> None:
    """Print each setting with its value and where that comes from: a variable, a file and its line, or the program."""
    rows = list(_list_settings())
    if as_json:
        listed = {name: {"value": value, "origin": origin} for name, value, origin in rows}
        click.echo(make_json_printable(json.dumps(listed, ensure_ascii=False, indent=1, default=str)))
        return
    cells = [(name, "-" if value in (None, "", ()) else str(value), origin) for name, value, origin in rows]
    names, values = (max(len(row[column]) for row in cells) for column in (0, 1))
    for name, text, origin in cells:
        click.echo(make_printable(f"{name:{names}}  {text:{values}}  {origin}"))


def _list_settings() -> Iterator[tuple[str, object, str]]:
    """Yield each setting with its value and the origin of it, as click finds them for `plan` and `batch`."""
    root, shown = click.get_current_context().find_root(), set[str]()
    group = root.command
    assert isinstance(group, click.Group)
    for command_name in ("plan", "batch"):
        command = group.get_command(root, command_name)
        assert command is not None
        apply_settings(root, command_name, command, find_named_file())
        context = command.make_context(command_name, [], parent=root, resilient_parsing=True)
        for option in command.params:
            if (name := find_setting_name(option)) and name not in shown:
                shown.add(name)
                yield name, context.params[option.name], _find_origin(context, option)
    yield from _list_endpoints(root.obj)


def _find_origin(context: click.Context, option: click.Parameter) -> str:
    source = context.get_parameter_source(option.name)
    if source is ParameterSource.ENVIRONMENT:
        return str(option.envvar)
    settings: Settings = context.obj
    return settings.origins[find_setting_name(option)] if source is ParameterSource.DEFAULT_MAP else _DEFAULT


def _list_endpoints(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the endpoint of models without a prefix, the prices, and the named endpoints."""
    if address := os.environ.get(OPENAI.address_variable, "").strip():
        yield "endpoint", build_environment_mask(os.environ).mask_text(address), OPENAI.address_variable
    else:
        yield "endpoint", settings.endpoint, settings.origins.get("endpoint", _DEFAULT)
    for model, price in settings.prices.items():
        yield f"prices.{model}", price, settings.origins[f"prices.{model}"]
    for name, endpoint in settings.endpoints.items():
        state = "set" if os.environ.get(endpoint.key_env) else "not set"
        key = f" with {endpoint.key_env} ({state})" if endpoint.key_env else ""
        yield f"endpoints.{name}", f"{endpoint.base_url}{key}", settings.origins[f"endpoints.{name}"]


@command(epilog="Example: ablation-planner completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print what makes a SHELL complete commands and options, for the file that it reads when it starts."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    complete = shell_class(click.Command(_PROGRAM), {}, _PROGRAM, _COMPLETION_VARIABLE)
    click.echo(complete.source_template % complete.source_vars())  # `source` would start the shell to ask its version


@command("help", epilog="Example: ablation-planner help plan")
@click.argument("commands", nargs=-1, metavar="[COMMAND]")
def help_(commands: tuple[str, ...]) -> None:
    """Show the help of a COMMAND, as its --help does."""
    context = click.get_current_context().find_root()
    for name in commands:
        group = context.command
        command = group.get_command(context, name) if isinstance(group, click.Group) else None
        if command is None:
            possible = group.list_commands(context) if isinstance(group, click.Group) else ()
            raise click.NoSuchCommand(make_printable(name), possibilities=possible, ctx=context)
        context = click.Context(command, info_name=name, parent=context)
    click.echo(context.get_help())
