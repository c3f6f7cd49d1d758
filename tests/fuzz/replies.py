"""Replies, and the responses, streams, headers and errors that bring them over HTTP."""

import base64
import json
from random import Random
from typing import Any

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.models.wrappers import RetryingModel, RetryPolicy
from planner.papers.paper import Paper
from planner.parsing.reply import parse_reply
from planner.planning.first_prompt import PlanSettings
from planner.planning.output import plan_to_folder
from planner.planning.plan import make_trajectory
from planner.planning.record import PlanRecord
from planner.schema import Task
from planner.trajectory.format import render_trajectory
from planner.trajectory.reader import parse_trajectory
from tests.fuzz.context import Context, Input
from tests.fuzz.mutations import (
    KEY,
    ODD_TEXTS,
    change_bytes,
    change_json,
    change_text,
    encode_json,
    list_tokens,
    make_odd_value,
    write_json,
)
from tests.papers_made import paper
from tests.scripted import contract
from tests.server.http import Response
from tests.server.replies import completion

PAPER: Paper = paper()
SETTINGS = PlanSettings(Task.REVIEWER, 3, reasks=1)
WORDS = ("the gate", "accuracy", "F1 (macro)", "`x`", "a_b", "loss & noise", "λ", "50%", "[1]", "<mask>", "$\\alpha$")
TOKENS = list_tokens(
    "<discussion> </discussion> <predictions> </predictions> <think> </think> <|channel|> [INST] REMOVE }, ]} ```json"
    ' <reported> </reported> {"name": "metrics":["a"] "action":"ADD" {"choices":[ "chance":"high"',
    "I cannot ",
)
# The endpoint closes connections without a word, so a request may meet one that is about to close, and is sent again.
PATIENCE = RetryPolicy(max_failures=2, max_wait=0.003)
FINISH_REASONS = ("stop", "stop", "", "length", "content_filter", "tool_calls")
SURROUNDINGS = ("usage", "id", "model", "created", "object", "x_extra", "service_tier", "citations")
KEY_FORMS = (KEY, KEY.upper(), base64.b64encode(KEY.encode()).decode(), KEY.encode().hex(), "\u200b".join(KEY))


def make_ablation(dice: Random) -> dict[str, Any]:
    """Return an ablation as a model writes it."""
    action = dice.choice(("REMOVE", "REPLACE", "ADD"))
    return {
        "name": f"{dice.choice(WORDS)} {dice.randrange(1000)}",
        "ablated_part": " ".join(dice.choices(WORDS, k=3)),
        "action": action,
        "replacement": [] if action == "REMOVE" else dice.choices(WORDS, k=2),
        "metrics": dice.choices(WORDS, k=dice.randint(1, 3)),
        **({} if dice.random() < 0.5 else make_details(dice)),
    }


def make_details(dice: Random) -> dict[str, Any]:
    """Return the fields that a model adds to an ablation, each in one of its shapes."""
    quote = {"quote": "The harmonic residual gate bounds the residual.", "section": "Method"}
    return {
        "reason": dice.choice(WORDS),
        "evidence": dice.choice((quote, quote["quote"])),
        "hypothesis": dice.choice(WORDS),
        "control": dice.choice(WORDS),
        "effort": dice.choice(("retrain, 4 runs", "evaluate", {"kind": "implement", "runs": 2})),
        "chance": dice.choice((80, "70%", 0, 100)),
    }


def make_reply_text(dice: Random) -> str:
    """Return a sound reply."""
    text = contract(" ".join(dice.choices(WORDS, k=40)), [make_ablation(dice) for _ in range(dice.randint(1, 4))])
    if dice.random() < 0.5:
        return text
    study = json.dumps({"name": "No gate", "quote": "MAE falls to 0.085.", "section": "Experiments"})
    return text.replace("<predictions>", f"<reported>\n{study}\n</reported>\n<predictions>")


def make_reply(dice: Random) -> Input:
    """Return the text of a reply with damage."""
    if dice.random() < 0.3:
        changed = change_json([make_ablation(dice) for _ in range(2)], dice)
        return Input(
            contract("Why.", []).replace("\n\n", f"\n{write_json(changed, dice)}\n").encode("utf-8", "replace")
        )
    return Input(change_text(make_reply_text(dice), dice, TOKENS).encode("utf-8", "surrogatepass"))


def check_reply(given: Input, context: Context) -> str:
    """Parse a reply; a plan must come back from its trajectory."""
    dice = Random(given.data)
    completion = Completion(given.data.decode("utf-8", "surrogatepass"), finish_reason=dice.choice(FINISH_REASONS))
    try:
        reply = parse_reply(completion, 3, dice.choice((None, 0, 45)))
    except OutputError as error:
        assert error.outcome in (Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID)
        assert error.findings
        return error.outcome.value
    assert 1 <= len(reply.plan.ablations) <= 3
    trajectory = make_trajectory("p", "m", "x", Task.REVIEWER, reply)
    read = parse_trajectory(render_trajectory(trajectory).encode(), "file")
    assert (read.reasoning, read.plan) == (trajectory.reasoning, trajectory.plan)
    return Outcome.PLANNED.value


def _frame(body: bytes, content_type: str = "application/json", status: str = "200 OK", more: bytes = b"") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n".encode()
    return head + b"connection: close\r\n" + more + b"\r\n" + body


def make_response(dice: Random) -> Input:
    """Return a response with a completion that is damaged, or whose surroundings are odd."""
    text = make_reply_text(dice)
    whole = completion(text)
    if dice.random() < 0.4:
        for name in dice.sample(SURROUNDINGS, k=2):
            whole[name] = make_odd_value(dice, whole.get(name))
        whole["choices"][0]["logprobs"] = make_odd_value(dice)
        whole["choices"][0]["message"]["tool_calls"] = make_odd_value(dice)
        return Input(_frame(write_json(whole, dice).encode("utf-8", "replace")), text)
    if dice.random() < 0.5:
        return Input(_frame(write_json(change_json(whole, dice), dice).encode("utf-8", "replace")))
    return Input(_frame(change_bytes(json.dumps(whole).encode(), dice)))


def make_stream(dice: Random) -> Input:
    """Return a stream of a reply, with odd events between its own or with damage."""
    text = make_reply_text(dice)
    size = dice.choice((1, 7, 50, 1000))
    pieces = [text[i : i + size] for i in range(0, len(text), size)][:400]
    chunks: list[Any] = [_make_chunk({"role": "assistant", "content": ""})]
    chunks += [_make_chunk({"content": piece}) for piece in pieces]
    chunks += [_make_chunk({}, "stop"), {**_make_chunk({}), "choices": [], "usage": {"prompt_tokens": 9}}]
    kept, end = "".join(pieces), dice.choice(("\n\n", "\r\n\r\n"))
    if dice.random() < 0.5:
        kept, chunks = "", [change_json(chunk, dice) if dice.random() < 0.1 else chunk for chunk in chunks]
    events = [f"data: {encode_json(chunk)}{end}" for chunk in chunks]
    for _ in range(dice.randint(0, 6)):
        events.insert(dice.randint(0, len(events)), _make_odd_event(dice, end))
    if dice.random() < 0.8:
        events.append(f"data: [DONE]{end}")
    body = "".join(events).encode("utf-8", "replace")
    if dice.random() < 0.2:
        kept, body = "", change_bytes(body, dice)
    return Input(_frame(body, "text/event-stream"), kept)


def _make_chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def _make_odd_event(dice: Random, end: str) -> str:
    """Return an event that carries nothing of the reply."""
    odd = encode_json(make_odd_value(dice))
    return dice.choice(
        (
            f": {odd}{end}",
            f"event: {odd}{end}",
            f"id: 1{end}retry: 5{end}",
            end * dice.choice((1, 500)),
            f'data: {{"choices": [], "x": {odd}}}{end}',
            f'data: {{"usage": {odd}, "choices": null}}{end}',
            f'data: {{"choices": [{{"index": 1, "delta": {odd}}}]}}{end}',
            f'data: {{"choices": [{{"index": 0, "delta": {{"x": {odd}}}}}]}}{end}',
        )
    )


def make_header(dice: Random) -> Input:
    """Return a response whose status line and headers are odd or damaged."""
    text = make_reply_text(dice)
    body = json.dumps(completion(text)).encode()
    names = ("retry-after", "x-ratelimit-limit-requests", "x-ratelimit-reset-tokens", "x-request-id", "x-odd", "date")
    values = ("-1", "1e999", "9" * 400, "6m0s", "nan", "Wed, 99 Foo 2099", KEY, "é", "a" * 7000, "", "1h1h1h", "٣")
    lines = [f"{dice.choice(names)}: {dice.choice(values)}\r\n".encode() for _ in range(dice.choice((1, 5, 60)))]
    if dice.random() < 0.4:
        return Input(
            _frame(body, more=b"".join(lines)[:60_000]) if len(b"".join(lines)) < 60_000 else _frame(body), text
        )
    if dice.random() < 0.3:
        lines *= dice.choice((1, 10, 200))
    head, _, _ = _frame(body, more=b"".join(lines)).partition(b"\r\n\r\n")
    return Input(change_bytes(head, dice)[:MAX_HEAD_BYTES] + b"\r\n\r\n" + body)


MAX_HEAD_BYTES = 150_000


def make_error(dice: Random) -> Input:
    """Return an error that repeats the key, in JSON, in text and in headers."""
    shown = dice.choice(KEY_FORMS)
    error = {"message": f"wrong key: {shown}", "type": "x", "param": shown, "code": dice.choice((None, shown, 401))}
    value = dice.choice(({"error": error}, error, {"detail": [error]}, [error], {"error": json.dumps(error)}))
    body = write_json(change_json(value, dice) if dice.random() < 0.6 else value, dice).encode("utf-8", "replace")
    if dice.random() < 0.2:
        body = change_bytes(body, dice)
    status = f"{dice.choice((200, 301, 400, 401, 402, 404, 413, 422, 429, 500, 503, 599))} {dice.choice(('No', KEY))}"
    more = f"x-request-id: {KEY}\r\nlocation: http://{KEY}/\r\nretry-after: {dice.choice(ODD_TEXTS).strip()}\r\n"
    plain = more if more.isascii() and more.isprintable() else "retry-after: 1\r\n"
    return Input(_frame(body, dice.choice(("application/json", "text/html", KEY)), status, plain.encode()))


def check_response(given: Input, context: Context) -> str:
    """Plan a paper with what an endpoint sends; a reply that came whole must be on record."""
    context.server.answer = lambda _: Response(raw=given.data)
    dice, streams = Random(given.data), b"text/event-stream" in given.data
    chat = dice.choice([chat for chat in context.chats if chat.options.stream is streams])
    model = RetryingModel(chat, PATIENCE, on_wait=lambda _: None, sleep=_continue)
    output = context.run(plan_to_folder(context.folder, PAPER, model, SETTINGS, lambda _: None))
    context.server.journal.clear()
    record = PlanRecord.read(output.record_path)
    assert record.outcome is output.record.outcome
    assert record.attempts == output.record.attempts
    if given.kept:
        assert [a.completion.text for a in record.attempts[:1] if a.completion] == [given.kept], record.reason
    return record.outcome.value


async def _continue(_: float) -> None:
    """Wait for nothing."""
