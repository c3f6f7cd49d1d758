"""Read papers in Markdown: sections by the line maps of a CommonMark parser, text as in the source."""

import re
from collections.abc import Mapping
from typing import Final

from planner.papers.blocks import BLOCKS
from planner.papers.characters import clean
from planner.papers.front_matter import Front, front_matter
from planner.papers.headings import bare, section_kind
from planner.papers.hidden import quoted
from planner.papers.html.embedded import without_hidden
from planner.papers.html.reader import fragment
from planner.papers.levels import Ranked, settle
from planner.papers.outline import abstract_of, outline
from planner.papers.paper import Block, BlockKind, Reading, SectionKind

_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TEMPLATE: Final = re.compile(r"\{##.{0,5000}?##\}|\{%.{0,2000}?%\}|\{\{.{0,500}?\}\}", re.S)
_DATA: Final = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_ATTRIBUTES: Final = re.compile(r"\s*\{[#.:-][^{}]*\}\s*$")
_BOLD: Final = re.compile(r"(?:\*\*|__)(?![*_\s])([^\n*]{1,150}[^\n*.,;:\s])(?:\*\*|__)")
_ENOUGH: Final = 3  # marked headings; with fewer, bold lines may be headings
_LONGEST: Final = 20_000  # characters of an abstract
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_IMAGE: Final = re.compile(r"!\[.*\]\(.*\)(\{.*\})?", re.S)
_CAPTION: Final = re.compile(r"^(?:<[^>]*>|[*_>\s-])*(Table|Figure|Fig\.)\s+[A-Z]?\d+\s*[.:|]", re.I)


def read_markdown(text: str, name: str) -> Reading:
    """Read a paper from one Markdown file; `name` is its file name, for `main_file`."""
    return read_markdown_files({name: text}, main_file=name)


def read_markdown_files(files: Mapping[str, str], *, main_file: str, known: Front | None = None) -> Reading:
    """Read a paper from several Markdown files, in order; `known` is metadata from another file, such as manubot's.

    If no title is known, it is the first heading, unless another ranks higher or it is the name of a section.
    """
    front = known or Front()
    items: list[Ranked | Block] = []
    warnings: list[str] = []
    unseen: list[str] = []
    for text in files.values():
        text, notes = clean(text)
        own, text = front_matter(text)
        front = Front(front.title or own.title, front.abstract or own.abstract)
        text, hidden = without_hidden(_DATA.sub("data:", _TEMPLATE.sub("", _COMMENT.sub("", text))))
        found, more = _items(text)
        items, unseen, warnings = items + found, unseen + hidden + more, [*warnings, *notes]
    settled = settle(_with_bold_headings(items), known_title=front.title)
    if settled.demoted:
        warnings.append(f"{settled.demoted} lines marked as headings look like code and were kept as text")
    sections = outline(settled.pieces)
    abstract = plain(abstract_of(sections)) or front.abstract
    found_title = front.title or settled.title
    return Reading(found_title, abstract, sections, main_file, (*warnings, *quoted(unseen)))


def plain(text: str) -> str:
    """Return Markdown as plain text: links as their words, no emphasis, no tags, at most 20,000 characters."""
    text = _TAG.sub("", _LINK.sub(r"\1", text[:_LONGEST]))
    text = re.sub(r"(?<![\w\\])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)", r"\2", text)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text).strip()


def _items(text: str) -> tuple[list[Ranked | Block], list[str]]:
    """Return the headings and top-level blocks in order, and the hidden text of HTML blocks."""
    lines, tokens = text.split("\n"), BLOCKS.parse(text)
    items: list[Ranked | Block] = []
    unseen: list[str] = []
    for index, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None or token.type == "hr":
            continue
        source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        if token.type == "heading_open":
            items.append(Ranked(_heading(tokens[index + 1].content), int(token.tag[1:]), source))
        elif token.type == "html_block":
            shown, hidden = fragment(source)
            items += shown
            unseen += hidden
        elif source.strip():
            items.append(Block(_block_kind(token.type, source), source))
    return items, unseen


def _with_bold_headings(items: list[Ranked | Block]) -> list[Ranked | Block]:
    """Turn lines that are all bold into headings, if a converter marked fewer than three headings.

    Such a line must have a number, name a section, or be the first item, which may be the title. If there are three
    or more marked headings, only a bold "Abstract" becomes a heading.
    """
    bold = [_bold_heading(item, first=index == 0) for index, item in enumerate(items)]
    if sum(isinstance(item, Ranked) for item in items) >= _ENOUGH:
        bold = [one if one and section_kind(one.text) is SectionKind.ABSTRACT else None for one in bold]
    return [heading or item for heading, item in zip(bold, items, strict=True)]


def _bold_heading(item: Ranked | Block, *, first: bool) -> Ranked | None:
    if not (isinstance(item, Block) and item.text.lstrip().startswith(("**", "__"))):
        return None
    found = _BOLD.fullmatch(item.text.strip().replace("** **", " "))
    if found is None:
        return None
    text = _heading(found[1])
    named = bare(text) != text or section_kind(text) is not SectionKind.OTHER
    return Ranked(text, 1 if first else 2, item.text.strip()) if first or named else None


def _heading(content: str) -> str:
    return plain(_ATTRIBUTES.sub("", content[:1_000].replace("\n", " ")))


def _block_kind(type_: str, source: str) -> BlockKind:
    caption = _CAPTION.match(source)
    if type_ == "table_open" or (caption and caption[1].lower() == "table"):
        return BlockKind.TABLE
    if caption or _IMAGE.fullmatch(source):
        return BlockKind.FIGURE
    return BlockKind.PROSE
