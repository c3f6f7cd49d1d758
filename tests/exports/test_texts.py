"""Texts for people: issues that GitHub shows as they are, a script that only creates issues, Markdown, and LaTeX."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from pylatexenc.latexwalker import (  # type: ignore[import-untyped]
    LatexCommentNode,
    LatexEnvironmentNode,
    LatexMacroNode,
    LatexNode,
    LatexWalker,
)

from planner.details import Details, RejectedAblation, RejectionReason
from planner.exports.documents import escape_github_markdown, escape_latex
from planner.sanitize import remove_unsafe_characters
from tests.exports.conftest import HOSTILE, Export
from tests.site.made import LOSS, ROUTER, plan_record, trajectory, write_entry

LINE = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(
        st.one_of(
            st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), st.sampled_from("\\`*_[]()<>~|&$#%^{}@!:")
        )
    ),
)
GH = """#!/bin/sh
for word in "$@"; do printf '%s\\n' "$word" >> "$GH_LOG"; done
printf -- '----\\n' >> "$GH_LOG"
"""
OUR_MACROS = {
    *(
        "ref",
        "centering",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
        "addlinespace",
        "multicolumn",
        "emph",
    ),
    *(
        "quad",
        "paragraph",
        "linewidth",
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
        "textless",
        "textgreater",
        "textbar",
    ),
    *("char", "\\", *"{}$&#_%"),
}


def show(markdown: str) -> str:
    """The text that a reader of Markdown sees; fail if there is more than text."""
    [token] = MarkdownIt("commonmark", {"html": True}).enable(["strikethrough"]).parseInline(markdown)
    children = token.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, markdown
    return "".join(child.content for child in children)


def flatten(text: str) -> str:
    return " ".join(remove_unsafe_characters(text).split())


@given(LINE)
def test_a_reader_of_markdown_sees_the_text_and_nothing_in_it_acts(text: str) -> None:
    line = flatten(text)
    shown = show(f"x {escape_github_markdown(line)} x")
    assert shown.replace("\u200b", "") == f"x {line} x".replace("\u200b", "")
    assert not re.search(r"[@#]\w|://|\bwww\.|\bgh-\d", shown, re.I)


def test_an_issue_has_what_to_do_and_a_checklist(plans: Path, export: Export) -> None:
    text = (export(plans, "issues") / "a-paper" / "01-routing-without-learning.md").read_text(encoding="utf-8")
    assert text == (
        "From the plan of ablations for: A Paper: of 100 % \\& more\n\n"
        "Repeat each run with 3 seeds:\n\n"
        "- [ ] Run `baseline`: the method as the paper describes it, once for all studies\n\n"
        "- **Part**: Learned sparse router\n"
        "- **Why**: detail of Routing without learning\n"
        "- **The paper says**: “detail of Routing without learning” (in nearly these words, detail of Routing without "
        "learning)\n"
        "- **Expect**: detail of Routing without learning\n"
        "- **Hold fixed**: detail of Routing without learning\n"
        "- **Effort**: retrain, 2 runs\n"
        "- **Measure**: top-1 accuracy; FLOPs per token\n\n"
        "- [ ] Run `01-hash-routing-of-tokens`: with hash routing of tokens\n"
        "- [ ] Run `01-uniform-random-routing`: with uniform random routing\n"
        "- [ ] Report the metrics of all runs beside the baseline's\n"
    )


def test_a_page_names_shared_runs_the_first_of_a_sweep_and_what_was_considered(tmp_path: Path, export: Export) -> None:
    family = ROUTER.model_copy(
        update={"name": "Parts", "ablated_part": "router and loss", "replacement": ("without the router", "no loss")}
    )
    router = ROUTER.model_copy(
        update={"name": "Routing", "ablated_part": "router", "replacement": ("removed", "a hash")}
    )
    sweep = ROUTER.model_copy(
        update={"name": "Experts", "ablated_part": "experts (default 4)", "replacement": ("64", "1", "2", "4", "8")}
    )
    planned = trajectory("paper", ablations=(family, router, sweep))
    considered = tuple(
        RejectedAblation(**{**LOSS.model_dump(), "name": name}, details=Details(), why=RejectionReason.BELOW_MIN_CHANCE)
        for name in ("# Loss", "Loss again")
    )
    record = plan_record(planned).model_copy(update={"k": 4, "considered": considered})
    write_entry(tmp_path / "plans", planned, record)
    page = (export(tmp_path / "plans", "markdown") / "paper.md").read_text(encoding="utf-8")
    assert "10 runs with the baseline; 1 may repeat a run of an earlier study; start with 8 runs" in page
    assert "`02-without-it`: without it (seems the same run as 01-without-the-router; if so, run it once)" in page
    assert "- [ ] Run `03-4`: with 4 (the method's own value: the baseline)\n" in page
    assert "- [ ] If the results of these runs differ, also run the values between them: `03-2`, `03-8`\n" in page
    then, _, rest = page.partition("\n# Then\n")[2].partition("\n# Also considered\n")
    assert "\n## 4. \\# Loss\n" in then
    assert rest == f"\n- remove {LOSS.ablated_part} (Loss again)\n"


def test_a_hostile_issue_has_the_blocks_of_any_other(hostile_plans: Path, export: Export) -> None:
    allowed = {"bullet_list", "list_item", "paragraph", "inline", "heading"}
    files = [*export(hostile_plans, "issues").rglob("*.md"), *export(hostile_plans, "markdown", "pages").rglob("*.md")]
    assert len(files) == len(HOSTILE) + 1
    for path in files:
        tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(path.read_text(encoding="utf-8"))
        assert {re.sub("_(open|close)$", "", token.type) for token in tokens} <= allowed
        inline = {child.type for token in tokens for child in token.children or ()}
        assert inline <= {"text", "text_special", "strong_open", "strong_close", "code_inline"}


def test_the_script_calls_gh_once_for_each_issue_and_nothing_else(
    plans: Path, hostile_plans: Path, export: Export, tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gh").write_text(GH, encoding="utf-8")
    (tmp_path / "bin" / "gh").chmod(0o755)
    (tmp_path / "work").mkdir()
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "GH_LOG": str(tmp_path / "log")}
    script = export(plans, "issues") / "a-paper" / "create-issues.sh"
    hostile = export(hostile_plans, "issues", "hostile") / "con_" / "create-issues.sh"
    for each in (script, hostile):
        subprocess.run(["sh", str(each)], cwd=tmp_path / "work", env=environment, check=True)
    calls = [call.splitlines() for call in (tmp_path / "log").read_text(encoding="utf-8").split("----\n")[:-1]]
    assert len(calls) == 3 + len(HOSTILE)
    assert [call[3] for call in calls[:3]] == [
        "Ablation: A plainer codebook",
        "Ablation: Routing without learning",
        "Ablation: No consistency loss",
    ]
    for call in calls:
        assert call[:3] == ["issue", "create", "--title"]
        assert call[3].startswith("Ablation: ")
        assert len(call[3]) <= 256
        assert call[4] == "--body-file"
        assert Path(call[5]).is_file()
        assert len(call) == 6
    assert not list((tmp_path / "work").iterdir())


def walk(nodes: list[LatexNode]) -> list[LatexNode]:
    found = []
    for node in nodes:
        if node is not None:
            arguments = getattr(getattr(node, "nodeargd", None), "argnlist", None)
            found += [node, *walk(list(getattr(node, "nodelist", None) or [])), *walk(list(arguments or []))]
    return found


def parse(text: str) -> list[LatexNode]:
    return walk(LatexWalker(text, tolerant_parsing=False).get_latex_nodes()[0])


@given(LINE)
def test_latex_sets_the_text_and_nothing_in_it_acts(text: str) -> None:
    line = flatten(text)
    written = escape_latex(line)
    macros = {node.macroname for node in parse(written) if isinstance(node, LatexMacroNode)}
    assert macros <= OUR_MACROS
    assert not any(isinstance(node, LatexCommentNode | LatexEnvironmentNode) for node in parse(written))
    assert "^" not in written, "TeX reads ^^ before anything else"
    assert not re.search(r"(?<!\\)[$&#%~_]", written)


def test_a_table_has_variants_as_rows_and_metrics_as_columns(plans: Path, export: Export) -> None:
    text = (export(plans, "latex") / "a-paper.tex").read_text(encoding="utf-8")
    [table] = [
        node for node in parse(text) if isinstance(node, LatexEnvironmentNode) and node.environmentname == "tabular"
    ]
    rows = [line.strip() for line in table.latex_verbatim().splitlines() if line.endswith(r"\\")]
    assert rows[0] == r"Variant & top-1 accuracy & FLOPs per token & FVD & user preference & rate & distortion \\"
    assert r"\quad hash routing of tokens &  &  & -- & -- & -- & -- \\" in rows
    assert r"\quad without Consistency loss between neighbouring frames & -- & -- &  &  & -- & -- \\" in rows
    assert len(rows) == 2 + 3 + 2 + 1 + 3
    assert r"\label{tab:ablations-a-paper}" in text
    assert "isolates the parts of A Paper: of 100 \\% \\& more, one at a time: (1) Routing without learning; " in text


def test_a_hostile_table_is_one_table(hostile_plans: Path, export: Export) -> None:
    nodes = parse((export(hostile_plans, "latex") / "con_.tex").read_text(encoding="utf-8"))
    assert {node.macroname for node in nodes if isinstance(node, LatexMacroNode)} <= OUR_MACROS
    assert [n.environmentname for n in nodes if isinstance(n, LatexEnvironmentNode)] == ["table", "tabular"]
    assert len([node for node in nodes if isinstance(node, LatexCommentNode)]) == 1


@pytest.mark.parametrize("form", ["review", "markdown", "latex"])
def test_a_text_names_each_ablation(plans: Path, export: Export, form: str) -> None:
    [path] = export(plans, form).iterdir()
    text = path.read_text(encoding="utf-8")
    for name in ("Routing without learning", "No consistency loss", "A plainer codebook"):
        assert name in text
