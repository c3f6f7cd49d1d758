"""Find the file of a paper that LaTeX would be called with."""

import json
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from planner.papers.characters import MAX_TEXT
from planner.papers.latex.scan import COMMENT
from planner.papers.tree import Tree

_CLASS: Final = re.compile(r"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{([^{}]*)\}")
_INPUT: Final = re.compile(
    r"\\(?:input|include|subfile|subfileinclude)\s*\{([^{}]+)\}|\\(?:sub)?import\*?\s*\{([^{}]*)\}\s*\{([^{}]+)\}"
)
_ROOT: Final = re.compile(r"%(?<=^%)\s*!\s*TEX\s+root\s*=\s*(\S+)", re.I | re.M)
_ASIDE: Final = re.compile(
    r"template|sample|example|suppl|appendix|rebuttal|respon[sc]e|cover|letter|poster|slides|talk|diff|old|backup"
    r"|checklist|guide|instruction|author.?kit|readme|archive|unused|figure|standalone",
    re.I,
)
_USUAL: Final = re.compile(r"^(?:main|paper|ms|manuscript|article|arxiv|root|submission|camera.?ready|final)\b", re.I)
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
    reach: int  # characters, inputs included


def main_file(tree: Tree) -> tuple[str, tuple[str, ...]]:
    """Return the main file of a tree, "" if there is none, and the other files that could be compiled alone."""
    texts = {name: _live(tree, name) for name in tree.names(".tex", ".ltx", ".latex") or _unnamed(tree)}
    whole = {name: text for name, text in texts.items() if _CLASS.search(text)}
    stated = _stated(tree, whole)
    if not whole:
        return _fragment(texts), ()
    found = [_Candidate(name, text, _reach(tree, name, texts)) for name, text in whole.items()]
    if len(found) == 1:
        return found[0].name, ()
    roots = _roots(tree)
    included = {t for c in found for t in _targets(tree, c.name, c.text) if t != c.name}
    best = max(found, key=lambda c: (_points(tree, c, roots, included, found), -c.name.count("/"), -len(c.name)))
    main = stated or best.name
    return main, tuple(c.name for c in found if c.name != main and c.name not in included)


def is_document(tree: Tree, name: str) -> bool:
    """Return whether a file has a `\\documentclass` outside comments."""
    return bool(_CLASS.search(_live(tree, name)))


def _points(tree: Tree, c: _Candidate, roots: Mapping[str, int], included: set[str], all_: list[_Candidate]) -> float:
    """Return the score of a candidate; between equals the longer text with inputs wins."""
    class_ = _CLASS.search(c.text)
    stem = posixpath.splitext(c.name)[0]
    signs = (
        (4, "\\begin{document}" in c.text),
        (-4, class_ is not None and class_[1].strip() in _OTHER_CLASSES),
        (-6, c.name in included),
        (-5, _is_template(c.text[:60_000].lower())),
        (-3, bool(_ASIDE.search(c.name))),
        (2, bool(_USUAL.match(posixpath.basename(c.name)))),
        (2, bool(re.search(r"\\(?:icml|paper)?[tT]itle\b", c.text))),
        (1, "abstract" in c.text),
        (2, stem + ".bbl" in tree.files),
        (3, c.name in roots),
    )
    return sum(weight for weight, holds in signs if holds) + 3 * c.reach / max(o.reach for o in all_)


def _is_template(lowered: str) -> bool:
    return any(words in lowered for words in _PLACEHOLDERS) or bool(_TITLE_ITSELF.search(lowered))


def _live(tree: Tree, name: str) -> str:
    return COMMENT.sub("", tree.read(name)[:MAX_TEXT].decode("utf-8", "replace"))


def _unnamed(tree: Tree) -> tuple[str, ...]:
    """Return the files without an ending that have a document class, as in old arXiv sources."""
    return tuple(n for n in tree.names() if "." not in posixpath.basename(n) and _CLASS.search(_live(tree, n)))


def _stated(tree: Tree, whole: Mapping[str, str]) -> str:
    """Return the top-level file that arXiv's own 00README names, "" if there is none."""
    for name in tree.names("00readme.json", "00readme.xxx"):
        raw = tree.read(name).decode("utf-8", "replace")
        found = re.findall(r"^(\S+)\s+toplevelfile", raw, re.M)
        if name.lower().endswith(".json"):
            found = [s.get("filename", "") for s in _sources(raw) if s.get("usage") == "toplevel"]
        top = next((tree.find(f, posixpath.dirname(name), "") for f in found), "")
        if top in whole:
            return top
    return ""


def _sources(raw: str) -> list[dict[str, str]]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return []
    sources = data.get("sources") if isinstance(data, dict) else None
    return [s for s in sources if isinstance(s, dict)] if isinstance(sources, list) else []


def _roots(tree: Tree) -> dict[str, int]:
    """Count how many files name each file as their root in an editor's comment."""
    found: dict[str, int] = {}
    for name in tree.names(".tex"):
        if match := _ROOT.search(tree.read(name)[:2_000].decode("utf-8", "replace")):
            root = tree.find(match[1], posixpath.dirname(name)) or tree.find(match[1] + ".tex", posixpath.dirname(name))
            if root and root != name:
                found[root] = found.get(root, 0) + 1
    return found


def _targets(tree: Tree, name: str, text: str) -> list[str]:
    folder, found = posixpath.dirname(name), []
    for match in _INPUT.finditer(text):
        path = match[1] or posixpath.join(match[2], match[3])
        target = tree.find(path + ".tex", folder, "") or tree.find(path, folder, "")
        if target:
            found.append(target)
    return found


def _reach(tree: Tree, name: str, texts: Mapping[str, str]) -> int:
    seen, waiting, size = {name}, [name], 0
    while waiting:
        current = waiting.pop()
        text = texts.get(current, "")
        size += len(text)
        new = [t for t in dict.fromkeys(_targets(tree, current, text)) if t not in seen and t in texts]
        seen.update(new)
        waiting += new
    return size


def _fragment(texts: Mapping[str, str]) -> str:
    """Return the one file that includes others, has sections or is alone, if no file has a document class; else ""."""
    fit = [n for n, t in texts.items() if re.search(r"\\(?:section|begin\s*\{document\}|chapter)", t)]
    leading = [n for n, t in texts.items() if len(_INPUT.findall(t)) > 1]
    named = [names for names in (leading, fit, list(texts)) if len(names) == 1]
    return named[0][0] if named else ""
