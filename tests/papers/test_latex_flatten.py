"""LaTeX files to one text: inputs, comments, conditionals, verbatim places."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.papers.latex.flatten import FlattenedSource, flatten_source
from planner.papers.latex.scan import BraceGroups, LatexScanner
from planner.papers.sources import SourceTree, build_source_tree
from tests.papers.build import tree


def flatten(text: str, **others: str) -> FlattenedSource:
    files = {"main.tex": text} | {name.replace("__", "/") + ".tex": content for name, content in others.items()}
    return flatten_source(SourceTree("t", {name: content.encode for name, content in files.items()}), "main.tex")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a % b\nc", "a \nc"),
        ("a% b\n  c", "ac"),
        ("% whole line\nb", "b"),
        ("50\\% kept % gone", "50\\% kept "),
        ("a\\\\% row\nb", "a\\\\\nb"),
        ("x%\n\ny", "x\n\ny"),
        ("\\verb|% stays|", "\\verb|% stays|"),
        ("\\begin{verbatim}\n% stays \\fi\n\\end{verbatim}", "\\begin{verbatim}\n% stays \\fi\n\\end{verbatim}"),
        ("\\url{http://a/%20b} c", "\\url{http://a/%20b} c"),
        ("a\\begin{comment}\nno\n\\end{comment}b", "ab"),
        ("a\\iffalse no \\if x no \\fi no \\fi b", "a b"),
        ("\\iftrue yes\\else no\\fi", " yes"),
        ("\\if0 no\\else yes\\fi", " yes"),
        ("\\newif\\ifdraft \\ifdraft no\\else yes\\fi \\drafttrue\\ifdraft so\\fi", " yes  so"),
        ("\\ifx\\a\\b one\\else two\\fi", "\\ifx\\a\\b one\\else two\\fi"),
        ("$a \\iff b$ and c", "$a \\iff b$ and c"),
        ("\\excludecomment{hide}a\\begin{hide}no\\end{hide}b", "\\excludecomment{hide}ab"),
        (
            "\\lstnewenvironment{py}{}{}\\begin{py}# 5 % 3\\end{py}",
            "\\lstnewenvironment{py}{}{}\\begin{py}# 5 % 3\\end{py}",
        ),
        ("a\\endinput b", "a"),
        ("a\\end{document} b", "a\\end{document}"),
    ],
)
def test_what_tex_would_not_read_is_gone_and_all_else_stays(source: str, text: str) -> None:
    assert flatten(source).text == text


def test_inputs_are_followed_within_the_root_wherever_the_main_file_lies(tmp_path: Path) -> None:
    tree(
        tmp_path / "paper",
        {
            "paper/main.tex": "\\input{../results/t} \\input sections/a \\import{deep/}{b} \\subfile{sub}",
            "paper/sections/a.tex": "A",
            "paper/deep/b.tex": "B\\input{c}",
            "paper/deep/c.tex": "C",
            "paper/sub.tex": "\\documentclass[main]{subfiles}\\begin{document}S\\end{document} no",
            "results/t.tex": "T",
        },
    )
    assert flatten_source(build_source_tree(tmp_path / "paper"), "paper/main.tex").text == "T A BC S"


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../etc/passwd", "../secret", "|ls", "~/x", "C:/x"])
def test_nothing_outside_the_root_is_read(tmp_path: Path, path: str) -> None:
    tree(tmp_path, {"secret.tex": "SECRET", "paper/main.tex": f"a\\input{{{path}}}b"})
    flattened = flatten_source(build_source_tree(tmp_path / "paper"), "main.tex")
    assert flattened.text == "ab"
    assert any(path in warning for warning in flattened.warnings)


def test_a_link_out_of_the_root_is_no_file_of_the_paper(tmp_path: Path) -> None:
    tree(tmp_path, {"secret.tex": "SECRET", "paper/main.tex": "a\\input{link}b"})
    (tmp_path / "paper" / "link.tex").symlink_to(tmp_path / "secret.tex")
    assert flatten_source(build_source_tree(tmp_path / "paper"), "main.tex").text == "ab"


def test_cycles_end_and_are_reported() -> None:
    flattened = flatten("1\\input{a}", a="2\\input{b}", b="3\\input{a}4")
    assert flattened.text == "1234"
    assert any("includes itself" in warning for warning in flattened.warnings)


def test_a_dead_branch_is_not_followed() -> None:
    flattened = flatten("\\iffalse\\input{a}\\fi ok", a="SECRET")
    assert (flattened.text, flattened.files) == (" ok", ("main.tex",))


def test_what_is_read_twice_on_every_level_is_stopped() -> None:
    others = {f"f{i}": f"\\input{{f{i + 1}}}\\input{{f{i + 1}}}" for i in range(30)} | {"f30": "x" * 1000}
    with pytest.raises(Exception, match="includes over"):
        flatten("\\input{f0}", **others)


@given(st.text(alphabet="ab{}[]\\%$ \n#|iffalseverbbegin", max_size=300))
def test_any_text_is_flattened_without_a_fault_and_marks_go_forward(text: str) -> None:
    assert isinstance(flatten(text).text, str)
    positions = [token.start for token in LatexScanner(text)]
    assert positions == sorted(set(positions))


@given(st.text(alphabet="ab{}\\", max_size=100))
def test_a_group_is_always_balanced(text: str) -> None:
    groups = BraceGroups(text)
    for position in (i for i, c in enumerate(text) if c == "{"):
        if found := groups.read_group(position):
            inner = found[0].replace("\\\\", "").replace("\\{", "").replace("\\}", "")
            assert inner.count("{") == inner.count("}")
