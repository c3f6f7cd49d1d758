"""The command line: argv and the environment in; files, prints and exit codes out."""

import io
import sys
from typing import Any

import click

from planner import __version__
from planner.cli.batch import batch, status
from planner.cli.doctor import doctor
from planner.cli.papers import paper, prompt
from planner.cli.plans import demo, parse, plan
from planner.cli.service import collect, export, import_
from planner.cli.shards import merge_command
from planner.cli.signals import SIGINT_EXIT
from planner.cli.site import site
from planner.cli.trajectories import check, schema, show
from planner.controls import printable
from planner.errors import PlannerError, UsageError


class _Group(click.Group):
    """Turns every error of ours, and of files and folders, into one line and its exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(printable(str(error))) from error
        except PlannerError as error:
            raise click.ClickException(printable(str(error))) from error
        except BrokenPipeError:
            raise  # whoever read the output has gone; click ends quietly
        except OSError as error:
            raise click.ClickException(printable(f"{error.filename or 'a file'}: {error.strerror or error}")) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(SIGINT_EXIT) from None


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `ablation-planner demo`, then `ablation-planner plan paper.pdf`.",
)
@click.version_option(__version__, prog_name="ablation-planner")
def cli() -> None:
    """Which ablation is missing? Reads a paper, asks a model, and writes a checked ablation plan."""


_PAPERS = (plan, demo, prompt, parse, paper, show, check, schema, doctor)
_CORPORA = (batch, status, collect, merge_command, export, import_, site)

for command in (*_PAPERS, *_CORPORA):
    cli.add_command(command)


def main() -> None:
    """Run the command line; the entry point of the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may have another encoding than UTF-8
    cli(prog_name="ablation-planner")
