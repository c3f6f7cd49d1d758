"""Lists of papers: JSONL, CSV, Parquet, text, and stdin."""

import csv
import io
import shutil
from contextlib import chdir, suppress
from functools import cache
from random import Random
from typing import Any

from planner.batch.corpus import assign_paper_ids, collect_corpus_without_ids
from planner.errors import UsageError
from tests.batch.program import make_papers
from tests.fuzz.context import Context, Input
from tests.fuzz.mutations import ODD_TEXTS, change_bytes, change_json, change_text, write_json

SOURCES = ("a.md", "papers/b.md", "2001.00001", "missing.pdf", "../a.md", "/etc", "arXiv:2001.00002v3")
FORMS = (".jsonl", ".csv", ".txt", ".parquet", "-")


def make_manifest(dice: Random) -> Input:
    """Return a list of papers, as JSONL, CSV, Parquet or text, with damage."""
    rows: list[dict[str, Any]] = [
        {"id": f"p{number}", "title": f"Paper {number}", "abstract": "We gate.", "path": dice.choice(SOURCES)}
        for number in range(dice.choice((1, 4, 30)))
    ]
    rows = [change_json(row, dice) if dice.random() < 0.4 else row for row in rows]
    form = dice.choice(FORMS)
    if form == ".jsonl":
        text = "\n".join(write_json(row, dice).replace("\n", " ") for row in rows)
    elif form == ".csv":
        text = _write_csv([row for row in rows if isinstance(row, dict)])
    elif form == ".parquet":
        return Input(form.encode() + b"\n" + change_bytes(write_sound_parquet(), dice))
    else:
        text = "\n".join(dice.choices((*SOURCES, *ODD_TEXTS), k=6))
    if dice.random() < 0.5:
        text = change_text(text, dice)
    data = text.encode("utf-8", "replace")
    return Input(form.encode() + b"\n" + (change_bytes(data, dice) if dice.random() < 0.2 else data))


def _write_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, sorted({str(name) for row in rows for name in row}), extrasaction="ignore")
    writer.writeheader()
    with suppress(csv.Error):
        writer.writerows(rows)
    return out.getvalue()


@cache
def write_sound_parquet() -> bytes:
    """Return a list of four papers as Parquet."""
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    columns = {"id": ["1", "2", "3", "4"], "title": ["A", "B", "C", "D"], "path": list(SOURCES[:4])}
    parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def check_manifest(given: Input, context: Context) -> str:
    """Collect the papers of a list; their ids must be different and be names of files."""
    ending, _, data = given.data.partition(b"\n")
    make_papers(context.folder / "papers", 1)
    shutil.copy(context.folder / "papers" / "paper0000.md", context.folder / "a.md")
    shutil.copy(context.folder / "papers" / "paper0000.md", context.folder / "papers" / "b.md")
    path = context.folder / f"list{ending.decode()}"
    try:
        with chdir(context.folder):
            if ending == b"-":
                found = collect_corpus_without_ids(("-",), stdin_text=data.decode("utf-8", "replace"))
            else:
                path.write_bytes(data)
                found = collect_corpus_without_ids((str(path),))
            ids = [entry.id for entry in assign_paper_ids(found, {}).entries]
    except UsageError:
        return "refused file"
    assert len({name.casefold() for name in ids}) == len(ids)
    for name in ids:
        (context.folder / f"{name}.json").touch(exist_ok=False)
        assert (context.folder / f"{name}.json").parent == context.folder
    assert all(problem.reason for problem in found.problems)
    return "read" if ids else "no papers"
