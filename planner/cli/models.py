"""`models`: the models that the program knows, or those that an endpoint has."""

import asyncio
import json
import os
from collections.abc import Sequence
from typing import Any, Final

import click

from planner.cli.command import command
from planner.cli.options import LogOptions, log_options
from planner.cli.settings import find_named_file, get_settings, load_settings
from planner.cli.terminal.console import log, send_log_messages
from planner.errors import UsageError
from planner.models.connect import ModelSpec
from planner.models.openai_chat.chat import ListedModel, list_endpoint_models
from planner.models.openai_chat.endpoint import OLLAMA, PROVIDERS, Endpoint, resolve_endpoint
from planner.models.pricing import KnownModel, list_known_models
from planner.sanitize import make_json_printable, make_printable

# A model as `--json` prints it.
Row = dict[str, Any]
_HEADINGS: Final = ("model", "tokens", "in", "out", "key")


@command(epilog="Example: ablation-planner models claude")
@click.argument("words", nargs=-1, metavar="[WORD…]")
@click.option(
    "--endpoint", metavar="URL|NAME", help="Ask this endpoint for its models: an address, a prefix or a named endpoint."
)
@click.option("--json", "as_json", is_flag=True, help="Print the models as JSON.")
@log_options
def models(words: tuple[str, ...], endpoint: str | None, as_json: bool, log_settings: LogOptions) -> None:
    """List the known models, or those with each WORD in their name: window, prices, and whether their key is set.

    Prices are in USD per million input and output tokens, from data on this machine. Other models can be used too.
    """
    click.get_current_context().obj = load_settings(find_named_file())
    with send_log_messages(log_settings):
        if endpoint:
            listed = _ask_endpoint(_resolve_named_endpoint(endpoint))
            rows = [_describe_listed_model(model) for model in listed]
        else:
            rows = [_describe_known_model(model) for model in list_known_models()]
        wanted = {word.lower() for word in words}
        rows = [row for row in rows if all(word in str(row["model"]).lower() for word in wanted)]
        rows.sort(key=lambda row: not wanted & {str(row["model"]).lower().rpartition("/")[2]})  # whole names come first
        if as_json:
            click.echo(make_json_printable(json.dumps(rows, ensure_ascii=False, indent=1)))
            return
        _print_table(rows)
        if not endpoint:
            log.info("prices are in USD per million tokens in and out; %s", _describe_keys(rows))
            names = ", ".join((OLLAMA.prefix, *get_settings().endpoints))
            log.info("an endpoint lists its own models: models --endpoint URL, or with a name: %s", names)


def _resolve_named_endpoint(name: str) -> Endpoint:
    """Return the endpoint with this address, prefix or name.

    Raises:
        UsageError: if there is none, or its key is not set.
    """
    named = get_settings().endpoints
    if "://" in name:
        return resolve_endpoint("any", name, os.environ)
    if name not in named and name not in (provider.prefix for provider in PROVIDERS):
        known = ", ".join((*(provider.prefix for provider in PROVIDERS), *named))
        raise UsageError(f"--endpoint {name}: give an address such as http://localhost:8000/v1, or one of {known}")
    spec = get_settings().complete_model_spec(ModelSpec(f"{name}/any"))
    return resolve_endpoint(spec.model, "".join(spec.base_url), os.environ, key_variable=spec.key_variable)


def _ask_endpoint(endpoint: Endpoint) -> list[ListedModel]:
    log.info("sending to %s", endpoint.host)
    return asyncio.run(list_endpoint_models(endpoint))


def _describe_listed_model(model: ListedModel) -> Row:
    return {"model": model.name, "window": model.window}


def _describe_known_model(model: KnownModel) -> Row:
    return {
        "model": model.name,
        "window": model.window,
        "input_price": None if model.input_price is None else float(model.input_price),
        "output_price": None if model.output_price is None else float(model.output_price),
        "key_variable": model.key_variable,
        "has_key": bool(os.environ.get(model.key_variable, "").strip()),
    }


def _describe_keys(rows: Sequence[Row]) -> str:
    variables = dict.fromkeys(str(row["key_variable"]) for row in rows)
    return f"keys are read from {', '.join(variables)}" if variables else "no known model has this name"


def _print_table(rows: Sequence[Row]) -> None:
    """Print the rows with aligned columns, known models below headings; an unknown number is a question mark."""
    cells = [_format_row(row) for row in rows]
    if rows and "key_variable" in rows[0]:
        cells.insert(0, list(_HEADINGS))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        name, *others = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(make_printable("  ".join((name, *others)).rstrip()))


def _format_row(row: Row) -> list[str]:
    window = "?" if row["window"] is None else f"{row['window']:,}"
    if "key_variable" not in row:
        return [str(row["model"]), f"{window} tokens"]
    prices = ("?" if price is None else f"${price:g}" for price in (row["input_price"], row["output_price"]))
    return [str(row["model"]), window, *prices, "set" if row["has_key"] else "not set"]
