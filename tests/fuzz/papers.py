"""Papers in each format, and folders of sources in archives."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from planner.chat import TokenCounter
from planner.errors import PaperError
from planner.planning.first_prompt import PlanSettings
from planner.reading.request import (
    READ_LIMITS,
    RESULT_SIZE,
    PromptRequest,
    ReadRequest,
    ReadResultOrError,
    decode_result,
    encode_error,
    encode_result,
)
from planner.reading.worker import read_paper_with_prompts
from planner.schema import Task
from tests.fuzz.context import Context, Input
from tests.fuzz.mutations import change_bytes, change_text, list_tokens
from tests.papers.build import BODY, PROSE, WHOLE, gzipped, tarred, zipped
from tests.papers.pdf.make import BOLD, Entry, Page, pdf
from tests.reading.build import OFFLINE, read_or_catch

PROMPTS = tuple(PromptRequest(PlanSettings(task, 2), TokenCounter()) for task in Task)
HEADINGS = ("Introduction", "Related Work", "Method", "Experiments", "Ablation Study", "Conclusion", "References")
ROWS = (("full", "81.25"), ("w/o gears", "77.50"), ("- gate", "70.1"))
LATEX_TOKENS = list_tokens(
    r"\begin{table} \end{table} \begin{ \end{document} \section{ \section*{A} \input{main} $x_{1}^{2}$ \[ \] % \\ & #1"
    r" \newcommand{\a}[1]{\a{#1#1}} \a{x} \def\b{\b\b} \b \iffalse \fi \else \ifx \verb| \cite{a} \ref{ \footnote{"
    r" \begin{comment} \end{comment} \begin{verbatim} \let\a\b \csname \expandafter {\bf \textcolor{white}{"
)
HTML_TOKENS = list_tokens(
    "<div> <p> <table><tr><td> </table> <h2>A <math><mi>x</mi> <svg> <style>p{color:#fff}</style> <style>"
    " <template> <script> <![CDATA[ <ul><li> <pre> <br> <section> <!doctype <title>",
    *('<p style="display:none">', "<td rowspan=9999 colspan=9999>", "<a href='", "<annotation encoding='"),
)
MARKDOWN_TOKENS = list_tokens(
    "**bold** ![](x) <table> $$x$$ ======",
    *("|a|b|\n|-|-|\n|1|2|\n", "|" * 300, "---\ntitle: x\n---\n", "# A\n", "## 1.1 B\n", "> > > ", "- - - ", "* * *"),
    *("**bold**\n", "[a]: b\n", "```python\n", "1) ", "Abstract\n", "\n\n\n"),
)
PDF_TOKENS = list_tokens(
    "obj endobj stream endstream << >> /Count BT ET Tj cm 999999999 -1e38 xref %%EOF",
    *("/Length 99999999", "/Kids [1 0 R]", "/Count -1", "1 0 R", "q " * 50, "/Filter /FlateDecode", "/F1 1e9 Tf"),
)


def _make_markdown(dice: Random) -> str:
    table = "\n".join(["| model | MAE |", "|---|---|", *(f"| {name} | {value} |" for name, value in ROWS)])
    parts = [f"## {heading}\n\n{PROSE * dice.randint(1, 4)}\n\n{table}\n" for heading in HEADINGS]
    return "# Gearbox\n\n**Abstract**\n\nWe present a widget.\n\n" + "\n".join(parts)


def _make_text(dice: Random) -> str:
    parts = [f"{number}. {heading}\n\n{PROSE * dice.randint(1, 4)}\n" for number, heading in enumerate(HEADINGS, 1)]
    return "Gearbox\n\nAbstract\n\nWe present a widget.\n\n" + "\n".join(parts)


def _make_html(dice: Random) -> str:
    rows = "".join(f"<tr><td>{name}</td><td>{value}</td></tr>" for name, value in ROWS)
    parts = [
        f"<section><h2>{h}</h2><p>{PROSE * dice.randint(1, 4)}</p><table>{rows}</table></section>" for h in HEADINGS
    ]
    return f"<html><head><title>Gearbox</title></head><body><h1>Gearbox</h1>{''.join(parts)}</body></html>"


def _make_latex(dice: Random) -> str:
    return WHOLE.replace("More.", PROSE * dice.randint(1, 9))


def make_marked_up(write: Callable[[Random], str], tokens: Sequence[str], dice: Random) -> Input:
    """Return a text with damage to its markup or to its bytes."""
    text = write(dice)
    if dice.random() < 0.2:
        return Input(change_bytes(text.encode(dice.choice(("utf-8", "utf-16", "latin-1"))), dice))
    return Input(change_text(text, dice, tokens).encode("utf-8", "surrogatepass"))


def make_archive(dice: Random) -> Input:
    """Return an archive of a LaTeX source with damage to its files, their names or its bytes."""
    main = _make_latex(dice).replace(BODY, "\\input{sections/intro}")
    names = ["main.tex", "sections/intro.tex", "refs.bbl", "figures/a.tex", "00README.json"]
    files = {names[0]: main, names[1]: BODY, names[2]: "\\bibitem{a} A.", names[3]: "\\input{main}", names[4]: "{}"}
    for name in dice.sample(names, k=dice.randint(0, 2)):
        files[name] = change_text(files[name], dice, LATEX_TOKENS)
    if dice.random() < 0.3:
        name = dice.choice(names)
        files[_make_member_name(name, dice)] = files.pop(name)
    content = {name: text.encode("utf-8", "replace") for name, text in files.items()}
    pack = dice.choice((zipped, tarred, partial(tarred, packing="bz2"), partial(tarred, packing="xz"), _pack_one))
    data = pack(content)
    return Input(change_bytes(data, dice) if dice.random() < 0.6 else data)


def _make_member_name(name: str, dice: Random) -> str:
    odd = dice.choice(("../" * 3 + name, "/" + name, "d/" * 30 + name, name * 200, change_text(name, dice)[:3000]))
    return odd.encode("utf-8", "replace").decode().replace("\x00", "0") or "x"


def _pack_one(files: dict[str, bytes]) -> bytes:
    return gzipped(next(iter(files.values())))


def make_pdf(dice: Random) -> Input:
    """Return a PDF with damage to what its pages paint, to its objects or to its bytes."""
    pages = [Page() for _ in range(3)]
    for page, heading in zip(pages, HEADINGS, strict=False):
        page.text(72, 740, heading, size=dice.choice((10, 14)), font=BOLD)
        page.lines(72, 700, [PROSE[:90]] * 40)
        page.operators = change_text("\n".join(page.operators), dice, PDF_TOKENS).split("\n")
    outline = [Entry(heading, dice.randint(1, 3)) for heading in HEADINGS[:3]]
    for page in pages:
        page.operators = [line.encode("latin-1", "replace").decode("latin-1") for line in page.operators]
    data = pdf(pages, outline, "Gearbox")
    if dice.random() < 0.4:
        return Input(change_bytes(data, dice))
    if dice.random() < 0.5:
        return Input(change_text(data.decode("latin-1"), dice, PDF_TOKENS).encode("latin-1", "replace"))
    return Input(data)


def check_paper(given: Input, context: Context) -> str:
    """Read a paper in this process, as a reader does; its prompts must come over to the program."""
    request = ReadRequest("-", given.data, prompts=PROMPTS, keep_paper=True)
    try:
        encoded = encode_result(read_paper_with_prompts(request, OFFLINE, READ_LIMITS))
    except PaperError as error:
        encoded = encode_error(error)
    assert encoded[: RESULT_SIZE.size] == RESULT_SIZE.pack(len(encoded) - RESULT_SIZE.size)
    try:
        return _name_outcome(decode_result(encoded[RESULT_SIZE.size :]))
    except PaperError as error:
        return _name_outcome(error)


def check_paper_apart(given: Input, context: Context) -> str:
    """Read a paper in a process of its own, since a library in C may crash."""
    return _name_outcome(context.run(read_or_catch(context.reader, ReadRequest("-", given.data, prompts=PROMPTS))))


def _name_outcome(result: ReadResultOrError) -> str:
    if isinstance(result, PaperError):
        assert "\n" not in str(result)
        assert "made its reader fail (exit code 1" not in str(result), result
        return "paper_error"
    for prompt in result.prompts:
        assert isinstance(prompt, Exception) or json.loads(prompt.prompt.messages_json)
    return "read"


make_markdown = partial(make_marked_up, _make_markdown, MARKDOWN_TOKENS)
make_text = partial(make_marked_up, _make_text, MARKDOWN_TOKENS)
make_html = partial(make_marked_up, _make_html, HTML_TOKENS)
make_latex = partial(make_marked_up, _make_latex, LATEX_TOKENS)
