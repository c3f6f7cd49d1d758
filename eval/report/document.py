"""A document as data, and its three formats: Markdown, CSV and one HTML file.

Names in a document come from models and papers, so every format escapes them. The HTML is autoescaped by Jinja, and its
content policy allows no script and no outside resource; in Markdown and CSV a name cannot leave its cell.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from planner.files import write_file_atomically
from planner.sanitize import make_printable, render_csv

_TEMPLATES: Final = Path(__file__).parent / "templates"
_MARKUP: Final = re.compile(r"([\\`*_\[\]|#~$!])")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as SVG and PNG; `caption` explains it, and `name` is the stem of its files."""

    name: str
    caption: str
    svg: bytes
    png: bytes


@dataclass(frozen=True, slots=True)
class ReportSection:
    """A section of a document: a heading, then paragraphs, pictures and tables, in this order."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A document; `csv_tables` are its numbers as tables, each with the stem of its CSV file."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[ReportSection, ...]
    csv_tables: tuple[tuple[str, Table], ...] = ()


def write_document(folder: Path, stem: str, document: Document) -> tuple[Path, ...]:
    """Write the document as Markdown, HTML and CSV, and its pictures as SVG and PNG; return all paths.

    Raises:
        OSError: if the folder cannot be written.
    """
    files: dict[str, str | bytes] = {f"{stem}.md": render_markdown(document), f"{stem}.html": render_html(document)}
    for name, table in document.csv_tables:
        files[f"{name}.csv"] = render_csv((table.columns, *table.rows), keep_signed_numbers=True)
    for section in document.sections:
        for picture in section.pictures:
            files |= {f"{picture.name}.svg": picture.svg, f"{picture.name}.png": picture.png}
    for name, content in files.items():
        write_file_atomically(folder / name, content)
    return tuple(folder / name for name in files)


def render_markdown(document: Document) -> str:
    """Return the document as Markdown; its pictures are links to SVG files in the same folder."""
    parts = [f"# {_escape_markdown(document.title)}", *map(_escape_markdown, document.lead)]
    for section in document.sections:
        parts += [f"## {_escape_markdown(section.heading)}", *map(_escape_markdown, section.paragraphs)]
        for picture in section.pictures:
            parts += [
                f"![{_escape_markdown(picture.caption)}]({picture.name}.svg)",
                f"*{_escape_markdown(picture.caption)}*",
            ]
        parts += [_render_markdown_table(table) for table in section.tables]
    return "\n\n".join(parts) + "\n"


def render_html(document: Document) -> str:
    """Return the document as one HTML file that loads no other file."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    style = (_TEMPLATES / "document.css").read_text(encoding="utf-8")
    style_sha256 = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    pictures = {
        picture.name: base64.b64encode(picture.svg).decode()
        for section in document.sections
        for picture in section.pictures
    }
    text = environment.get_template("document.html.jinja").render(
        document=document, style=style, style_sha256=style_sha256, pictures=pictures
    )
    return make_printable(text)


def _render_markdown_table(table: Table) -> str:
    lines = [
        _render_markdown_row(table.columns),
        "|" + " --- |" * len(table.columns),
        *map(_render_markdown_row, table.rows),
    ]
    return "\n".join(lines)


def _render_markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escape_markdown, cells)) + " |"


def _escape_markdown(text: str) -> str:
    line = " ".join(make_printable(text).split())
    return _MARKUP.sub(r"\\\1", escape(line, quote=False))
