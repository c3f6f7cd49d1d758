"""`site`: static pages from trajectories."""

from pathlib import Path

import click

from planner.sanitize import make_printable
from planner.site.build import build_site


@click.command(epilog="Example: ablation-planner site runs/iclr -o site, then open site/index.html")
@click.argument("runs", nargs=-1, required=True, metavar="RUN…", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for the pages."
)
@click.option(
    "--docsify",
    is_flag=True,
    help="Also write DIRECTORY/docsify: the published layout, which loads docsify from the web.",
)
def site(runs: tuple[Path, ...], output: Path, docsify: bool) -> None:
    """Write pages to read, search and compare the plans of each RUN: a run folder, or any folder of trajectories.

    The pages open from disk and from any web server, and load nothing from elsewhere. Prints the index's path.
    """
    built = build_site(runs, output, docsify=docsify)
    for file in built.unread_files:
        click.echo(make_printable(f"warning: {file.name}: {file.reason}"), err=True)
    click.echo(f"{built.paper_count} papers, {built.entry_count} plans or failures", err=True)
    click.echo(make_printable(str(built.index)))
