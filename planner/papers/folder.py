"""Find the paper in a tree of files (a folder or an archive), and read it."""

import json
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from planner.errors import NotAPaperError
from planner.papers.characters import MAX_TEXT_BYTES, decode_text_with_warnings
from planner.papers.html.dom import parse_html
from planner.papers.html.reader import find_page_title, read_html
from planner.papers.latex.reader import read_latex
from planner.papers.latex.scan import COMMENT_PATTERN
from planner.papers.markdown import FrontMatter, parse_front_matter, read_markdown_texts
from planner.papers.paper import ParsedPaper
from planner.papers.sources import TEXT_ENDINGS, FileFormat, SourceTree, find_format_or_other, has_non_paper_name

# A function that reads a paper, given the format, the text and the file's name.
TextReader = Callable[[FileFormat, str, str], ParsedPaper]

_TEX_ENDINGS: Final = TEXT_ENDINGS[FileFormat.LATEX]
_MARKDOWN_ENDINGS: Final = TEXT_ENDINGS[FileFormat.MARKDOWN]
_HTML_ENDINGS: Final = TEXT_ENDINGS[FileFormat.HTML]
_PLAIN_ENDINGS: Final = tuple({*chain(*TEXT_ENDINGS.values())} - {*_TEX_ENDINGS, *_HTML_ENDINGS})
_MAIN_FILE_NAMES: Final = re.compile(r"^(?:main|paper|index|draft|article|manuscript|content|full.?text)\b", re.I)
_BACK_MATTER_NAMES: Final = re.compile(r"append|supp|refer|biblio|back.?matter", re.I)
_ABSTRACT: Final = re.compile(r"^(?:#+\s*|\\begin\{|\*\*)?abstract\b", re.I | re.M)
_CLASS: Final = re.compile(r"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_INPUT: Final = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)\s*\{([^{}]+)\}|\\(?:sub)?import\*?\s*\{([^{}]*)\}\s*\{([^{}]+)\}"
)
_SECTION: Final = re.compile(r"\\(?:section|begin\s*\{document\}|chapter)")
_ROOT: Final = re.compile(r"%(?<=^%)\s*!\s*TEX\s+root\s*=\s*(\S+)", re.I | re.M)
_SIDE_FILE_NAME: Final = re.compile(
    r"template|sample|example|suppl|appendix|rebuttal|respon[sc]e|cover|letter|poster|slides|talk|diff|old|backup"
    r"|checklist|guide|instruction|author.?kit|readme|archive|unused|figure|standalone",
    re.I,
)
_MAIN_FILE_NAME: Final = re.compile(
    r"^(?:main|paper|ms|manuscript|article|arxiv|root|submission|camera.?ready|final)\b", re.I
)
_OTHER_CLASSES: Final = frozenset({"standalone", "subfiles", "beamer", "letter", "tikzposter", "minimal", "ltxdoc"})
_TEMPLATE_PHRASE: Final = re.compile(
    r"formatting (?:instructions|guidelines)|author guidelines|instructions for|lorem ipsum|your (?:paper )?title"
    r"|title of (?:the|your) (?:paper|manuscript)|submission template|how to (?:use|write)|style file|article template"
    r"|paper title\*?\s*\}"
)


def read_source_tree(tree: SourceTree, read_text: TextReader) -> ParsedPaper:
    """Read the paper in a tree of files; `read_text` reads a file in Markdown, HTML or plain text.

    Raises:
        NotAPaperError: if there is no paper, or if several files could be the paper.
    """
    if tree.list_paths(*_TEX_ENDINGS) or not tree.list_paths(*_PLAIN_ENDINGS, *_HTML_ENDINGS):
        main, others = _find_main_latex_and_alternatives(tree)
        if main and (_has_document_class(tree, main) or not _list_paper_files(tree, *_PLAIN_ENDINGS)):
            return read_latex(tree, main, others)
    if (page := _find_topmost(tree.list_paths(*_HTML_ENDINGS), "index")) and not _has_numbered_names(
        _list_paper_files(tree, *_MARKDOWN_ENDINGS)
    ):
        return read_html(_decode_file(tree, page), page)
    texts = _list_paper_files(tree, *_PLAIN_ENDINGS, *_TEX_ENDINGS)
    kinds = {find_format_or_other(name) for name in texts}
    if kinds == {FileFormat.MARKDOWN}:
        return _read_markdown_tree(tree, texts)
    if texts:
        paper = _read_mixed_files(tree, _select_paper_files(tree, texts), read_text)
        return replace(paper, format=FileFormat.TEXT) if FileFormat.LATEX in kinds or len(kinds) > 1 else paper
    if pages := tree.list_paths(*_HTML_ENDINGS):
        page = max(pages, key=lambda name: len(tree.read_bytes(name)))
        return read_html(_decode_file(tree, page), page)
    return _read_only_pdf(tree)


def _list_paper_files(tree: SourceTree, *endings: str) -> tuple[str, ...]:
    names = (n for n in tree.list_paths(*endings) if not has_non_paper_name(posixpath.basename(n)))
    return tuple(sorted(names, key=_natural_sort_key))


def _read_markdown_tree(tree: SourceTree, names: tuple[str, ...]) -> ParsedPaper:
    """Read a paper from Markdown files: numbered parts of the paper, or a main file and its appendix."""
    meta = _find_topmost(tree.list_paths("metadata.yaml", "metadata.yml"), "")
    known = parse_front_matter(_decode_file(tree, meta)) if meta else FrontMatter()
    content = tuple(n for n in names if "/content/" in f"/{n}")
    names = content if meta and content else names
    if _has_numbered_names(names):
        names = tuple(n for n in names if not _is_manubot_template(_decode_file(tree, n)))
    else:
        names = _select_paper_files(tree, names)
    if not known.title and (header := next(iter(tree.list_paths(*_HTML_ENDINGS)), "")):
        known = FrontMatter(find_page_title(parse_html(_decode_file(tree, header))), known.abstract)
    texts = {name: _decode_file(tree, name) for name in names}
    first = next((n for n, text in texts.items() if _ABSTRACT.search(text)), names[0])
    return read_markdown_texts(texts.values(), main_file_name=first, metadata=known)


def _select_paper_files(tree: SourceTree, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the files of one paper, the main file first and the appendix last.

    Raises:
        NotAPaperError: if several files have an abstract and not exactly one of them is named like a main file, or if
            no main file is found and the files are in several folders.
    """
    if len(names) == 1:
        return names
    whole = [n for n in names if _ABSTRACT.search(_decode_file(tree, n))]
    usual = [n for n in whole if _MAIN_FILE_NAMES.match(posixpath.basename(n))]
    if len(whole) > 1 and len(usual) != 1:
        raise _refuse_several_papers(tree, whole)
    first = usual or whole or [n for n in names if _MAIN_FILE_NAMES.match(posixpath.basename(n))][:1]
    if not first and not _has_numbered_names(names) and len({posixpath.dirname(n) for n in names}) > 1:
        raise _refuse_other_files(tree)
    rest = [n for n in names if n not in first and n not in whole]
    if first and not _has_numbered_names(names) and len(names) > 12:
        rest = []
    return (*first[:1], *sorted(rest, key=lambda n: bool(_BACK_MATTER_NAMES.search(n))))


def _read_mixed_files(tree: SourceTree, names: Sequence[str], read_text: TextReader) -> ParsedPaper:
    """Read text, Markdown and LaTeX files in the given order, and join them to one paper."""
    readings = [_read_one_file(tree, name, read_text) for name in names]
    return ParsedPaper(
        title=next((r.title for r in readings if r.title), ""),
        abstract=next((r.abstract for r in readings if r.abstract), ""),
        sections=tuple(section for r in readings for section in r.sections),
        format=readings[0].format,
        main_file=names[0],
        warnings=tuple(warning for r in readings for warning in r.warnings),
    )


def _read_one_file(tree: SourceTree, name: str, read_text: TextReader) -> ParsedPaper:
    kind = find_format_or_other(name)
    return read_latex(tree, name) if kind is FileFormat.LATEX else read_text(kind, _decode_file(tree, name), name)


def _read_only_pdf(tree: SourceTree) -> ParsedPaper:
    pdfs = tree.list_paths(".pdf")
    if len(pdfs) > 1:
        raise _refuse_several_papers(tree, pdfs)
    if not pdfs:
        raise _refuse_other_files(tree)
    from planner.papers.pdf.reader import read_pdf  # pdfium is loaded only for PDFs

    return read_pdf(tree.read_bytes(pdfs[0]), pdfs[0])


def _refuse_several_papers(tree: SourceTree, names: Sequence[str]) -> NotAPaperError:
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    shown = ", ".join(map(repr, names[:3]))
    return NotAPaperError(
        f"{tree.name!r} holds several papers ({shown}{more}); give one of them, or plan all with `batch`"
    )


def _refuse_other_files(tree: SourceTree) -> NotAPaperError:
    held = "; ".join((f"{len(tree.readers_by_path)} files", *tree.warnings[:2]))
    return NotAPaperError(
        f"{tree.name!r} holds no paper that can be recognised ({held}): looked for a .tex file with "
        "\\documentclass, Markdown, an index.html, text or one PDF; give the paper's own file"
    )


def _decode_file(tree: SourceTree, name: str) -> str:
    return decode_text_with_warnings(tree.read_bytes(name), name)[0]


def _find_topmost(names: Iterable[str], stem: str) -> str:
    """Return the path with the fewest folders whose file name begins with `stem`; "" if there is none."""
    fit = [n for n in names if posixpath.basename(n).lower().startswith(stem)]
    return min(fit, key=lambda n: (n.count("/"), n), default="")


def _has_numbered_names(names: Sequence[str]) -> bool:
    return len(names) > 1 and all(re.match(r"\d", posixpath.basename(n)) for n in names)


def _is_manubot_template(text: str) -> bool:
    """Return whether a text is a template of the tool manubot, and no part of the paper."""
    return text.count("{%") + text.count("{{") > 5 and "## Authors" in text


def _natural_sort_key(name: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name))


def _find_main_latex_and_alternatives(tree: SourceTree) -> tuple[str, tuple[str, ...]]:
    """Return the main LaTeX file of a tree ("" if there is none), and other files that may be the main file."""
    names = tree.list_paths(*_TEX_ENDINGS) or _find_files_without_ending(tree)
    texts = {name: _read_without_comments(tree, name) for name in names}
    documents = {name: text for name, text in texts.items() if _CLASS.search(text)}
    if not documents:
        return _find_fragment(texts), ()
    if len(documents) == 1:
        return next(iter(documents)), ()
    roots = _find_commented_roots(tree)
    included = {
        file for name, text in documents.items() for file in _find_input_files(tree, name, text) if file != name
    }
    lengths = {name: _measure_total_length(tree, name, texts) for name in documents}
    longest = max(lengths.values())

    def rank(name: str) -> tuple[float, int, int]:
        score = _score_main_file(tree, name, documents[name], roots, included) + 3 * lengths[name] / longest
        return score, -name.count("/"), -len(name)

    main = _read_stated_main_file(tree, documents) or max(documents, key=rank)
    return main, tuple(name for name in documents if name != main and name not in included)


def _has_document_class(tree: SourceTree, name: str) -> bool:
    """Return whether a file has a command `\\documentclass` that is not in a comment."""
    return bool(_CLASS.search(_read_without_comments(tree, name)))


def _read_without_comments(tree: SourceTree, name: str) -> str:
    return COMMENT_PATTERN.sub("", tree.read_bytes(name)[:MAX_TEXT_BYTES].decode("utf-8", "replace"))


def _find_files_without_ending(tree: SourceTree) -> tuple[str, ...]:
    """Return the files without an ending that have a document class, as in old arXiv sources."""
    names = (name for name in tree.list_paths() if "." not in posixpath.basename(name))
    return tuple(name for name in names if _has_document_class(tree, name))


def _find_fragment(texts: Mapping[str, str]) -> str:
    """Return the main file of a paper whose files have no document class; "" if it is unclear.

    The main file is the only file with several inputs, or else the only file with sections, or else the only file.
    """
    with_inputs = [name for name, text in texts.items() if len(_INPUT.findall(text)) > 1]
    with_sections = [name for name, text in texts.items() if _SECTION.search(text)]
    return next((names[0] for names in (with_inputs, with_sections, list(texts)) if len(names) == 1), "")


def _measure_total_length(tree: SourceTree, name: str, texts: Mapping[str, str]) -> int:
    """Return the number of characters in a file and in the files that it includes."""
    seen, waiting = {name}, [name]
    while waiting:
        current = waiting.pop()
        new = texts.keys() & _find_input_files(tree, current, texts[current]) - seen
        seen |= new
        waiting += new
    return sum(len(texts[name]) for name in seen)


def _find_input_files(tree: SourceTree, name: str, text: str) -> set[str]:
    folder = posixpath.dirname(name)
    paths = (match[1] or posixpath.join(match[2], match[3]) for match in _INPUT.finditer(text))
    found = (tree.find_file(path + ".tex", folder, "") or tree.find_file(path, folder, "") for path in paths)
    return set(filter(None, found))


def _find_commented_roots(tree: SourceTree) -> set[str]:
    """Return the files that other files name in a comment `% !TEX root = FILE`."""
    roots = set[str]()
    for name in tree.list_paths(".tex"):
        if match := _ROOT.search(tree.read_bytes(name)[:2_000].decode("utf-8", "replace")):
            folder = posixpath.dirname(name)
            root = tree.find_file(match[1], folder) or tree.find_file(match[1] + ".tex", folder)
            roots |= {root} - {"", name}
    return roots


def _score_main_file(tree: SourceTree, name: str, text: str, roots: set[str], included: set[str]) -> int:
    class_, start = _CLASS.search(text), text[:60_000].lower()
    signs = (
        (4, "\\begin{document}" in text),
        (-4, class_ is not None and class_[1].strip() in _OTHER_CLASSES),
        (-6, name in included),
        (-5, bool(_TEMPLATE_PHRASE.search(start))),
        (-3, bool(_SIDE_FILE_NAME.search(name))),
        (2, bool(_MAIN_FILE_NAME.match(posixpath.basename(name)))),
        (2, bool(re.search(r"\\(?:icml|paper)?[tT]itle\b", text))),
        (1, "abstract" in text),
        (2, posixpath.splitext(name)[0] + ".bbl" in tree.readers_by_path),
        (3, name in roots),
    )
    return sum(weight for weight, holds in signs if holds)


def _read_stated_main_file(tree: SourceTree, documents: Mapping[str, str]) -> str:
    """Return the main file that arXiv's file 00README names; "" if there is no such file."""
    for name in tree.list_paths("00readme.json", "00readme.xxx"):
        text = tree.read_bytes(name).decode("utf-8", "replace")
        paths = re.findall(r"^(\S+)\s+toplevelfile", text, re.M)
        if name.lower().endswith(".json"):
            paths = _parse_readme_paths(text)
        main = tree.find_file(paths[0], posixpath.dirname(name), "") if paths else ""
        if main in documents:
            return main
    return ""


def _parse_readme_paths(text: str) -> list[str]:
    """Return the paths that a JSON file 00README marks as main files; [] if the text is not valid."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    sources = data.get("sources") if isinstance(data, dict) else None
    listed = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    paths = [source.get("filename") for source in listed if source.get("usage") == "toplevel"]
    return [path for path in paths if isinstance(path, str)]
