"""The scanner under the LaTeX loader: tokens, verbatim text, groups, options and arguments."""

import pytest
from hypothesis import given

from planner.papers.latex.scan import VERBATIM_ENVIRONMENTS, BraceGroups, LatexScanner, LatexSource
from tests.papers.latex.sources import ODD_LATEX

TOKENS = {
    "a command": ("a \\emph b", [("command", "emph")]),
    "a starred command": ("\\section*{A}", [("command", "section*")]),
    "an internal command": ("\\make@title", [("command", "make@title")]),
    "an escape": ("50\\% of", [("escape", "%")]),
    "a row's end before a comment": ("\\\\% gone", [("escape", "\\"), ("comment", " gone")]),
    "a comment to the line's end": ("% one\ntwo", [("comment", " one")]),
    "an escaped space": ("a\\ b", [("escape", " ")]),
    "a lone backslash at the end": ("a\\", [("escape", "")]),
    "verb with any delimiter": ("\\verb|%| \\verb+\\a+", [("verbatim", "verb"), ("verbatim", "verb")]),
    "verb ends with its line": ("\\verb|a\n% b", [("verbatim", "verb"), ("comment", " b")]),
    "an address": ("\\url{a%20b}", [("verbatim", "url")]),
    "an inline listing in braces": ("\\lstinline{a % b}", [("verbatim", "lstinline")]),
    "an inline listing with options": ("\\lstinline[language=C]|a % b|", [("verbatim", "verb")]),
    "minted inline": ("\\mintinline{c}|a % b|", [("verbatim", "verb")]),
    "verbatim that a macro begins": (
        "{\\begin{verbatim}} % a\n{\\end{verbatim}}",
        [("command", "begin"), ("comment", " a"), ("command", "end")],
    ),
    "a verbatim environment never closed": ("\\begin{verbatim} % a", [("command", "begin"), ("comment", " a")]),
    "verbose is not verb": ("\\verbose{a}", [("command", "verbose")]),
}


@pytest.mark.parametrize(("source", "expected"), TOKENS.values(), ids=TOKENS.keys())
def test_tokens_are_what_tex_would_act_on(source: str, expected: list[tuple[str, str]]) -> None:
    assert [(token.kind, token.name) for token in LatexScanner(source)] == expected


@pytest.mark.parametrize("star", ["", "*"], ids=["plain", "starred"])
@pytest.mark.parametrize("environment", VERBATIM_ENVIRONMENTS)
def test_within_a_verbatim_environment_nothing_is_a_mark(environment: str, star: str) -> None:
    name = environment + star
    source = f"a\\begin{{{name}}}% \\section{{No}} {{ \\fi\\end{{{name}}}b"
    (token,) = LatexScanner(source)
    assert (token.kind, token.name) == ("verbatim", name)
    assert source[: token.start] + source[token.end :] == "ab"


def test_an_environment_that_the_paper_made_verbatim_is_so() -> None:
    source = "\\begin{python}# 5 % 3\\end{python}"
    assert [token.kind for token in LatexScanner(source)] == ["command", "comment"]
    assert [token.kind for token in LatexScanner(source, extra_environments={"python"})] == ["verbatim"]


def test_a_caller_can_jump_over_what_it_has_dealt_with() -> None:
    scan = LatexScanner("\\a{\\b}\\c")
    tokens = iter(scan)
    assert next(tokens).name == "a"
    scan.position = 6
    assert next(tokens).name == "c"


GROUPS = {
    "plain": ("{a}b", ("a", 3)),
    "spaces before": ("  {a}", ("a", 5)),
    "one line break before": (" \n {a}", ("a", 6)),
    "a paragraph before": ("\n\n{a}", None),
    "nested": ("{a{b}c}", ("a{b}c", 7)),
    "escaped braces": ("{a\\}b\\{}", ("a\\}b\\{", 8)),
    "an escaped backslash before the end": ("{a\\\\}b", ("a\\\\", 5)),
    "empty": ("{}", ("", 2)),
    "never closed": ("{a", None),
    "none": ("a{b}", None),
}
OPTIONS = {
    "plain": ("[a]b", ("a", 3)),
    "brackets within braces": ("[a={[b]}]c", ("a={[b]}", 9)),
    "an escaped bracket": ("[a\\]b]", ("a\\]b", 6)),
    "spaces before": (" [a]", ("a", 4)),
    "never closed": ("[a", None),
    "closed only within braces": ("[{a]}", None),
    "longer than any": ("[" + "a" * 4_000 + "]", None),
    "none": ("a[b]", None),
}


@pytest.mark.parametrize(("source", "found"), GROUPS.values(), ids=GROUPS.keys())
def test_a_group_ends_where_tex_ends_it(source: str, found: tuple[str, int] | None) -> None:
    assert BraceGroups(source).read_group(0) == found


@pytest.mark.parametrize(("source", "found"), OPTIONS.values(), ids=OPTIONS.keys())
def test_an_option_ends_at_its_own_bracket(source: str, found: tuple[str, int] | None) -> None:
    assert BraceGroups(source).read_option(0) == found


@pytest.mark.parametrize(
    ("source", "count", "optional", "values", "rest"),
    [
        ("{a}{b}c", 2, False, ["a", "b"], "c"),
        ("[o]{a}c", 2, True, ["o", "a"], "c"),
        ("{a}c", 2, True, [None, "a"], "c"),
        ("ab", 2, False, ["a", "b"], ""),
        ("\\alpha b", 1, False, ["\\alpha"], " b"),
        ("\\%b", 1, False, ["\\%"], "b"),
        ("{a}", 2, False, ["a"], ""),
        ("}a", 1, False, [], "}a"),
        ("{a}", 0, False, [], "{a}"),
    ],
    ids=["groups", "option", "option missing", "bare", "command", "escape", "too few", "at an end", "none wanted"],
)
def test_arguments_are_taken_as_tex_takes_them(
    source: str, count: int, optional: bool, values: list[str | None], rest: str
) -> None:
    found, end = BraceGroups(source).read_arguments(0, count, optional=optional)
    assert (found, source[end:]) == (values, rest)


@pytest.mark.parametrize(
    ("source", "position", "end"),
    [("{ab}c", 2, 3), ("{a{b}c}", 5, 6), ("{a{b}c}", 3, 4), ("abc", 1, 3), ("{ab", 2, 3), ("a}b", 2, 3)],
)
def test_a_place_knows_where_its_group_ends(source: str, position: int, end: int) -> None:
    assert BraceGroups(source).find_enclosing_end(position) == end


def test_an_environment_goes_up_to_its_end_and_one_that_never_ends_is_none() -> None:
    groups = BraceGroups("a\\end{b}c")
    assert groups.read_environment("b", 0) == ("a", 8)
    assert groups.read_environment("d", 0) is None
    assert groups.read_environment("d", 2) is None
    assert groups.read_environment("b", 1) == ("", 8)


@given(ODD_LATEX)
def test_tokens_go_forward_and_never_overlap(source: str) -> None:
    end = 0
    for token in LatexScanner(source):
        assert end <= token.start < token.end <= len(source)
        end = token.end


@given(ODD_LATEX)
def test_groups_are_the_same_matched_one_by_one_and_all_at_once(source: str) -> None:
    groups = BraceGroups(source)
    assert [groups.read_group(position) for position in range(len(source))] == [
        BraceGroups(source).read_group(position) for position in range(len(source))
    ]


@given(ODD_LATEX)
def test_a_source_has_the_commands_that_are_tokens(source: str) -> None:
    commands = [token for token in LatexScanner(source) if token.kind == "command"]
    assert LatexSource(source).find_commands(bool) == commands
    assert LatexSource(source).find_commands("begin".__eq__) == [token for token in commands if token.name == "begin"]


@given(ODD_LATEX)
def test_the_end_of_a_group_is_a_brace_of_the_text(source: str) -> None:
    groups = BraceGroups(source)
    for position, character in enumerate(source):
        if character == "{" and (found := groups.read_group(position)):
            assert source[found[1] - 1] == "}"
            assert source[position + 1 : found[1] - 1] == found[0]
