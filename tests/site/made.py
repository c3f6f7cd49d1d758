"""Runs that the site's tests, pictures and measurements are made of; papers and plans are invented."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from planner.chat import Completion, Usage
from planner.errors import Outcome
from planner.files import write_file_atomically
from planner.names import build_record_path, build_trajectory_path
from planner.papers.paper import Omission
from planner.planning.record import AttemptRecord, PaperRecord, PlanRecord
from planner.schema import PUBLISHED_CONTEXT, Ablation, Action, Plan, Task
from planner.site.pages import IndexRow
from planner.trajectory import format
from planner.trajectory.format import Trajectory, render_trajectory

STARTED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
REASONING = """\
The method rests on three parts: a **sparse router**, a *shared codebook* of size $K$, and a consistency loss \
$\\mathcal{L}_{c} = \\|z_t - \\hat z_t\\|_2^2$ that ties neighbouring frames together.

What the paper already ablates:

- the number of experts (Table 3),
- the loss weight, for three values of `lambda`.

What is missing is evidence that the router, and not the added parameters, brings the gain. Removing it at equal \
parameter count would show this; so would replacing the learned routing by a hash<sup>1</sup>.

1. The router is credited with most of the improvement, yet it is never removed.
2. The codebook is compared with no simpler quantiser.

These two come first because the abstract claims both, and each can be run with the released configuration.
"""
ROUTER = Ablation(
    name="Routing without learning",
    ablated_part="Learned sparse router",
    action=Action.REPLACE,
    replacement=("hash routing of tokens", "uniform random routing"),
    metrics=("top-1 accuracy", "FLOPs per token"),
)
ROUTER_TOO = ROUTER.model_copy(
    update={"name": "Ablation 1", "ablated_part": "Sparse router", "replacement": ("random routing", "hash routing")}
)
LOSS = Ablation(
    name="No consistency loss",
    ablated_part="Consistency loss between neighbouring frames",
    action=Action.REMOVE,
    metrics=("FVD", "user preference"),
)
CODEBOOK = Ablation(
    name="A plainer codebook",
    ablated_part="Shared codebook",
    action=Action.REPLACE,
    replacement=(
        "a fixed k-means codebook",
        "no quantisation (continuous latents)",
        "product quantisation with *m* = 8",
    ),
    metrics=("rate", "distortion"),
)
WARMUP = Ablation(
    name="Longer warm-up",
    ablated_part="Learning-rate schedule",
    action=Action.ADD,
    replacement=("a warm-up of 10,000 steps",),
    metrics=("top-1 accuracy",),
)


def trajectory(
    paper_id: str = "A_Paper",
    model: str = "gpt-4o",
    ablations: Sequence[Ablation] = (ROUTER, LOSS),
    task: Task = Task.REVIEWER,
    planner: str = "lm-planner",
    reasoning: str = REASONING,
) -> Trajectory:
    """A trajectory; the plan may break the contract."""
    plan = Plan.model_validate({"ablations": [a.model_dump() for a in ablations]}, context=PUBLISHED_CONTEXT)
    return Trajectory(planner, model, paper_id, task, reasoning.strip(), plan)


def plan_record(
    trajectory: Trajectory, title: str = "A Paper", cost: float | None = 0.0123, reply: str = "<plan>…</plan>"
) -> PlanRecord:
    """The record of a trajectory that was planned in one attempt."""
    attempt = AttemptRecord(
        identity="0" * 64,
        prompt_sha256="1" * 64,
        sample=0,
        messages=2,
        started=STARTED,
        outcome=Outcome.PLANNED,
        cost=cost,
        completion=Completion(text=reply, finish_reason="stop", usage=Usage(21_408, 1_212), seconds=14.2),
    )
    return PlanRecord(
        planner=trajectory.planner,
        model=trajectory.model,
        model_asked=trajectory.model,
        model_answered=f"{trajectory.model}-2026-01-15",
        endpoint="https://api.example.org/v1",
        task=trajectory.task,
        k=2,
        outcome=Outcome.PLANNED,
        paper=PaperRecord(
            id=trajectory.paper_id,
            title=title,
            source="papers/a.pdf",
            format="pdf",
            main_file="",
            sha256="2" * 64,
            chars=84_211,
            left_out=(Omission("References", 12_345, "the task needs no references"),),
        ),
        prompt_sha256="1" * 64,
        template_sha256="3" * 64,
        started=STARTED,
        seconds=14.4,
        usage=Usage(21_408, 1_212),
        cost=cost,
        attempts=(attempt,),
    )


def failed(record: PlanRecord, outcome: Outcome, reason: str) -> PlanRecord:
    """The record of the same paper, had planning it failed."""
    attempts = tuple(a.model_copy(update={"outcome": outcome, "findings": (reason,)}) for a in record.attempts)
    return record.model_copy(update={"outcome": outcome, "reason": reason, "attempts": attempts})


def write_entry(
    folder: Path, trajectory: Trajectory, record: PlanRecord | None = None, *, planned: bool = True
) -> Path:
    """Write a trajectory and its record as a run does; return the trajectory's path."""
    path = build_trajectory_path(trajectory.planner, trajectory.model, trajectory.paper_id)
    if planned:
        write_file_atomically(folder / path, render_trajectory(trajectory, allow_violations=True))
    if record:
        record.write(folder / build_record_path(path))
    return folder / path


def render_published(trajectory: Trajectory) -> str:
    """The file as the published writer makes it: the text of the model as it came."""
    lines = [
        format.STYLE_BLOCK,
        "",
        f"# {trajectory.planner}/{trajectory.model}/{trajectory.paper_id}",
        "",
        format.REASONING_BOX,
        "",
    ]
    lines += [trajectory.reasoning, format.BOX_END, "", format.PLAN_BOXES[trajectory.task], ""]
    for ablation in trajectory.plan.ablations:
        lines += [
            format.NAME_LABEL + ablation.name,
            "- **Ablated Part**: " + ablation.ablated_part,
            "- **Action**: " + ablation.action,
        ]
        if ablation.replacement:
            lines += ["- **Replacement**: ", *(format.ITEM_LABEL + item for item in ablation.replacement)]
        lines += ["- **Metrics**: " + format.METRICS_SEPARATOR.join(ablation.metrics), ""]
    return "\n".join((*lines, format.BOX_END))


PAPERS = (
    ("Routing Before Reasoning: Sparse Experts for Long Video", Task.REVIEWER),
    ("少样本三维重建中的一致性学习：一个统一的框架", Task.REVIEWER),
    ("Quantised Memories", Task.REVIEWER),
    (
        "On the Unreasonable Steadiness of Warm-up: What a Schedule Contributes to Transformers of a Hundred Layers",
        Task.REVIEWER,
    ),
    ("shared-codebook", Task.AUTHOR),
)
LISTED = {
    "source": "2601.01234v2",
    "authors": ("Ada Example", "Bo Sample"),
    "abstract": r"Sparse experts route $T$ frames in $\mathcal{O}(T \log T)$ steps and keep them consistent.",
}
MODELS = ("gpt-4o", "claude-3.5-sonnet", "o3-mini")


def small_run(folder: Path) -> Path:
    """A run with all that a site can show: agreement, failures, unknown costs, both tasks, a title in Chinese."""
    trajectories = folder / "trajectories"
    for number, (title, task) in enumerate(PAPERS):
        paper_id = "".join(c if c.isalnum() or c in "_-" else "_" for c in title)
        plans = ((ROUTER, LOSS), (ROUTER_TOO, CODEBOOK), (LOSS, WARMUP))
        for at, model in enumerate(MODELS):
            planned = trajectory(paper_id, model, plans[(at + number) % 3] if number else plans[at], task)
            cost = None if model == "o3-mini" else 0.0123 * (at + 1) + number / 100
            record = plan_record(planned, title, cost=cost)
            if not number:
                record = record.model_copy(update={"paper": record.paper.model_copy(update=LISTED)})
            write_entry(trajectories, planned, record)
    write_failures(trajectories, PAPERS[2][0])
    return folder


def write_failures(trajectories: Path, title: str) -> None:
    """Replace two models' plans of a paper by a refusal and a reply that was cut."""
    for model, outcome, reason in (
        ("gpt-4o", Outcome.REFUSED, "the model refused: “I cannot help with this paper.”"),
        ("claude-3.5-sonnet", Outcome.TRUNCATED, "the reply was cut at the limit of 4,096 tokens"),
    ):
        lost = trajectory(title.replace(" ", "_"), model)
        write_entry(trajectories, lost, failed(plan_record(lost, title), outcome, reason), planned=False).unlink()


WORDS = (
    *(
        "adaptive",
        "attention",
        "contrastive",
        "decoder",
        "diffusion",
        "distillation",
        "encoder",
        "equivariant",
        "experts",
    ),
    *(
        "features",
        "fusion",
        "gated",
        "graph",
        "hierarchical",
        "kernel",
        "latent",
        "loss",
        "masking",
        "memory",
        "mixture",
    ),
    *("normalisation", "pooling", "prompt", "pruning", "quantised", "regularised", "residual", "retrieval", "routing"),
    *("sampling", "schedule", "sparse", "spatial", "temporal", "token", "transformer", "warm-up"),
)
ALL_MODELS = ("claude-3.5-sonnet", "gemini-2.5-flash", "gpt-4o", "llama-3.1-405b-instruct", "o3-mini")


def many_rows(papers: int, models: int) -> Iterator[IndexRow]:
    """Rows as long as real ones: titles of ten words, two or three ablations."""
    random = Random(0)
    for number in range(papers):
        title = " ".join(random.choices(WORDS, k=10)).capitalize()
        for model in ALL_MODELS[:models]:
            yield IndexRow(
                page_name=f"{title.replace(' ', '_')}_{number}",
                title=f"{title} {number}",
                anchor=model,
                model=model,
                task="reviewer",
                outcome="planned" if random.random() < 0.97 else "truncated",
                ablations=tuple(some_ablation(random) for _ in range(random.choice((2, 2, 3)))),
                agreement_group_indices=tuple(range(random.randrange(3))),
                cost=random.random() / 10,
            )


def some_ablation(random: Random) -> Ablation:
    """An ablation whose name and part are as long as those of real ones."""
    name, part = (" ".join(random.choices(WORDS, k=k)) for k in (4, 7))
    return Ablation(name=name, ablated_part=part, action=Action.REMOVE, metrics=("accuracy",))
