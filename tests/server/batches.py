"""A batch service from its public description: files and batches, in every state and with the habits of real ones.

`python -m tests.server.batches --faults 0.2 --odd --journal FILE` prints its base address and answers until stdin
closes. It answers chat completions too. A batch goes on by one state each time that it is looked at. What was submitted
and what came of it goes to the journal, a JSON object a line.
"""

import argparse
import email
import email.policy
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.server.http import Request, Response
from tests.server.provider import FATES, draw_fate, plan_for, prompt_sha256, reply_to
from tests.server.replies import as_asked, body, error
from tests.server.server import Server

COURSE = ("validating", "in_progress", "finalizing")
ENDS = ("completed", "completed", "expired", "cancelled", "failed")
Line = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A line of the journal: a request of a batch, and what was delivered of it ("ok", "fate", "error", "nothing")."""

    batch: str
    custom_id: str
    what: str


def read_journal(path: Path) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass
class StoredFile:
    id: str
    name: str
    purpose: str
    content: bytes

    def described(self) -> Line:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": 1,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
        }


@dataclass
class StoredBatch:
    id: str
    input: StoredFile
    metadata: Any
    end: str
    state: str = COURSE[0]
    output: str | None = None
    errors: str | None = None
    problems: list[Line] = field(default_factory=list)
    completed: int = 0
    hidden: int = 0

    @property
    def requests(self) -> int:
        return self.input.content.count(b"\n")

    def described(self) -> Line:
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 1,
            "input_file_id": self.input.id,
            "status": self.state,
            "metadata": self.metadata,
            "output_file_id": self.output,
            "error_file_id": self.errors,
            "errors": {"object": "list", "data": self.problems} if self.problems else None,
            "request_counts": {"total": self.requests, "completed": self.completed, "failed": 0},
        }


class Batches:
    """The service; `faults` is the share of calls that are done and yet fail, `odd` bends results as real ones do.

    `ends` are the ends that batches come to, in turn; a random one where there is none left. `page` is how much a list
    shows at once, `hidden_from` how many lists do not show a new batch yet, `alter` what is done to the output lines of
    a batch before they are stored. `room` is how many requests may be at the service at once.
    """

    def __init__(
        self,
        *,
        faults: float = 0.0,
        odd: bool = False,
        fates: bool = False,
        ends: Sequence[str] = (),
        seed: int = 0,
        journal: Path | None = None,
        page: int = 3,
        hidden_from: int = 0,
        room: int | None = None,
        alter: Callable[[list[Line]], list[Line]] | None = None,
    ) -> None:
        self.files: dict[str, StoredFile] = {}
        self.batches: dict[str, StoredBatch] = {}
        self.live = 0
        self._faults, self._odd, self._fates = faults, odd, FATES if fates else {}
        self._ends = list(ends)
        self._random = random.Random(seed)
        self._journal = journal.open("a", encoding="utf-8") if journal else None
        self._page = page
        self._hidden_from = hidden_from
        self._room = room
        self._alter = alter
        self.entries: list[Entry] = []

    def answer(self, request: Request) -> Response:
        if request.path.endswith("/chat/completions"):
            self.live += 1
            return self._chat(request)
        if self._random.random() < self._faults / 2:
            return error(500, "not now")
        response = self._route(request)
        if self._random.random() < self._faults / 2:  # done, and yet nobody hears of it
            return self._random.choice([error(502, "lost on the way"), response.cut(max(0, len(response.body) // 2))])
        return response

    def _route(self, request: Request) -> Response:
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match request.method, url.path.removeprefix("/v1/").split("/"):
            case "POST", ["files"]:
                return body(self._upload(request).described())
            case "GET", ["files"]:
                return self._listed([file.described() for file in self.files.values()][::-1], query)
            case "GET", ["files", name, "content"] if name in self.files:
                return Response(200, (self.files[name].content,), "application/octet-stream")
            case "POST", ["batches"]:
                return self._create(request.json)
            case "GET", ["batches"]:
                return self._listed([batch.described() for batch in self._shown("after" in query)][::-1], query)
            case "GET", ["batches", name] if name in self.batches:
                self._go_on(self.batches[name])
                return body(self.batches[name].described())
            case "POST", ["batches", name, "cancel"] if name in self.batches:
                batch = self.batches[name]
                if batch.state in COURSE:
                    batch.state, batch.end = "cancelling", "cancelled"
                return body(batch.described())
            case _:
                return error(404, f"no such thing: {request.path}")

    def _upload(self, request: Request) -> StoredFile:
        head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
        message = email.message_from_bytes(head + request.body, policy=email.policy.HTTP)
        parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
        content = parts["file"].get_payload(decode=True)
        purpose = parts["purpose"].get_payload(decode=True).decode()
        return self._store(parts["file"].get_filename(), purpose, content)

    def _store(self, name: str, purpose: str, content: bytes) -> StoredFile:
        stored = StoredFile(f"file-{len(self.files) + 1}", name, purpose, content)
        self.files[stored.id] = stored
        return stored

    def _listed(self, items: list[Line], query: Mapping[str, str]) -> Response:
        if purpose := query.get("purpose"):
            items = [item for item in items if item["purpose"] == purpose]
        names = [item["id"] for item in items]
        start = names.index(query["after"]) + 1 if "after" in query else 0
        shown = items[start : start + self._page]
        return body({"object": "list", "data": shown, "has_more": start + self._page < len(items)})

    def _shown(self, further: bool) -> list[StoredBatch]:
        shown = [batch for batch in self.batches.values() if batch.hidden <= 0]
        for batch in self.batches.values():
            batch.hidden -= not further
        return shown

    def _create(self, asked: Line) -> Response:
        if asked.get("input_file_id") not in self.files:
            return error(400, f"No such File object: {asked.get('input_file_id')}", param="input_file_id")
        end = self._ends.pop(0) if self._ends else self._random.choice(ENDS if self._odd else ENDS[:1])
        batch = StoredBatch(f"batch_{len(self.batches) + 1}", self.files[asked["input_file_id"]], None, end)
        batch.metadata = asked.get("metadata")
        batch.hidden = self._hidden_from
        self.batches[batch.id] = batch
        return body(batch.described())

    def _go_on(self, batch: StoredBatch) -> None:
        if batch.state == batch.end or batch.end == "stuck":
            return
        if batch.state == COURSE[0] and self._room is not None and batch.requests > self._room - self._taken():
            batch.end = "no room"
        if batch.end in ("failed", "no room"):
            code = "token_limit_exceeded" if batch.end == "no room" else "invalid"
            batch.problems = [{"code": code, "message": f"the batch is {code}", "line": 1, "param": None}]
            batch.state = batch.end = "failed"
            self._note(batch, [json.loads(line)["custom_id"] for line in batch.input.content.splitlines()], "nothing")
        elif batch.state in COURSE[:2]:
            batch.state = COURSE[COURSE.index(batch.state) + 1]
        else:
            self._finish(batch)

    def _taken(self) -> int:
        return sum(batch.requests for batch in self.batches.values() if batch.state in COURSE[1:])

    def _finish(self, batch: StoredBatch) -> None:
        done, failed = self._results(batch)
        if self._odd:
            self._random.shuffle(done)
        batch.completed = len(done)
        lost = batch.end == "cancelled" and self._odd and self._random.random() < 0.3
        if done and not lost:
            lines = self._alter(done) if self._alter else done
            batch.output = self._store("output.jsonl", "batch_output", _jsonl(lines)).id
        if failed or (self._odd and self._random.random() < 0.5):
            batch.errors = self._store("errors.jsonl", "batch_output", _jsonl(failed)).id
        self._note(batch, [line["custom_id"] for line in done], "nothing" if lost else "ok")
        self._note(batch, [line["custom_id"] for line in failed], "error")
        batch.state = batch.end

    def _results(self, batch: StoredBatch) -> tuple[list[Line], list[Line]]:
        done: list[Line] = []
        failed: list[Line] = []
        partial = batch.end in ("expired", "cancelled")
        for number, line in enumerate(batch.input.content.splitlines()):
            asked = json.loads(line)
            luck = self._random.random() if self._odd or partial else 1.0
            if partial and luck < 0.5:
                failed.append(_error_line(number, asked, code=f"batch_{batch.end}"))
            elif luck < 0.1:
                failed.append(_error_line(number, asked, status=self._random.choice((429, 500))))
            elif luck < 0.15:
                self._note(batch, [asked["custom_id"]], "nothing")
            else:
                done.append(self._reply_line(number, asked))
                if luck < 0.2:
                    done.append(done[-1])
        return done, failed

    def _reply_line(self, number: int, asked: Line) -> Line:
        request = Request(number, 0.0, "POST", asked["url"], {}, json.dumps(asked["body"]).encode())
        content: Any = self._chat(request).body.decode()
        if not (self._odd and self._random.random() < 0.3):
            content = json.loads(content)
        response = {"status_code": 200, "request_id": f"req_{number}", "body": content}
        return {"id": f"batch_req_{number}", "custom_id": asked["custom_id"], "response": response, "error": None}

    def _chat(self, request: Request) -> Response:
        digest = prompt_sha256(request)
        completion = len(plan_for(digest)) // 4
        usage = {"prompt_tokens": 1000, "completion_tokens": completion, "total_tokens": 1000 + completion}
        fate = self._fates.get(draw_fate(request))
        return fate(request, digest, usage) if fate else as_asked(request, reply_to(request), usage=usage)

    def _note(self, batch: StoredBatch, names: Sequence[str], what: str) -> None:
        for name in names:
            entry = Entry(batch.id, name, what)
            self.entries.append(entry)
            if self._journal:
                self._journal.write(json.dumps(entry.__dict__) + "\n")
        if self._journal:
            self._journal.flush()


def _error_line(number: int, asked: Line, *, status: int | None = None, code: str = "") -> Line:
    named = {"id": f"batch_req_{number}", "custom_id": asked["custom_id"]}
    if status is None:
        return {**named, "response": None, "error": {"code": code, "message": "not done in time"}}
    failed = {"error": {"message": "try again", "type": None, "param": None, "code": None}}
    return {**named, "response": {"status_code": status, "request_id": "req", "body": failed}, "error": None}


def _jsonl(lines: Sequence[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def answer_as_run_batch_does(requests: Path, results: Path) -> None:
    """vLLM's run-batch: results in another order, and with fields of its own."""
    service = Batches()
    lines = []
    for number, line in enumerate(requests.read_text(encoding="utf-8").splitlines()):
        asked = json.loads(line)
        request = Request(number, 0.0, "POST", asked["url"], {}, json.dumps(asked["body"]).encode())
        answered = json.loads(service.answer(request).body)
        response = {"status_code": 200, "request_id": f"vllm-batch-{number}", "body": answered}
        lines.append({"id": f"vllm-{number}", "custom_id": asked["custom_id"], "response": response, "error": None})
    results.write_bytes(_jsonl(lines[::-1]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.server.batches")
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--odd", action="store_true")
    parser.add_argument("--fates", action="store_true")
    parser.add_argument("--ends", nargs="*", default=())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=int, default=3)
    parser.add_argument("--hidden-from", type=int, default=0)
    parser.add_argument("--room", type=int)
    parser.add_argument("--journal", type=Path)
    with Server(Batches(**vars(parser.parse_args())).answer) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
