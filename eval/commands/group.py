"""A command group that turns each of the program's errors into one line and an exit code."""

from typing import Any

import click

from planner.controls import printable
from planner.errors import PlannerError, UsageError


class Group(click.Group):
    """A command group that exits with 2 for wrong usage and with 1 for any other error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, and raise its errors as click exceptions."""
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(printable(str(error))) from error
        except PlannerError as error:
            raise click.ClickException(printable(str(error))) from error
        except OSError as error:
            raise click.ClickException(printable(f"{error.filename or 'file'}: {error.strerror or error}")) from error
