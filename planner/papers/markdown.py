"""Read papers in Markdown.

A CommonMark parser finds the blocks, and each block keeps its text as it is in the file. HTML elements that hide their
content are removed. Title and abstract may also be in a front matter or in a metadata file.
"""

import re
import string
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

from planner.papers.characters import normalize_characters_with_warnings
from planner.papers.headings import classify_heading, find_abstract_text, strip_number_and_punctuation
from planner.papers.html.dom import VOID_TAGS, Element, StartTag, tokenize_html
from planner.papers.html.reader import read_html_fragment_in_markdown
from planner.papers.html.visibility import StyleRules
from planner.papers.outline import Heading, HeadingOrBlock, assemble_sections, correct_headings
from planner.papers.paper import Block, BlockKind, ParsedPaper, SectionKind, build_hidden_text_warnings
from planner.papers.sources import FileFormat
from planner.papers.text import MAX_TABLE_LINES, count_leading_table_lines, is_table

_YAML_BLOCK: Final = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_TOML_BLOCK: Final = re.compile(r"\A\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.S)
_PANDOC_TITLE: Final = re.compile(r"\A%[ \t]+(\S.*(?:\n[ \t]+\S.*)*)\n(?:%.*\n){0,2}")  # pandoc's title block
_FIELD: Final = r"^{}\s*[:=][ \t]*(.+(?:\n(?:[ \t]*\n)*[ \t]+\S.*)*)"
_MIN_ABSTRACT_WORDS: Final = 30  # a shorter description is no abstract
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.S)
_TEMPLATE_TAG: Final = re.compile(r"\{##.{0,5000}?##\}|\{%.{0,2000}?%\}|\{\{.{0,500}?\}\}", re.S)
_DATA_URL: Final = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_TAG: Final = re.compile(r"</?[A-Za-z][^<>]{0,2000}>")
_ATTRIBUTES: Final = re.compile(r"\s*\{[#.:-][^{}]*\}\s*$")
_BOLD_LINE: Final = re.compile(r"(?:\*\*|__)(?![*_\s])([^\n*]{1,150}[^\n*.,;:\s])(?:\*\*|__)")
_MIN_MARKED_HEADINGS: Final = 3  # with fewer, bold lines may be headings
_MAX_ABSTRACT_CHARS: Final = 20_000
_LINK: Final = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*\)")
_IMAGE: Final = re.compile(r"!\[.*\]\(.*\)(\{.*\})?", re.S)
_CAPTION: Final = re.compile(r"^(?:<[^>]*>|[*_>\s-])*(Table|Figure|Fig\.)\s+[A-Z]?\d+\s*[.:|]", re.I)
_PARAGRAPH_LINE: Final = re.compile(r"(?!\d{1,9}[.)])[^][#<>|:=`~*_+-]")  # no other block of CommonMark begins like it
_PLAIN_LETTERS: Final = frozenset(string.ascii_letters) - set("FfTt")  # no caption and no table begins with one
_TABLE: Final = re.compile(r"\s*(?:\\begin\{(?:table\*?|tabular[xy*]?|longtable|wraptable)\}|Table: )")
_HIDING_TAG: Final = re.compile(r"<([A-Za-z][\w-]*)\s[^<>]{0,1000}?(?:style|hidden|color)\b[^<>]{0,1000}>", re.I)
_CODE: Final = re.compile(
    r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1|\Z)|(?<!`)(`+)(?!`)[^\n]*?(?<!`)\2(?!`)", re.M | re.S
)
_PARAGRAPH_END: Final = re.compile(r"\n[ \t]*\n|\Z")
_MAX_CONTENT_CHARS: Final = 100_000  # of a hidden element


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The title and the abstract in a front matter or a metadata file; a missing title or abstract is ""."""

    title: str = ""
    abstract: str = ""


def read_markdown(text: str, file_name: str) -> ParsedPaper:
    """Read a paper from the text of the Markdown file `file_name`."""
    return read_markdown_texts((text,), main_file_name=file_name, metadata=FrontMatter())


def read_markdown_texts(texts: Iterable[str], *, main_file_name: str, metadata: FrontMatter) -> ParsedPaper:
    """Read one paper from the texts of several Markdown files, in the order of the paper.

    `metadata` is what a separate file says; it comes before the front matter of the texts. If no title is known, the
    first heading may be the title.
    """
    known = metadata
    items: list[HeadingOrBlock] = []
    warnings: list[str] = []
    hidden_texts: list[str] = []
    for text in texts:
        text, character_warnings = normalize_characters_with_warnings(text)
        front, text = _split_front_matter(text)
        known = FrontMatter(known.title or front.title, known.abstract or front.abstract)
        # A search for one character takes a hundredth of the time of a pattern.
        text = _COMMENT.sub("", text) if "<" in text else text
        text = _TEMPLATE_TAG.sub("", text) if "{" in text else text
        text, hidden = _split_hidden_elements(_DATA_URL.sub("data:", text) if ";base64," in text else text)
        file_items, hidden_in_blocks = _parse_items(text)
        items += file_items
        hidden_texts += hidden + hidden_in_blocks
        warnings += character_warnings
    corrected = correct_headings(_promote_bold_lines(items), known_title=known.title)
    if corrected.code_like_count:
        warnings.append(f"{corrected.code_like_count} lines marked as headings look like code and were kept as text")
    sections = assemble_sections(corrected.headings_and_blocks)
    abstract = _strip_markdown(find_abstract_text(sections)[:_MAX_ABSTRACT_CHARS]) or known.abstract
    title = known.title or corrected.title
    warnings += build_hidden_text_warnings(hidden_texts)
    return ParsedPaper(title, abstract, sections, FileFormat.MARKDOWN, main_file_name, tuple(warnings))


def _parse_items(text: str) -> tuple[list[HeadingOrBlock], list[str]]:
    """Return the headings and blocks of a text in order, and the hidden text in its HTML."""
    lines, tokens = text.split("\n"), BLOCK_PARSER.parse(text)
    items: list[HeadingOrBlock] = []
    hidden_texts: list[str] = []
    for index, token in enumerate(tokens):
        if token.level or token.nesting < 0 or token.map is None or token.type == "hr":
            continue
        source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
        if token.type == "heading_open":
            items.append(Heading(_clean_heading(tokens[index + 1].content), int(token.tag[1:]), source))
        elif token.type == "html_block":
            fragment_items, hidden = read_html_fragment_in_markdown(source)
            items += fragment_items
            hidden_texts += hidden
        elif source.strip():
            is_caption = source.startswith(": ") and bool(items) and items[-1].kind is BlockKind.TABLE  # as in pandoc
            items.append(Block(BlockKind.TABLE if is_caption else _classify_block(token.type, source), source))
    return items, hidden_texts


def _classify_block(type_: str, source: str) -> BlockKind:
    if source[0] in _PLAIN_LETTERS and "\n" not in source:  # most blocks
        return BlockKind.PROSE
    caption = _CAPTION.match(source)
    if type_ == "table_open" or (caption and caption[1].lower() == "table") or _TABLE.match(source):
        return BlockKind.TABLE
    if type_ != "fence" and is_table(source):
        return BlockKind.TABLE
    if caption or _IMAGE.fullmatch(source):
        return BlockKind.FIGURE
    return BlockKind.PROSE


def _promote_bold_lines(items: list[HeadingOrBlock]) -> list[HeadingOrBlock]:
    """Return the items; some bold lines become headings, since converters may leave headings unmarked.

    In a text with fewer than three marked headings, a bold line becomes a heading if it has a number, names a section,
    or is the first item. In any other text, only a bold line "Abstract" becomes a heading.
    """
    headings = [_parse_bold_heading(item, is_first=index == 0) for index, item in enumerate(items)]
    if sum(isinstance(item, Heading) for item in items) >= _MIN_MARKED_HEADINGS:
        headings = [h if h and classify_heading(h.text) is SectionKind.ABSTRACT else None for h in headings]
    return [heading or item for heading, item in zip(headings, items, strict=True)]


def _parse_bold_heading(item: HeadingOrBlock, *, is_first: bool) -> Heading | None:
    if not (isinstance(item, Block) and item.text.lstrip().startswith(("**", "__"))):
        return None
    match = _BOLD_LINE.fullmatch(item.text.strip().replace("** **", " "))
    if match is None:
        return None
    text = _clean_heading(match[1])
    is_section = strip_number_and_punctuation(text) != text or classify_heading(text) is not SectionKind.OTHER
    return Heading(text, 1 if is_first else 2, item.text.strip()) if is_first or is_section else None


def _clean_heading(content: str) -> str:
    return _strip_markdown(_ATTRIBUTES.sub("", content[:1_000].replace("\n", " ")))


def _strip_markdown(text: str) -> str:
    """Return a text without the marks of Markdown and without tags."""
    text = _TAG.sub("", _LINK.sub(r"\1", text))
    text = re.sub(r"(?<![\w\\])(\*{1,3}|_{1,3})(?=\S)(.{1,300}?)(?<=\S)\1(?!\w)", r"\2", text)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>~-])", r"\1", text).strip()


def _split_hidden_elements(text: str) -> tuple[str, list[str]]:
    """Return a text without its hidden HTML elements, and the content of each; elements in code are kept."""
    if "<" not in text or not _HIDING_TAG.search(text):
        return text, []
    code = [match.span() for match in _CODE.finditer(text)]
    chunks, hidden_texts, last = list[str](), list[str](), 0
    for match in _HIDING_TAG.finditer(text):
        start, content_start = match.span()
        if start < last or _is_within(code, start) or not _is_hiding_tag(match[0]):
            continue
        content_end, end = _find_content_end(text, match[1], content_start)
        chunks.append(text[last:start])
        hidden_texts.append(re.sub(r"<[^<>]*>", "", text[content_start:content_end]))
        last = end
    return "".join((*chunks, text[last:])), hidden_texts


@lru_cache(maxsize=1024)  # the same tags come again and again
def _is_hiding_tag(tag: str) -> bool:
    token = next(tokenize_html(tag))
    if not isinstance(token, StartTag) or token.tag in VOID_TAGS:
        return False
    element = Element(token.tag, token.attributes)
    return StyleRules(element).is_hidden(element)


def _find_content_end(text: str, tag: str, position: int) -> tuple[int, int]:
    """Return the end of an element's content and the end of its end tag; `position` is the start of the content.

    If the end tag is missing, both are the end of the paragraph.
    """
    depth = 1
    for match in re.finditer(rf"<(/?){tag}\b[^<>]*>", text[position : position + _MAX_CONTENT_CHARS], re.I):
        depth += -1 if match[1] else 1
        if not depth:
            return position + match.start(), position + match.end()
    blank_line = _PARAGRAPH_END.search(text, position)
    end = blank_line.start() if blank_line else len(text)
    return end, end


def _is_within(spans: list[tuple[int, int]], position: int) -> bool:
    index = bisect_right(spans, (position, 1 << 60)) - 1
    return index >= 0 and position < spans[index][1]


def _split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """Return the title and abstract in the front matter of a text, and the text after the front matter."""
    if match := _YAML_BLOCK.match(text) or _TOML_BLOCK.match(text):
        return parse_front_matter(match[1]), text[match.end() :]
    if match := _PANDOC_TITLE.match(text):
        return FrontMatter(" ".join(match[1].split())), text[match.end() :]
    return FrontMatter(), text


def parse_front_matter(yaml_or_toml: str) -> FrontMatter:
    """Return the title and the abstract that YAML or TOML text states.

    If there is no abstract, a description of at least 30 words takes its place.
    """
    description = _parse_scalar(yaml_or_toml, "description")
    summary = description if len(description.split()) >= _MIN_ABSTRACT_WORDS else ""
    return FrontMatter(_parse_scalar(yaml_or_toml, "title"), _parse_scalar(yaml_or_toml, "abstract") or summary)


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


def _parse_paragraph(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Parse a paragraph; return False if one of its lines may begin another kind of block.

    The Markdown parser tries this rule before its own, since it is fast. Only the numbers of the lines are recorded.
    """
    if silent or state.level or state.is_code_block(first):
        return False
    src, end_marks, line = state.src, state.eMarks, first
    while line < end and (start := state.bMarks[line] + state.tShift[line]) < end_marks[line]:  # not a blank line
        if not (src[start].isalpha() or _PARAGRAPH_LINE.match(src, start)):
            return False
        line += 1
    state.line = line
    state.push("paragraph", "p", 0).map = [first, line]
    return True


def _parse_plain_table(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    """Parse a table of plain characters; return False if no such table begins at line `first`."""
    if silent or state.level:
        return False
    # The first line of a table, or the line below it, begins with dashes, equals signs or a border.
    starts = [state.bMarks[at] + state.tShift[at] for at in (first, first + 1) if at < end]
    if not any(state.src.startswith(("--", "==", "+-", "+=", "+:"), start) for start in starts):
        return False
    lines = [state.src[state.bMarks[at] : state.eMarks[at]] for at in range(first, min(end, first + MAX_TABLE_LINES))]
    if length := count_leading_table_lines(lines):
        state.line = first + length
        state.push("table_open", "table", 0).map = [first, first + length]
    return length > 0


def _build_parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable("table").disable(["normalize", "inline", "text_join"])
    parser.block.ruler.before("table", "words", _parse_paragraph)
    parser.block.ruler.before("table", "plain table", _parse_plain_table)
    return parser


BLOCK_PARSER: Final = _build_parser()
"""A parser that finds only the blocks of a text; the text must come from `normalize_characters_with_warnings`."""
