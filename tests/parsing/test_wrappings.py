"""The things that wrap an answer, and what tells the answer from a draft."""

import json
from pathlib import Path
from typing import Any

import pytest

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.parsing.reply import Reply, parse_reply

ROUTER: dict[str, Any] = {
    "name": "No router",
    "ablated_part": "token router",
    "action": "REMOVE",
    "replacement": [],
    "metrics": ["accuracy"],
}
NORM: dict[str, Any] = {
    "name": "Other norm",
    "ablated_part": "scaled norm",
    "action": "REPLACE",
    "replacement": ["layer norm"],
    "metrics": ["accuracy", "GFLOPs"],
}
DRAFT: dict[str, Any] = {**ROUTER, "name": "No warm-up", "ablated_part": "warm-up"}
WHY = "The router and the norm are new."
LINES = f"{json.dumps(ROUTER)}\n{json.dumps(NORM)}"
DRAFTED = f"Draft: {json.dumps(DRAFT)}"
CONTRACT = f"<discussion>\n{WHY}\n</discussion>\n<predictions>\n{LINES}\n</predictions>"
WRAPPED = {"discussion": WHY, "ablations": [ROUTER, NORM]}
EXAMPLES = "\n".join(
    line
    for line in (Path(__file__).parents[2] / "prompts" / "contract.jinja").read_text(encoding="utf-8").split("\n")
    if line.startswith("{") and "ablated_part" in line
)


def read(text: str, k: int = 4, finish_reason: str = "") -> Reply:
    return parse_reply(Completion(text=text, finish_reason=finish_reason), k)


def names(reply: Reply) -> list[str]:
    return [ablation.name for ablation in reply.plan.ablations]


def outcome(text: str, finish_reason: str = "") -> Outcome:
    with pytest.raises(OutputError) as caught:
        read(text, finish_reason=finish_reason)
    return caught.value.outcome


THOUGHTS = {
    "think": "<think>{}</think>",
    "thinking": "<thinking>\n{}\n</thinking>",
    "reasoning": "<reasoning>{}</reasoning>",
    "thought": "<thought>{}</thought>\n",
    "begin of thought": "<|begin_of_thought|>\n{}\n<|end_of_thought|>\n\n<|begin_of_solution|>",
    "start thinking": "<|START_THINKING|>{}<|END_THINKING|><|START_RESPONSE|>",
    "brackets": "[THINK]{}[/THINK]",
    "triangles": "◁think▷{}◁/think▷",
    "prefix": "<seed:think>{}</seed:think>",
    "channel": "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>",
    "channel with its start": "<|start|>assistant<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>"
    "commentary to=functions.plan <|constrain|>json<|message|>",
    "two channels": "<|channel|>analysis<|message|>{}<|end|><|channel|>analysis<|message|>More.<|end|>"
    "<|channel|>final<|message|>",
    "channel without its marks": "analysisWe plan. {}.assistantfinal",
    "two kinds": "<think>{}</think>\n<reflection>Good.</reflection>\n<answer>",
    "no start": "We plan. {}</think>\n",
    "answer tag": "<think>{}</think>\n<answer>\n",
    "after a greeting": "Sure.\n<think>{}</think>\n",
}


@pytest.mark.parametrize("kind", THOUGHTS)
@pytest.mark.parametrize(
    "answer", [CONTRACT, LINES, f"```json\n{json.dumps([ROUTER, NORM])}\n```", json.dumps(WRAPPED)]
)
def test_a_draft_in_thoughts_is_no_plan(kind: str, answer: str) -> None:
    reply = read(THOUGHTS[kind].replace("{}", DRAFTED) + answer)
    assert names(reply) == ["No router", "Other norm"]
    assert reply.reasoning == WHY or DRAFTED in reply.reasoning


@pytest.mark.parametrize("end", ["<|return|>", "<|end_of_solution|>", "</answer>", "<|im_end|>", "</s>"])
def test_a_token_after_the_answer_is_no_part_of_it(end: str) -> None:
    assert not [note for note in read(f"{CONTRACT}{end}", 2).notes if "left out" in note]


@pytest.mark.parametrize(
    "opening", ["<think>", "<reasoning>", "[THINK]", "<|begin_of_thought|>", "<|channel|>analysis<|message|>"]
)
def test_thoughts_that_were_cut_hold_only_a_draft(opening: str) -> None:
    for draft in (CONTRACT, f"{DRAFTED}\n{LINES}"):
        cut = f"{opening}I draft\n{draft}\nBut the norm is borr"
        assert outcome(cut) is outcome(f"Well.\n{cut}") is Outcome.TRUNCATED
        assert outcome(cut, "stop") is Outcome.INVALID
    assert names(read(f"{opening}{CONTRACT}")) == ["No router", "Other norm"]


def test_thoughts_that_go_on_after_their_draft_hold_no_answer() -> None:
    assert outcome(f"<think>{CONTRACT} But no.</think>") is Outcome.INVALID
    assert outcome(f"<think>{CONTRACT}</think>I cannot help with that.") is Outcome.REFUSED


OBJECTS: dict[str, Any] = {
    "chat": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": CONTRACT}}]},
    "chat in parts": {"choices": [{"message": {"content": [{"type": "text", "text": CONTRACT}]}}]},
    "two choices": {"choices": [{"message": {"content": CONTRACT}}, {"message": {"content": DRAFTED}}]},
    "completion": {"choices": [{"text": CONTRACT}]},
    "thinking blocks": {
        "type": "message",
        "content": [{"type": "thinking", "thinking": DRAFTED}, {"type": "text", "text": CONTRACT}],
        "stop_reason": "end_turn",
    },
    "output items": {
        "output": [
            {"type": "reasoning", "content": [{"type": "reasoning_text", "text": DRAFTED}]},
            {"type": "message", "content": [{"type": "output_text", "text": CONTRACT}]},
        ]
    },
    "candidates": {
        "candidates": [
            {"content": {"parts": [{"text": DRAFTED, "thought": True}, {"text": CONTRACT}]}, "finishReason": "STOP"}
        ]
    },
    "message": {"role": "assistant", "content": CONTRACT},
    "conversation": [{"role": "user", "content": EXAMPLES}, {"role": "assistant", "content": CONTRACT}],
    "response": {"model": "x", "response": CONTRACT, "done": True, "done_reason": "stop"},
    "batch line": {"custom_id": "a", "response": {"body": {"choices": [{"message": {"content": CONTRACT}}]}}},
    "tool call": {
        "choices": [
            {
                "message": {
                    "content": None,
                    "tool_calls": [{"function": {"name": "f", "arguments": json.dumps(WRAPPED)}}],
                }
            }
        ]
    },
    "tool call with an object": {"choices": [{"message": {"tool_calls": [{"function": {"arguments": WRAPPED}}]}}]},
    "tool use": {"role": "assistant", "content": [{"type": "tool_use", "name": "plan", "input": WRAPPED}]},
}


@pytest.mark.parametrize("kind", OBJECTS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_raw_completion_object_is_opened(kind: str, indent: int | None) -> None:
    text = json.dumps(OBJECTS[kind], indent=indent)
    for shape in (text, f"```json\n{text}\n```"):
        reply = read(shape)
        assert (names(reply), reply.reasoning) == (["No router", "Other norm"], WHY)


def test_a_raw_completion_object_says_how_it_ended() -> None:
    def wrap(content: str | None, reason: str) -> str:
        return json.dumps({"choices": [{"finish_reason": reason, "message": {"content": content}}]})

    assert outcome(wrap(CONTRACT, "length")) is Outcome.TRUNCATED
    assert outcome(wrap("I can't help with that.", "stop")) is Outcome.REFUSED
    assert outcome(wrap(None, "stop")) is Outcome.EMPTY
    assert outcome(wrap(None, "content_filter")) is Outcome.REFUSED


NESTED: dict[str, Any] = {
    "one level": {"plan": WRAPPED},
    "two levels": {"data": {"result": WRAPPED}},
    "numbered": {"discussion": WHY, "ablations": {"1": ROUTER, "2": NORM}},
    "numbered keys": {"discussion": WHY, "ablation_1": ROUTER, "ablation_2": NORM},
    "a list in a list": {"discussion": WHY, "ablations": [[ROUTER, NORM]]},
    "rejected beside": {"discussion": WHY, "rejected": [DRAFT], "ablations": [ROUTER, NORM]},
    "rejected after": {"discussion": WHY, "predictions": [ROUTER, NORM], "considered": [DRAFT]},
    "call": {"name": "submit_plan", "arguments": WRAPPED},
    "call with text": {"name": "submit_plan", "arguments": json.dumps(WRAPPED)},
    "text with lines": {"discussion": WHY, "predictions": LINES},
    "text with tags": {"discussion": WHY, "predictions": f"<predictions>\n{LINES}\n</predictions>"},
    "call with parameters": {"type": "function", "name": "plan", "parameters": WRAPPED},
}


@pytest.mark.parametrize("kind", NESTED)
@pytest.mark.parametrize(
    "around", ["{}", "<tool_call>\n{}\n</tool_call>", "<predictions>\n{}\n</predictions>", "[TOOL_CALLS][{}]"]
)
def test_nested_records_are_found(kind: str, around: str) -> None:
    reply = read(around.replace("{}", json.dumps(NESTED[kind])))
    assert (names(reply), reply.reasoning) == (["No router", "Other norm"], WHY)


@pytest.mark.parametrize(
    "text", [LINES, json.dumps([ROUTER, NORM]), f"```json\n{LINES}\n```", f"```\n{json.dumps([ROUTER, NORM])}\n```"]
)
def test_json_alone_is_a_plan_with_a_warning(text: str) -> None:
    reply = read(text)
    assert (names(reply), reply.reasoning) == (["No router", "Other norm"], "")
    assert "there is no discussion: the reply is JSON alone" in reply.notes


def test_a_fence_and_a_tag_may_close_on_one_line() -> None:
    for fence in ("```json", "```"):
        for end in ("```</predictions>", "``` </predictions>"):
            text = (
                f"<discussion>{WHY}</discussion><predictions>\n{fence}\n{LINES}\n{end}\nNot this: {json.dumps(DRAFT)}"
            )
            assert names(read(text)) == ["No router", "Other norm"]


@pytest.mark.parametrize(
    "echo",
    [
        f"The form is:\n{EXAMPLES}\n\n",
        f"<discussion>\nyour reasoning\n</discussion>\n<predictions>\n{EXAMPLES}\n</predictions>\n\n",
        f"```json\n{EXAMPLES}\n```\n",
        "<discussion>\nyour reasoning\n</discussion>\n<predictions>\none object per line\n</predictions>\n",
    ],
)
def test_an_echo_of_the_prompt_is_no_part_of_the_plan(echo: str) -> None:
    assert EXAMPLES.count("\n") == 1
    for answer in (CONTRACT, f"{WHY}\n{LINES}"):
        reply = read(f"{echo}{answer}")
        assert (names(reply), reply.reasoning) == (["No router", "Other norm"], WHY)
    assert outcome(echo) is Outcome.INVALID


def test_examples_among_the_predictions_are_left_out() -> None:
    reply = read(CONTRACT.replace(LINES, f"{EXAMPLES}\n{LINES}"), 2)
    assert names(reply) == ["No router", "Other norm"]
    assert "the examples of the prompt were left out" in reply.notes


@pytest.mark.parametrize(
    "mention",
    [
        'I use <predictions> tags with {"name": …} objects.',
        'As <predictions> asks, {"name": "x"} is a line.',
        "A <predictions> block follows.",
        'Each line of <predictions> is {"name": "…", "action": "…"}, no more.',
    ],
)
def test_a_tag_that_is_only_mentioned_opens_nothing(mention: str) -> None:
    reply = read(CONTRACT.replace(WHY, f"{mention} {WHY}"), 2)
    assert (names(reply), reply.reasoning) == (["No router", "Other norm"], f"{mention} {WHY}")
    assert names(read(f"{CONTRACT}\n{mention.replace('<', '`<').replace('>', '>`')}", 2)) == ["No router", "Other norm"]


def test_a_second_version_without_tags_takes_the_place_of_the_first() -> None:
    first = json.dumps({**ROUTER, "metrics": ["loss"]})
    reply = read(f"First idea:\n{first}\n\nOn reflection:\n{LINES}")
    assert (names(reply), reply.plan.ablations[0].metrics) == (["No router", "Other norm"], ("accuracy",))
    lists = f"First:\n```json\n{json.dumps([DRAFT])}\n```\nIn the end:\n```json\n{json.dumps([ROUTER, NORM])}\n```"
    assert (names(read(lists)), read(lists).reasoning) == (["No router", "Other norm"], "In the end:")
    labelled = LINES.replace("{", "Study: {")
    assert names(read(f"{WHY}\n{labelled}")) == ["No router", "Other norm"]


@pytest.mark.parametrize(
    "text",
    [
        "I can't create that plan.",
        "I must decline to answer this request.",
        "As an AI model, I'm not able to offer a plan for such work.",
        "Unfortunately, I won't be able to assist with this paper.",
        "This request goes against my guidelines.",
        json.dumps({"error": "I cannot assist with this."}),
        "<discussion>\nI am unable to help with this.\n</discussion>",
        "Lo siento, no puedo ayudarte con esto.",
        "Désolé, je ne peux pas répondre à cette demande.",
        "Tut mir leid, dabei kann ich nicht helfen.",
        "很抱歉，我无法提供该内容。",
        "申し訳ございませんが、対応できません。",
        "죄송합니다. 이 요청은 도와드릴 수 없습니다.",
        "К сожалению, я не могу помочь.",
        "Desculpe, mas não posso ajudar.",
        "Mi dispiace, non posso fornire questo.",
    ],
)
def test_a_refusal_is_known_in_many_words(text: str) -> None:
    assert outcome(text, "stop") is Outcome.REFUSED


@pytest.mark.parametrize(
    "text",
    [
        "I cannot find a paper to plan for.",
        "I'm unable to open the file; please provide it again.",
        "The norm cannot be removed without the router.",
        "I need the paper before I can help.",
        "没有看到论文。",
    ],
)
def test_a_question_is_no_refusal(text: str) -> None:
    assert outcome(text, "stop") is Outcome.INVALID
