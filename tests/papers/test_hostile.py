"""Sources made to break a reader: each is a reading or a named error, soon and in little memory."""

import random
import resource
import time
from pathlib import Path

import pytest

from planner.errors import PaperError
from planner.papers.load import load_paper, read_paper_bytes
from planner.reading.request import ReadRequest
from tests.papers.build import BODY, MAIN, gzipped, tarred, tree, zipped
from tests.reading.build import read_all

SECONDS = 10.0


def outcome(name: str, data: bytes) -> str:
    """Return the end of reading: "read", or the error; anything else is a failure of the test."""
    started = time.monotonic()
    try:
        read_paper_bytes(data, name)
        ended = "read"
    except PaperError as error:
        ended = str(error)
    assert time.monotonic() - started < SECONDS
    return ended


def start(body: str) -> bytes:
    return ("\\documentclass{article}\\begin{document}" + body).encode()


MACROS = "".join("\\newcommand{\\" + chr(97 + i) + "x}{" + ("\\" + chr(98 + i) + "x") * 4 + "}" for i in range(20))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (gzipped(bytes(400_000_000)), "bomb.gz"),
        (gzipped(tarred({"a.tex": bytes(200_000_000)}, packing="")), "bomb.tar.gz"),
        (tarred({"a.tex": bytes(200_000_000)}, packing="bz2"), "bomb.tar.bz2"),
        (tarred({"a.tex": bytes(200_000_000)}, packing="xz"), "bomb.tar.xz"),
        (zipped({f"{i}.tex": bytes(19_000_000) for i in range(8)}), "bomb.zip"),
        (zipped({"a.zip": zipped({"b.zip": zipped({"c.tex": MAIN.encode()})})}), "nested.zip"),
        (zipped({"d/" * 5_000 + "a.tex": MAIN.encode()}), "deep.zip"),
        (b"a" * 200_000_000, "line.txt"),
        (b"a" * 19_000_000, "line.md"),
        (start("\\input{main}" * 20_000), "main.tex"),
        (start("\\input{/etc/passwd}\\immediate\\write18{touch /tmp/x}"), "main.tex"),
        (start(MACROS + "\\title{\\ax}\\begin{abstract}\\ax\\end{abstract}"), "laughs.tex"),
        (start("\\newcommand{\\a}[1]{\\a{\\a{#1#1}}}\\title{\\a{x}}"), "self.tex"),
        (("<html>" + "<div>" * 100_000).encode(), "deep.html"),
        (("<html>" + "<table><tr><td>a</td><td>b</td></tr><tr><td>" * 20_000).encode(), "tables.html"),
        (
            ("<style>" + "i b div div p{color:red}" * 5_000 + "</style><div>" * 50 + "<p>a" * 3_000).encode(),
            "rules.html",
        ),
        (("# a\n\n" + ">" * 200_000).encode(), "quotes.md"),
        (("# a\n\n" + "- " * 100_000).encode(), "lists.md"),
        (("# " + "*a _b " * 30_000).encode(), "stars.md"),
        (("a" + "\u0301\u0323" * 200_000).encode(), "marks.txt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_made_source_ends_soon_and_small(data: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    started = time.monotonic()
    read_all(ReadRequest(str(tmp_path / name)))
    assert time.monotonic() - started < SECONDS + 5  # with the start of the process
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert used < 1_100_000  # kilobytes


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", ["x.tex", "x.tar.gz", "x.zip", "x.html", "x.md"])
def test_damaged_sources_are_read_or_named(kind: str, seed: int) -> None:
    files = {"main.tex": MAIN.encode(), "sections/intro.tex": BODY.encode()}
    whole = {
        "x.tex": MAIN.encode(),
        "x.tar.gz": tarred(files),
        "x.zip": zipped(files),
        "x.html": f"<html><body><h1>A</h1><table><tr><td>1</td></tr></table><p>{BODY}</p></body></html>".encode(),
        "x.md": f"---\ntitle: A\n---\n# B\n\n|a|b|\n|-|-|\n|1|2|\n\n{BODY}".encode(),
    }[kind]
    dice = random.Random(seed)
    cut = whole[: dice.randrange(len(whole))]
    flipped = bytearray(whole)
    for _ in range(10):
        flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
    assert outcome(kind, cut)
    assert outcome(kind, bytes(flipped))


def test_a_folder_of_many_inputs_is_stopped(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"f{i}.tex": f"\\input{{f{i + 1}}}\\input{{f{i + 1}}}" for i in range(30)}
    tree(tmp_path, {"main.tex": start("\\section{A}\\input{f0}"), **files})
    started = time.monotonic()
    with pytest.raises(PaperError, match="includes over"):
        load_paper(str(tmp_path))
    assert time.monotonic() - started < SECONDS


@pytest.mark.shared
@pytest.mark.slow
def test_every_shared_source_survives_ten_cuts_and_ten_flips(shared: Path) -> None:
    dice = random.Random(5)
    for path in sorted((shared / "papers" / "source").rglob("*")):
        if path.suffix not in (".tex", ".md", ".html", ".bbl", ".yaml"):
            continue
        whole = path.read_bytes() or b"\n"
        for _ in range(10):
            assert outcome(path.name, whole[: dice.randrange(len(whole))])
            flipped = bytearray(whole)
            for _ in range(10):
                flipped[dice.randrange(len(flipped))] ^= 1 << dice.randrange(8)
            assert outcome(path.name, bytes(flipped))
