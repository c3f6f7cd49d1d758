"""Classes for commands with grouped options and suggestions for mistyped words, and functions that print messages."""

import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

import click

from planner.errors import PlannerError, UsageError
from planner.files import describe_os_error, path_exists
from planner.sanitize import make_printable

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SIGINT_EXIT: Final = 130
HELP_OPTIONS: Final = ("-h", "--help")
FOLDER: Final = click.Path(path_type=Path, file_okay=False)
EXISTING_FOLDER: Final = click.Path(path_type=Path, file_okay=False, exists=True)
TYPED_WORDS: Final = "planner.typed_words"  # the key in click's `meta` for the arguments of a call
_FIRST_GROUP: Final = "Options"
_MAX_WIDTH: Final = 100
_LEAST_WIDTH: Final = 40
_LEAST_NAME: Final = 20


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command as `--help` lists it. `function_path` is the dotted name of its function in `planner.cli`."""

    function_path: str
    summary: str


class GroupedOption(click.Option):
    """An option that `--help` lists in the group `group`, with its environment variable if it has one."""

    def __init__(self, *args: Any, group: str = _FIRST_GROUP, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group
        self.show_envvar = self.envvar is not None


class _HelpFormatter(click.HelpFormatter):
    def write_heading(self, heading: str) -> None:
        super().write_heading(click.style(heading, bold=True))


class _Context(click.Context):
    formatter_class = _HelpFormatter


def _set_color(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    """Apply the value of `--color` to the context of a command."""
    if value in ("always", "never"):
        ctx.color = value == "always"
    elif value == "auto" or ctx.parent is None:
        ctx.color = False if os.environ.get("NO_COLOR") else None


_COLOR_OPTION: Final = GroupedOption(
    ["--color"],
    type=click.Choice(("auto", "always", "never")),
    callback=_set_color,
    is_eager=True,
    expose_value=False,
    help="Use colours; auto: only on a terminal, and only if NO_COLOR is not set.",
)


class Command(click.Command):
    """A command that groups its options in `--help`, and suggests a known option for a mistyped one."""

    context_class = _Context

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the help option: `-h` and `--help`."""
        return list(HELP_OPTIONS)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters, with `--color` and `--help` at the end."""
        *own, last = super().get_params(ctx)
        return [*own, _COLOR_OPTION, last]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups. The options that all commands share are in the last group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            is_own = param in self.params
            group = getattr(param, "group", _FIRST_GROUP) if is_own else next(reversed(groups), _FIRST_GROUP)
            if (row := param.get_help_record(ctx)) and not isinstance(param, click.Argument):
                groups.setdefault(group, []).append(row)
        for group, rows in groups.items():
            with formatter.section(group):
                formatter.write_dl(rows)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. For an unknown option, raise an error that suggests a known one (`-k` for `--k`)."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            short = error.option_name.removeprefix("-")
            is_known = any(short in param.opts for param in self.params)
            meant = [short] if is_known else (error.possibilities or [])[:1]
            raise click.NoSuchOption(error.option_name, possibilities=meant, ctx=ctx) from None


class LazyCommandGroup(click.Group):
    """The group of all commands. It imports only the command that is called, and turns errors into messages.

    `command_rows` maps each heading in `--help` to the commands below it, by name.
    """

    context_class = _Context

    def __init__(self, *args: Any, command_rows: Mapping[str, Mapping[str, CommandRow]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._groups = command_rows
        self._rows = {name: row for rows in command_rows.values() for name, row in rows.items()}
        self.params.append(_COLOR_OPTION)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Keep them as they were typed, so that `batch` can record them."""
        ctx.meta[TYPED_WORDS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands, sorted."""
        return sorted(self._rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command with this name, or return None if there is no such command."""
        if cmd_name not in self._rows:
            return None
        module, _, name = self._rows[cmd_name].function_path.partition(".")
        command = getattr(import_module(f"planner.cli.{module}"), name)
        assert isinstance(command, click.Command), f"{name} of {module} is a command"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the names and summaries of the commands in groups, without importing the commands."""
        width = max(map(len, self._rows))
        for group, rows in self._groups.items():
            with formatter.section(group):
                formatter.write_dl(
                    [(click.style(f"{name:{width}}", "cyan"), row.summary) for name, row in rows.items()]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the called command, with its defaults from the settings files unless only its help is asked for.

        For an unknown name, raise an error that suggests a command.
        """
        typed = args[0]
        if typed not in self._rows and not typed.startswith("-"):
            if any(mark in typed for mark in "./") or path_exists(typed):
                meant = make_printable(f"{ctx.command_path} plan {shlex.join(args)}")
                raise click.UsageError(f"{typed!r} is a paper, not a command. Did you mean `{meant}`?", ctx)
            raise click.NoSuchCommand(typed, possibilities=self._rows, ctx=ctx)
        name, called, rest = super().resolve_command(ctx, args)
        if name and called and not ctx.resilient_parsing and not {*HELP_OPTIONS} & {*rest}:
            from planner.cli.settings import apply_settings  # not for --help

            apply_settings(ctx, name, called)
        return name, called, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Return the commands and options that begin with `incomplete`, without importing the commands."""
        from click.shell_completion import CompletionItem

        names = [name for name in sorted(self._rows) if name.startswith(incomplete)]
        items = [CompletionItem(name, help=self._rows[name].summary) for name in names]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the called command. Turn expected errors into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _UsageMessage(error.format_message(), error.ctx) from error
        except UsageError as error:
            raise _UsageMessage(str(error)) from error
        except PlannerError as error:
            raise _ErrorMessage(str(error)) from error
        except BrokenPipeError:
            raise  # nobody reads the output any more; click ends quietly
        except OSError as error:
            raise _ErrorMessage(f"{error.filename or 'a file'}: {describe_os_error(error)}") from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(_SIGINT_EXIT) from None


class _ErrorMessage(click.ClickException):
    """An error that ends the program with a message of one line. If `ctx` is given, the command's usage comes first."""

    def __init__(self, message: str, ctx: click.Context | None = None) -> None:
        super().__init__(make_printable(message))
        self._usage = f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n" if ctx else ""

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - click's signature
        """Write the message to stderr."""
        if self._usage:
            click.echo(self._usage, err=True)
        click.echo(format_stderr_message(self.message, "Error"), err=True, color=self.show_color)


class _UsageMessage(_ErrorMessage):
    """An error that ends the program with exit code 2, since arguments are wrong."""

    exit_code = 2


def command(name: str | None = None, **attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Return a decorator like `click.command`. It turns a function into a `Command`."""
    return click.command(name, cls=Command, **attributes)


def choose_wrap_width(stream: TextIO) -> int | None:
    """Return the width at which text is wrapped (40 to 100 columns), or None if the stream is not a terminal."""
    return max(_LEAST_WIDTH, min(shutil.get_terminal_size().columns, _MAX_WIDTH)) if stream.isatty() else None


def format_stderr_message(text: str, label: str = "") -> str:
    """Return a message after a coloured label, such as "Error:". If stderr is a terminal, wrap the message."""
    text = wrap_with_hanging_indents(f"{label}: {text}" if label else text, choose_wrap_width(sys.stderr))
    colour = "yellow" if label == "warning" else "red"
    return click.style(f"{label}:", colour, bold=True) + text.removeprefix(f"{label}:") if label else text


def print_warning(text: str) -> None:
    """Print a warning on stderr. It is one line, so that a line break in a file's name cannot fake a message."""
    click.echo(format_stderr_message(make_printable(text).replace("\n", " "), "warning"), err=True)


def print_error(text: str) -> None:
    """Print an error on stderr. It is one line."""
    click.echo(format_stderr_message(make_printable(text).replace("\n", " "), "error"), err=True)


def wrap_with_hanging_indents(text: str, width: int | None) -> str:
    """Wrap each line of a text to `width` columns, unless `width` is None. The rest of a line is indented further."""
    return text if width is None else "\n".join(_wrap_line(line, width) for line in text.split("\n"))


def _wrap_line(line: str, width: int) -> str:
    if line.startswith("  ablation-planner "):  # a command, which the user copies, stays on one line
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def shorten_middle(text: str, width: int | None) -> str:
    """Replace the middle of a text by an ellipsis if it is longer than `width` (at least 20). None is no limit."""
    if width is None or len(text) <= max(_LEAST_NAME, width):
        return text
    kept = max(_LEAST_NAME, width) - 1
    return f"{text[: kept - kept // 2]}…{text[-(kept // 2) :]}"
