"""The plan contract: strict for what is generated, tolerant for what is read."""

import json
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from planner.cli import cli
from planner.schema import (
    PLAN_FIELDS,
    PUBLISHED_CONTEXT,
    Ablation,
    Plan,
    find_rule_violations,
    format_field_values,
    list_labelled_non_benchmark_fields,
    list_validation_faults,
)
from tests.scripted import GOOD_ABLATION

FIELDS = {"name", "ablated_part", "action", "replacement", "metrics"}


def plan_of(*changes: dict[str, Any]) -> dict[str, Any]:
    return {"ablations": [{**GOOD_ABLATION, "name": f"study {n}", **change} for n, change in enumerate(changes)]}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"action": "REPLACE"}, "REPLACE needs at least one replacement"),
        ({"action": "ADD", "replacement": []}, "ADD needs at least one replacement"),
        ({"replacement": ["a constant gate"]}, "REMOVE takes no replacement"),
        ({"action": "remove"}, "'REMOVE', 'REPLACE' or 'ADD'"),
        ({"metrics": []}, "metrics must not be empty"),
        ({"metrics": [" "]}, "must not be empty"),
        ({"name": ""}, "must not be empty"),
        ({"ablated_part": "two\nlines"}, "must be one line"),
        ({"why": "because"}, "Extra inputs are not permitted"),
    ],
)
def test_each_rule_is_a_finding_with_its_place(change: dict[str, Any], finding: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(plan_of({}, change))
    said = list_validation_faults(caught.value)
    assert any(finding in one and one.startswith("ablations.1") for one in said)


def test_names_are_unique_and_a_plan_is_not_empty() -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(plan_of({"name": "same"}, {"name": "same"}))
    assert "'same' stands 2 times" in list_validation_faults(caught.value)[0]
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate({"ablations": []})
    assert len(list_validation_faults(caught.value)) == 1


def test_a_plan_of_which_nothing_is_valid_is_not_also_called_too_short() -> None:
    with pytest.raises(ValidationError) as caught:
        Plan.model_validate(plan_of({"action": "ADD"}))
    assert list_validation_faults(caught.value) == ("ablations.0: ADD needs at least one replacement",)


def test_a_published_plan_may_break_the_rules_which_are_then_named() -> None:
    plan = Plan.model_validate(plan_of({"action": "ADD"}, {"name": "study 0"}), context=PUBLISHED_CONTEXT)
    assert find_rule_violations(plan) == (
        "ablation 1 ('study 0'): ADD needs at least one replacement",
        "the name 'study 0' stands 2 times",
    )


def test_the_json_schema_states_the_fields_and_the_rule_of_replacements() -> None:
    printed = json.loads(CliRunner().invoke(cli, ["schema"]).stdout)
    assert printed == Plan.model_json_schema()
    ablation = printed["$defs"]["Ablation"]
    assert set(ablation["properties"]) == FIELDS
    assert ablation["else"]["properties"]["replacement"]["minItems"] == 1


def test_the_table_of_fields_describes_each_one() -> None:
    assert [(f.name, f.label, f.type, f.is_required, f.choices, f.accepted_keys) for f in PLAN_FIELDS] == [
        ("name", "Name", "string", True, (), ("name",)),
        ("ablated_part", "Ablated Part", "string", True, (), ("ablated_part",)),
        ("action", "Action", "string", True, ("REMOVE", "REPLACE", "ADD"), ("action",)),
        ("replacement", "Replacement", "list of strings", False, (), ("replacement", "replacements")),
        ("metrics", "Metrics", "list of strings", True, (), ("metrics", "metric")),
    ]


def test_the_values_of_an_ablation_are_text_in_the_order_of_the_fields() -> None:
    ablation = Ablation.model_validate(GOOD_ABLATION)
    assert format_field_values(ablation) == ("No gate", "harmonic residual gate", "REMOVE", "", "MAE; STE")
    assert list_labelled_non_benchmark_fields(ablation) == ()
