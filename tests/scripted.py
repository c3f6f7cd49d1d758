"""A model that answers from a script, for tests that need no wire."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from planner.chat import Completion, ModelInfo, Prompt, Usage
from planner.schema import Ablation

GOOD_ABLATION: Mapping[str, Any] = {
    "name": "No gate",
    "ablated_part": "harmonic residual gate",
    "action": "REMOVE",
    "replacement": [],
    "metrics": ["MAE", "STE"],
}


def contract(reasoning: str, ablations: Iterable[Mapping[str, Any] | Ablation]) -> str:
    """A reply in the output contract."""
    lines = [a.model_dump_json() if isinstance(a, Ablation) else json.dumps(a, ensure_ascii=False) for a in ablations]
    return f"<discussion>\n{reasoning}\n</discussion>\n<predictions>\n" + "\n".join(lines) + "\n</predictions>"


GOOD_REPLY = contract("The gate is never removed.", [GOOD_ABLATION])


class Scripted:
    """Gives one scripted answer a request, exceptions included, and keeps what it was asked."""

    def __init__(self, *answers: str | Completion | Exception, name: str = "scripted") -> None:
        self.info = ModelInfo("lm-planner", name, name, endpoint="http://nowhere/v1")
        self.asked: list[Prompt] = []
        self._answers: Sequence[str | Completion | Exception] = answers

    async def complete(self, prompt: Prompt) -> Completion:
        answer = self._answers[len(self.asked)]
        self.asked.append(prompt)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            return Completion(answer, finish_reason="stop", usage=Usage(100, 10), model=self.info.name)
        return answer
