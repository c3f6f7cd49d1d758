"""Runs to start: read by the sweep engine of Weights & Biases, started by Hydra, and a table of runs."""

import csv
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from planner.sanitize import remove_unsafe_characters
from tests.exports.conftest import HOSTILE, Export

PROGRAM = """
import hydra
from pathlib import Path

@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(config):
    with Path("started.txt").open("a", encoding="utf-8") as file:
        print(config.seed, config.ablation.variant, repr(config.ablation.change), file=file)

main()
"""
# Starts each run of a sweep, as the engine would.
GRID = """
import sys, warnings
warnings.simplefilter("ignore")
import yaml  # type: ignore[import-untyped]
from sweeps import SweepRun, RunState, next_run
from sweeps.config import schema_violations_from_proposed_config
for path in sys.argv[1:]:
    sweep = yaml.safe_load(open(path, encoding="utf-8"))
    assert not schema_violations_from_proposed_config(sweep), path
    runs = []
    while (run := next_run(sweep, runs)) is not None:
        run.state = RunState.finished
        runs.append(run)
    print(path, *(f"{run.config['ablation']['value']}:{run.config['seed']['value']}" for run in runs), sep="|")
"""


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def start(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={**os.environ, "HOME": "/canary"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_a_study_is_a_sweep_over_the_baseline_and_its_variants(plans: Path, export: Export) -> None:
    folder = export(plans, "wandb") / "a-paper"
    assert sorted(path.name for path in folder.iterdir()) == [
        "01-routing-without-learning.yaml",
        "02-no-consistency-loss.yaml",
        "03-a-plainer-codebook.yaml",
    ]
    path = folder / "01-routing-without-learning.yaml"
    assert read_yaml(path)["parameters"] == {
        "ablation": {"values": ["baseline", "01-hash-routing-of-tokens", "01-uniform-random-routing"]},
        "seed": {"values": [0, 1, 2]},
    }
    text = path.read_text(encoding="utf-8")
    for line in (
        "# Study 1 of 3, number 2 to run: Routing without learning",
        "# Measure: top-1 accuracy; FLOPs per token",
        "# Hold fixed: detail of Routing without learning",
        "#   01-hash-routing-of-tokens: replace Learned sparse router by hash routing of tokens",
        'program: "TODO_your_training_program.py"',
    ):
        assert f"{line}\n" in text


@pytest.mark.slow
@pytest.mark.skipif(find_spec("sweeps") is None, reason="the engine needs numpy below 2: pip install it by itself")
def test_every_sweep_is_one_that_the_engine_starts(plans: Path, hostile_plans: Path, export: Export) -> None:
    hostile = sorted(export(hostile_plans, "wandb", "hostile").rglob("*.yaml"))
    files = [*export(plans, "wandb").rglob("*.yaml"), *hostile[:9]]
    lines = start(Path.cwd(), "-c", GRID, *map(str, files)).splitlines()
    assert len(lines) == len(files) == 12
    for line in lines:
        path, *runs = line.split("|")
        variants = read_yaml(Path(path))["parameters"]["ablation"]["values"]
        assert sorted(runs) == sorted(f"{variant}:{seed}" for variant in variants for seed in (0, 1, 2))


def test_hostile_texts_are_texts_of_a_sweep(hostile_plans: Path, export: Export) -> None:
    files = list(export(hostile_plans, "wandb").rglob("*.yaml"))
    assert len(files) == len(HOSTILE)
    for path in files:
        sweep = read_yaml(path)
        assert list(sweep) == ["program", "name", "description", "method", "parameters"]
        assert list(sweep["parameters"]) == ["ablation", "seed"]
        assert all(isinstance(value, str) for value in sweep["parameters"]["ablation"]["values"])
        assert len(path.name) < 80


@pytest.fixture
def hydra_program(tmp_path: Path) -> Path:
    (tmp_path / "work" / "conf").mkdir(parents=True)
    (tmp_path / "work" / "conf" / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    (tmp_path / "work" / "train.py").write_text(PROGRAM, encoding="utf-8")
    return tmp_path / "work"


def test_hydra_starts_a_study_with_the_command_that_its_file_gives(
    plans: Path, export: Export, hydra_program: Path
) -> None:
    folder = export(plans, "hydra") / "a-paper"
    text = (folder / "experiment" / "03-a-fixed-k-means-codebook.yaml").read_text(encoding="utf-8")
    command = text.partition("# Run with: ")[2].split("\n")[0].replace("'", "").split(" ")
    assert command[:3] == ["TODO_your_training_program.py", "--config-dir", "THE_FOLDER_OF_experiment"]
    start(hydra_program, "train.py", "--config-dir", str(folder), *command[3:])
    started = (hydra_program / "started.txt").read_text(encoding="utf-8").splitlines()
    assert len(started) == 3 * 4
    assert "1 baseline 'the method as the paper describes it'" in started
    assert (
        "2 03-product-quantisation-with-m-8 'replace Shared codebook by product quantisation with *m* = 8'" in started
    )


def test_hydra_reads_hostile_texts_as_they_are(hostile_plans: Path, export: Export, hydra_program: Path) -> None:
    folder = export(hostile_plans, "hydra")
    start(hydra_program, "train.py", "--config-dir", str(folder / "con_"), "--multirun", "+experiment=glob(0?-*)")
    started = (hydra_program / "started.txt").read_text(encoding="utf-8").splitlines()
    assert len(started) == 3 + 6 * 3
    assert "/canary" not in "".join(started), "a value of the environment"
    changes = [line.split(" ", 2)[2] for line in started]
    for text in HOSTILE[:9:3]:
        line = " ".join(remove_unsafe_characters(text).split())
        assert repr(f"remove {line}") in changes
    assert not list(hydra_program.rglob("canary"))


def test_the_matrix_has_a_row_for_each_run_in_the_order_of_the_record(plans: Path, export: Export) -> None:
    with export(plans, "matrix", "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * (1 + 3 + 2 + 1)
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    assert settings[:2] == ["baseline", "03-a-fixed-k-means-codebook"]
    assert settings[-1] == "02-remove-consistency-loss-between-neighbouring-fra"
    assert [int(row["run_order"]) for row in rows] == list(range(1, len(rows) + 1))
    assert len({row["run"] for row in rows}) == len(rows)
    last = rows[-1]
    assert (last["seed"], last["ablated_part"]) == ("2", "Consistency loss between neighbouring frames")
    assert (last["control"], last["effort"]) == ("detail of No consistency loss", "retrain, 2 runs")
    told = json.loads(export(plans, "matrix", "runs.json").read_text(encoding="utf-8"))
    assert [{name: str(value) for name, value in row.items()} for row in told] == rows


def test_no_cell_of_a_hostile_matrix_is_a_formula(hostile_plans: Path, export: Export) -> None:
    with export(hostile_plans, "matrix", "runs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["run"] for row in rows}) == len(rows) > 3 * len(HOSTILE)
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
