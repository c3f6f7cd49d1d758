"""Remove tables, figures and sentences that would tell a model the results or ablations of a paper.

The task `author` sends the sections before the experiments, and these may already mention results.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from planner.papers.headings import strip_number_and_punctuation
from planner.papers.paper import Block, BlockKind, Excerpt, Omission, Section, SectionKind
from planner.papers.text import is_table

# A full stop after one of these, or after an initial, does not end a sentence.
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|etc|cf|vs|resp|approx|w\.r\.t|a\.k\.a|[Ff]igs?|[Tt]abs?|[Ss]ecs?|[Ee]qs?|[Aa]lgs?|[Aa]pp|"
    r"[Rr]efs?|[Nn]o|[Vv]ol|pp|Dr|Prof)|(?<![Aa]ppendix )(?<![Ss]ection )\b[A-Z])\.$"
)
_SENTENCE_END: Final = re.compile(
    r"[.!?][\"'”’)\]}]*(?=\s+(?:[^\sa-z]|$))|\n\s*\n|(?=\n\s*(?:[-*•–]|\\item\b|\d{1,2}[.)])\s)"
)
_FLOAT_KINDS: Final = frozenset({BlockKind.TABLE, BlockKind.FIGURE})
_TEXT_KINDS: Final = frozenset(BlockKind) - _FLOAT_KINDS
_CAPTION: Final = re.compile(r"^[ \t*_]*(?:(Fig)(?:ure|\.)?|(Tab)(?:le|\.)?)[ \t]*(\d+)[*_]*[ \t]*[.:|]", re.M | re.I)
_TEX_CAPTION: Final = re.compile(r"\\(?:caption\*?|captionof\{\w+\})\s*(?:\[[^\]]*\])?\s*\{")
_LABEL: Final = re.compile(r"\\label\s*\{([^}]*)\}")
_REFERENCE: Final = re.compile(
    r"\b(?:(fig)(?:ure|s|\.)?s?|(tab)(?:le|\.)?s?)[.~ \t\n]*(\d+)|\\(?:auto|c|C|v)?ref\*?\s*\{([^}]*)\}", re.I
)
_SECTION: Final = re.compile(r"(?:\b(?:section|sect?\.?|appendix)|§)[~ \t\n]*([A-Z]?\d*(?:\.\d+)*)", re.I)
_NUMBER: Final = re.compile(r"^(?:(?:appendix|section)\s+)?([A-Z]?\d*(?:\.\d+)*)(?![^\W\d_])", re.I)
_METHOD_WORDS: Final = re.compile(
    r"\b(?:overview|architecture|framework|pipeline|structure|illustrat\w+|schematic|diagram|workflow|overall|network|"
    r"module|block|procedure|process|design|mechanism|encoder|decoder|layer|example of|training|algorithm)\b",
    re.I,
)
_RESULT_WORDS: Final = re.compile(
    r"\b(?:results?|performances?|compar\w+|accurac\w+|ablat\w+|effects? of|impacts?|versus|vs|errors?|scores?"
    r"|improv\w+|outperform\w*|baselines?|sensitivity|without|w/o|convergence|trade-?offs?|curves?|evaluat\w+"
    r"|visuali[sz]\w+|estimated|different (?:values|numbers|settings)|test set|per cent|percentage|mAP|F1|AUC|RMSE"
    r"|MAE)\b|[\d.]+ ?\\?%",
    re.I,
)
_ABLATION_WORDS: Final = re.compile(
    r"\bablat\w*|\beffects? of\b|\b(?:with|w/)(?: and | or |/)(?:without|w/o)\b|\bwithout\b|\bw/o\b|\bvariants? of\b"
    r"|\binstead of\b",
    re.I,
)
_ANNOUNCEMENT: Final = re.compile(
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
# Each match has one of these words in lower case. Most passages have none, and need no slow search.
_ANNOUNCEMENT_CUES: Final = (
    *("ablat", "remov", "disabling", "dropping", "without", "w/o", "when"),
    *("of each", "of every", "of individual", "of the different", "of the various"),
)
_REFERENCE_CUES: Final = ("fig", "tab", "ref")
_SECTION_CUES: Final = ("sec", "app", "§")
_MIN_PROSE_WORDS: Final = 6  # words in a line; the labels inside a figure have fewer
_MAX_CAPTION_CHARS: Final = 1200
FLOAT_REASON: Final = "tables and figures are not sent in the author task"
ANNOUNCEMENT_REASON: Final = "sentences that point to results or ablations are not sent in the author task"


@dataclass(frozen=True, slots=True)
class _ResultReferences:
    """The tables, figures and sections to which no sent sentence may refer, since they show results or ablations.

    `floats` has the names ("fig 3") and LaTeX labels of tables and figures; `sections` has section numbers.
    """

    floats: frozenset[str]
    sections: frozenset[str]

    def is_named_in(self, sentence: str) -> bool:
        """Return whether a sentence refers to one of these tables, figures and sections.

        A sentence that mentions an ablation and refers to any table or figure counts too.
        """
        references = tuple(_find_references(sentence)) if _has_cue(sentence, _REFERENCE_CUES) else ()
        if any(name in self.floats for name in references) or (references and _ABLATION_WORDS.search(sentence)):
            return True
        return bool(self.sections) and any(match[1] in self.sections for match in _SECTION.finditer(sentence))

    @property
    def cues(self) -> tuple[str, ...]:
        """Words such as "fig" and "sec"; a text without them names none of these tables, figures and sections."""
        return (*_REFERENCE_CUES, *(_SECTION_CUES if self.sections else ()))


def remove_results_and_ablations(excerpt: Excerpt, unsent_sections: Sequence[Section]) -> Excerpt:
    """Return an excerpt without the text that reveals results or ablations, and with an omission for each removal.

    `unsent_sections` are the sections that the task does not send. Tables and figures are removed; only the caption of
    a figure that shows the method stays. A sentence is removed if it announces an ablation, if it mentions an ablation
    and refers to a table or figure, or if it refers to omitted results or ablations.
    """
    results = _collect_result_references(excerpt.sections, unsent_sections)
    redacted: list[Section] = []
    omissions: list[Omission] = []
    for section in excerpt.sections:
        rows = [(b, kind := _classify_block(b), _redact_block(b, kind, results)) for b in section.blocks]
        for kinds, reason in ((_FLOAT_KINDS, FLOAT_REASON), (_TEXT_KINDS, ANNOUNCEMENT_REASON)):
            removed = sum(len(block.text) - len(text) for block, kind, text in rows if kind in kinds)
            if removed:
                omissions.append(Omission(section.display_heading, removed, reason))
        blocks = tuple(replace(block, text=text) for block, _, text in rows if text.strip())
        redacted.append(replace(section, blocks=blocks))
    abstract = "".join(sentence for sentence in split_sentences(excerpt.abstract) if not _is_announcement(sentence))
    return replace(excerpt, abstract=abstract.strip()).copy_with_sections(redacted, omissions)


def split_sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a text in order, each with the white space after it."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        if match[0].startswith(".") and _ABBREVIATION.search(text[max(start, match.start() - 16) : match.start() + 1]):
            continue
        end = match.end()
        while end < len(text) and text[end].isspace():
            end += 1
        if end > start:
            yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _redact_block(block: Block, kind: BlockKind, results: _ResultReferences) -> str:
    if block.kind is BlockKind.HEADING:
        return block.text
    if kind in _FLOAT_KINDS:
        caption = _find_caption(block.text)
        shows_method = _METHOD_WORDS.search(caption) and not _RESULT_WORDS.search(caption)
        return caption if kind is BlockKind.FIGURE and shows_method else ""
    if not _has_cue(block.text, (*_ANNOUNCEMENT_CUES, *results.cues)):
        return block.text.rstrip()
    kept = (s for s in split_sentences(block.text) if not _is_announcement(s) and not results.is_named_in(s))
    return "".join(kept).rstrip()


def _is_announcement(sentence: str) -> bool:
    return _has_cue(sentence, _ANNOUNCEMENT_CUES) and bool(_ANNOUNCEMENT.search(sentence))


def _has_cue(text: str, cues: Iterable[str]) -> bool:
    return any(map(text.lower().__contains__, cues))


def _classify_block(block: Block) -> BlockKind:
    """Return the kind of a block, corrected if its text shows that the loader chose a wrong kind.

    Prose that is a caption has the kind of its figure or table. Prose that looks like a table is a table. A figure
    without a caption is prose if it holds sentences.
    """
    if block.kind is BlockKind.PROSE and (match := _CAPTION.match(block.text)):
        return BlockKind.FIGURE if match[1] else BlockKind.TABLE
    if block.kind is BlockKind.PROSE and is_table(block.text):
        return BlockKind.TABLE
    if block.kind is BlockKind.FIGURE and not _find_caption(block.text) and _is_prose(block.text):
        return BlockKind.PROSE
    return block.kind


def _find_caption(text: str) -> str:
    if match := _TEX_CAPTION.search(text):
        return text[match.end() : _find_closing_brace(text, match.end())].strip()
    match = _CAPTION.search(text)
    return text[match.start() :].strip() if match and len(text) - match.start() <= _MAX_CAPTION_CHARS else ""


def _find_closing_brace(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
    return len(text)


def _is_prose(text: str) -> bool:
    lines = [line.split() for line in text.split("\n") if line.strip()]
    words = sum(map(len, lines))
    prose_words = sum(len(line) for line in lines if len(line) >= _MIN_PROSE_WORDS)
    return words >= _MIN_PROSE_WORDS and prose_words >= 0.7 * words and bool(re.search(r"[a-z]{2}[.,;]", text))


def _collect_result_references(sections: Iterable[Section], omitted_sections: Iterable[Section]) -> _ResultReferences:
    floats: set[str] = set()
    numbers: set[str] = set()
    for block in (block for section in sections for block in section.blocks):
        if _ABLATION_WORDS.search(_find_float_caption(block)):
            floats |= _find_float_names(block.text)
    for section in omitted_sections:
        floats.update(*(_find_float_names(block.text) for block in section.blocks if _is_result(block)))
        if section.kind is SectionKind.ABLATION:
            numbers |= _find_section_number(section)
            floats.update(label for block in section.blocks for label in _LABEL.findall(block.text))
    return _ResultReferences(frozenset(floats), frozenset(numbers))


def _find_float_caption(block: Block) -> str:
    return _find_caption(block.text) if _classify_block(block) in _FLOAT_KINDS else ""


def _is_result(block: Block) -> bool:
    caption = _find_float_caption(block)
    names_results = bool(_RESULT_WORDS.search(caption)) and not _METHOD_WORDS.search(caption)
    return names_results or (_classify_block(block) is BlockKind.TABLE and _is_numeric(block.text))


def _is_numeric(text: str) -> bool:
    words = text.split()
    return sum(any(c.isdigit() for c in word) for word in words) > 0.3 * len(words)


def _find_float_names(text: str) -> set[str]:
    """Return the names of a table or figure: its labels, and the number in its caption, such as "fig 3"."""
    match = _CAPTION.search(text)
    names = {f"{(match[1] or match[2]).lower()} {match[3]}"} if match else set()
    return names | set(_LABEL.findall(text))


def _find_section_number(section: Section) -> set[str]:
    """Return a set with the number in a section's heading; the set is empty if there is no number."""
    heading = section.heading.strip()
    if strip_number_and_punctuation(heading) == heading:
        return set()
    number = _NUMBER.match(heading)
    return {number[1]} if number and number[1] else set()


def _find_references(sentence: str) -> Iterator[str]:
    """Yield the names of the tables and figures that a sentence refers to: "fig 3", or a label."""
    for match in _REFERENCE.finditer(sentence):
        if match[4] is not None:
            yield from (label.strip() for label in match[4].split(","))
        else:
            yield f"{(match[1] or match[2]).lower()} {match[3]}"
