"""Find the main file of a LaTeX paper, which LaTeX would be called with."""

import json
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from planner.papers.characters import MAX_TEXT_BYTES
from planner.papers.formats import TEXT_ENDINGS, FileFormat
from planner.papers.latex.scan import COMMENT_PATTERN, LatexSource
from planner.papers.tree import SourceTree

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
_TEMPLATE_PHRASES: Final = (
    *("formatting instructions", "formatting guidelines", "author guidelines", "instructions for", "lorem ipsum"),
    *("your title", "your paper title", "title of the paper", "title of your paper", "title of the manuscript"),
    *("title of your manuscript", "submission template", "how to use", "how to write", "style file"),
    "article template",
)
_PLACEHOLDER_TITLE: Final = re.compile(r"paper title\*?\s*\}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    text: str  # without comments
    total_length: int  # characters, inputs included


def find_main_file(tree: SourceTree) -> tuple[str, tuple[str, ...]]:
    """Return the main file of a tree, "" if there is none, and the other files that could be compiled alone."""
    texts = {
        name: _read_without_comments(tree, name)
        for name in tree.list_names(*TEXT_ENDINGS[FileFormat.LATEX]) or _find_files_without_ending(tree)
    }
    documents = {name: text for name, text in texts.items() if _CLASS.search(text)}
    if not documents:
        return _find_fragment(texts), ()
    candidates = [_Candidate(name, t, _measure_total_length(tree, name, texts)) for name, t in documents.items()]
    if len(candidates) == 1:
        return candidates[0].name, ()
    roots = _count_root_comments(tree)
    included = {name for c in candidates for name in _find_input_files(tree, c.name, c.text) if name != c.name}
    longest = max(c.total_length for c in candidates)

    def rank(candidate: _Candidate) -> tuple[float, int, int]:
        score = _score_candidate(tree, candidate, roots, included) + 3 * candidate.total_length / longest
        return score, -candidate.name.count("/"), -len(candidate.name)

    main = _read_stated_main_file(tree, documents) or max(candidates, key=rank).name
    return main, tuple(c.name for c in candidates if c.name != main and c.name not in included)


def has_document_class(tree: SourceTree, name: str) -> bool:
    """Return whether a file has a `\\documentclass` outside comments."""
    return bool(_CLASS.search(_read_without_comments(tree, name)))


def _read_without_comments(tree: SourceTree, name: str) -> str:
    return COMMENT_PATTERN.sub("", tree.read_bytes(name)[:MAX_TEXT_BYTES].decode("utf-8", "replace"))


def _find_files_without_ending(tree: SourceTree) -> tuple[str, ...]:
    """Return the files without an ending that have a document class, as in old arXiv sources."""
    names = (name for name in tree.list_names() if "." not in posixpath.basename(name))
    return tuple(name for name in names if has_document_class(tree, name))


def _find_fragment(texts: Mapping[str, str]) -> str:
    """Return the one file that includes others, has sections or is alone, if no file has a document class; else ""."""
    with_inputs = [name for name, text in texts.items() if len(_INPUT.findall(text)) > 1]
    with_sections = [name for name, text in texts.items() if _SECTION.search(text)]
    return next((names[0] for names in (with_inputs, with_sections, list(texts)) if len(names) == 1), "")


def _measure_total_length(tree: SourceTree, name: str, texts: Mapping[str, str]) -> int:
    """Return the length of a file with its inputs, each counted once."""
    seen, waiting, size = {name}, [name], 0
    while waiting:
        current = waiting.pop()
        text = texts.get(current, "")
        size += len(text)
        inputs = dict.fromkeys(_find_input_files(tree, current, text))
        new = [name for name in inputs if name not in seen and name in texts]
        seen.update(new)
        waiting += new
    return size


def _find_input_files(tree: SourceTree, name: str, text: str) -> list[str]:
    folder, targets = posixpath.dirname(name), []
    for match in _INPUT.finditer(text):
        path = match[1] or posixpath.join(match[2], match[3])
        target = tree.find_file(path + ".tex", folder, "") or tree.find_file(path, folder, "")
        if target:
            targets.append(target)
    return targets


def _count_root_comments(tree: SourceTree) -> dict[str, int]:
    """Return how many files name each file as their root in an editor's comment."""
    counts = Counter[str]()
    for name in tree.list_names(".tex"):
        if match := _ROOT.search(tree.read_bytes(name)[:2_000].decode("utf-8", "replace")):
            folder = posixpath.dirname(name)
            root = tree.find_file(match[1], folder) or tree.find_file(match[1] + ".tex", folder)
            if root and root != name:
                counts[root] += 1
    return counts


def _score_candidate(tree: SourceTree, candidate: _Candidate, roots: Mapping[str, int], included: set[str]) -> int:
    """Return the score of a candidate by its name, its text and the files that refer to it."""
    class_ = _CLASS.search(candidate.text)
    stem = posixpath.splitext(candidate.name)[0]
    signs = (
        (4, "\\begin{document}" in candidate.text),
        (-4, class_ is not None and class_[1].strip() in _OTHER_CLASSES),
        (-6, candidate.name in included),
        (-5, _is_template(candidate.text[:60_000].lower())),
        (-3, bool(_SIDE_FILE_NAME.search(candidate.name))),
        (2, bool(_MAIN_FILE_NAME.match(posixpath.basename(candidate.name)))),
        (2, bool(re.search(r"\\(?:icml|paper)?[tT]itle\b", candidate.text))),
        (1, "abstract" in candidate.text),
        (2, stem + ".bbl" in tree.files),
        (3, candidate.name in roots),
    )
    return sum(weight for weight, holds in signs if holds)


def _is_template(lowered: str) -> bool:
    return any(words in lowered for words in _TEMPLATE_PHRASES) or bool(_PLACEHOLDER_TITLE.search(lowered))


def _read_stated_main_file(tree: SourceTree, documents: Mapping[str, str]) -> str:
    """Return the main file that arXiv's own 00README names, "" if there is none."""
    for name in tree.list_names("00readme.json", "00readme.xxx"):
        text = tree.read_bytes(name).decode("utf-8", "replace")
        paths = re.findall(r"^(\S+)\s+toplevelfile", text, re.M)
        if name.lower().endswith(".json"):
            paths = _parse_readme_paths(text)
        main = tree.find_file(paths[0], posixpath.dirname(name), "") if paths else ""
        if main in documents:
            return main
    return ""


def _parse_readme_paths(text: str) -> list[str]:
    """Return the paths of the top-level files in a JSON 00README, which may hold anything."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return []
    sources = data.get("sources") if isinstance(data, dict) else None
    listed = [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []
    paths = [source.get("filename") for source in listed if source.get("usage") == "toplevel"]
    return [path for path in paths if isinstance(path, str)]


def find_document_start(text: str) -> int:
    """Return the position of the first `\\begin{document}` outside verbatim text, -1 if there is none."""
    if "\\begin{document}" not in text:
        return -1
    tokens = LatexSource(text).find_commands("begin".__eq__)
    return next((token.start for token in tokens if text.startswith("{document}", token.end)), -1)


def find_input(tree: SourceTree, path: str, folders: Sequence[str]) -> str:
    """Return the file of the tree that the path of an input means, "" if there is none."""
    endings = ("",) if path.lower().endswith((".tex", ".ltx")) else (".tex", "", ".ltx")
    in_folders = (tree.find_file(path + ending, *folders) for ending in endings)
    anywhere = (tree.find_unique(path + ending) for ending in endings)  # a path of the author's machine
    return next((name for name in chain(in_folders, anywhere) if name), "")
