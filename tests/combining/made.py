"""Plans of three models for one paper, with known overlaps."""

from pathlib import Path

from planner.details import Details, Effort, EffortKind, RejectedAblation, RejectionReason
from planner.schema import Ablation, Task
from tests.matching.plans import remove, replace
from tests.site.made import plan_record, trajectory, write_entry

GATE_A = remove("gated fusion unit", "No gate")
GATE_B = remove("the gated unit for fusion", "Without the gate")
GATE_C = replace("gated fusion unit", "no gate", name="Gate taken out")
ROUTER_A = replace("learned sparse router", "hash routing", "random routing", name="Plain routing")
ROUTER_B = replace("sparse router", "random routing", name="Random routing")
ROUTER_C = replace("sparse learned router", "random routing", "top-1 routing", name="Simpler routing")
LOSS_A = remove("consistency loss between frames", "No consistency")
LOSS_C = remove("consistency loss of neighbouring frames", "Loss removed")
CODEBOOK = replace("shared codebook", "k-means codebook", name="Plain codebook")
WARMUP_A = replace("warm-up steps", "0", "1000", name="Warm-up")
WARMUP_C = replace("number of warm-up steps", "1000", "4000", name="Shorter warm-up")

Rated = tuple[Ablation, int]
PLANS: dict[str, tuple[tuple[Rated, ...], tuple[Rated, ...]]] = {
    "a": (((GATE_A, 90), (ROUTER_A, 80), (LOSS_A, 50)), ((WARMUP_A, 40),)),
    "b": (((ROUTER_B, 70), (GATE_B, 60), (CODEBOOK, 95)), ()),
    "c": (((GATE_C, 75), (LOSS_C, 85), (WARMUP_C, 45)), ((ROUTER_C, 30),)),
}
"""The ablations that each model keeps in its plan, and those that it considered, with the chances."""


def write_plans(folder: Path, *, with_chances: bool = True, task: Task = Task.AUTHOR, names: str = "abc") -> list[Path]:
    """Write the plans of the models to a folder each, and return the folders."""
    for name in names:
        write_plan(folder / name, name, with_chances=with_chances, task=task)
    return [folder / name for name in names]


def write_plan(folder: Path, model: str, *, with_chances: bool, task: Task = Task.AUTHOR) -> Path:
    """Write the plan of one model, and its record if `with_chances`; return the trajectory's path."""
    kept, considered = PLANS[model]
    planned = trajectory(model=model, ablations=[ablation for ablation, _ in kept], task=task)
    if not with_chances:
        return write_entry(folder, planned)
    details = tuple(build_details(f"{model}: {ablation.name}", chance) for ablation, chance in kept)
    further = tuple(
        RejectedAblation(
            **dict(ablation),
            details=build_details(f"{model}: {ablation.name}", chance),
            why=RejectionReason.BELOW_MIN_CHANCE,
        )
        for ablation, chance in considered
    )
    update = {"details": details, "considered": further, "min_chance": 45}
    return write_entry(folder, planned, plan_record(planned).model_copy(update=update))


def build_details(reason: str, chance: int) -> Details:
    """The details of a training run with this chance."""
    return Details(reason=reason, effort=Effort(kind=EffortKind.RETRAIN, runs=1), chance=chance)
