"""Read papers in Markdown: sections by the line maps of a CommonMark parser, text as in the source."""
# MERGED-DOC """A CommonMark parser for the blocks of a Markdown text; it does not parse the text within the blocks."""
# MERGED-DOC """Read title and abstract from the front matter of a text, or from a metadata file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

from planner.papers.characters import clean_source_text
from planner.papers.headings import classify_heading, strip_heading_number
from planner.papers.html.reader import read_html_fragment, remove_hidden_elements
from planner.papers.outline import MarkedHeading, assemble_sections, extract_abstract, resolve_headings
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind, quote_hidden_text


def _parse_paragraph(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Parse a paragraph whose lines all begin with a letter; no other block begins so or can interrupt it so.

    This rule runs first, so that most blocks skip the eleven other rules. Its token has no content.
    """
    if silent or state.parentType != "root" or state.is_code_block(first):
        return False
    line = first
    while line < end and not state.isEmpty(line):
        if not state.src[state.bMarks[line] + state.tShift[line]].isalpha():
            return False
        line += 1
    state.line = line
    state.push("paragraph", "p", 0).map = [first, line]
    return True


def _build_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table").disable(["normalize", "inline", "text_join"])
    parser.block.ruler.before("table", "words", _parse_paragraph)
    return parser


BLOCK_PARSER: Final = _build_parser()
"""The parser; its input must be clean text with LF line ends, and each token has its line range in `map`."""


_YAML_BLOCK: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TOML_BLOCK: Final = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.S)
_PANDOC_TITLE: Final = re.compile(r"\A%[ \t]+(\S.*(?:\n[ \t]+\S.*)*)\n(?:%.*\n){0,2}")  # pandoc's title block
_FIELD: Final = r"^{}\s*[:=][ \t]*(.+(?:\n(?:[ \t]*\n)*[ \t]+\S.*)*)"
_MIN_ABSTRACT_WORDS: Final = 30  # words from which a description counts as an abstract


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The title and abstract in a front matter or metadata file; "" for a missing one."""

    title: str = ""
    abstract: str = ""


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Split a text into its front matter and the rest."""
    if match := _YAML_BLOCK.match(text) or _TOML_BLOCK.match(text):
        return parse_metadata(match[1]), text[match.end() :]
    if match := _PANDOC_TITLE.match(text):
        return FrontMatter(" ".join(match[1].split())), text[match.end() :]
    return FrontMatter(), text


def parse_metadata(yaml: str) -> FrontMatter:
    """Return title and abstract from plain, quoted or folded top-level scalars of YAML or TOML.

    A description of at least 30 words, as in Distill articles, serves as the abstract if there is no other.
    """
    description = _parse_scalar(yaml, "description")
    summary = description if len(description.split()) >= _MIN_ABSTRACT_WORDS else ""
    return FrontMatter(_parse_scalar(yaml, "title"), _parse_scalar(yaml, "abstract") or summary)


def _parse_scalar(yaml: str, key: str) -> str:
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


_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TEMPLATE: Final = re.compile(r"\{##.{0,5000}?##\}|\{%.{0,2000}?%\}|\{\{.{0,500}?\}\}", re.S)
_DATA: Final = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_ATTRIBUTES: Final = re.compile(r"\s*\{[#.:-][^{}]*\}\s*$")
_BOLD: Final = re.compile(r"(?:\*\*|__)(?![*_\s])([^\n*]{1,150}[^\n*.,;:\s])(?:\*\*|__)")
_MIN_MARKED_HEADINGS: Final = 3  # marked headings; with fewer, bold lines may be headings
_MAX_PLAIN_CHARACTERS: Final = 20_000  # characters of an abstract
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_IMAGE: Final = re.compile(r"!\[.*\]\(.*\)(\{.*\})?", re.S)
_CAPTION: Final = re.compile(r"^(?:<[^>]*>|[*_>\s-])*(Table|Figure|Fig\.)\s+[A-Z]?\d+\s*[.:|]", re.I)


def read_markdown(text: str, file_name: str) -> ParsedPaper:
    """Read a paper from one Markdown file; `file_name` is its file name, for `find_main_file`."""
    return read_markdown_files({file_name: text}, main_file=file_name)


def read_markdown_files(
    files: Mapping[str, str], *, main_file: str, metadata: FrontMatter | None = None
) -> ParsedPaper:
    """Read a paper from several Markdown files, in order; `metadata` is metadata from another file, such as manubot's.

    If no title is known, it is the first heading, unless another ranks higher or it is the name of a section.
    """
    front = metadata or FrontMatter()
    items: list[MarkedHeading | Block] = []
    warnings: list[str] = []
    unseen: list[str] = []
    for text in files.values():
        text, notes = clean_source_text(text)
        own, text = split_front_matter(text)
        front = FrontMatter(front.title or own.title, front.abstract or own.abstract)
        text, hidden = remove_hidden_elements(_DATA.sub("data:", _TEMPLATE.sub("", _COMMENT.sub("", text))))
        found, more = _parse_items(text)
        items, unseen, warnings = items + found, unseen + hidden + more, [*warnings, *notes]
    settled = resolve_headings(_promote_bold_lines(items), known_title=front.title)
    if settled.demoted_count:
        warnings.append(f"{settled.demoted_count} lines marked as headings look like code and were kept as text")
    sections = assemble_sections(settled.items)
    abstract = strip_markdown(extract_abstract(sections)) or front.abstract
    found_title = front.title or settled.title
    return ParsedPaper(found_title, abstract, sections, main_file, (*warnings, *quote_hidden_text(unseen)))


def strip_markdown(text: str) -> str:
    """Return Markdown as plain text: links as their words, no emphasis, no tags, at most 20,000 characters."""
    text = _TAG.sub("", _LINK.sub(r"\1", text[:_MAX_PLAIN_CHARACTERS]))
    text = re.sub(r"(?<![\w\\])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)", r"\2", text)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text).strip()


def _parse_items(text: str) -> tuple[list[MarkedHeading | Block], list[str]]:
    """Return the headings and top-level blocks in order, and the hidden text of HTML blocks."""
    lines, tokens = text.split("\n"), BLOCK_PARSER.parse(text)
    items: list[MarkedHeading | Block] = []
    unseen: list[str] = []
    for index, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None or token.type == "hr":
            continue
        source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        if token.type == "heading_open":
            items.append(MarkedHeading(_clean_heading(tokens[index + 1].content), int(token.tag[1:]), source))
        elif token.type == "html_block":
            shown, hidden = read_html_fragment(source)
            items += shown
            unseen += hidden
        elif source.strip():
            items.append(Block(_classify_block(token.type, source), source))
    return items, unseen


def _promote_bold_lines(items: list[MarkedHeading | Block]) -> list[MarkedHeading | Block]:
    """Turn lines that are all bold into headings, if a converter marked fewer than three headings.

    Such a line must have a number, name a section, or be the first item, which may be the title. If there are three
    or more marked headings, only a bold "Abstract" becomes a heading.
    """
    bold = [_parse_bold_heading(item, is_first=index == 0) for index, item in enumerate(items)]
    if sum(isinstance(item, MarkedHeading) for item in items) >= _MIN_MARKED_HEADINGS:
        bold = [one if one and classify_heading(one.text) is SectionKind.ABSTRACT else None for one in bold]
    return [heading or item for heading, item in zip(bold, items, strict=True)]


def _parse_bold_heading(item: MarkedHeading | Block, *, is_first: bool) -> MarkedHeading | None:
    if not (isinstance(item, Block) and item.text.lstrip().startswith(("**", "__"))):
        return None
    found = _BOLD.fullmatch(item.text.strip().replace("** **", " "))
    if found is None:
        return None
    text = _clean_heading(found[1])
    named = strip_heading_number(text) != text or classify_heading(text) is not SectionKind.OTHER
    return MarkedHeading(text, 1 if is_first else 2, item.text.strip()) if is_first or named else None


def _clean_heading(content: str) -> str:
    return strip_markdown(_ATTRIBUTES.sub("", content[:1_000].replace("\n", " ")))


def _classify_block(type_: str, source: str) -> BlockKind:
    caption = _CAPTION.match(source)
    if type_ == "table_open" or (caption and caption[1].lower() == "table"):
        return BlockKind.TABLE
    if caption or _IMAGE.fullmatch(source):
        return BlockKind.FIGURE
    return BlockKind.PROSE
