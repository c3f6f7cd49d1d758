"""The command line with all commands, grouped as `--help` lists them."""

import gc
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from planner import __version__
from planner.cli.command import HELP_OPTIONS, CommandRow, LazyCommandGroup

# Only the called command is imported: importing all commands takes twice as long as importing `batch` alone.
_COMMAND_ROWS: Final[Mapping[str, Mapping[str, CommandRow]]] = {
    "One paper": {
        "plan": CommandRow("plan.plan", "Plan the missing ablations of a paper, or of several."),
        "demo": CommandRow("plan.demo", "Plan a paper that comes with the program; needs no key."),
        "paper": CommandRow("paper.paper", "Show what is read from a paper, and what `plan` leaves out."),
        "prompt": CommandRow("paper.prompt", "Print the messages that `plan` would send; send nothing."),
        "parse": CommandRow("plan.parse", "Check a reply that you got yourself, and write its plan."),
        "serve": CommandRow("serve.serve", "Plan papers on a page in your browser, on this machine."),
    },
    "Many papers": {
        "batch": CommandRow("batch.batch", "Plan all papers of a folder or list; can be continued later."),
        "status": CommandRow("runs.status", "Show the progress of a run, even while it is running."),
        "collect": CommandRow("runs.collect", "Get the results of a run from its batch service."),
        "import": CommandRow("runs.import_batch_results", "Import results of exported requests into a run."),
        "merge": CommandRow("runs.merge", "Merge the results of the shards of a run."),
    },
    "Read and share": {
        "show": CommandRow("show.show", "Print plans, or convert them to another format."),
        "site": CommandRow("show.site", "Write pages to read, search and compare plans."),
        "export": CommandRow("runs.export", "Write plans as tables, sweeps, issues, LaTeX or a review."),
        "combine": CommandRow("show.combine", "Combine the plans of several models or runs into one plan."),
    },
    "Set up and check": {
        "check": CommandRow("show.check_trajectory_format", "Check that files hold valid plans."),
        "models": CommandRow("setup.models", "List the known models, or the models of an endpoint."),
        "config": CommandRow("setup.config", "Show the settings files, and where each setting comes from."),
        "doctor": CommandRow("setup.doctor", "Check key, endpoint and model with one tiny request."),
        "schema": CommandRow("show.schema", "Print the JSON Schema of a plan, for other programs."),
    },
    "Shells and coding agents": {
        "help": CommandRow("setup.help_", "Show the help of a command."),
        "completion": CommandRow("setup.completion", "Print a script that lets a shell complete commands and options."),
        "mcp": CommandRow("serve.mcp", "Serve tools to a coding agent (Model Context Protocol)."),
        "skill": CommandRow("serve.skill", "Print instructions for a coding agent to plan papers itself."),
    },
}


@click.group(
    cls=LazyCommandGroup,
    command_rows=_COMMAND_ROWS,
    context_settings={"help_option_names": HELP_OPTIONS, "max_content_width": 100},
    epilog="Start with `ablation-planner demo`, then `ablation-planner plan paper.pdf`.",
)
@click.version_option(__version__, prog_name="ablation-planner")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True),
    metavar="FILE",
    envvar="ABLATION_PLANNER_CONFIG",
    show_envvar=True,
    help="Read only this settings file, and not your own file or the project's.",
)
def cli(config: Path | None) -> None:
    """Plan the missing ablations of a paper: read it, ask a model, and write a checked plan."""


def main() -> None:
    """Run the command line. This is the entry point of the program."""
    # Imports and requests make many objects and few cycles; by default, a tenth of a run would go into the search.
    gc.set_threshold(20_000, 20, 50)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may have another encoding than UTF-8
    try:
        cli(prog_name="ablation-planner")
    finally:
        gc.freeze()  # otherwise the interpreter searches all imported objects for cycles at its end: 0.4 s
