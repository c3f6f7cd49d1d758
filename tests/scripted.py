"""Replies in the output contract, for tests that need no endpoint."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

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
