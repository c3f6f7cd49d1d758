"""The output of a dry run: the papers that were found, and their estimated tokens, cost and time."""

import json

from planner.batch.entry import Corpus
from planner.batch.estimate import Estimate
from planner.cli.wording import duration
from planner.controls import printable_json


def estimate_text(corpus: Corpus, estimates: list[Estimate]) -> str:
    """Return one line for each paper, then one for each model."""
    lines = [f"{entry.id}\t{entry.kind}\t{entry.source}" for entry in corpus.entries]
    lines += [f"unreadable\t{reason}" for reason in estimates[0].unreadable]
    for each in estimates:
        cost = "?" if each.cost is None else f"${each.cost:.2f}"
        to = f"to {each.asked.host}" if each.asked.host else "nothing is sent"
        lines.append(
            f"{each.asked.card.name}: {each.papers:,} papers, about {each.prompt_tokens:,} tokens, about {cost}, "
            f"about {duration(each.seconds)}, {to}"
        )
    return "\n".join(lines)


def estimate_json(corpus: Corpus, estimates: list[Estimate]) -> str:
    """Return the papers and the estimates as one JSON object."""
    whole = {
        "papers": [{"id": e.id, "kind": e.kind, "source": e.source} for e in corpus.entries],
        "problems": [{"source": p.source, "what": p.what} for p in corpus.problems],
        "unreadable": estimates[0].unreadable,
        "models": [
            {
                "model": each.asked.card.name,
                "papers": each.papers,
                "tokens": each.prompt_tokens,
                "cost": each.cost,
                "seconds": each.seconds,
                "host": each.asked.host,
            }
            for each in estimates
        ],
    }
    return printable_json(json.dumps(whole, ensure_ascii=False, indent=1))
