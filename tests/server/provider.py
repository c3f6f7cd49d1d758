"""A provider with the habits of real ones, as a process of its own: latency, faults, rate limits, a bill.

`python -m tests.server.provider --faults 0.3 --journal FILE` prints its base address and answers until stdin closes.
Every answer to a prompt is a function of the prompt, so a calm run and a stormy one must come to the same plans; the
faults around it are random. What was asked, and what it was billed at, goes to the journal, a JSON object a line.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.scripted import contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error
from tests.server.server import Server

PROMPT_TOKENS_PER_CHAR = 0.25
PRICE = (1.0, 4.0)  # USD per million tokens, in and out
MAX_FAULTS_IN_A_ROW = 5  # faults that one prompt meets in a row; the program gives a paper up after eight of them


@dataclass(frozen=True)
class Entry:
    """A line of the journal; `prompt` is the hash of the messages as `Prompt.sha256` has it."""

    at: float
    prompt: str
    what: str
    tokens: int
    cost: float


def read_journal(path: Path) -> list[Entry]:
    return [Entry(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def prompt_sha256(request: Request) -> str:
    messages = request.json["messages"]
    canonical = json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def draw_fate(request: Request) -> str:
    """A hexadecimal digit drawn from the paper's title and the number of messages (9: to spread over few papers)."""
    title = next((line for line in request.prompt.split("\n") if line.startswith("Title: ")), "")
    return hashlib.sha256(f"9 {title} {len(request.json['messages'])}".encode()).hexdigest()[0]


def plan_for(digest: str) -> str:
    """A plan that depends on the prompt alone."""
    ablation = {
        "name": f"Without part {digest[:6]}",
        "ablated_part": f"part {digest[6:12]}",
        "action": "REMOVE",
        "metrics": ["accuracy"],
    }
    return contract(f"The part {digest[6:12]} is never taken out. " + "It matters. " * 20, [ablation])


def reply_to(request: Request) -> str:
    """The plan for a prompt; for one that shows the faults of a draft, the draft without them."""
    *_, last = request.json["messages"]
    if not last["content"].startswith("A program has compared your plan with the paper."):
        return plan_for(prompt_sha256(request))
    *_, draft, _ = request.json["messages"]
    ablation = json.loads(next(line for line in draft["content"].split("\n") if line.startswith("{")))
    mended = {**ablation, "ablated_part": "the residual", "metrics": ["training time"]}
    return contract("Finding 1: mended, because the paper says residual.\nIt is never taken out.", [mended])


# What some papers always meet, by the first digit of the hash of the prompt; one in sixteen each.
FATES: Mapping[str, Callable[[Request, str, Mapping[str, Any]], Response]] = {
    "0": lambda request, digest, usage: as_asked(request, plan_for(digest)[:80], finish_reason="length", usage=usage),
    "1": lambda request, digest, usage: as_asked(request, "", refusal="I will not plan that.", usage=usage),
    "2": lambda request, digest, usage: as_asked(request, "Here is my plan: do less.", usage=usage),
}


class Allowance:
    """So much a minute, counted over the last sixty seconds."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self._past: deque[tuple[float, float]] = deque()

    def wait(self, amount: float) -> float:
        """Seconds until so much would be allowed; 0 takes it."""
        now = time.monotonic()
        while self._past and self._past[0][0] <= now - 60:
            self._past.popleft()
        used = sum(flowed for _, flowed in self._past)
        if self.limit is None or used + amount <= self.limit:
            self._past.append((now, amount))
            return 0.0
        return self._past[0][0] + 60 - now if self._past else 60.0


class Provider:
    """Answers requests; `faults` is the share of them that go wrong, at most `MAX_FAULTS_IN_A_ROW` for one prompt."""

    def __init__(
        self,
        *,
        latency: float = 0.0,
        faults: float = 0.0,
        fates: bool = False,
        rpm: float | None = None,
        tpm: float | None = None,
        headers: bool = False,
        quota: int | None = None,
        refuse_after: int | None = None,
        journal: Path | None = None,
        plain: bool = False,
        seed: int = 0,
    ) -> None:
        self._latency = latency
        self._faults = faults
        self._fates = FATES if fates else {}
        self._requests, self._tokens = Allowance(rpm), Allowance(tpm)
        self._headers = headers
        self._left = quota
        self._until_refusal = refuse_after
        self._plain = plan_for("0" * 64) if plain else ""
        self._journal = journal.open("a", encoding="utf-8") if journal else None
        self._random = random.Random(seed)
        self._faults_in_a_row: Counter[str] = Counter()

    def answer(self, request: Request) -> Response:
        if self._plain:
            self._note("", "plain", {"prompt_tokens": 0, "completion_tokens": 0})
            return as_asked(request, self._plain).late(self._latency)
        digest = prompt_sha256(request)
        completion = len(plan_for(digest)) // 4
        prompt = int(len(request.prompt) * PROMPT_TOKENS_PER_CHAR)
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        response, what = self._response(request, digest, usage)
        billed = response.status == 200
        self._note(digest, what, usage if billed else {"prompt_tokens": 0, "completion_tokens": 0})
        return response.late(self._latency).saying(self._said())

    def _response(self, request: Request, digest: str, usage: Mapping[str, Any]) -> tuple[Response, str]:
        if self._left is not None:
            self._left -= 1
            if self._left < 0:
                return error(429, "You exceeded your current quota", code="insufficient_quota"), "quota"
        if self._until_refusal is not None:
            self._until_refusal -= 1
            if self._until_refusal in (-1, -2):
                return error(429, "slow down", headers={"Retry-After": "1"}), "429"
        wait = self._requests.wait(1) or self._tokens.wait(usage["total_tokens"])
        if wait:
            return error(429, "rate limit reached", headers={"Retry-After": f"{wait:.3f}"}), "429"
        if self._random.random() < self._faults and self._faults_in_a_row[digest] < MAX_FAULTS_IN_A_ROW:
            self._faults_in_a_row[digest] += 1
            return self._fault(request, usage)
        del self._faults_in_a_row[digest]
        fate = self._fates.get(draw_fate(request))
        return (
            (fate(request, digest, usage), "fate")
            if fate
            else (as_asked(request, reply_to(request), usage=usage), "ok")
        )

    def _fault(self, request: Request, usage: Mapping[str, Any]) -> tuple[Response, str]:
        whole = as_asked(request, reply_to(request), usage=usage)
        html = Response(200, (b"<html>gateway</html>",), "text/html")
        return self._random.choice(
            [
                (error(429, "slow down", headers={"Retry-After": "0.05"}), "429"),
                (error(500, "internal error"), "500"),
                (error(503, "overloaded"), "503"),
                (whole.cut(len(whole.body) // 2), "cut"),
                (Response(200, (b'{"choices": [{"mess',)), "not json"),
                (html, "wrong type"),
                (whole.hanging(20), "stall"),
            ]
        )

    def _said(self) -> dict[str, str]:
        if not self._headers:
            return {}
        limits = (("requests", self._requests.limit), ("tokens", self._tokens.limit))
        return {f"x-ratelimit-limit-{name}": f"{limit:.0f}" for name, limit in limits if limit}

    def _note(self, digest: str, what: str, usage: Mapping[str, int]) -> None:
        if self._journal is None:
            return
        prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
        cost = (prompt * PRICE[0] + completion * PRICE[1]) / 1e6
        entry = Entry(time.time(), digest, what, prompt + completion, cost)
        self._journal.write(json.dumps(asdict(entry)) + "\n")
        self._journal.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.server.provider")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--fates", action="store_true")
    parser.add_argument("--rpm", type=float)
    parser.add_argument("--tpm", type=float)
    parser.add_argument("--quota", type=int)
    parser.add_argument("--refuse-after", type=int)
    parser.add_argument("--headers", action="store_true")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--plain", action="store_true", help="the same plan for everybody, as cheaply as can be")
    parser.add_argument("--seed", type=int, default=0)
    with Server(Provider(**vars(parser.parse_args())).answer) as server:
        sys.stdout.write(server.base_url + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
