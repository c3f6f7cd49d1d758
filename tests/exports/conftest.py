"""A folder of trajectories to export: a friendly plan with details, and one whose every text is hostile."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import cli
from planner.details import Details, Effort, EffortKind, Evidence, QuoteMatch, RejectedAblation, RejectionReason
from planner.sanitize import repair_surrogates
from planner.schema import Ablation, Action
from tests.site.made import CODEBOOK, LOSS, ROUTER, plan_record, trajectory, write_entry
from tests.trajectory import payloads

Export = Callable[..., Path]

HOSTILE = (
    *("${oc.env:HOME}", "\\${oc.env:HOME}", "\\\\${now:%Y}", "a${b", "???", "$(touch canary)", "`touch canary`"),
    *(
        "'; touch canary; '",
        '"; touch canary; "',
        "--repo evil/evil",
        "!!python/object/apply:os.system ['touch canary']",
    ),
    *("&anchor *alias", "no", "1e3", "- [x] done", "a: b # c", "%TAG ! tag:evil", "---", "\ufeffmark", "\ufffe\uffff"),
    *("\\write18{touch canary}", "\\input{/etc/passwd}", "}\\end{table}\\immediate", "50% & more_of #1 ~ ^^M", "[x]*"),
    *("@someone see #1 and evil/evil#2, GH-3", "https://evil.example/x.png", "www.evil.example", "me@evil.example"),
    *("=HYPERLINK(1)", "+1", "../../../etc/passwd", "con", "日本語の部分", "\u202eevil\u2028line\x1b[31m", "x" * 5000),
    *map(repair_surrogates, payloads.ONE_LINERS),
)


def make_hostile_ablations(texts: Sequence[str] = HOSTILE) -> tuple[Ablation, ...]:
    """Return an ablation for each text, in which it is every text; the three actions take turns."""
    actions = tuple(Action)
    return tuple(
        ROUTER.model_copy(
            update={
                "name": f"{text} {number}",
                "ablated_part": text,
                "action": actions[number % 3],
                "replacement": (text, f"{text} again", text) if number % 3 else (),
                "metrics": (text,),
            }
        )
        for number, text in enumerate(texts)
    )


def describe(text: str) -> Details:
    """Return details in which a text is every text."""
    evidence = Evidence(quote=text, found=QuoteMatch.CLOSE, section=text)
    effort = Effort(kind=EffortKind.RETRAIN, runs=2)
    return Details(reason=text, evidence=evidence, hypothesis=text, control=text, effort=effort, chance=70)


@pytest.fixture
def plans(tmp_path: Path) -> Path:
    """A folder with the plan of one paper, whose record gives it a title, details and an order."""
    planned = trajectory("a_paper", ablations=(ROUTER, LOSS, CODEBOOK))
    record = plan_record(planned, title="A Paper: of 100 % & more")
    details = tuple(describe(f"detail of {a.name}") for a in planned.plan.ablations)
    write_entry(tmp_path / "plans", planned, record.model_copy(update={"details": details, "order": (2, 0, 1)}))
    return tmp_path / "plans"


@pytest.fixture
def hostile_plans(tmp_path: Path) -> Path:
    """A folder with a plan whose every text is hostile, and a title that is."""
    planned = trajectory("con", ablations=make_hostile_ablations())
    record = plan_record(planned, title="</title>}\\input{x} ${oc.env:HOME} @me `touch canary`")
    details = tuple(describe(text) for text in HOSTILE)
    considered = tuple(
        RejectedAblation(**each.model_dump(), details=Details(), why=RejectionReason.BEYOND_K)
        for each in planned.plan.ablations
    )
    update = {"details": details, "order": (0, 0), "considered": considered}
    write_entry(tmp_path / "hostile", planned, record.model_copy(update=update))
    return tmp_path / "hostile"


@pytest.fixture
def export(tmp_path: Path) -> Export:
    """Export a folder, and return the target."""

    def run(folder: Path, form: str, name: str = "target") -> Path:
        done = CliRunner().invoke(cli, ["export", str(folder), "--to", form, str(tmp_path / name)])
        assert (done.exit_code, done.stdout, done.stderr) == (0, f"{tmp_path / name}\n", "")
        return tmp_path / name

    return run
