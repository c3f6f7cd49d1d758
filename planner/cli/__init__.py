"""The command line: its commands, its error messages and its exit codes."""

import gc
import io
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from planner import __version__
from planner.cli.terminal.console import SIGINT_EXIT
from planner.errors import PlannerError, UsageError
from planner.sanitize import make_printable

# The place of each command. Only the called one is imported: importing all takes twice as long as `batch`.
_COMMAND_PATHS: Final[Mapping[str, str]] = {
    "plan": "planner.cli.plan.plan",
    "demo": "planner.cli.plan.demo",
    "prompt": "planner.cli.paper.prompt",
    "parse": "planner.cli.plan.parse",
    "paper": "planner.cli.paper.paper",
    "show": "planner.cli.show.show",
    "check": "planner.cli.show.check",
    "schema": "planner.cli.show.schema",
    "doctor": "planner.cli.doctor.doctor",
    "batch": "planner.cli.batch.batch",
    "status": "planner.cli.runs.status",
    "collect": "planner.cli.runs.collect",
    "merge": "planner.cli.runs.merge",
    "export": "planner.cli.runs.export",
    "import": "planner.cli.runs.import_",
    "site": "planner.cli.show.site",
    "combine": "planner.cli.combine.combine",
    "mcp": "planner.cli.agents.mcp",
    "skill": "planner.cli.agents.skill",
    "models": "planner.cli.models.models",
    "config": "planner.cli.config.config",
    "completion": "planner.cli.config.completion",
    "help": "planner.cli.config.help_",
}


class _LazyGroup(click.Group):
    """A group of commands that imports the called one, and turns errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMAND_PATHS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module, _, name = _COMMAND_PATHS.get(cmd_name, "").rpartition(".")
        command = getattr(import_module(module), name) if module else None
        assert command is None or isinstance(command, click.Command), f"{name} of {module} is a command"
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name and command and not ctx.resilient_parsing and not {"-h", "--help"} & {*rest}:
            from planner.cli.settings import apply_settings  # not for --help

            apply_settings(ctx, name, command, ctx.params["config"])
        return name, command, rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        # Without the summaries of the commands, for which all of them would be imported.
        return [*map(CompletionItem, names), *click.Command.shell_complete(self, ctx, incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(make_printable(str(error))) from error
        except PlannerError as error:
            raise click.ClickException(make_printable(str(error))) from error
        except BrokenPipeError:
            raise  # the reader of the output is gone; click ends quietly
        except OSError as error:
            raise click.ClickException(
                make_printable(f"{error.filename or 'a file'}: {error.strerror or error}")
            ) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(SIGINT_EXIT) from None


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `ablation-planner demo`, then `ablation-planner plan paper.pdf`.",
)
@click.version_option(__version__, prog_name="ablation-planner")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    envvar="ABLATION_PLANNER_CONFIG",
    show_envvar=True,
    help="Settings file to read instead of your own and the project's.",
)
def cli(config: Path | None) -> None:
    """Plan the missing ablations of a paper: read it, ask a model, and write a checked plan."""


def main() -> None:
    """Run the command line, as the entry point of the program."""
    # Imports and requests make many objects and few cycles; a corpus would spend a tenth of its time on the search.
    gc.set_threshold(20_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may have another encoding than UTF-8
    try:
        cli(prog_name="ablation-planner")
    finally:
        gc.freeze()  # otherwise the interpreter searches everything imported for cycles before it ends: 0.4 s
