"""The shapes in which real replies come, and what each is forgiven."""

import json
from typing import Any

import pytest

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.parsing.reply import Reply, parse_reply
from planner.schema import Action

GATE: dict[str, Any] = {
    "name": "Remove the gate",
    "ablated_part": "gating unit g(x)",
    "action": "REMOVE",
    "replacement": None,
    "metrics": ["BLEU", "perplexity"],
}
POOL: dict[str, Any] = {
    "name": "Pooling",
    "ablated_part": "attention pooling",
    "action": "REPLACE",
    "replacement": ["mean pooling", "max pooling"],
    "metrics": ["BLEU"],
}
REASONING = "The gate and the pooling are what is new."
LINES = f"{json.dumps(GATE)}\n{json.dumps(POOL)}"


def contract(predictions: str, reasoning: str = REASONING) -> str:
    return f"<discussion>\n{reasoning}\n</discussion>\n<predictions>\n{predictions}\n</predictions>"


def read(text: str, k: int = 2, **completion: Any) -> Reply:
    return parse_reply(Completion(**{"text": text, "finish_reason": "stop", **completion}), k)


def failure(text: str, k: int = 2, **completion: Any) -> OutputError:
    with pytest.raises(OutputError) as caught:
        read(text, k, **completion)
    return caught.value


EXACT = read(contract(LINES))

FORGIVEN = {
    "fenced": (contract(f"```json\n{LINES}\n```"), "code fence"),
    "fenced jsonl": (contract(f"```jsonl\n{LINES}\n```"), "code fence"),
    "array": (contract(json.dumps([GATE, POOL])), "JSON array"),
    "array over lines": (contract(json.dumps([GATE, POOL], indent=2)), "JSON array"),
    "array without its end": (contract(json.dumps([GATE, POOL])[:-1]), "JSON array"),
    "object with a list": (contract(json.dumps({"ablations": [GATE, POOL]})), "a list in a JSON object"),
    "object with predictions": (
        contract(json.dumps({"predictions": [GATE, POOL]}, indent=4)),
        "a list in a JSON object",
    ),
    "key before a list": (contract(f'"predictions": {json.dumps([GATE, POOL])}'), "left out"),
    "pretty-printed": (contract(f"{json.dumps(GATE, indent=2)}\n{json.dumps(POOL, indent=2)}"), "more than one line"),
    "python literals": (contract(f"{GATE}\n{POOL}"), "line 6 of the reply: broken JSON was repaired"),
    "python list": (contract(str([GATE, POOL])), "JSON array"),
    "trailing comma": (contract(LINES.replace("]}", "],}")), "broken JSON was repaired"),
    "commas between lines": (contract(LINES.replace("}\n{", "},\n{") + ","), "commas"),
    "numbered": (contract(LINES.replace("{", "1. {")), "numbered"),
    "bulleted": (contract(LINES.replace("{", "- {")), "bulleted"),
    "labelled": (contract(LINES.replace("{", "Ablation: {")), "left out, as it is no JSON: 'Ablation:"),
    "missing comma": (contract(LINES.replace(', "action"', ' "action"')), "repaired"),
    "missing bracket": (contract(LINES.replace("]}", "}")), "repaired"),
    "unescaped quotes": (contract(LINES.replace("the gate", 'the "gate"')), "repaired"),
    "thoughts first": (f"<think>\nMaybe {{x}} or <predictions>?\n</think>\n\n{contract(LINES)}", "thoughts"),
    "thoughts without their start": (f"So I must plan.\n</think>\n{contract(LINES)}", "thoughts"),
    "thoughts with a draft": (f"<think>{contract(json.dumps(POOL))}</think>{contract(LINES)}", "thoughts"),
    "answer inside thoughts": (f"<think>\n{contract(LINES)}\n</think>\n", "inside the model's thoughts"),
    "no closing tag": (contract(LINES).removesuffix("\n</predictions>"), "closing tag"),
    "prose after an unclosed block": (
        contract(LINES).removesuffix("\n</predictions>") + "\n\nI hope that helps!",
        "I hope that helps!",
    ),
    "other case": (
        contract(LINES).replace("discussion", "Discussion").replace("predictions", "PREDICTIONS"),
        "were not <predictions>",
    ),
    "attributes": (contract(LINES).replace("<predictions>", '<predictions format="jsonl">'), "were not <predictions>"),
    "lower-case action": (contract(LINES.replace("REPLACE", " replace ")), "'replace' was read"),
    "a string for a list": (
        contract(LINES.replace('["BLEU"]', '"BLEU"')),
        "line 6 of the reply, metrics: a single value",
    ),
    "extra keys": (
        contract(LINES.replace('"name"', '"rank": 1, "name"')),
        "line 5 of the reply: the key 'rank' was left out",
    ),
    "keys in other case": (contract(LINES.replace("ablated_part", "Ablated Part")), "'Ablated Part' was read"),
    "prose around": (f"Sure, here it is.\n\n{contract(LINES)}\n\nAnything else?", "text outside"),
    "whole reply fenced": (f"```xml\n{contract(LINES)}\n```", "text outside"),
    "tags in the prose": (
        f"I write a <discussion> and then <predictions> with a line each.\n{contract(LINES)}\nSee <predictions> above.",
        "text outside",
    ),
    "predictions first": (
        f"<predictions>\n{LINES}\n</predictions>\n<discussion>{REASONING}</discussion>",
        "discussion came after",
    ),
    "unclosed discussion": (contract(LINES).replace("</discussion>", ""), "tag of the discussion"),
    "no discussion": (contract(LINES).replace("<discussion>", "").replace("</discussion>", ""), "no discussion"),
    "no tags": (f"{REASONING}\n\n```json\n{json.dumps([GATE, POOL])}\n```", "outside <predictions> tags"),
    "a draft before": (f"{contract(json.dumps(POOL))}\nOn second thoughts:\n{contract(LINES)}", "2 blocks"),
    "one JSON object": (json.dumps({"discussion": REASONING, "predictions": [GATE, POOL]}), "outside"),
    "broken JSON object with a list": (f"{REASONING}\n{ {'ablations': [GATE, POOL]} }", "repaired"),
    "carriage returns": (contract(LINES).replace("\n", "\r\n"), ""),
}


def test_the_exact_contract_needs_no_forgiving() -> None:
    assert EXACT.notes == ()
    assert EXACT.reasoning == REASONING
    gate, pool = EXACT.plan.ablations
    assert (gate.action, gate.replacement, gate.metrics) == (Action.REMOVE, (), ("BLEU", "perplexity"))
    assert pool.replacement == ("mean pooling", "max pooling")


@pytest.mark.parametrize("shape", FORGIVEN)
def test_a_shape_gives_the_same_plan_and_a_note(shape: str) -> None:
    text, note = FORGIVEN[shape]
    reply = read(text)
    expected = EXACT.plan.model_dump_json().replace("the gate", 'the \\"gate\\"' if "quotes" in shape else "the gate")
    assert reply.plan.model_dump_json() == expected
    assert reply.reasoning == REASONING
    assert any(note in text for text in reply.notes) or not note, reply.notes


@pytest.mark.parametrize("mention", ["<predictions>", "`<predictions>`: {x}", "<predictions>…</predictions>"])
def test_tags_in_the_discussion_are_text(mention: str) -> None:
    reasoning = f"The tag {mention} is part of the paper.\nSo is </think>."
    reply = read(contract(LINES, reasoning))
    assert reply == Reply(reasoning, EXACT.plan)


@pytest.mark.parametrize("value", ["the <predictions> tag", "a </predictions> tag", "<discussion>", "[{", "```json"])
def test_tags_in_a_value_are_text(value: str) -> None:
    reply = read(contract(f"{json.dumps({**GATE, 'name': value})}\n{json.dumps(POOL)}"))
    assert [a.name for a in reply.plan.ablations] == [value, "Pooling"]
    assert reply.notes == ()


@pytest.mark.parametrize("nothing", [None, "", [], ["None"], "None", ["n/a"], [None], [""]])
def test_a_removal_with_an_empty_replacement_is_a_removal(nothing: object) -> None:
    assert read(contract(json.dumps({**GATE, "replacement": nothing}))).plan.ablations[0].replacement == ()


def test_a_replacement_by_none_is_kept_where_something_is_replaced() -> None:
    assert read(contract(json.dumps({**POOL, "replacement": ["None"]}))).plan.ablations[0].replacement == ("None",)


def test_values_that_are_no_strings_are_written_as_python_does() -> None:
    values = [1, 0.5, 1e-05, True, {"s": 1, "r": [2]}, [1, 2], " x"]
    reply = read(contract(json.dumps({**POOL, "replacement": values})))
    assert reply.plan.ablations[0].replacement == tuple(map(str, values))


def test_whitespace_in_a_value_is_content_and_a_line_break_is_a_space() -> None:
    reply = read(contract(json.dumps({**POOL, "name": "  a\tb  ", "replacement": ["  x ", "one \n  two\r\n"]})))
    assert reply.plan.ablations[0].name == "  a\tb  "
    assert reply.plan.ablations[0].replacement == ("  x ", "one two")
    assert reply.notes == ("line 5 of the reply, replacement: line breaks became spaces",)


def test_latex_whose_backslash_json_swallowed_is_restored() -> None:
    line = json.dumps(POOL).replace("attention pooling", r"\beta-weighted \frac{1}{n} \tau \nabla \rho \alpha")
    for text in (line, line.replace(r"\alpha", "")):
        part = read(contract(text)).plan.ablations[0].ablated_part
        assert part.startswith(r"\beta-weighted \frac{1}{n} \tau \nabla \rho")


def test_half_a_surrogate_pair_can_be_written_to_a_file() -> None:
    reply = read(contract(json.dumps(POOL).replace("Pooling", r"P\ud800"), "why \udfff"))
    assert (reply.reasoning, reply.plan.ablations[0].name) == ("why \ufffd", "P\ufffd")
    assert reply.notes == ("line 5 of the reply, name: an invalid character (half a surrogate pair) was replaced",)
    pasted = json.dumps({"choices": [{"message": {"content": contract(json.dumps(POOL), "why \udfff")}}]})
    assert read(pasted).notes == ("an invalid character (half a surrogate pair) was replaced",)


def test_more_than_k_keeps_the_first_k_and_says_so() -> None:
    reply = read(contract(LINES), k=1)
    assert [a.name for a in reply.plan.ablations] == [GATE["name"]]
    assert reply.notes == ("2 ablations were given; only the first 1 are kept",)


def test_a_whole_reply_in_the_provider_s_reasoning_field() -> None:
    reply = read("  \n", reasoning=f"Let me think.\n{contract(LINES)}")
    assert (reply.plan, reply.reasoning) == (EXACT.plan, REASONING)
    assert "reasoning field" in reply.notes[0]


def test_without_a_discussion_the_provider_s_reasoning_stands_in() -> None:
    reply = read(f"<predictions>\n{LINES}\n</predictions>", reasoning="I thought of the gate. ")
    assert reply.reasoning == "I thought of the gate."
    assert read(f"<think>Hm.</think><predictions>{LINES}</predictions>").reasoning == "Hm."


INVALID = {
    "unknown action": (LINES.replace("REPLACE", "SWAP"), "line 2, action: Input should be 'REMOVE', 'REPLACE' or"),
    "no metrics": (LINES.replace('["BLEU"]', "[]"), "line 2, metrics must not be empty"),
    "missing field": (LINES.replace(', "metrics": ["BLEU"]', ""), "line 2, metrics: Field required"),
    "null name": (LINES.replace('"Pooling"', "null"), "line 2, name: Input should be a valid string"),
    "blank name": (LINES.replace('"Pooling"', '" "'), "line 2, name: must not be empty"),
    "no replacement": (LINES.replace('["mean pooling", "max pooling"]', "null"), "line 2, REPLACE needs at least"),
    "removal with replacement": (LINES.replace('"replacement": null', '"replacement": ["x"]'), "line 1, REMOVE takes"),
    "same name twice": (f"{json.dumps(GATE)}\n{json.dumps(GATE)}", "stands 2 times"),
    "broken line": (LINES.replace('"replacement": ["mean pooling", ', '"replacement": [["mean'), "line 2"),
    "not json": ("name: x\nablated_part: y\naction: REMOVE", "line 2: is not a JSON object: 'ablated_part: y'"),
    "cut line": (LINES[:-12], "line 2: a JSON object begins here and is not closed"),
    "two in one object": (LINES.replace("}\n{", ", "), "line 1: "),
    "two in one broken object": (f"{GATE}\n{POOL}".replace("}\n{", ", "), "line 1: is not valid JSON"),
    "nothing": ("", "the predictions hold no JSON object"),
    "empty array": ("[]", "the predictions hold no JSON object"),
    "empty object": ("{}", "line 1, name: Field required"),
    "numbers": ("[1, 2]", "the predictions hold no JSON object"),
}


@pytest.mark.parametrize("case", INVALID)
def test_what_only_the_model_can_mend_is_invalid_and_says_where(case: str) -> None:
    predictions, finding = INVALID[case]
    error = failure(contract(predictions))
    assert error.outcome is Outcome.INVALID
    assert error.is_correctable
    assert any(finding in text for text in error.findings), error.findings


def test_people_are_told_of_lines_of_the_reply_and_the_model_of_lines_of_the_block() -> None:
    fenced = contract(f"```json\n{LINES.replace('REPLACE', 'SWAP')}\n```")
    thought = f"<think>\nSo be it.\n</think>\n<reported>\nno: study\n</reported>\n{fenced}"
    for text in (fenced, thought):
        error = failure(text, finish_reason="stop")
        line = next(n for n, each in enumerate(text.split("\n"), start=1) if "SWAP" in each)
        assert error.findings[0].startswith("line 3, action: Input should be")
        assert str(error).startswith(f"line {line} of the reply, action: Input should be")


def test_every_finding_is_reported_at_once() -> None:
    assert len(failure(contract(LINES.replace("REMOVE", "DROP").replace('["BLEU"]', "[]"))).findings) == 2


def test_a_plan_without_any_reasoning_is_asked_for_again() -> None:
    assert failure(f"<predictions>{LINES}</predictions>").findings == ("there is no reasoning in <discussion> tags",)
    assert failure(contract(LINES, " ")).outcome is Outcome.INVALID


@pytest.mark.parametrize("length", range(len(contract(LINES).removesuffix("\n</predictions>"))))
def test_a_pasted_reply_that_stops_anywhere_is_never_a_shorter_plan(length: int) -> None:
    text = contract(LINES)[:length]
    whole_lines = text.endswith(("}", "}\n"))
    if whole_lines:
        return  # nothing tells a stop between two lines from an end
    for finish_reason in ("", "stop"):
        outcome = failure(text, finish_reason=finish_reason).outcome
        assert outcome is not Outcome.REFUSED
        assert outcome is (Outcome.EMPTY if not text else Outcome.INVALID) or not finish_reason


@pytest.mark.parametrize(
    "text",
    [
        contract(LINES)[:-40],
        contract(json.dumps([GATE, POOL], indent=1))[:-60],
        contract(json.dumps([GATE, POOL])).split("]\n</p")[0],
        contract(str([GATE, POOL]))[:-40],
        f"{contract(json.dumps(POOL))}\n{contract(LINES)[:-40]}",
        "<discussion>\nThe gate",
        "<think>\nLet me see",
        contract(LINES).split("{")[0],
    ],
)
def test_a_pasted_reply_that_ends_inside_the_contract_is_truncated(text: str) -> None:
    assert failure(text, finish_reason="").outcome is Outcome.TRUNCATED
    assert failure(text, finish_reason="stop").outcome is Outcome.INVALID


@pytest.mark.parametrize(
    ("completion", "outcome"),
    [
        ({"finish_reason": "length"}, Outcome.TRUNCATED),
        ({"finish_reason": "length", "text": ""}, Outcome.TRUNCATED),
        ({"finish_reason": "content_filter"}, Outcome.REFUSED),
        ({"finish_reason": "content_filter", "text": ""}, Outcome.REFUSED),
        ({"refusal": "I will not."}, Outcome.REFUSED),
        ({"text": "I'm sorry, but I can't assist with that request."}, Outcome.REFUSED),
        ({"text": "I’m sorry, I cannot help with this."}, Outcome.REFUSED),
        ({"text": f"<think>{contract(LINES)}</think>\nI can't help with that."}, Outcome.REFUSED),
        ({"text": f"<think>{contract(LINES)}</think>\nDone."}, Outcome.INVALID),
        ({"text": "I'm sorry, but I can't see a paper in your message."}, Outcome.INVALID),
        ({"text": " \n\t", "reasoning": " "}, Outcome.EMPTY),
        ({"text": "", "finish_reason": ""}, Outcome.EMPTY),
        ({"text": "Plans are hard."}, Outcome.INVALID),
    ],
)
def test_a_reply_that_holds_no_plan_is_named(completion: dict[str, str], outcome: Outcome) -> None:
    assert failure(**{"text": contract(LINES), **completion}).outcome is outcome


@pytest.mark.parametrize("before", ["The plan: ", "&lt;predictions&gt;", "> "])
def test_an_object_after_words_in_its_line_is_not_passed_over(before: str) -> None:
    for finish_reason in ("stop", ""):
        reply = read(f"{REASONING}\n{before}{LINES}", finish_reason=finish_reason)
        assert reply.plan == EXACT.plan


def test_a_block_that_the_discussion_quotes_does_not_shorten_it() -> None:
    reasoning = f"{REASONING} I answer as <predictions>{{…}}</predictions> asks."
    assert read(contract(LINES, reasoning)).reasoning == reasoning


def test_a_pasted_reply_without_a_closing_tag_may_have_gone_on() -> None:
    note = "the reply may be incomplete"
    text = contract(json.dumps(GATE)).removesuffix("\n</predictions>")
    assert note in " ".join(read(text, finish_reason="").notes)
    assert note not in " ".join(read(text, finish_reason="stop").notes)
    assert note not in " ".join(read(text, k=1, finish_reason="").notes)
    assert note not in " ".join(read(contract(json.dumps(GATE)), finish_reason="").notes)
