"""Whatever arrives, the parser answers with a plan or its own error; whatever shape a plan is given, it comes back."""

import ast
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.parsing.reply import Reply, parse_reply
from planner.schema import Ablation, Action, Plan

TAG_WORDS = re.compile("discussion|predictions|think", re.IGNORECASE)
FINISH = st.sampled_from(["", "stop", "length", "content_filter", "tool_calls"])

characters = st.characters(codec="utf-8", exclude_characters="\r\n\b\f")
one_line = st.text(characters, min_size=1, max_size=30).filter(
    lambda text: text.strip() and not re.search(r"\t[a-z]", text)
)


@st.composite
def ablations(draw: st.DrawFn) -> Ablation:
    action = draw(st.sampled_from(Action))
    alternatives = st.lists(one_line, min_size=1, max_size=3) if action is not Action.REMOVE else st.just([])
    return Ablation(
        name=draw(one_line),
        ablated_part=draw(one_line),
        action=action,
        replacement=tuple(draw(alternatives)),
        metrics=tuple(draw(st.lists(one_line, min_size=1, max_size=3))),
    )


plans = st.lists(ablations(), min_size=1, max_size=4, unique_by=lambda ablation: ablation.name).map(
    lambda items: Plan(ablations=tuple(items))
)
reasonings = (
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1)
    .map(str.strip)
    .filter(lambda text: text and not TAG_WORDS.search(text))
)


def records(plan: Plan) -> list[dict[str, Any]]:
    return [ablation.model_dump(mode="json") for ablation in plan.ablations]


def jsonl(items: list[dict[str, Any]]) -> str:
    return "\n".join(json.dumps(item) for item in items)


SERIALISATIONS: dict[str, Callable[[list[dict[str, Any]]], str]] = {
    "jsonl": jsonl,
    "unicode": lambda items: "\n".join(json.dumps(item, ensure_ascii=False) for item in items),
    "compact": lambda items: "\n".join(json.dumps(item, separators=(",", ":")) for item in items),
    "sorted keys": lambda items: "\n".join(json.dumps(item, sort_keys=True) for item in items),
    "null for nothing": lambda items: jsonl([{**item, "replacement": item["replacement"] or None} for item in items]),
    "one line": lambda items: " ".join(json.dumps(item) for item in items),
    "array": json.dumps,
    "pretty array": lambda items: json.dumps(items, indent=2, ensure_ascii=False),
    "wrapped": lambda items: json.dumps({"ablations": items}),
    "fenced": lambda items: f"```json\n{jsonl(items)}\n```",
    "blank lines": lambda items: jsonl(items).replace("\n", "\n\n"),
    "numbered": lambda items: "\n".join(f"{n}. {json.dumps(item)}" for n, item in enumerate(items, start=1)),
}


@pytest.mark.parametrize("name", SERIALISATIONS)
@given(plan=plans, reasoning=reasonings)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_plan_survives_its_serialisation(name: str, plan: Plan, reasoning: str) -> None:
    predictions = SERIALISATIONS[name](records(plan))
    text = f"<discussion>\n{reasoning}\n</discussion>\n<predictions>\n{predictions}\n</predictions>"
    reply = parse_reply(Completion(text=text, finish_reason="stop"), len(plan.ablations))
    assert (reply.plan, reply.reasoning) == (plan, reasoning)


plain = st.text("abcxyz λé'_-()", min_size=1, max_size=20).filter(str.strip)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": plain,
                "ablated_part": plain,
                "action": st.just("REPLACE"),
                "replacement": st.lists(plain, min_size=1, max_size=2),
                "metrics": st.lists(plain, min_size=1, max_size=2),
            }
        ),
        min_size=1,
        max_size=3,
        unique_by=lambda item: item["name"],
    )
)
def test_python_literals_are_read_as_python_reads_them(items: list[dict[str, Any]]) -> None:
    text = "\n".join(map(repr, items))
    assert [ast.literal_eval(line) for line in text.split("\n")] == items
    reply = parse_reply(
        Completion(text=f"Why.\n<predictions>\n{text}\n</predictions>", finish_reason="stop"), len(items)
    )
    assert [a.model_dump(mode="json") for a in reply.plan.ablations] == items


@given(plan=plans, data=st.data())
def test_a_cut_reply_never_becomes_a_shorter_plan(plan: Plan, data: st.DataObject) -> None:
    text = f"<discussion>\nWhy.\n</discussion>\n<predictions>\n{json.dumps(records(plan))}"
    cut = data.draw(st.integers(0, len(text) - 1))
    for finish_reason in ("", "stop", "length"):
        with pytest.raises(OutputError):
            parse_reply(Completion(text=text[:cut], finish_reason=finish_reason), 9)


FRAGMENTS = (
    "<think> </think> [THINK] <|end_of_thought|> <|channel|>analysis<|message|> <|end|> <answer> "
    "<discussion> </discussion> <predictions> </predictions> ```json ``` \" ' { } [ ] , : \\ null NaN"
    ' 1e999 1. {"name":" "metrics":["a"] action:ADD {"name":"a","ablated_part":"b","action":"REMOVE","metrics":["c"]}'
)
fragments = st.sampled_from([*FRAGMENTS.split(), " ", "\n", "\ud800", "\x00"])
soup = st.one_of(st.text(), st.lists(st.one_of(fragments, st.text(max_size=5)), max_size=40).map("".join))


ASSERTS_IN_JSON_REPAIR = (
    """why <predictions>\n{"x" <think>''y'}…/*null//True\\ud800<!--"metrics":["a"]\\u00}],'y'\\u00:]“NaN#nullnull\n"""
    """\x00{ “```json{'name': 'a', 'ablated_part': 'b', 'action': 'remove', 'metrics': ['c']}```<discussion>}//}\n"""
    "</predictions>"
)


@given(text=soup, reasoning=soup, finish_reason=FINISH, k=st.integers(1, 5))
@settings(max_examples=1500)
@example(text="<predictions>{", reasoning="", finish_reason="", k=1)
@example(
    text="",
    reasoning='</think></think>{"name": "a", "ablated_part": "b", "action": "REMOVE", "metrics": ["c"]}',
    finish_reason="",
    k=1,
)
@example(text=ASSERTS_IN_JSON_REPAIR, reasoning="", finish_reason="stop", k=3)
def test_nothing_but_an_output_error_is_raised(text: str, reasoning: str, finish_reason: str, k: int) -> None:
    try:
        reply = parse_reply(Completion(text=text, reasoning=reasoning, finish_reason=finish_reason), k)
    except OutputError as error:
        assert error.outcome in (Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID)
        assert error.findings
    else:
        assert_whole(reply, k)


def assert_whole(reply: Reply, k: int) -> None:
    assert reply.reasoning == reply.reasoning.strip()
    assert reply.reasoning or "there is no discussion: the reply is JSON alone" in reply.notes
    assert 1 <= len(reply.plan.ablations) <= k
    reply.reasoning.encode("utf-8")
    reply.plan.model_dump_json().encode("utf-8")
    assert Plan.model_validate_json(reply.plan.model_dump_json()) == reply.plan


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=5), children, max_size=3),
    max_leaves=5,
)
KEYS = ["name", "ablated_part", "action", "replacement", "metrics", "Name", "metric", "x"]


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), json_values | st.sampled_from(["REMOVE", "ADD"])), max_size=3))
@settings(max_examples=500)
def test_fields_of_any_type_give_a_plan_or_findings(items: list[dict[str, Any]]) -> None:
    try:
        reply = parse_reply(
            Completion(text=f"Why.\n<predictions>\n{jsonl(items)}\n</predictions>", finish_reason="stop"), 3
        )
    except OutputError as error:
        assert error.outcome is Outcome.INVALID
    else:
        assert_whole(reply, 3)


HOSTILE = {
    "deep arrays": "[" * 100_000,
    "deep objects": '{"a":' * 100_000,
    "deep and closed": '{"name":' * 900 + "1" + "}" * 900,
    "deep value": '{"name":"","ablated_part":"b","action":"ADD","metrics":["c"],"replacement":'
    + "[" * 900
    + "]" * 900
    + "}",
    "braces": "{" * 300_000,
    "brace lines": "{\n" * 100_000,
    "broken lines": '{"name": "x" "y" z\n' * 20_000,
    "many objects": '{"a": 1} x ' * 50_000,
    "tags": "<predictions>{" * 20_000,
    "discussions": "<discussion>" * 50_000,
    "thoughts": "<think>" * 50_000,
    "thoughts that end": "<think></think>" * 50_000,
    "ends of thoughts": "{</think>" * 50_000,
    "channels": "<|channel|>analysis<|message|>" * 30_000,
    "tokens": "<|end|>" * 100_000,
    "marks": "<|" * 200_000,
    "starts": "<|start|>assistant " * 50_000,
    "ends of discussions": "<predictions>" + "x " * 100_000 + "<discussion>" + "</discussion>" * 50_000,
    "nested strings": '{"a": [' + '"[1]", ' * 50_000 + "1]}",
    "completion objects": '{"choices": [' * 400 + "]}" * 400,
    "unable": "I cannot " * 50_000,
    "runs": 'word {"name": "a"} ' * 10_000,
    "huge number": '{"name": ' + "9" * 100_000 + "}",
    "huge string": '{"name": "' + "x" * 2_000_000 + '"}',
    "quotes": '{"name": "' + 'x"y' * 100_000 + '"}',
    "angles": "< " * 200_000,
    "spaces": "<" + " " * 500_000,
    "backslashes": '{"a": "' + "\\" * 300_001,
    "lines": "\n" * 500_000,
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("shape", ["{}", "<predictions>\n{}\n</predictions>", "<think>{}"])
def test_hostile_text_is_refused_in_reasonable_time(case: str, shape: str) -> None:
    started = time.process_time()
    with pytest.raises(OutputError):
        parse_reply(Completion(text=shape.replace("{}", HOSTILE[case], 1), finish_reason="stop"), 2)
    assert time.process_time() - started < 10
