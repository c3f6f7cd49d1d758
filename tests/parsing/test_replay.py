"""Every published trajectory, served as a reply in the output contract, parses to what it holds."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from planner.chat import Completion
from planner.errors import Outcome, OutputError
from planner.parsing.reply import parse_reply

FILE = re.compile(
    r"🧠 Reasoning Trace</h2>\n\n(?P<reasoning>.*)\n</div>\n\n<div [^\n]*>\n<h2[^\n]*📋 Ablation Plan</h2>\n\n"
    r"(?P<plan>.*?)\n+</div>$",
    re.DOTALL,
)
WITHOUT_REPLACEMENT = 2


def published_items(plan: str) -> list[dict[str, Any]]:
    return [_item(chunk.split("\n")) for chunk in re.split(r"^### ", plan, flags=re.MULTILINE)[1:]]


def _item(lines: list[str]) -> dict[str, Any]:
    def of(label: str) -> str:
        return next(line for line in lines if line.startswith(f"- **{label}**: ")).split(": ", 1)[1]

    return {
        "name": lines[0],
        "ablated_part": of("Ablated Part"),
        "action": of("Action"),
        "replacement": [line.removeprefix("  - ") for line in lines if line.startswith("  - ")],
        "metrics": of("Metrics").split(", "),
    }


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("nothing", [None, []])
def test_every_published_file_parses_to_itself(shared: Path, ascii_only: bool, nothing: object) -> None:
    files = sorted((shared / "trajectories").rglob("*.md"))
    flawed = 0
    for path in files:
        match = FILE.search(path.read_bytes().decode("utf-8"))
        assert match, path
        items = published_items(match["plan"])
        lines = [json.dumps({**i, "replacement": i["replacement"] or nothing}, ensure_ascii=ascii_only) for i in items]
        text = f"<discussion>\n{match['reasoning']}\n</discussion>\n<predictions>\n" + "\n".join(lines)
        completion = Completion(text=f"{text}\n</predictions>", finish_reason="stop")
        if any(i["action"] != "REMOVE" and not i["replacement"] for i in items):
            flawed += 1
            with pytest.raises(OutputError, match="needs at least one replacement") as caught:
                parse_reply(completion, len(items))
            assert caught.value.outcome is Outcome.INVALID
            continue
        reply = parse_reply(completion, len(items))
        assert reply.reasoning == match["reasoning"], path
        assert [a.model_dump(mode="json") for a in reply.plan.ablations] == items, path
        assert reply.notes == (), (path, reply.notes)
    assert len(files) > 1000
    assert flawed == WITHOUT_REPLACEMENT
