"""Remove floats and sentences that would reveal the results or ablations of a paper before its experiments."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from planner.papers.headings import bare
from planner.papers.paper import Block, BlockKind, LeftOut, Section, SectionKind
from planner.papers.sentences import sentences

_FLOATS: Final = frozenset({BlockKind.TABLE, BlockKind.FIGURE})
_CAPTION: Final = re.compile(r"^[ \t*_]*(?:(Fig)(?:ure|\.)?|(Tab)(?:le|\.)?)[ \t]*(\d+)[*_]*[ \t]*[.:|]", re.M | re.I)
_TEX_CAPTION: Final = re.compile(r"\\(?:caption\*?|captionof\{\w+\})\s*(?:\[[^\]]*\])?\s*\{")
_LABEL: Final = re.compile(r"\\label\s*\{([^}]*)\}")
_REFERENCE: Final = re.compile(
    r"\b(?:(fig)(?:ure|s|\.)?s?|(tab)(?:le|\.)?s?)[.~ \t\n]*(\d+)|\\(?:auto|c|C|v)?ref\*?\s*\{([^}]*)\}", re.I
)
_SECTION: Final = re.compile(r"(?:\b(?:section|sect?\.?|appendix)|§)[~ \t\n]*([A-Z]?\d*(?:\.\d+)*)", re.I)
_NUMBER: Final = re.compile(r"^(?:(?:appendix|section)\s+)?([A-Z]?\d*(?:\.\d+)*)(?![^\W\d_])", re.I)

_OF_METHOD: Final = re.compile(
    r"\b(?:overview|architecture|framework|pipeline|structure|illustrat\w+|schematic|diagram|workflow|overall|network|"
    r"module|block|procedure|process|design|mechanism|encoder|decoder|layer|example of|training|algorithm)\b",
    re.I,
)
_OF_RESULTS: Final = re.compile(
    r"\b(?:results?|performances?|compar\w+|accurac\w+|ablat\w+|effects? of|impacts?|versus|vs|errors?|scores?"
    r"|improv\w+|outperform\w*|baselines?|sensitivity|without|w/o|convergence|trade-?offs?|curves?|evaluat\w+"
    r"|visuali[sz]\w+|estimated|different (?:values|numbers|settings)|test set|per cent|percentage|mAP|F1|AUC|RMSE"
    r"|MAE)\b|[\d.]+ ?\\?%",
    re.I,
)
_OF_ABLATION: Final = re.compile(
    r"\bablat\w*|\beffects? of\b|\b(?:with|w/)(?: and | or |/)(?:without|w/o)\b|\bwithout\b|\bw/o\b|\bvariants? of\b"
    r"|\binstead of\b",
    re.I,
)
_ANNOUNCES: Final = re.compile(
    r"\bablat(?:e|es|ed|ing|ion|ions|ive)\b|\\ablat"
    r"|\b(?:remov(?:ing|al of)|disabling|dropping)\b[^.]{2,80}\b(?:hurts?|degrad\w+|drops?|worsen\w*|decreas\w+"
    r"|deteriorat\w+|leads? to (?:a )?(?:worse|lower|drop|decrease))\b"
    r"|\b(?:without|w/o|when(?: we)? (?:remov|dropp?|replac|disabl|omitt?)(?:e|es|ed|ing)?)\b[^.]{2,80}"
    r"\b(?:accuracy|performance|scores?|results?|F1|mAP)\b[^.]{0,30}"
    r"\b(?:drops?|falls?|degrad\w+|decreas\w+|declines?|worsens?|suffers?|deteriorat\w+)\b"
    r"|\b(?:we|experiments?|section|§)\b[^.]{0,60}\b(?:stud(?:y|ies)|analy[sz]e|investigate|verify|examine|measure)s?\b"
    r"[^.]{0,30}\b(?:contributions?|effects?|impacts?|importance|role) of"
    r" (?:each|every|individual|the (?:different|various))",
    re.I,
)
_PROSE_LINE: Final = 6  # words in a line of running text; the labels inside a figure have fewer
_LONGEST_CAPTION: Final = 1200

FLOATS: Final = "tables and figures are not sent in the author task"
ANNOUNCED: Final = "sentences that point to results or ablations are not sent in the author task"


@dataclass(frozen=True, slots=True)
class Sealed:
    """The sections without leaks, and the omissions."""

    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True, slots=True)
class _Results:
    """The names and labels of floats with results, and the numbers of ablation sections beyond the cut."""

    floats: frozenset[str]
    sections: frozenset[str]

    def named_in(self, sentence: str) -> bool:
        references = tuple(_references(sentence))
        if any(name in self.floats for name in references) or (references and _OF_ABLATION.search(sentence)):
            return True
        return any(match[1] in self.sections for match in _SECTION.finditer(sentence))


def seal(kept: Sequence[Section], beyond: Sequence[Section]) -> Sealed:
    """Remove from the `kept` sections the text that reveals ablations; `beyond` are the sections after the cut.

    All tables are removed, and all figures except the caption of a figure that shows the method. Sentences are removed
    that announce an ablation, describe one with a float, or refer to results or ablations beyond the cut.
    """
    results = _results(kept, beyond)
    sealed: list[Section] = []
    left_out: list[LeftOut] = []
    for section in kept:
        blocks = [_sealed(block, results) for block in section.blocks]
        for kinds, why in ((_FLOATS, FLOATS), (frozenset(BlockKind) - _FLOATS, ANNOUNCED)):
            gone = sum(
                len(old.text) - len(new) for old, new in zip(section.blocks, blocks, strict=True) if _kind(old) in kinds
            )
            if gone:
                left_out.append(LeftOut(section.heading or "(before the first heading)", gone, why))
        texts = zip(section.blocks, blocks, strict=True)
        sealed.append(replace(section, blocks=tuple(replace(old, text=new) for old, new in texts if new.strip())))
    return Sealed(tuple(sealed), tuple(left_out))


def without_announcements(text: str) -> str:
    """Remove the sentences that announce an ablation from a text, such as an abstract."""
    return "".join(sentence for sentence in sentences(text) if not _ANNOUNCES.search(sentence)).strip()


def _sealed(block: Block, results: _Results) -> str:
    if block.kind is BlockKind.HEADING:
        return block.text
    if _kind(block) in _FLOATS:
        caption = _caption(block.text)
        return caption if _kind(block) is BlockKind.FIGURE and _shows_method(caption) else ""
    kept = (s for s in sentences(block.text) if not _ANNOUNCES.search(s) and not results.named_in(s))
    return "".join(kept).rstrip()


def _kind(block: Block) -> BlockKind:
    """Return the kind of a block, with a paragraph that is a caption as its float, and a figure of prose as prose."""
    if block.kind is BlockKind.PROSE and (match := _CAPTION.match(block.text)):
        return BlockKind.FIGURE if match[1] else BlockKind.TABLE
    if block.kind is BlockKind.FIGURE and not _caption(block.text) and _reads_as_prose(block.text):
        return BlockKind.PROSE
    return block.kind


def _caption(text: str) -> str:
    """Return the caption of a float; "" if none is found."""
    if match := _TEX_CAPTION.search(text):
        return text[match.end() : _closing(text, match.end())].strip()
    match = _CAPTION.search(text)
    return text[match.start() :].strip() if match and len(text) - match.start() <= _LONGEST_CAPTION else ""


def _closing(text: str, start: int) -> int:
    depth = 1
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return len(text)


def _shows_method(caption: str) -> bool:
    return bool(_OF_METHOD.search(caption)) and not _OF_RESULTS.search(caption)


def _reads_as_prose(text: str) -> bool:
    lines = [line.split() for line in text.split("\n") if line.strip()]
    words = sum(map(len, lines))
    in_prose = sum(len(line) for line in lines if len(line) >= _PROSE_LINE)
    return words >= _PROSE_LINE and in_prose >= 0.7 * words and bool(re.search(r"[a-z]{2}[.,;]", text))


def _results(kept: Iterable[Section], beyond: Iterable[Section]) -> _Results:
    floats: set[str] = set()
    headings: set[str] = set()
    for section in kept:
        floats.update(*(_float_names(b.text) for b in section.blocks if _OF_ABLATION.search(_float_caption(b))))
    for section in beyond:
        floats.update(*(_float_names(b.text) for b in section.blocks if _is_result(b)))
        if section.kind is SectionKind.ABLATION:
            headings |= _numbers_of(section)
            floats.update(label for block in section.blocks for label in _LABEL.findall(block.text))
    return _Results(frozenset(floats), frozenset(headings))


def _float_caption(block: Block) -> str:
    return _caption(block.text) if _kind(block) in _FLOATS else ""


def _is_result(block: Block) -> bool:
    caption = _float_caption(block)
    tells = bool(_OF_RESULTS.search(caption)) and not _OF_METHOD.search(caption)
    return tells or (_kind(block) is BlockKind.TABLE and _is_numeric(block.text))


def _is_numeric(text: str) -> bool:
    words = text.split()
    return sum(any(c.isdigit() for c in word) for word in words) > 0.3 * len(words)


def _float_names(text: str) -> set[str]:
    match = _CAPTION.search(text)
    numbered = {f"{(match[1] or match[2]).lower()} {match[3]}"} if match else set()
    return numbered | set(_LABEL.findall(text))


def _numbers_of(section: Section) -> set[str]:
    """Return the number in the heading of a section as a set of one; an empty set if there is none."""
    heading = section.heading.strip()
    if bare(heading) == heading:
        return set()
    number = _NUMBER.match(heading)
    return {number[1]} if number and number[1] else set()


def _references(sentence: str) -> Iterable[str]:
    for match in _REFERENCE.finditer(sentence):
        if match[4] is not None:
            yield from (label.strip() for label in match[4].split(","))
        else:
            yield f"{(match[1] or match[2]).lower()} {match[3]}"
