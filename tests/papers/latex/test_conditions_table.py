"""Conditionals, files and environments of which a page shows one branch or nothing."""

import pytest

from tests.papers.latex.sources import join_text, read_body

SHOWN_AND_HIDDEN = {
    "a toggle": ("\\newtoggle{long}\\toggletrue{long}", "\\iftoggle{long}{SEEN words}{UNSEEN words}"),
    "a toggle that is off": ("\\newtoggle{long}", "\\iftoggle{long}{UNSEEN}{SEEN}"),
    "a toggle set by value": ("\\providetoggle{a}\\settoggle{a}{true}", "\\nottoggle{a}{UNSEEN}{SEEN}"),
    "a bool": ("\\newbool{b}\\booltrue{b}", "\\ifbool{b}{SEEN}{UNSEEN}"),
    "a boolean of ifthen": ("\\newboolean{c}\\setboolean{c}{true}", "\\ifthenelse{\\boolean{c}}{SEEN}{UNSEEN}"),
    "not, and, or": (
        "\\newif\\ifa\\atrue\\newif\\ifb",
        "\\ifthenelse{\\not\\boolean{b} \\and \\(\\boolean{a} \\or \\boolean{b}\\)}{SEEN}{UNSEEN}",
    ),
    "equal words": ("\\def\\venue{journal}", "\\ifthenelse{\\equal{\\venue}{talk}}{UNSEEN}{SEEN}"),
    "equal strings": ("\\newcommand{\\venue}{talk}", "\\ifdefstring{\\venue}{talk}{SEEN}{UNSEEN}"),
    "one in another": (
        "\\newtoggle{a}\\toggletrue{a}\\newtoggle{b}",
        "\\iftoggle{a}{SEEN \\iftoggle{b}{UNSEEN}{ALSO}}{UNSEEN \\iftoggle{a}{UNSEEN}{}}",
    ),
    "a brace in a comment": ("\\newtoggle{a}", "\\iftoggle{a}{UNSEEN % }\n UNSEEN}{SEEN % {\n }"),
    "a number": ("\\newcommand\\version{2}", "\\ifnum\\version>1 SEEN\\else UNSEEN\\fi"),
    "a counter": ("\\newcounter{v}\\setcounter{v}{2}", "\\ifnum\\value{v}>1 SEEN\\else UNSEEN\\fi"),
    "a new counter": ("\\newcounter{v}", "\\ifthenelse{\\value{v}=0}{SEEN}{UNSEEN}"),
    "a defined command": ("\\def\\full{}", "\\ifdefined\\full SEEN\\else UNSEEN\\fi \\ifdef{\\full}{}{UNSEEN}"),
    "an undefined command": ("\\def\\full{}\\let\\full\\undefined", "SEEN \\iffalse UNSEEN\\fi"),
    "a flag called false": ("\\newtoggle{false}\\toggletrue{false}", "SEEN \\iffalse UNSEEN\\fi"),
    "a flag called true": ("\\newtoggle{true}\\togglefalse{true}", "\\iftrue SEEN\\else UNSEEN\\fi"),
    "compared to undefined": ("\\def\\full{1}", "\\ifx\\full\\undefined UNSEEN\\else SEEN\\fi"),
    "two names alike": ("\\def\\a{x}\\def\\b{x}", "\\ifx\\a\\b SEEN\\else UNSEEN\\fi"),
    "a case": ("", "\\ifcase 1 UNSEEN\\or SEEN\\or UNSEEN\\else UNSEEN\\fi"),
    "no case": ("", "\\ifcase 7 UNSEEN\\or UNSEEN\\else SEEN\\fi"),
    "unless": ("\\newif\\ifshort\\shorttrue", "SEEN \\unless\\ifshort UNSEEN\\fi"),
    "an environment without its body": ("\\NewEnviron{aside}{}", "\\begin{aside}UNSEEN\\end{aside}SEEN"),
    "an environment with its body": ("\\NewEnviron{aside}{\\BODY}", "\\begin{aside}SEEN\\end{aside}"),
    "an environment as a comment": (
        "\\newenvironment{aside}{\\comment}{\\endcomment}",
        "\\begin{aside}UNSEEN\\end{aside}SEEN",
    ),
    "an excluded version": ("\\excludeversion{aside}", "\\begin{aside}UNSEEN\\end{aside}SEEN"),
    "a file's contents": ("", "\\begin{filecontents*}{a.txt}\nUNSEEN\n\\end{filecontents*}SEEN"),
}


@pytest.mark.parametrize("name", SHOWN_AND_HIDDEN)
def test_only_the_shown_branch_is_read(name: str) -> None:
    preamble, body = SHOWN_AND_HIDDEN[name]
    text = join_text(read_body(f"\\section{{A}} {body} AFTER", preamble))
    assert "SEEN" in text.replace("UNSEEN", "") and "UNSEEN" not in text and "AFTER" in text


UNKNOWN = {
    "a toggle of a package": "\\iftoggle{elsewhere}{ONE}{TWO}",
    "a command of a package": "\\ifdefined\\elsewhere ONE\\else TWO\\fi",
    "a counter of LaTeX": "\\setcounter{page}{1}\\ifnum\\value{page}>1 ONE\\else TWO\\fi",
    "a counter counted up": "\\newcounter{v}\\stepcounter{v}\\ifnum\\value{v}>1 ONE\\else TWO\\fi",
    "a condition in words": "\\ifthenelse{\\isodd{\\thepage}}{ONE}{TWO}",
    "long definitions": "\\newcommand{\\a}[1]{#1}\\newcommand{\\b}[1]{(#1)}\\ifx\\a\\b ONE\\else TWO\\fi",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_both_branches_of_an_unknown_condition_are_kept(name: str) -> None:
    text = join_text(read_body(f"\\section{{A}} {UNKNOWN[name]}"))
    assert "ONE" in text and "TWO" in text


def test_only_the_files_of_includeonly_are_included() -> None:
    files = {"parts/one.tex": "FIRST", "parts/two.tex": "SECOND", "three.tex": "THIRD"}
    body = "\\section{A}\\include{parts/one}\\include{./parts/two}\\input{three}"
    text = join_text(read_body(body, "\\includeonly{ parts/one.tex, other}", files))
    assert "FIRST" in text and "THIRD" in text and "SECOND" not in text


@pytest.mark.parametrize("option", ["", "[overwrite]"])
def test_a_file_that_the_paper_writes_is_read_where_it_is_input(option: str) -> None:
    written = f"\\begin{{filecontents*}}{option}{{parts/one.tex}}\nWRITTEN\n\\end{{filecontents*}}"
    text = join_text(read_body("\\section{A}BEFORE \\input{parts/one} AFTER", written))
    assert text.index("BEFORE") < text.index("WRITTEN") < text.index("AFTER")


def test_a_written_file_does_not_replace_one_of_the_paper() -> None:
    written = "\\begin{filecontents}{one.tex}\nWRITTEN\n\\end{filecontents}"
    text = join_text(read_body("\\section{A}\\input{one}", written, {"one.tex": "FOUND"}))
    assert "FOUND" in text and "WRITTEN" not in text


def test_a_document_in_a_listing_does_not_begin_or_end_the_paper() -> None:
    shown = "\n\\documentclass{a}\\begin{document}SHOWN\\end{document}\n"
    listing = f"BEFORE\\begin{{lstlisting}}{shown}\\end{{lstlisting}}AFTER"
    text = join_text(read_body("\\section{A}\\input{usage}", "", {"usage.tex": listing}))
    assert all(word in text for word in ("BEFORE", "SHOWN", "AFTER"))


def test_deep_conditionals_are_read_in_linear_time() -> None:
    depth = 3_000
    body = "\\iftoggle{a}{x" * depth + "}{UNSEEN}" * depth + " END"
    text = join_text(read_body(f"\\section{{A}} {body}", "\\newtoggle{a}\\toggletrue{a}"))
    assert "END" in text and "UNSEEN" not in text
