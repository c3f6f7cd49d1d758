"""Whole sites: what is written, what is taken away, what is refused, and that each page keeps its own policy."""

import base64
import hashlib
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli import cli
from planner.errors import Outcome, UsageError
from planner.files import write_file_atomically
from planner.site.build import build_site
from planner.site.entries import create_planned_entry
from planner.site.pages import render_entry_page
from planner.site.views import build_paper_view
from planner.trajectory.reader import read_trajectory
from tests.site.made import plan_record, render_published, small_run, trajectory, write_entry


def packed(index: Path) -> dict[str, list[object]]:
    found = re.search(r'<script type="application/json" id="_data">(.*?)</script>', index.read_text(encoding="utf-8"))
    assert found
    return dict(json.loads(found[1]))


def test_a_site_is_an_index_and_a_page_a_paper(tmp_path: Path) -> None:
    built = build_site([small_run(tmp_path / "run")], tmp_path / "out")
    assert (built.paper_count, built.entry_count, built.unread_files) == (5, 15, ())
    assert len(list((tmp_path / "out" / "papers").iterdir())) == 5
    data = packed(built.index_path)
    assert len(data["rows"]) == 15
    assert set(data["outcomes"]) == {"planned", "refused", "truncated"}
    assert ["shared-codebook", "shared-codebook"] in data["papers"]


def test_a_site_is_the_same_every_time(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    build_site([run], tmp_path / "one", with_docsify_site=True)
    build_site([run], tmp_path / "two", with_docsify_site=True)
    ours = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(ours) > 15
    for path in ours:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_every_style_and_script_is_named_by_the_policy_and_nothing_else_is(tmp_path: Path) -> None:
    build_site([small_run(tmp_path / "run")], tmp_path / "out")
    for path in [tmp_path / "out" / "index.html", *(tmp_path / "out" / "papers").iterdir()]:
        text = path.read_text(encoding="utf-8")
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
        assert policy and policy[1].startswith("default-src &#39;none&#39;;")
        parts = re.findall(r"<style>(.*?)</style>|<script>(.*?)</script>", text, re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256("".join(part).encode()).digest()).decode() for part in parts}
        assert set(re.findall(r"sha256-([^&]+)&#39;", policy[1])) == hashes
        assert "unsafe" not in policy[1] and "http" not in policy[1]


def test_pages_of_papers_that_are_gone_are_taken_away_and_others_stay(tmp_path: Path) -> None:
    write_entry(tmp_path / "run", trajectory("One"))
    gone = write_entry(tmp_path / "run", trajectory("Two"))
    build_site([tmp_path / "run"], tmp_path / "out")
    write_file_atomically(tmp_path / "out" / "papers" / "mine.html", "<p>not of this program")
    os.mkfifo(tmp_path / "out" / "papers" / "pipe.html")
    gone.unlink()
    build_site([tmp_path / "run"], tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out" / "papers").iterdir()) == [
        "One.html",
        "mine.html",
        "pipe.html",
    ]


def test_what_makes_no_sense_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        build_site([tmp_path / "nothing"], tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no plan was found"):
        build_site([tmp_path / "empty"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_file_atomically(tmp_path / "home" / "index.html", "<h1>My home page</h1>")
    with pytest.raises(UsageError, match="did not write"):
        build_site([small_run(tmp_path / "run")], tmp_path / "home")


def test_the_site_may_lie_in_the_run(tmp_path: Path) -> None:
    write_entry(tmp_path / "run", trajectory(), plan_record(trajectory()))
    for _ in range(2):
        assert build_site([tmp_path / "run"], tmp_path / "run" / "site", with_docsify_site=True).entry_count == 1


def test_runs_are_compared_on_one_page(tmp_path: Path) -> None:
    for run in ("before", "after"):
        write_entry(tmp_path / run / "trajectories", trajectory())
    built = build_site([tmp_path / "before", tmp_path / "after"], tmp_path / "out")
    assert (built.paper_count, built.entry_count) == (1, 2)
    text = (tmp_path / "out" / "papers" / "A_Paper.html").read_text(encoding="utf-8")
    assert "(reviewer, before)" in text and "(reviewer, after)" in text


def test_plans_of_different_texts_with_one_id_are_told_apart(tmp_path: Path) -> None:
    for model, digest in (("a", "1" * 64), ("b", "2" * 64)):
        planned = trajectory(model=model)
        record = plan_record(planned)
        write_entry(
            tmp_path / "run",
            planned,
            record.model_copy(update={"paper": record.paper.model_copy(update={"sha256": digest})}),
        )
    build_site([tmp_path / "run"], tmp_path / "out")
    assert "texts with the same id" in (tmp_path / "out" / "papers" / "A_Paper.html").read_text(encoding="utf-8")


def test_the_line_under_a_title_counts() -> None:
    one, two = create_planned_entry(trajectory(model="a")), create_planned_entry(trajectory(model="b"))
    lost = replace(two, trajectory=None, outcome=Outcome.REFUSED)
    assert build_paper_view([one]).summary == "1 plan · 2 ablations"
    assert build_paper_view([one, two]).summary == "2 plans · 4 ablations · models agree on 2"
    assert build_paper_view([one, lost]).summary == "1 plan and 1 not planned · 2 ablations"
    assert build_paper_view([lost]).summary == "0 plans and 1 not planned"


def test_docsify_has_the_published_layout_with_inert_files(tmp_path: Path) -> None:
    hostile = trajectory("A|B]_(c)", reasoning="<script>alert(1)</script>")
    write_file_atomically(tmp_path / "run" / "a.md", render_published(hostile))
    write_entry(tmp_path / "run", trajectory("Plain"))
    built = build_site([tmp_path / "run"], tmp_path / "out", with_docsify_site=True)
    root = tmp_path / "out" / "docsify"
    assert sorted(path.name for path in root.iterdir()) == [
        "_sidebar.md",
        "index.html",
        "trajectories",
        "trajectories.md",
    ]
    table = (root / "trajectories.md").read_text(encoding="utf-8")
    assert "| Plain | [plan](/trajectories/lm-planner/gpt-4o/Plain) |" in table
    assert "A&#124;B&#93; &#40;c&#41;" in table
    published = [read_trajectory(path) for path in sorted((root / "trajectories").rglob("*.md"))]
    assert published[0].reasoning == hostile.reasoning
    assert "<script>" not in next((root / "trajectories").rglob("A*.md")).read_text(encoding="utf-8")
    start = (root / "index.html").read_text(encoding="utf-8")
    assert start.count('integrity="sha384-') == 2
    assert built.unread_files == ()


def test_of_two_trajectories_with_one_place_docsify_names_the_second(tmp_path: Path) -> None:
    for run in ("a", "b"):
        write_entry(tmp_path / run, trajectory())
    built = build_site([tmp_path / "a", tmp_path / "b"], tmp_path / "out", with_docsify_site=True)
    assert [file.reason for file in built.unread_files] == ["another trajectory has the same path"]


def test_one_page_holds_all_it_needs() -> None:
    text = render_entry_page(create_planned_entry(trajectory()))
    assert text.startswith("<!doctype html>")
    assert "Routing without learning" in text
    assert not re.search(r'(?:src|href)="(?!#|data:image/svg)', text)


def test_the_command_prints_the_index_and_warns_of_what_it_left_out(tmp_path: Path) -> None:
    run = small_run(tmp_path / "run")
    (run / "trajectories" / "notes.md").write_text("# notes", encoding="utf-8")
    done = CliRunner().invoke(cli, ["site", str(run), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0
    assert done.stdout == f"{tmp_path / 'out' / 'index.html'}\n"
    assert "warning: run/trajectories/notes.md: not a trajectory" in done.stderr
    assert "13 plans, 2 failures" in done.stderr
    wrong = CliRunner().invoke(cli, ["site", str(tmp_path / "none"), "-o", str(tmp_path / "out")])
    assert wrong.exit_code == 2 and "no such folder" in wrong.stderr


def test_the_published_trajectories_are_a_site(shared: Path, tmp_path: Path) -> None:
    built = build_site([shared / "trajectories"], tmp_path / "out", with_docsify_site=True)
    assert (built.paper_count, built.entry_count, built.unread_files) == (513, 1400, ())
    pages = [built.index_path, *(tmp_path / "out" / "papers").iterdir()]
    assert sum(path.stat().st_size for path in pages) <= 40_000_000
    files = {path.relative_to(shared / "trajectories") for path in (shared / "trajectories").rglob("*.md")}
    published = tmp_path / "out" / "docsify" / "trajectories"
    assert {path.relative_to(published) for path in published.rglob("*.md")} == files
