"""The formats of papers with the endings of their files, and the format of a source, from its bytes and its name."""

import re
from collections.abc import Mapping
from enum import StrEnum
from itertools import chain
from pathlib import PurePath
from typing import Final

from planner.names import build_paper_id, parse_arxiv_id
from planner.papers.characters import is_binary


class FileFormat(StrEnum):
    """The kind of a source; the first five are the formats of papers."""

    PDF = "pdf"
    LATEX = "latex"
    MARKDOWN = "markdown"
    HTML = "html"
    TEXT = "text"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZIP = "zip"
    TAR = "tar"
    OTHER = "other"
    EMPTY = "empty"


# The endings of the files of every format, in lower case. To add a format: a kind, its row here, and its loader in
# `planner.papers.load`.
TEXT_ENDINGS: Final[Mapping[FileFormat, tuple[str, ...]]] = {
    FileFormat.LATEX: (".tex", ".ltx", ".latex"),
    FileFormat.MARKDOWN: (".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"),
    FileFormat.HTML: (".html", ".htm", ".xhtml"),
    FileFormat.TEXT: (".txt", ".text"),
}
PAPER_ENDINGS: Final[Mapping[FileFormat, tuple[str, ...]]] = {FileFormat.PDF: (".pdf",), **TEXT_ENDINGS}
ARCHIVE_ENDINGS: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz")
UNREADABLE_ARCHIVE_ENDINGS: Final = (".7z", ".rar", ".zst")
MANIFEST_ENDINGS: Final = (".jsonl", ".ndjson", ".csv", ".parquet")
LIST_ENDINGS: Final = (".txt", ".list", ".lst", "")
# Files that belong to a paper, and may hold a part of it.
PART_ENDINGS: Final = (
    *(".bbl", ".bib", ".sty", ".cls", ".def", ".clo", ".tikz", ".pgf"),
    *(".yaml", ".yml", ".xxx", ".json"),
)
_NON_PAPER_ENDINGS: Final = frozenset(
    {".json", ".yaml", ".yml", ".xml", ".bib", ".bbl", ".bst", ".sty", ".cls", ".log", ".sqlite", ".py", ".sh"}
    | {".png", ".jpg", ".jpeg", ".gif", ".svg", ".eps", ".webp"}
)
_NON_PAPER_NAME: Final = re.compile(
    r"(?:read.?me|00readme|_sidebar|licen[sc]e|copying|notice|authors|contributors?|contributing|changelog|changes"
    r"|history|citation|code_of_conduct|security|install|todo|requirements|robots|makefile|cmakelists|manifest|meta"
    r"|metadata)(?:[-_.][\w-]+)*$",
    re.I,
)
_STRIPPED_ENDINGS: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, chain(ARCHIVE_ENDINGS, *PAPER_ENDINGS.values())))})+$", re.I
)

_MAGIC: Final = (
    (b"\x1f\x8b", FileFormat.GZIP),
    *((b"BZh%d1AY&SY" % level, FileFormat.BZIP2) for level in range(1, 10)),
    (b"\xfd7zXZ\x00", FileFormat.XZ),
    (b"PK\x03\x04", FileFormat.ZIP),
    (b"PK\x05\x06", FileFormat.ZIP),
)

# Files that are often given and cannot be read, with their names for the error.
_UNSUPPORTED_TYPES: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%!PS", "PostScript"),
    (b"\xd0\xcf\x11\xe0", "an old Word document"),
    (b"{\\rtf", "an RTF document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
_TEX: Final = re.compile(
    r"^[^%\n]*\\(?:documentclass|documentstyle|begin\s*\{document\}|(?:sub)*section\*?\s*\{|title\s*\{)", re.M
)
_HTML: Final = re.compile(
    r"\A\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html\b|head\b|body\b)", re.S | re.I
)
_MARKDOWN: Final = re.compile(r"^#{1,6} +\S|^```|^\|.*\|\s*$|^\[[^\]]+\]: ", re.M)


def detect_kind(data: bytes, name: str = "") -> FileFormat:
    """Return the kind of a source; `name` only helps to choose between text formats."""
    if not data.strip(b"\x00\t\n\r \x0c\xef\xbb\xbf"):
        return FileFormat.EMPTY
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[257:262] == b"ustar":
        return FileFormat.TAR
    if b"%PDF-" in data[:1024]:  # after the archives, whose first member may be a PDF
        return FileFormat.PDF
    if describe_unsupported_type(data) or (is_binary(data) and not data.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return FileFormat.OTHER
    return detect_text_kind(data[:200_000].decode("utf-8", "replace"), name)


def find_kind_by_name(name: str) -> FileFormat:
    """Return the format that the ending of a file's name stands for; OTHER if it stands for none."""
    ending = PurePath(name).suffix.lower()
    return next((kind for kind, endings in PAPER_ENDINGS.items() if ending in endings), FileFormat.OTHER)


def detect_text_kind(text: str, name: str = "") -> FileFormat:
    """Return the markup of a text, from its content and from the ending of `name`."""
    named = find_kind_by_name(name)
    if _HTML.match(text):
        return FileFormat.HTML
    if named in TEXT_ENDINGS and named not in (FileFormat.HTML, FileFormat.TEXT):
        return named
    if "\\documentclass" in text[:20_000] and _TEX.search(text):
        return FileFormat.LATEX
    if named is FileFormat.HTML:
        return named
    if named is not FileFormat.TEXT:
        if len(_TEX.findall(text)) >= 2:
            return FileFormat.LATEX
        if len(re.findall(r"</(?:p|div|h[1-6])>", text)) >= 5:
            return FileFormat.HTML
    return FileFormat.MARKDOWN if len(_MARKDOWN.findall(text)) >= 2 else FileFormat.TEXT


def describe_unsupported_type(data: bytes) -> str:
    """Return the name of a known file type that cannot be read, such as "a PNG image"; "" for other bytes."""
    if data[:11].startswith(b"%!PS-Adobe") or (data.startswith(b"%!PS") and not re.match(rb"%!TEX", data, re.I)):
        return "PostScript"
    return next((words for magic, words in _UNSUPPORTED_TYPES if magic != b"%!PS" and data.startswith(magic)), "")


def strip_folders_and_endings(name: str) -> str:
    """Return the name of a source without folders and endings: `x/2507.08038v2.tar.gz` gives `2507.08038v2`."""
    last = PurePath(name.replace("\\", "/")).name
    return _STRIPPED_ENDINGS.sub("", last) or last


def propose_paper_id(source: str, *, given_id: str = "", given_title: str = "", title: str = "") -> str:
    """Return the id of a paper: the given one, else one from a given title, else its arXiv id or its file's name.

    What comes from stdin or an address has no such name: its id comes from the title that was read in it.
    """
    arxiv_id, stem = parse_arxiv_id(source), "stdin" if source == "-" else strip_folders_and_endings(source)
    has_name = bool(arxiv_id) or not (source == "-" or "://" in source)
    name = str(arxiv_id or stem) if has_name and not given_title.strip() else ""
    return build_paper_id(given_title or title, given_id=given_id or name, file_stem=stem)


def is_named_like_other_file(name: str) -> bool:
    """Return whether a file's name shows that it is something else: a README, a licence, data, a figure."""
    path = PurePath(name)
    return bool(_NON_PAPER_NAME.match(path.stem)) or path.suffix.lower() in _NON_PAPER_ENDINGS
