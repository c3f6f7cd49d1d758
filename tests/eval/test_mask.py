"""Masked copies: what names an ablation is found, shown and taken out, and the copy is read as the paper was."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from eval.__main__ import main
from eval.gold import read_gold
from eval.masking import find_edits, list_maskable_sections, render_copy
from planner.papers.load import load_paper
from planner.papers.paper import Block, BlockKind, Section, SectionKind
from planner.schema import Ablation
from tests.eval.conftest import Run
from tests.eval.made import ablation
from tests.papers_made import paper

PAPER = """\
# Tides by Gated Patches

Ada Fisher, University of Somewhere

## Abstract

We forecast tides with a recurrent model over patches of the sea. A harmonic gate bounds the residual, and a storm
calendar marks the days on which the prior fails. Without the storm calendar, errors double on windy days. Code is on
our page.

## 1 Introduction

Tides are hard to forecast. Our model has a harmonic gate and a storm calendar (STC), which lists the storms of a year.
We also ablate the storm calendar in Section 3. The sea is wide.

## 2 Method

The storm calendar is a vector of days. The harmonic gate is a sigmoid with slope λ.

## 3 Experiments

We use two seas and report MAE.

### 3.1 Effect of the storm calendar

Errors grow by a third in this study, as Table 1 shows.

Table 1: Ablation of the gate and the storm calendar on two seas.

| Variant | North | South |
|---|---|---|
| full model | 0.08 | 0.09 |
| w/o gate | 0.10 | 0.11 |
| w/o STC | 0.12 | 0.13 |

The storm calendar matters most in the north (e.g. 0.12 in Fig. 2). The gate matters less. A slope of 2 is best for
the gate.

## References

Moreau. The storm calendar of 1953. 2009.
"""
CALENDAR = ablation("w/o STC", "storm calendar (STC): the list of stormy days")
SLOPE = ablation("slope lambda", "slope λ of the gate", "1", "4")


@pytest.fixture
def files(workdir: Path) -> Path:
    (workdir / "paper.md").write_text(PAPER, encoding="utf-8")
    rows = [each.model_dump(mode="json") for each in (CALENDAR, SLOPE)]
    label = {"id": "tides", "title": "Tides by Gated Patches", "ablations": rows}
    (workdir / "label.json").write_text(json.dumps(label), encoding="utf-8")
    return workdir


def mask(*words: str, answers: str = "") -> Result:
    command = ["mask", "paper.md", "--labels", "label.json", "-o", "masked", *words]
    return CliRunner().invoke(main, command, input=answers, prog_name="python -m eval")


def read_log(folder: Path, name: str) -> list[dict[str, str | bool]]:
    edits: list[dict[str, str | bool]] = json.loads((folder / "masked" / f"{name}.edits.json").read_text("utf-8"))[
        "edits"
    ]
    return edits


def test_rows_sentences_captions_and_headings_are_found_with_their_places(files: Path) -> None:
    result = mask("--yes")
    assert result.exit_code == 0, result.output
    found = [
        (each["kind"], each["section"], " ".join(str(each["text"]).split())) for each in read_log(files, "tides__1")
    ]
    assert found == [
        ("sentence", "Abstract", "Without the storm calendar, errors double on windy days."),
        ("sentence", "1 Introduction", "We also ablate the storm calendar in Section 3."),
        ("heading", "3.1 Effect of the storm calendar", "### 3.1 Effect of the storm calendar"),
        (
            "caption",
            "3.1 Effect of the storm calendar",
            "Table 1: Ablation of the gate and the storm calendar on two seas.",
        ),
        ("row", "3.1 Effect of the storm calendar", "| w/o STC | 0.12 | 0.13 |"),
        (
            "sentence",
            "3.1 Effect of the storm calendar",
            "The storm calendar matters most in the north (e.g. 0.12 in Fig. 2).",
        ),
    ]
    assert "  row in '3.1 Effect of the storm calendar': | w/o STC | 0.12 | 0.13 |" in result.output


def test_the_copy_is_the_paper_without_them(files: Path) -> None:
    mask("--yes")
    copy = (files / "masked" / "tides__1.md").read_text(encoding="utf-8")
    before, after = load_paper("paper.md"), load_paper("masked/tides__1.md")
    assert after.title == before.title
    assert after.abstract == before.abstract.replace("Without the storm calendar, errors double on windy days. ", "")
    assert [s.heading for s in after.sections if s.heading] == [
        s.heading for s in before.sections if s.heading and not s.heading.startswith("3.1")
    ]
    for kept in (
        "| w/o gate | 0.10 | 0.11 |",
        "The storm calendar is a vector of days.",
        "The gate matters less.",
        "1953",
    ):
        assert kept in copy
    assert "w/o STC" not in copy
    assert "double" not in copy


def test_symbols_are_found_by_letter_and_by_name(files: Path) -> None:
    text = (
        "We vary lambda. A value $\\lambda$ of two is best. With λ at 4, MAE falls. The slope of the gate is 2. Waves."
    )
    sections = (Section("Ablations", 1, SectionKind.ABLATION, (Block(BlockKind.PROSE, text),)),)
    assert [edit.text.split()[-1] for edit in find_edits(sections, SLOPE)] == ["lambda.", "best.", "falls.", "2."]


def test_a_person_confirms_each_edit(files: Path) -> None:
    result = mask(answers="y\nn\n\nn\ny\nn\n" + "n\n" * 20)
    assert result.exit_code == 0, result.output
    assert [each["is_removed"] for each in read_log(files, "tides__1")] == [True, False, True, False, True, False]
    copy = (files / "masked" / "tides__1.md").read_text(encoding="utf-8")
    assert "We also ablate the storm calendar" in copy
    assert "Effect of the storm calendar" not in copy
    assert not (files / "masked" / "tides__2.md").exists(), "nothing was confirmed"
    assert "wrote 1 of 2 copies" in result.output


def test_answers_are_gold_that_grows_by_each_copy(files: Path) -> None:
    mask("--yes")
    mask("--yes")
    gold = read_gold(files / "masked" / "answers.jsonl")
    assert gold.is_masked
    assert list(gold.papers) == ["tides__1", "tides__2"]
    assert gold.papers["tides__1"].title == "Tides by Gated Patches"


def test_a_dry_run_only_shows(files: Path) -> None:
    result = mask("--dry-run")
    assert result.exit_code == 0
    assert "row in '3.1 Effect of the storm calendar'" in result.output
    assert not (files / "masked").exists()


def test_an_end_of_the_answers_leaves_no_half_copy(files: Path) -> None:
    assert mask(answers="y\ny\n").exit_code == 1
    assert not (files / "masked").exists()


def test_a_paper_that_names_nothing_has_no_copy(run: Run, files: Path) -> None:
    label = {
        "id": "x",
        "title": "",
        "ablations": [ablation("no tokenizer", "byte-pair tokenizer").model_dump(mode="json")],
    }
    (files / "label.json").write_text(json.dumps(label), encoding="utf-8")
    result = mask("--yes")
    assert result.exit_code == 1
    assert "wrote 0 of 1 copies" in result.output


def test_labels_of_other_papers_are_refused(files: Path) -> None:
    rows: list[object] = [{"id": name, "title": f"On {name}", "ablations": []} for name in ("one", "two")]
    (files / "label.json").write_text(json.dumps(rows), encoding="utf-8")
    result = mask("--yes")
    assert result.exit_code == 2
    assert "0 of 2 papers have the id 'paper' or its title" in result.output


def test_a_hostile_paper_takes_no_long_time() -> None:
    blocks = tuple(
        Block(BlockKind.PROSE, text * 40_000) for text in ("aA", "-A", "w/o STC ", "STC. ", "| 1 2 |\n", "A b. ")
    )
    section = Section("Ablations", 1, SectionKind.ABLATION, blocks)
    started = time.monotonic()
    edits = find_edits([section], CALENDAR)
    assert len(edits) == 500
    assert time.monotonic() - started < 20


@given(st.lists(st.text(max_size=80), max_size=5), st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_edits_are_texts_of_the_paper(texts: list[str], name: str, part: str) -> None:
    blocks = tuple(Block(BlockKind.PROSE, text) for text in texts) or (Block(BlockKind.PROSE, name),)
    made = paper(sections=(Section("Ablations", 1, SectionKind.ABLATION, blocks),))
    sections = list_maskable_sections(made)
    for edit in find_edits(sections, Ablation.model_construct(name=name, ablated_part=part, replacement=(part,))):
        text = sections[edit.section].blocks[edit.block - 1].text if edit.section else made.abstract
        assert text[edit.start : edit.start + len(edit.text)] == edit.text
        assert render_copy("A Paper", sections, [edit]).startswith("# A Paper\n\n## Abstract\n\n")
