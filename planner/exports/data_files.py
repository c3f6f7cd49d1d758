"""Exports for other programs: sweeps for Weights & Biases, experiments for Hydra, tables, and AblationBench's layout.

The first two formats are described at https://docs.wandb.ai/guides/sweeps/define-sweep-configuration and
https://hydra.cc/docs/patterns/configuring_experiments. The program does not know the code of the method, so the user
must complete the lines that contain `TODO`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from planner.errors import UsageError
from planner.exports.studies import BASELINE, SEEDS, ExportedPlan, ExportedStudy, Variant, build_exported_plans
from planner.files import is_pipe_or_device, write_file_atomically
from planner.names import sanitize_file_name
from planner.sanitize import make_json_printable, render_csv
from planner.schema import PLAN_FIELDS, format_field_values
from planner.site.copies import DETAIL_COLUMNS, iterate_detail_rows
from planner.site.entries import PlanEntry

_BASELINE: Final = Variant(BASELINE, "the method as the paper describes it")
_PROGRAM: Final = "TODO_your_training_program.py"
_MATRIX_COLUMNS: Final = (
    *("paper_id", "title", "planner", "model", "task", "run", "run_order", "study", "name", "setting", "seed"),
    *("change", "ablated_part", "action", "replacement", "metrics", "control", "hypothesis", "effort"),
)
_INTERPOLATION: Final = re.compile(r"(\\*)\$\{")

# A value in YAML: a text, a number, a list of such, or a mapping.
_YamlValue = str | int | Sequence["_YamlValue"] | Mapping[str, "_YamlValue"]


def write_wandb_sweeps(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a sweep for each study, in a folder for each plan. A sweep runs baseline and variants with every seed."""
    for plan in build_exported_plans(entries):
        for study in plan.studies:
            write_file_atomically(
                target_folder / plan.slug / f"{study.slug}.yaml", _render_sweep(plan, study), durable=False
            )


def _render_sweep(plan: ExportedPlan, study: ExportedStudy) -> str:
    variants = (_BASELINE, *study.variants)
    wiring = (
        f"TODO: set `program` below to your training program. It is called with --ablation={BASELINE} or with the name",
        "of another variant, and must then run:",
        *(f"  {variant.slug}: {variant.change}" for variant in variants),
        "It must report the metrics with wandb.log.",
    )
    sweep: _YamlValue = {
        "program": _PROGRAM,
        "name": study.slug,
        "description": study.headline,
        "method": "grid",
        "parameters": {
            "ablation": {"values": [variant.slug for variant in variants]},
            "seed": {"values": SEEDS},
        },
    }
    return "".join((*_list_comments((*_describe_study(plan, study), *wiring)), *_list_yaml_lines(sweep)))


def write_hydra_experiments(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write a folder of Hydra experiments for each plan: an experiment for the baseline and for each variant."""
    for plan in build_exported_plans(entries):
        for study, variant in _list_variants(plan):
            path = target_folder / plan.slug / "experiment" / f"{variant.slug}.yaml"
            write_file_atomically(path, _render_experiment(plan, study, variant), durable=False)


def _render_experiment(plan: ExportedPlan, study: ExportedStudy | None, variant: Variant) -> str:
    seeds = ",".join(map(str, SEEDS))
    chosen = f"glob([{BASELINE},{study.number:02}-*])" if study else "glob(*)"
    wiring = (
        f"Run with: {_PROGRAM} --config-dir THE_FOLDER_OF_experiment --multirun '+experiment={chosen}' seed={seeds}",
        f"If `ablation.variant` is {variant.slug}, your program must run: {variant.change}",
        "TODO: make your program do so, or set the keys of your own configuration below.",
    )
    experiment: _YamlValue = {
        "ablation": {
            "study": study.slug if study else BASELINE,
            "variant": variant.slug,
            "change": _escape_interpolation(variant.change),
        }
    }
    described = (*_describe_study(plan, study), *wiring)
    return "".join(("# @package _global_\n", *_list_comments(described), *_list_yaml_lines(experiment)))


def _escape_interpolation(text: str) -> str:
    """Escape parts of a text such as `${oc.env:HOME}`, which OmegaConf would replace."""
    return _INTERPOLATION.sub(lambda match: f"{match[1] * 2}\\${{", text)


def write_experiment_table(entries: Sequence[PlanEntry], target_file: Path) -> None:
    """Write a row for each run, as JSON if the name of `target_file` ends in `.json`, otherwise as CSV.

    The rows are in the order in which to start the runs, the baseline first. `run_order` numbers the runs.
    """
    rows = [
        dict(zip(_MATRIX_COLUMNS, row, strict=True))
        for plan in build_exported_plans(entries)
        for row in _list_runs(plan)
    ]
    if target_file.suffix.lower() == ".json":
        text = make_json_printable(json.dumps(rows, ensure_ascii=False, indent=1)) + "\n"
    else:
        text = render_csv([_MATRIX_COLUMNS, *(map(str, row.values()) for row in rows)])
    write_file_atomically(target_file, text)


def _list_runs(plan: ExportedPlan) -> Iterator[tuple[str | int, ...]]:
    entry = plan.entry
    about = (entry.paper_id, plan.title, entry.planner, entry.model, entry.task.value)
    runs = ((study, variant, seed) for study, variant in _list_variants(plan) for seed in SEEDS)
    for number, (study, variant, seed) in enumerate(runs, start=1):
        name = f"{plan.slug}--{variant.slug}--seed-{seed}"
        setting = (study.slug if study else "", study.headline if study else BASELINE, variant.slug, seed)
        yield (*about, name, number, *setting, variant.change, *_describe_run(study, variant))


def _describe_run(study: ExportedStudy | None, variant: Variant) -> tuple[str, ...]:
    if study is None:
        return ("",) * 7
    ablation, details = study.ablation, study.details
    change = (ablation.ablated_part, ablation.action.value, variant.replacement, "; ".join(ablation.metrics))
    return (*change, details.control, details.hypothesis, str(details.effort or ""))


def _list_variants(plan: ExportedPlan) -> Iterator[tuple[ExportedStudy | None, Variant]]:
    """Yield (study, variant) in the order in which to run them. The baseline comes first; its study is None."""
    yield None, _BASELINE
    for study in sorted(plan.studies, key=lambda study: study.run_position):
        yield from ((study, variant) for variant in study.variants)


def _describe_study(plan: ExportedPlan, study: ExportedStudy | None) -> Iterator[str]:
    yield f"Paper: {plan.title}"
    if study is None:
        yield "The baseline of all studies"
        return
    yield f"Study {study.number} of {len(plan.studies)}, number {study.run_position} to run: {study.headline}"
    yield from (f"{label}: {text}" for label, text in study.iterate_facts())


def _list_comments(lines: Iterable[str]) -> Iterator[str]:
    return (f"# {''.join(c if c.isprintable() else ' ' for c in line)}\n" for line in lines)


def _list_yaml_lines(value: _YamlValue, indent: str = "") -> Iterator[str]:
    """Yield the lines of a mapping as YAML. Texts are quoted as in JSON, and YAML reads them unchanged."""
    assert isinstance(value, Mapping), "only a mapping has lines of its own; a list of values stands on one line"
    for key, each in value.items():
        if isinstance(each, Mapping):
            yield f"{indent}{key}:\n"
            yield from _list_yaml_lines(each, f"{indent}  ")
        else:
            yield f"{indent}{key}: {_quote_value(each)}\n"


def _quote_value(value: _YamlValue) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def write_ablationbench_folder(entries: Sequence[PlanEntry], target_folder: Path) -> None:
    """Write plans as AblationBench reads them: `<id>.jsonl` for each paper, and `plans.json`.

    If there are several models, each gets a folder. Failed papers are left out, since AblationBench would score an
    empty file as a bad plan.

    Raises:
        UsageError: if a model has several plans for a paper, which is possible in a folder of trajectories.
    """
    counts = Counter((entry.planner, entry.model, entry.paper_id) for entry in entries if entry.trajectory)
    for (*_, model, paper), count in counts.items():
        if count > 1:
            raise UsageError(f"{paper}: {model} has {count} plans of this paper, but AblationBench's layout allows one")
    models = {(entry.planner, entry.model) for entry in entries}
    for planner, model in sorted(models):
        folder = (
            target_folder
            if len(models) == 1
            else target_folder / sanitize_file_name(planner) / sanitize_file_name(model)
        )
        plans: dict[str, object] = {}
        for entry in sorted(entries, key=lambda entry: entry.trajectory is not None):
            if (entry.planner, entry.model) != (planner, model):
                continue
            path = folder / f"{sanitize_file_name(entry.paper_id)}.jsonl"
            if entry.trajectory is None:
                if not is_pipe_or_device(path):
                    path.unlink(missing_ok=True)  # the file of an earlier export
                continue
            fields = (ablation.model_dump(mode="json", exclude_defaults=True) for ablation in entry.ablations)
            lines = "\n".join(json.dumps(each, ensure_ascii=False) for each in fields)
            write_file_atomically(path, lines + "\n", durable=False)
            plans[entry.paper_id] = {"predictions": lines, "cost": entry.cost}
        write_file_atomically(folder / "plans.json", json.dumps(plans, ensure_ascii=False, indent=1) + "\n")


def write_entries_as_jsonl(entries: Iterable[PlanEntry], target_file: Path) -> None:
    """Write one line for each paper and model. If there is no plan, the line has the outcome and no ablations."""
    lines = (json.dumps(_build_json_fields(entry), ensure_ascii=False) + "\n" for entry in entries)
    write_file_atomically(target_file, "".join(lines))


def _build_json_fields(entry: PlanEntry) -> dict[str, object]:
    trajectory = entry.trajectory
    return {
        "paper_id": entry.paper_id,
        "title": entry.title,
        "planner": entry.planner,
        "model": entry.model,
        "task": entry.task.value,
        "outcome": entry.outcome.value,
        "reason": entry.reason,
        "cost": entry.cost,
        "reasoning": trajectory.reasoning if trajectory else None,
        "ablations": [a.model_dump(mode="json") for a in entry.ablations] if trajectory else None,
        **(entry.record.dump_plan_fields() if entry.record else {}),
    }


def write_ablations_as_csv(entries: Sequence[PlanEntry], target_file: Path) -> None:
    """Write a row for each ablation and for each failed paper. If a plan has details, add columns for them.

    `cost` and `warnings` are those of the whole plan. `findings` are those of the ablation in the row.
    """
    names = [field.name for field in PLAN_FIELDS]
    columns = ["paper_id", "planner", "model", "task", "outcome", "rank", *names]
    columns += ["reason", "title", "cost", "warnings", "reasoning"]
    details = DETAIL_COLUMNS if any(entry.has_details for entry in entries) else ()
    columns += [*details, "findings"]
    rows = (row for entry in entries for row in _build_csv_rows(entry, len(details)))
    write_file_atomically(target_file, render_csv([columns, *rows]))


def _build_csv_rows(entry: PlanEntry, detail_count: int) -> Iterator[Sequence[str]]:
    about = (entry.paper_id, entry.planner, entry.model, entry.task.value, entry.outcome.value)
    paper = (entry.title, "" if entry.cost is None else str(entry.cost), "; ".join(entry.warnings))
    if entry.trajectory is None:
        yield (*about, "", *[""] * len(PLAN_FIELDS), entry.reason, *paper, "", *[""] * detail_count, "")
        return
    for number, (ablation, cells) in enumerate(zip(entry.ablations, iterate_detail_rows(entry), strict=True), start=1):
        fields = (str(number), *format_field_values(ablation), "", *paper, entry.trajectory.reasoning)
        yield (*about, *fields, *cells[:detail_count], "; ".join(entry.list_findings(number - 1)))
