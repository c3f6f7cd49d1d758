"""The entry point of `python -m eval`, with one command for each measurement."""

import click

from eval.commands.baseline import baseline
from eval.commands.bench import bench
from eval.commands.calibration import calibration
from eval.commands.judge import judge
from eval.commands.labelled import analysis, cuts
from eval.commands.mask import mask
from eval.commands.options import CommandGroup
from eval.commands.report import compare, report
from eval.commands.trial import trial
from eval.commands.vote import judge_eval, vote


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Score plans, and measure parts of the planner, against labels that people made by hand."""


for command in (trial, judge, vote, judge_eval, report, compare, calibration, mask, baseline, bench, analysis, cuts):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="python -m eval")
