"""A page's content: the paper's head, formulas, only numbers that are known, plans first and failures apart."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.chat import REUSED_NOTE
from planner.cli import cli
from planner.errors import Outcome
from planner.planning.record import PlanRecord
from planner.site.build import build_site
from planner.site.entries import add_record_to_entry, create_entry_without_trajectory, create_planned_entry
from planner.site.facts import fix_title_case
from planner.site.pages import render_paper_page
from planner.site.views import build_paper_view
from tests.site.made import LOSS, ROUTER, failed, plan_record, trajectory, write_entry


def record_paper(title: str = "A Paper", **facts: object) -> PlanRecord:
    record = plan_record(trajectory(), title=title)
    return record.model_copy(update={"paper": record.paper.model_copy(update=facts)})


def show(record: PlanRecord) -> str:
    return str(render_paper_page(build_paper_view([add_record_to_entry(create_planned_entry(trajectory()), record)])))


def read_head(html: str) -> str:
    found = re.search(r'<div class="head">(.*?)</div>', html, re.DOTALL)
    assert found
    return found[1]


def test_the_title_leads_to_arxiv_above_authors_and_abstract() -> None:
    record = record_paper(
        r"Routing in $O(n)$ & <less>",
        source="arxiv:2507.08038v2",
        authors=("Ada Example", "Bo <b>Sample"),
        abstract="We route\ntokens in $n^2$ steps & <i>more</i>.",
    )
    head = read_head(show(record))
    assert '<a href="https://arxiv.org/abs/2507.08038v2" rel="noopener noreferrer">Routing in <math' in head
    assert "&amp; &lt;less&gt;</a></h1>" in head
    assert '<p class="authors" dir="auto">Ada Example, Bo &lt;b&gt;Sample</p>' in head
    assert '<code dir="auto">arXiv:2507.08038v2</code>' in head
    assert "We route tokens in <math" in head
    assert "steps &amp; &lt;i&gt;more&lt;/i&gt;." in head


def test_a_paper_from_a_file_names_the_file_and_shows_no_more_than_is_known() -> None:
    head = read_head(show(record_paper(source="/home/ada/secret/a.pdf")))
    assert '<h1 dir="auto">A Paper</h1>' in head
    assert '<p class="paper-id">Read from <code dir="auto">a.pdf</code></p>' in head
    assert not re.search("secret|authors|Abstract", head)


@pytest.mark.parametrize(
    ("paper_id", "source", "found"),
    [
        ("a", "2507.08038", ("arXiv:2507.08038", "https://arxiv.org/abs/2507.08038")),
        ("a", "https://arxiv.org/pdf/2507.08038v1", ("arXiv:2507.08038v1", "https://arxiv.org/abs/2507.08038v1")),
        ("a", "papers/2507.08038v3.tar.gz", ("arXiv:2507.08038v3", "https://arxiv.org/abs/2507.08038v3")),
        ("2507.08038", "", ("arXiv:2507.08038", "https://arxiv.org/abs/2507.08038")),
        ("a", "papers\\b.pdf", ("b.pdf", "")),
        ("a", "https://evil.example/abs/2507.08038/x", ("x", "")),
        ("a", "", ("", "")),
    ],
)
def test_a_source_is_an_arxiv_id_or_a_file(paper_id: str, source: str, found: tuple[str, str]) -> None:
    record = record_paper(id=paper_id, source=source)
    view = build_paper_view([create_entry_without_trajectory("run", record)])
    assert (view.source, view.address) == found


@pytest.mark.parametrize(
    ("title", "text", "shown"),
    [
        ("A MODEL OF THE WEATHER", "", "A Model of the Weather"),
        ("BERT: A NET OF DEEP LAYERS", "BERT and bert and BERT", "BERT: A Net of Deep Layers"),
        ("LORA FOR 3D LLMS IN GPT-4", "LoRA tunes LLMs", "LoRA for 3D LLMs in GPT-4"),
        ("NETWORKS FOR NLP: AN ATLAS OF PART II", "", "Networks for NLP: An Atlas of Part II"),
        (r"WHAT'S IN $\alpha\BETA$ AND \LATEX NOW", "", r"What's in $\alpha\BETA$ and \LATEX Now"),
        ("CLIP REVISITED", "", "CLIP REVISITED"),
        ("Scaling BERT", "", "Scaling BERT"),
        ("少样本三维重建中的一致性学习", "", "少样本三维重建中的一致性学习"),
    ],
)
def test_a_title_in_capitals_is_set_as_others_are(title: str, text: str, shown: str) -> None:
    assert fix_title_case(title, text) == shown


def test_one_title_is_the_same_on_every_page() -> None:
    record = record_paper("A MODEL OF NON-STATIONARY RAIN", abstract="We model LoRA.")
    shouted = trajectory(ablations=(LOSS.model_copy(update={"name": "NON NON NON"}),))
    pages = [
        build_paper_view([add_record_to_entry(create_planned_entry(plan), record)]) for plan in (trajectory(), shouted)
    ]
    assert {page.title for page in pages} == {"A Model of Non-Stationary Rain"}


def test_a_title_and_an_abstract_without_end_cost_no_hours() -> None:
    record = record_paper("THE WORD $x$ \\( " * 100_000, abstract="We \\( show $x$ " * 100_000)
    assert len(show(record)) < 200_000


def test_what_is_not_known_is_not_shown() -> None:
    record = record_paper().model_copy(update={"cost": None, "seconds": 0.0})
    unpriced = tuple(attempt.model_copy(update={"cost": None}) for attempt in record.attempts)
    entry = add_record_to_entry(create_planned_entry(trajectory()), record.model_copy(update={"attempts": unpriced}))
    [panel] = build_paper_view([entry]).panels
    assert panel.summary == "reviewer task · 2 ablations"
    assert not {"Cost", "Time"} & dict(panel.facts).keys()
    assert panel.replies[0].heading == "Attempt 1: planned, 14.2 s"


def test_warnings_are_counted_where_they_stand() -> None:
    """That a stored reply was used is none; those of the plan stand apart, and on their card too."""
    record = record_paper().model_copy(update={"warnings": (REUSED_NOTE,)})
    assert "warning" not in show(record).partition("<main")[2]
    name = trajectory().plan.ablations[0].name
    warnings = (REUSED_NOTE, "411 zero-width characters were left out", f"ablation 1 ({name!r}): too vague")
    record = record.model_copy(update={"warnings": warnings})
    page = show(record)
    assert '<summary class="warn">2 warnings</summary>' in page
    assert page.index("too vague") < page.index("411 zero-width") < page.index('<p class="label warn">Warning</p>')


def test_plans_come_before_failures() -> None:
    lost = create_entry_without_trajectory("", failed(plan_record(trajectory(model="a")), Outcome.REFUSED, "no"))
    planned = create_planned_entry(trajectory(model="b"))
    assert [panel.label for panel in build_paper_view([lost, planned]).panels] == ["b", "a"]


def test_a_failure_and_a_paper_that_could_not_be_read_are_on_the_site_with_their_reasons(tmp_path: Path) -> None:
    for name, outcome in (("bad", Outcome.PAPER_ERROR), ("lost", Outcome.REFUSED), ("good", None)):
        planned = trajectory(name)
        record = plan_record(planned)
        record = failed(record, outcome, f"why {name}") if outcome else record
        write_entry(tmp_path / "run", planned, record, planned=outcome is None)
    done = CliRunner().invoke(cli, ["site", str(tmp_path / "run"), "-o", str(tmp_path / "out")])
    assert done.stderr == "3 papers, 1 plan, 2 failures; open the index in a browser:\n"
    assert {path.stem for path in (tmp_path / "out" / "papers").iterdir()} == {"bad", "lost", "good"}
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert '"paper_error"' in text
    assert "why lost" in text
    assert "why bad" in text
    page = (tmp_path / "out" / "papers" / "bad.html").read_text(encoding="utf-8")
    assert "<h3>Not planned: paper error</h3>" in page
    assert "why bad" in page


def test_the_index_has_formulas_as_plain_text(tmp_path: Path) -> None:
    planned = trajectory("p", ablations=(LOSS.model_copy(update={"name": r"No $\ell_2$ term"}),))
    write_entry(tmp_path / "run", planned, plan_record(planned, title=r"An $\alpha$-GAN"))
    text = build_site([tmp_path / "run"], tmp_path / "out").index_path.read_text(encoding="utf-8")
    assert "An α-GAN" in text
    assert "No ℓ_2 term" in text
    assert "ell" not in re.findall(r'id="_data">(.*?)</script>', text)[0]


def test_a_page_of_one_plan_has_the_title_on_record(tmp_path: Path) -> None:
    planned = trajectory("p", ablations=(ROUTER,))
    path = write_entry(tmp_path, planned, plan_record(planned, title="The Title"))
    page = CliRunner().invoke(cli, ["show", str(path), "--to", "html"]).stdout
    assert "<title>The Title</title>" in page
    assert '<h1 dir="auto">The Title</h1>' in page
