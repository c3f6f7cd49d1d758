"""`python -m eval`: one command a measurement."""

import click

from eval.analysis import analysis


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Score plans, and measure the parts of the planner, against what people have read by hand."""


main.add_command(analysis)

if __name__ == "__main__":
    main()
