"""Make random Markdown papers for measurements, by default of 80 KB, the length of a full paper."""

import random
from pathlib import Path

_WORDS = (
    *("the", "gate", "residual", "attention", "encoder", "loss", "training"),
    *("data", "baseline", "accuracy", "result", "layer", "fusion", "module"),
)
_HEADINGS = ("1 Introduction", "2 Method", "3 Architecture", "4 Experiments", "4.1 Ablation", "5 Conclusion")


def make_papers(folder: Path, count: int, size: int = 80_000) -> Path:
    """Write `count` papers of about `size` bytes, each different, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(count)
    paragraphs = [" ".join(draw.choice(_WORDS) for _ in range(100)) for _ in range(200)]
    for number in range(count):
        parts = [f"# On gates, part {number}\n\n## Abstract\n\nWe study gate number {number} of many."]
        for heading in _HEADINGS:
            body, length = [], 0
            while length < size // len(_HEADINGS):
                body.append(draw.choice(paragraphs))
                length += len(body[-1])
            parts.append(f"## {heading}\n\n" + "\n\n".join(body))
        (folder / f"p{number:05}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return folder
