"""The commands `config`, `models`, `doctor`, `completion` and `help`, which help to set up the program."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from typing import Any, Final

import click
from click.core import ParameterSource
from click.shell_completion import get_completion_class

from planner.chat import Message, Prompt
from planner.cli.command import command
from planner.cli.options import model_options
from planner.cli.settings import (
    Settings,
    apply_settings,
    build_user_settings_path,
    find_named_settings_file,
    find_project_settings_file,
    find_setting_name,
    get_settings,
    load_settings,
)
from planner.cli.terminal.console import add_log_options, log, print_json, run_for_exit_code
from planner.errors import ModelError, UsageError
from planner.models.connect import ModelSpec, add_retries, log_request_host, open_model
from planner.models.openai_chat.chat import list_endpoint_models
from planner.models.openai_chat.endpoint import OLLAMA, OPENAI, PROVIDERS, Endpoint, build_secret_mask, resolve_endpoint
from planner.models.pricing import KnownModel, list_known_models
from planner.sanitize import make_printable

_DEFAULT: Final = "default"
_PROGRAM: Final = "ablation-planner"
_COMPLETION_VARIABLE: Final = "_ABLATION_PLANNER_COMPLETE"  # click's name for it
_ModelRow = dict[str, Any]  # as `--json` prints it
_HEADINGS: Final = ("model", "tokens", "in", "out", "key")
_MAX_SECONDS: Final = 60  # for the whole answer, unless --timeout is given


@click.group(epilog="Example: ablation-planner config show")
def config() -> None:
    """Show the settings files, and where each setting comes from."""


@config.command(epilog='Example: $EDITOR "$(ablation-planner config path)"')
def path() -> None:
    """Print the path of your own settings file, even if the file does not exist yet."""
    file = find_named_settings_file() or build_user_settings_path()
    click.echo(make_printable(str(file)))
    if not os.access(file, os.F_OK):
        click.echo("this file does not exist yet", err=True)
    if (project := find_project_settings_file()) and find_named_settings_file() is None:
        click.echo(make_printable(f"the settings of this project win over your own: {project}"), err=True)


@config.command(epilog="Example: ablation-planner config show --json")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
def show(as_json: bool) -> None:
    """Print each setting with its value and origin: an environment variable, a file with its line, or the default."""
    rows = list(_list_settings())
    if as_json:
        print_json({name: {"value": value, "origin": origin} for name, value, origin in rows})
        return
    _print_table([(name, "-" if value in (None, "", ()) else str(value), origin) for name, value, origin in rows])


def _list_settings() -> Iterator[tuple[str, object, str]]:
    """Yield (name, value, origin) for each setting of the commands `plan` and `batch`."""
    root, shown = click.get_current_context().find_root(), set[str]()
    group = root.command
    assert isinstance(group, click.Group)
    for command_name in ("plan", "batch"):
        command = group.get_command(root, command_name)
        assert command is not None
        apply_settings(root, command_name, command)
        context = command.make_context(command_name, [], parent=root, resilient_parsing=True)
        for option in command.params:
            if (name := find_setting_name(option)) and name not in shown:
                shown.add(name)
                yield name, context.params[option.name], _find_origin(context, option, name)
    yield from _list_endpoints(root.obj)


def _find_origin(context: click.Context, option: click.Parameter, setting_name: str) -> str:
    source = context.get_parameter_source(option.name)
    if source is ParameterSource.ENVIRONMENT:
        return str(option.envvar)
    settings: Settings = context.obj
    return settings.origins[setting_name] if source is ParameterSource.DEFAULT_MAP else _DEFAULT


def _list_endpoints(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield (name, value, origin) for the default endpoint, for each model's price, and for each named endpoint."""
    if address := os.environ.get(OPENAI.address_variable, "").strip():
        yield "endpoint", build_secret_mask(os.environ).mask_text(address), OPENAI.address_variable
    else:
        yield "endpoint", settings.default_endpoint, settings.origins.get("endpoint", _DEFAULT)
    for model, price in settings.prices.items():
        yield f"prices.{model}", price, settings.origins[f"prices.{model}"]
    for name, endpoint in settings.endpoints.items():
        state = "set" if os.environ.get(endpoint.key_env) else "not set"
        key = f" with {endpoint.key_env} ({state})" if endpoint.key_env else ""
        yield f"endpoints.{name}", f"{endpoint.base_url}{key}", settings.origins[f"endpoints.{name}"]


@command(epilog="Example: ablation-planner completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> None:
    """Print a script that lets a shell complete commands and options. Add it to the startup file of the shell."""
    shell_class = get_completion_class(shell)
    assert shell_class is not None
    complete = shell_class(click.Command(_PROGRAM), {}, _PROGRAM, _COMPLETION_VARIABLE)
    click.echo(complete.source_template % complete.source_vars())  # `source` would start the shell to ask its version


@command("help", epilog="Example: ablation-planner help plan")
@click.argument("command_path", nargs=-1, metavar="[COMMAND]")
def help_(command_path: tuple[str, ...]) -> None:
    """Show the help of a COMMAND, as its --help does."""
    context = click.get_current_context().find_root()
    for name in command_path:
        group = context.command if isinstance(context.command, click.Group) else click.Group()
        command = group.get_command(context, name)
        if command is None:
            possible = group.list_commands(context)
            raise click.NoSuchCommand(make_printable(name), possibilities=possible, ctx=context)
        context = click.Context(command, info_name=name, parent=context)
    click.echo(context.get_help())


@command(epilog="Example: ablation-planner models claude")
@click.argument("words", nargs=-1, metavar="[WORD…]")
@click.option(
    "--endpoint",
    "--base-url",
    metavar="URL|NAME",
    help="Ask this endpoint for its models. Give its address, its prefix, or its name in your settings.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the models as JSON.")
@add_log_options
def models(words: tuple[str, ...], endpoint: str | None, as_json: bool) -> None:
    """List the known models with context window, prices, and whether their key is set.

    Each WORD limits the list to models with this word in their name. Prices are in USD per million input and output
    tokens, from a table that is installed with the program. Models that are not listed can be used too.
    """
    click.get_current_context().obj = load_settings()
    if endpoint:
        asked = _resolve_named_endpoint(endpoint)
        log.info("sending to %s", asked.host)
        listed = asyncio.run(list_endpoint_models(asked))
        rows: list[_ModelRow] = [{"model": model.name, "window": model.window} for model in listed]
    else:
        rows = [_describe_known_model(model) for model in list_known_models()]
    wanted = {word.lower() for word in words}
    rows = [row for row in rows if all(word in str(row["model"]).lower() for word in wanted)]
    rows.sort(key=lambda row: not wanted & {str(row["model"]).lower().rpartition("/")[2]})  # whole names come first
    if as_json:
        print_json(rows)
        return
    _print_table([*([] if endpoint else [_HEADINGS]), *map(_format_row, rows)] if rows else [])
    if not endpoint:
        variables = ", ".join(dict.fromkeys(str(row["key_variable"]) for row in rows))
        keys = f"keys are read from {variables}" if variables else "no known model has this name"
        log.info("prices are in USD per million input and output tokens; %s", keys)
        names = ", ".join((OLLAMA.prefix, *get_settings().endpoints))
        log.info("to list an endpoint's models: models --endpoint NAME; NAME is an address, or one of %s", names)


def _resolve_named_endpoint(name: str) -> Endpoint:
    """Return the endpoint for an address, a provider's prefix, or a name in the settings.

    Raises:
        UsageError: if there is no such endpoint, or its key is not set.
    """
    named = get_settings().endpoints
    if "://" in name:
        return resolve_endpoint("any", name, os.environ)
    if name not in named and name not in (provider.prefix for provider in PROVIDERS):
        known = ", ".join((*(provider.prefix for provider in PROVIDERS), *named))
        raise UsageError(f"--endpoint {name}: give an address such as http://localhost:8000/v1, or one of {known}")
    spec = get_settings().complete_model_spec(ModelSpec(f"{name}/any"))
    return resolve_endpoint(spec.model, "".join(spec.base_url), os.environ, key_variable=spec.key_variable)


def _describe_known_model(model: KnownModel) -> _ModelRow:
    return {
        "model": model.name,
        "window": model.window,
        "input_price": None if model.input_price is None else float(model.input_price),
        "output_price": None if model.output_price is None else float(model.output_price),
        "key_variable": model.key_variable,
        "has_key": bool(os.environ.get(model.key_variable, "").strip()),
    }


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(make_printable(line.rstrip()))


def _format_row(row: _ModelRow) -> list[str]:
    """Return the cells of a model's row in the table. An unknown number becomes a question mark."""
    window = "?" if row["window"] is None else f"{row['window']:,}"
    if "key_variable" not in row:
        return [str(row["model"]), f"{window} tokens"]
    prices = ("?" if price is None else f"${price:g}" for price in (row["input_price"], row["output_price"]))
    return [str(row["model"]), window, *prices, "set" if row["has_key"] else "not set"]


@command(epilog="Example: ablation-planner doctor --model gpt-4o")
@model_options
@add_log_options
def doctor(model_spec: ModelSpec) -> None:
    """Check the key, the endpoint and the model with one tiny request."""
    is_default = click.get_current_context().get_parameter_source("timeout") is ParameterSource.DEFAULT
    log.info("environment variables: %s", ", ".join(_describe_variables()))
    raise SystemExit(run_for_exit_code(_check_model(model_spec, _MAX_SECONDS if is_default else None)))


def _describe_variables() -> Iterator[str]:
    """Yield each environment variable for a key, an address or a model, with "found" or "not set" after it."""
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
            reason = str(error) or f"no complete answer within {max_seconds} s; --timeout can set a longer limit"
            click.echo(make_printable(f"No answer from {info.endpoint}, model {info.asked}: {reason}"))
            return 1
    answered = f"Answer from {info.endpoint}, model {completion.model or info.asked!r}, in {completion.seconds:.1f} s"
    click.echo(make_printable(f"{answered}; {client.key_source or 'no key'} was sent."))
    return 0
