"""The group of commands, which turns every error of ours into one line and its exit code."""

from typing import Any

import click

from planner.controls import printable
from planner.errors import PlannerError, UsageError


class Group(click.Group):
    """2 for a wrong call, 1 for anything else that went wrong."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(printable(str(error))) from error
        except PlannerError as error:
            raise click.ClickException(printable(str(error))) from error
        except OSError as error:
            raise click.ClickException(printable(f"{error.filename or 'file'}: {error.strerror or error}")) from error
