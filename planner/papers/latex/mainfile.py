"""Find the file of a paper that LaTeX would be called with."""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from planner.papers.characters import MAX_TEXT_BYTES
from planner.papers.latex.scan import COMMENT_PATTERN
from planner.papers.tree import SourceTree

_CLASS: Final = re.compile(r"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_INPUT: Final = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)\s*\{([^{}]+)\}|\\(?:sub)?import\*?\s*\{([^{}]*)\}\s*\{([^{}]+)\}"
)
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
_PLACEHOLDERS: Final = (
    *("formatting instructions", "formatting guidelines", "author guidelines", "instructions for", "lorem ipsum"),
    *("your title", "your paper title", "title of the paper", "title of your paper", "title of the manuscript"),
    *("title of your manuscript", "submission template", "how to use", "how to write", "style file"),
    "article template",
)
_TITLE_ITSELF: Final = re.compile(r"paper title\*?\s*\}")


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    text: str  # without comments
    total_length: int  # characters, inputs included


def find_main_file(tree: SourceTree) -> tuple[str, tuple[str, ...]]:
    """Return the main file of a tree, "" if there is none, and the other files that could be compiled alone."""
    texts = {
        name: _read_without_comments(tree, name)
        for name in tree.list_names(".tex", ".ltx", ".latex") or _find_files_without_ending(tree)
    }
    whole = {name: text for name, text in texts.items() if _CLASS.search(text)}
    stated = _read_stated_main_file(tree, whole)
    if not whole:
        return _find_fragment(texts), ()
    found = [_Candidate(name, text, _measure_total_length(tree, name, texts)) for name, text in whole.items()]
    if len(found) == 1:
        return found[0].name, ()
    roots = _count_root_comments(tree)
    included = {t for c in found for t in _find_input_files(tree, c.name, c.text) if t != c.name}
    best = max(
        found, key=lambda c: (_score_candidate(tree, c, roots, included, found), -c.name.count("/"), -len(c.name))
    )
    main = stated or best.name
    return main, tuple(c.name for c in found if c.name != main and c.name not in included)


def has_document_class(tree: SourceTree, name: str) -> bool:
    """Return whether a file has a `\\documentclass` outside comments."""
    return bool(_CLASS.search(_read_without_comments(tree, name)))


def _score_candidate(
    tree: SourceTree, candidate: _Candidate, roots: Mapping[str, int], included: set[str], candidates: list[_Candidate]
) -> float:
    """Return the score of a candidate; between equals the longer text with inputs wins."""
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
    return sum(weight for weight, holds in signs if holds) + 3 * candidate.total_length / max(
        o.total_length for o in candidates
    )


def _is_template(lowered: str) -> bool:
    return any(words in lowered for words in _PLACEHOLDERS) or bool(_TITLE_ITSELF.search(lowered))


def _read_without_comments(tree: SourceTree, name: str) -> str:
    return COMMENT_PATTERN.sub("", tree.read_bytes(name)[:MAX_TEXT_BYTES].decode("utf-8", "replace"))


def _find_files_without_ending(tree: SourceTree) -> tuple[str, ...]:
    """Return the files without an ending that have a document class, as in old arXiv sources."""
    return tuple(
        n
        for n in tree.list_names()
        if "." not in posixpath.basename(n) and _CLASS.search(_read_without_comments(tree, n))
    )


def _read_stated_main_file(tree: SourceTree, documents: Mapping[str, str]) -> str:
    """Return the top-level file that arXiv's own 00README names, "" if there is none."""
    for name in tree.list_names("00readme.json", "00readme.xxx"):
        raw = tree.read_bytes(name).decode("utf-8", "replace")
        found = re.findall(r"^(\S+)\s+toplevelfile", raw, re.M)
        if name.lower().endswith(".json"):
            found = [s.get("filename", "") for s in _parse_readme_sources(raw) if s.get("usage") == "toplevel"]
        top = next((tree.find_file(f, posixpath.dirname(name), "") for f in found), "")
        if top in documents:
            return top
    return ""


def _parse_readme_sources(raw: str) -> list[dict[str, str]]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    sources = data.get("sources") if isinstance(data, dict) else None
    return [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []


def _count_root_comments(tree: SourceTree) -> dict[str, int]:
    """Count how many files name each file as their root in an editor's comment."""
    found: dict[str, int] = {}
    for name in tree.list_names(".tex"):
        if match := _ROOT.search(tree.read_bytes(name)[:2_000].decode("utf-8", "replace")):
            root = tree.find_file(match[1], posixpath.dirname(name)) or tree.find_file(
                match[1] + ".tex", posixpath.dirname(name)
            )
            if root and root != name:
                found[root] = found.get(root, 0) + 1
    return found


def _find_input_files(tree: SourceTree, name: str, text: str) -> list[str]:
    folder, found = posixpath.dirname(name), []
    for match in _INPUT.finditer(text):
        path = match[1] or posixpath.join(match[2], match[3])
        target = tree.find_file(path + ".tex", folder, "") or tree.find_file(path, folder, "")
        if target:
            found.append(target)
    return found


def _measure_total_length(tree: SourceTree, name: str, texts: Mapping[str, str]) -> int:
    seen, waiting, size = {name}, [name], 0
    while waiting:
        current = waiting.pop()
        text = texts.get(current, "")
        size += len(text)
        new = [t for t in dict.fromkeys(_find_input_files(tree, current, text)) if t not in seen and t in texts]
        seen.update(new)
        waiting += new
    return size


def _find_fragment(texts: Mapping[str, str]) -> str:
    """Return the one file that includes others, has sections or is alone, if no file has a document class; else ""."""
    fit = [n for n, t in texts.items() if re.search(r"\\(?:section|begin\s*\{document\}|chapter)", t)]
    leading = [n for n, t in texts.items() if len(_INPUT.findall(t)) > 1]
    named = [names for names in (leading, fit, list(texts)) if len(names) == 1]
    return named[0][0] if named else ""
