"""The details that a reply gives with its ablations, and the candidates that the program keeps."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.chat import Completion
from planner.details import (
    Details,
    Effort,
    EffortKind,
    Evidence,
    RejectionReason,
    choose_run_order,
    list_run_order_sentences,
)
from planner.parsing.ablations import read_ablation_details
from planner.parsing.predictions import ParseLog
from planner.parsing.reply import Reply, parse_reply

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def ablation(name: str, **details: Any) -> dict[str, Any]:
    return {"name": name, "ablated_part": f"the {name}", "action": "REMOVE", "metrics": ["accuracy"], **details}


def parse(*ablations: dict[str, Any], k: int = 5, min_chance: int | None = 45, reported: str = "") -> Reply:
    lines = "\n".join(map(json.dumps, ablations))
    text = f"<discussion>Because.</discussion>\n{reported}\n<predictions>\n{lines}\n</predictions>"
    return parse_reply(Completion(text, finish_reason="stop"), k, min_chance)


def names(reply: Reply) -> list[str]:
    return [each.name for each in reply.plan.ablations]


def test_every_detail_is_read() -> None:
    reply = parse(
        ablation(
            "gate",
            reason="It is credited.",
            evidence="the gate\ndecides",
            hypothesis="Accuracy falls.",
            control="Same width.",
            effort="retrain, 4 runs",
            chance=80,
        )
    )
    assert reply.details == (
        Details(
            reason="It is credited.",
            evidence=Evidence(quote="the gate decides"),
            hypothesis="Accuracy falls.",
            control="Same width.",
            effort=Effort(kind=EffortKind.RETRAIN, runs=4),
            chance=80,
        ),
    )
    assert reply.notes == ()
    assert reply.details[0].list_labelled_lines()[0] == ("Chance", "80 % (likely)")


def test_a_reply_without_details_is_a_plan_as_before() -> None:
    reply = parse(ablation("gate"), ablation("router"), ablation("memory"), k=2)
    assert names(reply) == ["gate", "router"]
    assert (reply.details, reply.considered, reply.reported) == ((), (), ())
    assert reply.notes == ("3 ablations were given; only the first 2 are kept",)


def test_a_plain_plan_has_no_details() -> None:
    reply = parse(ablation("gate", chance=10), ablation("router", chance=90), min_chance=None)
    assert names(reply) == ["gate", "router"]
    assert reply.details == ()
    assert reply.notes == tuple(f"line {line} of the reply: the key 'chance' was left out" for line in (4, 5))


def test_the_likely_candidates_are_kept_and_the_others_are_considered() -> None:
    given = [ablation(name, chance=chance) for name, chance in zip("abcdef", (30, 80, 45, 60, 44, 50), strict=True)]
    reply = parse(*given, k=3)
    assert names(reply) == ["b", "d", "f"]
    assert [each.chance for each in reply.details] == [80, 60, 50]
    assert [(each.name, each.why) for each in reply.considered] == [
        ("c", RejectionReason.BEYOND_K),
        ("e", RejectionReason.BELOW_MIN_CHANCE),
        ("a", RejectionReason.BELOW_MIN_CHANCE),
    ]


def test_the_best_candidate_is_kept_however_unlikely_it_is() -> None:
    reply = parse(ablation("a", chance=5), ablation("b", chance=12))
    assert names(reply) == ["b"]
    assert [each.name for each in reply.considered] == ["a"]


def test_a_fault_in_a_candidate_that_is_not_kept_costs_no_plan() -> None:
    reply = parse(ablation("a", chance=90), {**ablation("b", chance=10), "metrics": []})
    assert names(reply) == ["a"]
    assert reply.considered == ()
    assert reply.notes == ("line 5 of the reply: a candidate that was not kept is invalid, so it is not listed",)


@pytest.mark.parametrize(
    ("given", "chance"),
    [(70, 70), ("70", 70), ("70 %", 70), ("about 70", 70), (0.7, 70), ("0.7", 70), (0, 0), (100.0, 100), ("1 %", 1)],
)
def test_a_chance_is_read_in_any_form(given: object, chance: int) -> None:
    assert parse(ablation("a", chance=given), min_chance=0).details[0].chance == chance


@pytest.mark.parametrize("given", [-3, 101, "very likely", True, [], {}, 10**400, float("nan")])
def test_what_is_no_chance_is_left_out_with_a_note(given: object) -> None:
    reply = parse(ablation("a", chance=given, reason="It matters."))
    assert reply.details[0].chance is None
    assert any("chance" in note and "was left out" in note for note in reply.notes)


@pytest.mark.parametrize(
    ("given", "kind", "runs"),
    [
        ("retrain, 4 runs", EffortKind.RETRAIN, 4),
        ("Retrain (12 training runs)", EffortKind.RETRAIN, 12),
        ("evaluate", EffortKind.EVALUATE, 0),
        ("no training", EffortKind.EVALUATE, 0),
        ("evaluate, 3 runs", EffortKind.EVALUATE, 3),
        ("implement, 1 run", EffortKind.IMPLEMENT, 1),
        ("new code, then retrain: 2 runs", EffortKind.IMPLEMENT, 2),
        ({"kind": "retrain", "runs": 4}, EffortKind.RETRAIN, 4),
        ("retrain", EffortKind.RETRAIN, None),
    ],
)
def test_effort_is_read_in_any_form(given: object, kind: EffortKind, runs: int | None) -> None:
    assert parse(ablation("a", effort=given)).details[0].effort == Effort(kind=kind, runs=runs)


@given(st.dictionaries(st.sampled_from([*Details.model_fields, "details", "quote"]), JSON))
def test_no_detail_makes_a_reply_unreadable(given: dict[str, Any]) -> None:
    details = read_ablation_details(given, "line 1", ParseLog())
    assert Details.model_validate_json(details.model_dump_json()) == details


def test_reported_studies_are_read_and_are_no_predictions() -> None:
    reported = (
        '<reported>\n{"name": "without the loss", "quote": "w/o L"}\n- Router: “without routing”\nnonsense\n</reported>'
    )
    reply = parse(ablation("gate", chance=80), reported=reported)
    assert [(each.name, each.quote) for each in reply.reported] == [
        ("without the loss", "w/o L"),
        ("Router", "without routing"),
    ]
    assert names(reply) == ["gate"]
    assert reply.notes == ()


def test_runs_are_ordered_from_cheap_and_decisive() -> None:
    def details(kind: EffortKind | None, chance: int | None, runs: int | None = 1, control: str = "") -> Details:
        effort = Effort(kind=kind, runs=runs) if kind else None
        return Details(effort=effort, chance=chance, control=control)

    plan = (
        details(EffortKind.IMPLEMENT, 90, control="Same seeds."),
        details(EffortKind.RETRAIN, 50, control="same seeds"),
        details(None, 95),
        details(EffortKind.RETRAIN, 70, 4, control="Same width."),
        details(EffortKind.EVALUATE, None, 0),
    )
    assert choose_run_order(plan) == (4, 3, 1, 0, 2)
    shared = "ablations 1 and 2 share a control"
    assert list_run_order_sentences((4, 3, 1, 0, 2), plan) == ["run in this order: 5, 4, 2, 1, 3", shared]
    assert list_run_order_sentences((1, 0), plan[:2]) == ["run in this order: 2, 1; 2 runs in all", shared]
    assert list_run_order_sentences((3, 2, 1, 0), (*plan[:2], *plan[3:]))[0].endswith("; 6 runs in all")
    assert list_run_order_sentences((0,), plan[:1]) == []
