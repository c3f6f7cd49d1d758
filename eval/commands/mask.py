"""The command `mask`: write copies of a paper from each of which one labelled ablation was taken out."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from eval.commands.options import output_option
from eval.gold import AuthorGold, read_gold
from eval.masking import Edit, find_edits, list_maskable_sections, render_copy
from eval.tables import read_table_rows
from planner.errors import UsageError
from planner.files import write_file_atomically
from planner.names import sanitize_file_name
from planner.papers.load import load_paper
from planner.papers.paper import Paper, Section
from planner.sanitize import make_printable
from planner.schema import Ablation, Task

ANSWERS_FILE: Final = "answers.jsonl"


@click.command(epilog="Example: python -m eval mask paper.pdf --labels paper.json -o masked")
@click.argument("paper", type=click.Path(exists=True))
@click.option(
    "--labels",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="JSON or JSONL: id, title, and the ablations that the paper reports.",
)
@output_option("the copies, their edits and answers.jsonl", required=True)
@click.option("--yes", "takes_all", is_flag=True, help="Take out everything that is found, and ask nothing.")
@click.option("--dry-run", is_flag=True, help="Only show what is found.")
def mask(paper: str, labels: Path, output: Path, takes_all: bool, dry_run: bool) -> None:
    """Take each labelled ablation out of a copy of PAPER, as a reviewer's task with a known answer.

    What names the ablation is shown with its place, and each edit is asked for. Read a copy before you use it:
    neighbouring text may still tell the answer, and a table that marks parts by columns needs edits by hand.
    """
    loaded = load_paper(paper)
    gold = _choose_labels(labels, loaded)
    sections = list_maskable_sections(loaded)
    written = 0
    for number, ablation in enumerate(gold.ablations, start=1):
        copy_id = f"{gold.id}__{number}"
        edits = find_edits(sections, ablation)
        click.echo(make_printable(f"{copy_id}: {ablation.action} {ablation.ablated_part}: {len(edits)} places"))
        removed = [edit for edit in edits if _is_confirmed(edit, takes_all, dry_run)]
        if removed and not dry_run:
            _write_copy(output, copy_id, loaded, sections, ablation, edits, removed)
            written += 1
    if not dry_run:
        click.echo(make_printable(f"wrote {written} of {len(gold.ablations)} copies to {output}"))
        raise SystemExit(0 if written else 1)


def _choose_labels(labels: Path, paper: Paper) -> AuthorGold:
    """Return the labels of the paper: those with its id or title, or the only ones."""
    papers = [gold for gold in read_gold(labels, Task.AUTHOR).papers.values() if isinstance(gold, AuthorGold)]
    same = [gold for gold in papers if gold.id == paper.id or _is_same_title(gold.title, paper.title)]
    if len(same or papers) != 1:
        raise UsageError(f"{labels}: {len(same)} of {len(papers)} papers have the id {paper.id!r} or its title")
    (chosen,) = same or papers
    return chosen


def _is_same_title(a: str, b: str) -> bool:
    return bool(a.strip()) and a.casefold().split() == b.casefold().split()


def _is_confirmed(edit: Edit, takes_all: bool, dry_run: bool) -> bool:
    page = f", page {edit.page}" if edit.page else ""
    click.echo(make_printable(f"  {edit.kind} in {edit.heading!r}{page}: {' '.join(edit.text.split())}"))
    return takes_all or dry_run or click.confirm("  Take it out?", default=True)


def _write_copy(
    output: Path,
    copy_id: str,
    paper: Paper,
    sections: Sequence[Section],
    ablation: Ablation,
    edits: Sequence[Edit],
    removed: Sequence[Edit],
) -> None:
    name = sanitize_file_name(copy_id)
    answer = ablation.model_dump(mode="json")
    log = {
        "id": copy_id,
        "source": paper.source,
        "sha256": paper.sha256,
        "answer": answer,
        "edits": [{**_describe_edit(edit), "is_removed": edit in removed} for edit in edits],
    }
    write_file_atomically(output / f"{name}.md", render_copy(paper.title, sections, removed))
    write_file_atomically(output / f"{name}.edits.json", json.dumps(log, ensure_ascii=False, indent=1) + "\n")
    row = {"id": copy_id, "title": paper.title, "answers": [answer]}
    lines = (json.dumps(each, ensure_ascii=False) + "\n" for each in _replace_row(output / ANSWERS_FILE, row))
    write_file_atomically(output / ANSWERS_FILE, "".join(lines))


def _describe_edit(edit: Edit) -> dict[str, Any]:
    return {"kind": edit.kind, "section": edit.heading, "page": edit.page, "text": edit.text}


def _replace_row(path: Path, row: dict[str, Any]) -> Iterator[Any]:
    """Yield the rows of a file of answers, with this one in the place of an earlier one of its id, or at the end."""
    rows = {each.get("id"): each for each in read_table_rows(path)} if path.is_file() else {}
    yield from {**rows, row["id"]: row}.values()
