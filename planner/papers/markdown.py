"""Markdown: sections by a CommonMark parser's line maps, text as the source has it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from planner.papers.characters import clean
from planner.papers.headings import bare, section_kind
from planner.papers.outline import Heading, Piece, abstract_of, outline
from planner.papers.paper import Block, BlockKind, Reading, SectionKind

_FRONT: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_FIELD: Final = r"^{}\s*:[ \t]*(.+(?:\n[ \t]+\S.*)*)"
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TEMPLATE: Final = re.compile(r"\{##.*?##\}|\{%.*?%\}|\{\{.*?\}\}", re.S)
_DATA: Final = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]*>")
_ATTRIBUTES: Final = re.compile(r"\s*\{[#.:][^{}]*\}\s*$")
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_NUMBER: Final = re.compile(r"^(?:Appendix\s+)?(\d{1,2}|[A-Z])((?:\.\d{1,2}){0,4})[.):]?\s+\S")
_CAPTION: Final = re.compile(r"^(?:<[^>]*>|[*_>\s-])*(Table|Figure|Fig\.)\s+[A-Z]?\d+\s*[.:|]", re.I)
_CODE: Final = re.compile(r"[=;{}]|->|−>|\)\s*:?$|[^.]\.$|^[^\W\d_A-Z]|:$")


@dataclass(frozen=True, slots=True)
class _Found:
    """A heading before its level is settled: `raw` is the number of marks, `number` the parts of its own number."""

    text: str
    raw: int
    source: str
    number: tuple[str, ...]


def read_markdown(text: str, name: str, *, title: str = "") -> Reading:
    """A paper in Markdown; `title` is what another file says (manubot's metadata, a page's header).

    The first heading of the highest level is the title where it stands before every other and none is known.
    """
    text, warnings = clean(text)
    front, text = front_matter(text)
    text = _DATA.sub("data:", _TEMPLATE.sub("", _COMMENT.sub("", text)))
    found = list(_blocks(text))
    own, found = _own_title(found, known=bool(title or front.title))
    headings, demoted = _settled([item for item in found if isinstance(item, _Found)])
    if demoted:
        warnings += (f"{demoted} lines marked as headings look like code and were kept as text",)
    sections = outline(_pieces(found, headings))
    abstract = plain(abstract_of(sections)) or front.abstract
    return Reading(title or front.title or own, abstract, sections, name, warnings)


@dataclass(frozen=True, slots=True)
class Front:
    """What a front matter or a metadata file says of the paper; "" where it says nothing."""

    title: str = ""
    abstract: str = ""


def front_matter(text: str) -> tuple[Front, str]:
    """The front matter at the head of a file, and the text after it."""
    match = _FRONT.match(text)
    return (metadata(match[1]), text[match.end() :]) if match else (Front(), text)


def metadata(yaml: str) -> Front:
    """Title and abstract of YAML: plain, quoted and folded scalars of the top level, which is all that is needed."""
    return Front(_scalar(yaml, "title"), _scalar(yaml, "abstract"))


def _scalar(yaml: str, key: str) -> str:
    match = re.search(_FIELD.format(key), yaml, re.M | re.I)
    if not match:
        return ""
    value = " ".join(match[1].split())
    value = re.sub(r"^[|>][+-]?\d?\s+", "", value)
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r'\\(["\\/])', r"\1", value[1:-1])
    if len(value) > 1 and value[0] == value[-1] == "'":
        return value[1:-1].replace("''", "'")
    return re.sub(r"\s+#.*", "", value)


def plain(text: str) -> str:
    """Markdown text without its marks: links as their words, no emphasis, no tags."""
    text = _TAG.sub("", _LINK.sub(r"\1", text))
    text = re.sub(r"(?<![\w\\])(\*{1,3}|_{1,3})(?=\S)(.+?)(?<=\S)\1(?!\w)", r"\2", text)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text).strip()


def _blocks(text: str) -> Iterator[_Found | Block]:
    """Headings and blocks in order; nested blocks belong to the outermost one that holds them."""
    parser = MarkdownIt("commonmark").enable("table").disable("inline")
    lines = text.split("\n")
    tokens = parser.parse(text)
    for index, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None:
            continue
        source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        if token.type == "heading_open":
            yield _found(token, tokens[index + 1].content, source)
        elif source.strip() and token.type != "hr":
            yield Block(_block_kind(token.type, source), source)


def _found(token: Token, content: str, source: str) -> _Found:
    text = plain(_ATTRIBUTES.sub("", content.replace("\n", " ")))
    number = _NUMBER.match(text)
    parts = (number[1], *number[2].split(".")[1:]) if number else ()
    return _Found(text, int(token.tag[1:]), source, parts)


def _block_kind(type_: str, source: str) -> BlockKind:
    caption = _CAPTION.match(source)
    if type_ == "table_open" or "<table" in source or (caption and caption[1].lower() == "table"):
        return BlockKind.TABLE
    if (
        caption
        or "<figcaption" in source
        or "<figure" in source
        or re.fullmatch(r"!\[.*\]\(.*\)(\{.*\})?", source, re.S)
    ):
        return BlockKind.FIGURE
    return BlockKind.PROSE


def _own_title(found: list[_Found | Block], *, known: bool) -> tuple[str, list[_Found | Block]]:
    """The title that a file begins with, and the file without it where it is a heading above the sections."""
    first = next((item for item in found if isinstance(item, _Found)), None)
    if first is None or section_kind(first.text) is not SectionKind.OTHER or first.number:
        return "", found
    same = [item for item in found if isinstance(item, _Found) and item.raw == first.raw]
    prominent = all(first.raw <= item.raw for item in found if isinstance(item, _Found))
    if not prominent or (known and len(same) > 1):
        return "", found
    index = found.index(first)
    return first.text, [*found[:index], Block(BlockKind.HEADING, first.source), *found[index + 1 :]]


def _settled(found: list[_Found]) -> tuple[dict[int, Heading], int]:
    """Levels: a heading's own number says it; the others follow numbered ones of the same marks, or the marks alone."""
    numbered = [item for item in found if item.number]
    by_number = len({item.number for item in numbered}) >= 4
    code = {id(i) for i in found if not i.number and _looks_like_code(i, by_number=by_number)}
    kept = [item for item in found if id(item) not in code]
    top = min((item.raw for item in kept), default=1)
    settled: dict[int, Heading] = {}
    level_of: dict[int, int] = {}
    last = 1
    for item in kept:
        if by_number and item.number:
            last = level_of[item.raw] = len(item.number)
        elif by_number:
            last = 1 if _stands_alone(item.text) else min(level_of.get(item.raw, 1) + 1, last + 1)
        else:
            last = item.raw - top + 1
        settled[id(item)] = Heading(item.text, last, item.source)
    return settled, len(code)


def _stands_alone(text: str) -> bool:
    kind = section_kind(text)
    return kind not in (SectionKind.OTHER, SectionKind.METHOD, SectionKind.EXPERIMENTS, SectionKind.ABLATION)


def _looks_like_code(item: _Found, *, by_number: bool) -> bool:
    if len(item.text) > 200 or not bare(item.text):
        return True
    return by_number and bool(_CODE.search(item.text)) and section_kind(item.text) is not SectionKind.ABSTRACT


def _pieces(found: list[_Found | Block], headings: dict[int, Heading]) -> Iterator[Piece]:
    for item in found:
        if isinstance(item, Block):
            yield item
        else:
            yield headings.get(id(item)) or Block(BlockKind.PROSE, item.source)


def joined(readings: list[Reading], *, main_file: str) -> Reading:
    """Several files of one paper, in order, as one reading; title and abstract are the first found."""
    title = next((r.title for r in readings if r.title), "")
    abstract = next((r.abstract for r in readings if r.abstract), "")
    first = Reading(title, abstract, (), main_file)
    sections = tuple(section for r in readings for section in r.sections)
    return replace(first, sections=sections, warnings=tuple(w for r in readings for w in r.warnings))
