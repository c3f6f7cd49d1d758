"""A plan as text to take elsewhere: each form reads back, or reads well."""

import csv
import io
import json

from planner.details import Details, Evidence, QuoteMatch
from planner.schema import Ablation, Action, Task
from planner.site.copies import CopyableTexts, format_plan_copies
from planner.site.entries import add_record_to_entry, create_planned_entry
from planner.trajectory.format import Trajectory
from planner.trajectory.reader import parse_trajectory
from tests.site.made import CODEBOOK, LOSS, ROUTER, ROUTER_TOO, WARMUP, plan_record, render_published, trajectory


def copy_plan(planned: Trajectory, details: tuple[Details, ...] = (), order: tuple[int, ...] = ()) -> CopyableTexts:
    record = plan_record(planned).model_copy(update={"details": details, "order": order})
    return format_plan_copies(
        add_record_to_entry(create_planned_entry(planned), record) if details else create_planned_entry(planned)
    )


def test_a_review_is_sentences() -> None:
    review = copy_plan(trajectory(ablations=(ROUTER, ROUTER_TOO, LOSS, WARMUP))).review
    assert review.splitlines() == [
        "I would like to see these ablations:",
        "",
        "1. Routing without learning: replace Learned sparse router by hash routing of tokens or uniform random "
        "routing; report top-1 accuracy, FLOPs per token.",
        "2. Replace Sparse router by random routing or hash routing; report top-1 accuracy, FLOPs per token.",
        "3. No consistency loss: remove Consistency loss between neighbouring frames; report FVD, user preference.",
        "4. Longer warm-up: add a warm-up of 10,000 steps to Learning-rate schedule; report top-1 accuracy.",
    ]
    assert copy_plan(trajectory(task=Task.AUTHOR)).review.startswith("Ablations to run:")


def test_markdown_is_that_of_the_file() -> None:
    planned = trajectory(ablations=(CODEBOOK, LOSS))
    assert copy_plan(planned).markdown.strip() in render_published(planned)
    assert copy_plan(planned).markdown.startswith("### A plainer codebook\n- **Ablated Part**: Shared codebook\n")


def test_jsonl_and_csv_hold_every_ablation() -> None:
    planned = parse_trajectory(render_published(trajectory(ablations=(CODEBOOK, LOSS))).encode(), "made")
    found = [Ablation.model_validate(json.loads(line)) for line in copy_plan(planned).jsonl.splitlines()]
    assert found == list(planned.plan.ablations)
    rows = list(csv.DictReader(io.StringIO(copy_plan(planned).csv)))
    assert [row["action"] for row in rows] == ["REPLACE", "REMOVE"]
    assert rows[0]["replacement"].split("; ") == list(CODEBOOK.replacement)


def test_a_spreadsheet_runs_no_formula_and_a_terminal_no_sequence() -> None:
    bad = LOSS.model_copy(update={"name": "=HYPERLINK(1)", "ablated_part": "\x1b[2J+1", "action": Action.REMOVE})
    row = next(csv.DictReader(io.StringIO(copy_plan(trajectory(ablations=(bad,))).csv)))
    assert row["name"] == "'=HYPERLINK(1)"
    assert row["ablated_part"] == "'+1"


def test_a_review_cites_the_paper_where_the_quote_was_found() -> None:
    details = (
        Details(
            reason="the abstract credits it",
            evidence=Evidence(quote="routing is learned", found=QuoteMatch.EXACT, section="3.2 Router", page=4),
            control="same compute",
            hypothesis="accuracy falls",
        ),
        Details(reason="It is new.", evidence=Evidence(quote="invented", found=QuoteMatch.ABSENT)),
    )
    review = copy_plan(trajectory(ablations=(ROUTER_TOO, LOSS)), details).review
    assert review.splitlines()[2:] == [
        "1. The paper credits Sparse router (“routing is learned”, Section 3.2, page 4), but no experiment isolates "
        "it. Replace Sparse router by random routing or hash routing; report top-1 accuracy, FLOPs per token. "
        "The abstract credits it. Hold fixed: same compute. Expected: accuracy falls.",
        "2. No consistency loss: remove Consistency loss between neighbouring frames; report FVD, user preference. "
        "It is new.",
    ]


def test_a_table_has_columns_for_details_if_there_are_any() -> None:
    planned = trajectory(ablations=(ROUTER, LOSS))
    [plain] = {tuple(row) for row in csv.DictReader(io.StringIO(copy_plan(planned).csv))}
    assert plain == ("name", "ablated_part", "action", "replacement", "metrics")
    details = (Details(reason="=it is new", chance=70), Details(hypothesis="accuracy falls"))
    first, second = csv.DictReader(io.StringIO(copy_plan(planned, details, (1, 0)).csv))
    assert (first["name"], first["why"], first["chance"], first["run_order"]) == (ROUTER.name, "'=it is new", "70", "2")
    assert (second["hypothesis"], second["why"], second["run_order"]) == ("accuracy falls", "", "1")
