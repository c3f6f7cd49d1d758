"""Replies of any shape: one paper's outcome, and always readable once they are stored."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from planner.batch.ledger.store import Ledger
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.chat import Completion, Message, Prompt
from planner.models.openai_chat.replies import parse_completion
from planner.models.openai_chat.stream import ResponseBody
from planner.planning.record import AttemptRecord, PaperRecord, PlanRecord, create_attempt_record, load_stored_json
from planner.schema import Task
from tests.batch.program import Program, make_papers
from tests.server.http import Request, Response
from tests.server.provider import plan_for
from tests.server.replies import completion
from tests.server.server import Server

PROMPT = Prompt.from_messages((Message("user", "plan"),), "t")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([10**400, -(10**4000)])
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def nest(value: Any, depth: int, name: str) -> Any:
    for _ in range(depth):
        value = {name: value} if name else [value]
    return value


@settings(max_examples=60, deadline=None)
@given(
    value=JSON,
    depth=st.integers(0, 900) | st.integers(900, 20_000),
    name=st.sampled_from(["", "a"]),
    place=st.sampled_from(["x", "usage"]),
)
def test_whatever_arrives_is_stored_and_read_back_or_is_no_reply(value: Any, depth: int, name: str, place: str) -> None:
    received = ResponseBody()
    whole = {**completion("text"), place: "?"}
    received.feed(json.dumps(whole).replace('"?"', _nested_text(json.dumps(value), depth, name)).encode())
    received.finish()
    arrived = parse_completion(received.json)
    assert arrived is not None
    assert arrived.text == "text"
    with TemporaryDirectory() as folder:
        assert asyncio.run(_store_and_read(Path(folder) / "ledger.sqlite", arrived)) == arrived
        attempt = create_attempt_record("id", PROMPT).model_copy(update={"completion": arrived})
        _record(attempt).write(Path(folder) / "sidecar.json")
        assert PlanRecord.read(Path(folder) / "sidecar.json").attempts == (attempt,)


def _nested_text(text: str, depth: int, name: str) -> str:
    return f'{{"{name}":' * depth + text + "}" * depth if name else "[" * depth + text + "]" * depth


async def _store_and_read(path: Path, arrived: Completion) -> Completion | None:
    async with Ledger(path) as ledger:
        task = PlanTask(CorpusEntry("p", "p.md", "/p.md", "markdown"), "m")
        number = await ledger.record_request(task, create_attempt_record("id", PROMPT), None)
        await ledger.record_reply(number, "id", arrived, None, None)
        return ledger.reader.find_reply("id")


def _record(*attempts: AttemptRecord) -> PlanRecord:
    paper = PaperRecord(id="p", title="", source="", format="", main_file="", sha256="", chars=0)
    started = create_attempt_record("id", PROMPT).started
    return PlanRecord(
        planner="lm-planner",
        model="m",
        model_asked="m",
        task=Task.AUTHOR,
        k=5,
        paper=paper,
        started=started,
        attempts=attempts,
    )


def test_a_reply_that_an_earlier_version_stored_too_deep_can_be_read() -> None:
    adapter = TypeAdapter(Completion)
    for depth in (190, 220, 250):
        stored = Completion("text", raw={"x": nest([], depth, "")})
        assert load_stored_json(adapter, adapter.dump_json(stored)) == stored


@pytest.mark.parametrize("depth", [220, 600, 1_000, 100_000])
def test_one_nested_reply_is_the_outcome_of_its_paper_alone(depth: int, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 4)

    def answer(request: Request) -> Response:
        whole = json.dumps(completion(plan_for("0")))
        if "We gate 2." in request.body.decode():
            whole = whole[:-1] + ',"x":' + "[" * depth + "]" * depth + "}"
        return Response(200, (whole.encode(),))

    with Server(answer) as server:
        url = server.base_url
        words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", url, "--no-stream", "--max-wait", "0")
        program.invoke(*words)
        for form in ("csv", "jsonl"):
            program.invoke("export", "run", "--to", form, f"x.{form}")
        for path in (tmp_path / "run" / "trajectories").rglob("*.md"):
            path.unlink()
        program.invoke(*words)
        assert len(server.journal) == 4
    assert program.status()["planned"] == 4
    assert len(list((tmp_path / "run" / "trajectories").rglob("*.md"))) == 4
