"""Recognise sentences, captions, headings and table rows that report an ablation, and tables that compare variants.

A row reports an ablation as "w/o X", "– X", "+ X" or "X → Y", or in columns of check marks. In a table of variants each
row is a value, a kind or a design choice.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Final

from planner.analysis.passages import strip_markup
from planner.analysis.phrases import extract_bare_name, split_into_bare_names
from planner.matching import extract_stems
from planner.schema import Action

_MAIN_CLAUSE: Final = re.compile(r",\s(?:the|our|we|it|this|that|there|an?)\s.*")
# ", goals are drawn at random" and "but the error rises".
_OTHER_CLAUSE: Final = re.compile(
    r",\s(?!and\b|or\b)[^,]*\s(?:is|are|was|were|can|cannot|has|have|will)\s.*|,?\s(?:but|whereas|while|yet|although|since)\s.*"
)
_LEAVES_OUT: Final = re.compile(
    r"\b(?:without|w/o|no|remov(?:es?|ed|ing)|ablat(?:es?|ed|ing)|dropp?(?:s|ed|ing)|omit(?:s|ted|ting)?)\s", re.I
)
_CLAUSE_END: Final = re.compile(r"[,;:.]\s|\s(?:and|but|while)\s")
_MAX_WORDS_BETWEEN: Final = 2  # further words with the part after "without"
_WORDS: Final = r"[^.;:()\n]{2,90}(?!\w)"
_REMOVING: Final = re.compile(
    r"(?<![\w-])(?:without|w/o|remov(?:e|es|ed|ing|al of)|discard(?:s|ed|ing)?|drop(?:s|ped|ping)?|"
    r"disabl(?:e|es|ed|ing)|eliminat(?:e|es|ed|ing)|omit(?:s|ted|ting)?|ablat(?:e|es|ed|ing)|skip(?:s|ped|ping)?|mask(?:ed|ing)?|"
    r"ignor(?:e|es|ed|ing)|exclud(?:e|es|ed|ing)|turn(?:ing)? off|absence of)\s+(?!out\b|[a-z]+ly\b|them\b)"
    rf"({_WORDS})",
    re.I,
)
_REMOVED: Final = re.compile(
    r"\b[Tt]he ([^.;:(),]{3,60}?) (?:is|are|was|were) (?:removed|discarded|dropped|disabled|omitted|ablated|excluded)\b"
)
_REMOVED_ITEM: Final = re.compile(
    r"[:(]\**\s*([A-Z][^.;:(),&]{3,60}?) (?:is )?(?:removed|dropped|disabled|omitted|excluded)\b"
)
_ADDING: Final = re.compile(
    r"\b(?:[Aa]dding|[Ii]ncluding|[Ii]ncorporating) ([^.;:(),]{3,60}?) "
    r"(?:(?:further|also|only|greatly|significantly|consistently|slightly) )?"
    r"(?:helps?|improves?|increases?|boosts?|raises?|lowers?|reduces?|hurts?|degrades?|yields?|brings?)\b"
)
_ONLY: Final = re.compile(
    r"\bonly\b[^.;:]{1,80}?\bbut not (?:to |the )?([^.;:(),]{3,60}?)(?=\s+(?:and|or)\b|[.;:(),]|$)"
)
_WHOLE_METHODS: Final = r"\b(?:methods|models|baselines|approaches|algorithms|systems|work)\b"
_COMPARED: Final = re.compile(rf"^Compar(?:ing|isons? of) (?!.*{_WHOLE_METHODS})([^.;:]{{3,60}})$", re.I)
_KINDS: Final = re.compile(
    r"(?:\b(?:table|figure|fig\.) \w+[.:]\s*|\\caption\{\s*(?:\\textbf\{)?|^)([A-Z][^.:]{3,60}?)[ -]"
    r"(?:strategies|variants|choices|options|schemes|alternatives)\s*(?:[.:}]|$)",
    re.I,
)
_REPLACING: Final = re.compile(
    r"\b(?:replac|substitut)(?:e|es|ed|ing)\s+([^.;:(),]{3,80}?)\s+(?:with|by)\s+([^.;:(),]{3,80})", re.I
)
_REPLACED: Final = re.compile(
    r"\b[Tt]he ([^.;:(),]{3,60}?) (?:is|are|was|were) (?:replaced|substituted) (?:with|by) ([^.;:(),]{3,80})"
)
_INSTEAD: Final = re.compile(
    r"\b(?:us(?:e|es|ed|ing)|with)\s+([^.;:(),]{3,60}?)\s+instead of\s+([^.;:(),]{3,60})", re.I
)
_DATA_SET: Final = r"\s(?-i:[A-Z]\S*[A-Z0-9][\w-]*\W*(?:[.:}]|$))"  # "ablation study on AlpineOwls12."
_STUDIED: Final = re.compile(
    r"\b(?:(?:effect(?:s|iveness)?|impacts?|influences?|contributions?|roles?|importance|necessity|benefits?|choices?|"
    r"validity) (?:of|for|from)|(?<!\bno )sensitivity (?:of(?! [^.;:()]{1,40} to )|(?:of [^.;:()]{1,40} )?to)|"
    rf"(?:ablat\w*|stud(?:y|ies)) (?:of|to(?= the\b)|for|from|on(?!{_DATA_SET})))\s+"
    rf"({_WORDS})",
    re.I,
)
_VARIED: Final = re.compile(
    r"\b(?:var(?:y|ies|ied|ying)|different(?= [\w-]+ [\w-])|tun(?:e|ed|ing)|sweep(?:ing)?|sensitive to|"
    r"robust (?:to|against)|values? of|settings? of|analysis of)\s+"
    rf"({_WORDS})",
    re.I,
)
_SYMBOL_SET: Final = re.compile(r"\b[Ss]et(?:ting)?\s+(?:the\s+)?([^.;:(),=]{1,40}?)\s*(?:=|to)\s*\{?[\d.]")
# The beginnings of words. A slow pattern can match only where one of its cues occurs.
_REMOVAL_CUES: Final = (
    *("without", "w/o", "remov", "discard", "drop", "disabl", "eliminat", "omit", "ablat", "skip", "mask", "ignor"),
    *("exclud", "turn", "absence"),
)
_REPLACEMENT_CUES: Final = ("replac", "substitut")
_EXCHANGE_CUES: Final = ("instead of",)
_USE_CUES: Final = ("adding", "including", "incorporating", "but not")
_STUDY_CUES: Final = (
    *("effect", "impact", "influence", "contribution", "role", "importance", "necessity", "benefit", "choice"),
    *("validity", "sensitiv", "ablat", "studies", "study"),
)
_VARIATION_CUES: Final = (
    *("vary", "varies", "varied", "different", "tun", "sweep", "sensitiv", "robust", "value", "setting", "set"),
    "analysis of",
)


def _build_cue_pattern(*cues: tuple[str, ...]) -> re.Pattern[str]:
    """Return one pattern for all cues; grouping them by their first letters halves the time of a search."""
    by_letter = groupby(sorted({*chain(*cues)}, reverse=True), key=itemgetter(0))
    groups = (f"{letter}(?:{'|'.join(cue[1:] for cue in group)})" for letter, group in by_letter)
    return re.compile(f"[^a-z]({'|'.join(groups)})")


_CUE: Final = _build_cue_pattern(
    _REMOVAL_CUES, _REPLACEMENT_CUES, _EXCHANGE_CUES, _USE_CUES, _STUDY_CUES, _VARIATION_CUES
)
_CELL_END: Final = r"\s*(?:[|&]|\\\\|$)|\s+[-+±−]?\d"
# Rows of a table. Group 1 is the part: "w/o gate 81.2", "– gate & 81.2".
_REMOVAL_ROW: Final = re.compile(
    r"^[\s|&*_\\]*(?:[\w+. -]{0,30}?\s)?[(\[]?"
    r"(?:w\s?/?\s?/?o\.?|wo/|w\.o\.|[Ww]ithout\b|[Nn]o\b|-|–|−|—|\$-\$|minus)[\s~]*"
    rf"([^\W\d][^|&\n]{{1,60}}?)[)\]]?(?={_CELL_END})"
)
# Group 1 is the part, group 2 its replacement: "ReLU → GELU 81.2".
_REPLACEMENT_ROW: Final = re.compile(
    r"^[\s|&*_]*([^\W\d][^|&\n→]{1,50}?)\s*(?:→|->|\$?\\(?:right)?(?:to|arrow)\$?|⇒)"
    rf"\s*([^|&\n]{{1,50}}?)(?={_CELL_END})"
)
_ADDITION_ROW: Final = re.compile(rf"^[\s|&*_]*\+\s*([^\W\d][^|&+\n]{{2,60}}?)(?={_CELL_END})")  # "+ gate 81.2"
_CITATION: Final = re.compile(r"\bet al\b|\\cite|\((?:[A-Z][^()]*, )?(?:19|20)\d\d\)")
_FORMULA_SIGN: Final = re.compile(r"[=≤⩽≥⩾∥Σ∑∏∫∈]")  # "+ KL(p ∥ q) (17)" is no row of a table
# "No action 0.1 0.2" is a removal only in a table of ablations.
_WEAK_REMOVAL: Final = re.compile(r"[\W\d]*no\s", re.I)
_ROW_VALUES: Final = re.compile(r"[|&]|(?:(?:^|\s)[-+±−]?\d+(?:[.,]\d+)?%?(?=\s|$).*){2}")
_CHECK_MARK: Final = re.compile(r"[✓✔√☑×✗✘✕]|\\(?:checkmark|cmark|xmark|ding)\b")
_CELL_MARKUP: Final = re.compile(
    r"\\(?:q?quad\b|[,;:!])|\\text[a-z]*\s*(?=\{)|\\(?:emph|bf|it)\b|</?[a-zA-Z]{1,6}>|[{}~]"
    r"|\$(?=[-+−{}]|\\)|(?<=[-+−])\$"
)
_MAX_ROW_CHARS: Final = 400
_TABLE_RULE: Final = re.compile(
    r"\\(?:hline|[a-z]*rule\b|cmidrule|rowcolor|multirow|multicolumn)(?:\([^()]*\))?(?:\{[^{}]*\}){0,2}"
)
_NUMBER: Final = re.compile(r"[-+±−$\s]*\d[\d.,]*\s*(?:%|[kKMB]|\\%)?\$?")
_HAS_NUMBER: Final = re.compile(r"\d")
_VARIED_HEAD: Final = re.compile(
    r"^(?:models?|methods?|variants?|settings?|configurations?)\s*\(([A-Za-z][\w -]{2,40})\)$", re.I
)
_WHOLE_METHOD: Final = re.compile(
    r"\b(?:full|ours|baselines?|default|original|proposed|all|none|average|mean|total|random|vanilla|standard|delta|"
    r"base|human|oracle)\b|\\?Δ|\\Delta|^[\W\d]*$",
    re.I,
)
_REMOVAL_OR_ADDITION: Final = re.compile(r"(?:.*\s)?(?:w\s?/\s?o|without|wo/)|(?:no\s|[-+–−—])", re.I)
_MIN_VALUES: Final = 3
_MAX_VARIANT_CHARS: Final = 60
_MIN_CELLS: Final = 2


@dataclass(frozen=True, slots=True)
class AblationPhrase:
    """An ablation in the words of a text. `part` starts at the offset `start`, and `replacement` may be ""."""

    part: str
    action: Action
    replacement: str
    start: int


def find_removals_and_replacements(text: str) -> Iterator[AblationPhrase]:
    """Yield parts that sentences report as removed or replaced."""
    for match in _find_matches(text, _REMOVAL_CUES, _REMOVING, _REMOVED, _REMOVED_ITEM):
        yield AblationPhrase(_cut_main_clause(match), Action.REMOVE, "", match.start(1))
    for match in _find_matches(text, _REPLACEMENT_CUES, _REPLACING, _REPLACED):
        yield AblationPhrase(match[1], Action.REPLACE, match[2], match.start(1))
    for match in _find_matches(text, _EXCHANGE_CUES, _INSTEAD):
        yield AblationPhrase(match[2], Action.REPLACE, match[1], match.start(2))


def find_added_or_lacking_parts(text: str) -> Iterator[AblationPhrase]:
    """Yield parts that help or hurt when they are added, and parts that a variant lacks ("sees only A, but not B")."""
    matches = _find_matches(text, _USE_CUES, _ADDING, _ONLY)
    return (AblationPhrase(m[1], Action.REMOVE, "", m.start(1)) for m in matches)


def find_studied_parts(text: str) -> Iterator[AblationPhrase]:
    """Yield the parts whose effect is studied according to a sentence, caption or heading."""
    matches = _find_matches(text, _STUDY_CUES, _STUDIED)
    return (AblationPhrase(m[1], Action.REMOVE, "", m.start(1)) for m in matches)


def find_studied_or_compared_parts(heading_or_caption: str) -> Iterator[AblationPhrase]:
    """Yield the parts that a heading or caption studies, or of which it compares kinds ("Router strategies")."""
    compared = chain(_COMPARED.finditer(heading_or_caption), _KINDS.finditer(heading_or_caption))
    kinds = (AblationPhrase(m[1], Action.REPLACE, "", m.start(1)) for m in compared)
    return chain(find_studied_parts(heading_or_caption), kinds)


def find_varied_choices_and_values(text: str) -> Iterator[AblationPhrase]:
    """Yield choices and values that sentences report as varied."""
    matches = _find_matches(text, _VARIATION_CUES, _VARIED, _SYMBOL_SET)
    return (AblationPhrase(m[1], Action.REPLACE, "", m.start(1)) for m in matches)


def _find_matches(text: str, cues: tuple[str, ...], *patterns: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """Return the matches of the patterns, one pattern after the other; there are none if the text has no cue."""
    if _find_cues(text).isdisjoint(cues):
        return iter(())
    return chain.from_iterable(pattern.finditer(text) for pattern in patterns)


@lru_cache(maxsize=1)  # each text is searched with all groups of cues in turn
def _find_cues(text: str) -> frozenset[str]:
    return frozenset(_CUE.findall(f" {text.lower()}"))


def _cut_main_clause(match: re.Match[str]) -> str:
    """Return the part that was matched, up to the main clause: "the gate" of "Without the gate, the model fails"."""
    part = _OTHER_CLAUSE.sub("", match[1])
    return _MAIN_CLAUSE.sub("", part) if match[0].startswith("Without") else part


@dataclass(frozen=True, slots=True)
class _TableRow:
    """The cells of a table row, without markup. The row starts `start` characters into the text."""

    cells: tuple[str, ...]
    start: int

    @property
    def name(self) -> str:
        """The first cell that is not empty, or ""."""
        return next((cell for cell in self.cells if cell), "")

    @property
    def has_values(self) -> bool:
        """True if a cell after the first holds a number."""
        return any(_HAS_NUMBER.search(cell) for cell in self.cells[1:])


def locate_table_rows(text: str) -> Iterator[tuple[str, int]]:
    """Yield lines that hold cells or at least two numbers, without their markup, each with its offset in the text."""
    start = 0
    for line in text.split("\n"):
        if len(line) <= _MAX_ROW_CHARS and _ROW_VALUES.search(line):
            yield _CELL_MARKUP.sub("", line), start
        start += len(line) + 1


def _split_cells(line: str) -> list[str]:
    separator = "|" if "|" in line else "&" if "&" in line else None
    return [cell.strip() for cell in line.split(separator)]


def find_parts_changed_in_rows(text: str, *, is_table: bool, is_ablation_table: bool) -> Iterator[AblationPhrase]:
    """Yield the parts that rows of a table remove, add or replace; other text may hold such rows too."""
    for row, start in locate_table_rows(text):
        if not is_table and _FORMULA_SIGN.search(row):
            continue
        if replacement := _REPLACEMENT_ROW.match(row):
            part, new_part = extract_bare_name(replacement[1]), strip_markup(replacement[2])
            yield AblationPhrase(part, Action.REPLACE, new_part, start + replacement.start(1))
        elif _CITATION.search(row):
            continue  # a variant of another paper's method
        elif (removal := _REMOVAL_ROW.match(row)) and (is_ablation_table or not _WEAK_REMOVAL.match(row)):
            for part in split_into_bare_names(removal[1]):
                yield AblationPhrase(part, Action.REMOVE, "", start + removal.start(1))
        elif addition := _ADDITION_ROW.match(row):
            part = extract_bare_name(addition[1])
            yield AblationPhrase(part, Action.REMOVE, "", start + addition.start(1))


def has_row_with_part_and_cell(
    table: str, cell_stems: tuple[str, ...], part_head_stems: set[str], part_stems: set[str]
) -> bool:
    """Return whether a row of a table is about a part and has a cell with the stems `cell_stems`.

    The other cells of the row must have a stem in `part_stems`. With the first row, they must have all
    `part_head_stems`.
    """
    rows = [list(map(extract_stems, _split_cells(row))) for row, _ in locate_table_rows(table)]
    names = set(chain.from_iterable(rows[0])) if rows else set()
    others = (set(chain.from_iterable(row)) - set(cell_stems) for row in rows if cell_stems in row)
    return any(part_stems & words and part_head_stems <= words | names for words in others)


def is_part_left_out(part_stems: frozenset[str], sentence: str) -> bool:
    """Return whether a sentence says "without" or the like right before words with the stems of a part."""
    count = len(part_stems) + _MAX_WORDS_BETWEEN
    ends = (match.end() for match in _LEAVES_OUT.finditer(sentence))
    return any(part_stems <= frozenset(extract_stems(_CLAUSE_END.split(sentence[end:])[0])[:count]) for end in ends)


def find_parts_varied_in_table(table: str) -> Iterator[AblationPhrase]:
    """Yield the part that a table's header names as varied ("Model (dropout)" or "Temperature")."""
    rows = list(_parse_rows(table))
    values = [row for row in rows if row.has_values and _NUMBER.fullmatch(row.cells[0])]
    head = next((row for row in rows if row.cells[0] and not _NUMBER.fullmatch(row.cells[0])), None)
    if head is None:
        return
    named = _VARIED_HEAD.match(head.cells[0])
    if named or (len({row.cells[0] for row in values}) >= _MIN_VALUES and values[0].start > head.start):
        part = extract_bare_name(named[1] if named else head.cells[0])
        yield AblationPhrase(part, Action.REPLACE, "", head.start)


def find_check_marked_parts_and_variants(table: str) -> Iterator[AblationPhrase]:
    """Yield the parts with a column of check marks in an ablation table, and the variants that its rows name.

    A variant is neither a removal nor the whole method.
    """
    for head, start in _locate_check_mark_heads(table):
        yield AblationPhrase(extract_bare_name(head), Action.REMOVE, "", start)
    for row in islice(_parse_rows(table), 1, None):
        is_variant = not (_WHOLE_METHOD.search(row.name) or _REMOVAL_OR_ADDITION.match(row.name))
        if is_variant and row.has_values and len(row.name) <= _MAX_VARIANT_CHARS:
            yield AblationPhrase(row.name, Action.REPLACE, "", row.start)


def _locate_check_mark_heads(text: str) -> Iterator[tuple[str, int]]:
    """Yield the heads of columns of check marks, which name parts that are switched on and off, with their offsets.

    Columns to the right of the last mark are left out. In the text of a PDF, which has no columns, each word is a cell.
    """
    lines = text.split("\n")
    first_marked = next((n for n, line in enumerate(lines) if len(_CHECK_MARK.findall(line)) > 1), 0)
    marked_cells = [n for n, cell in enumerate(_split_cells(lines[first_marked]), start=1) if _CHECK_MARK.search(cell)]
    start = 0
    for line in lines[:first_marked]:
        if not line.lower().startswith(("table", "tab.")):
            for cell in _split_cells(line)[: max(marked_cells, default=0)]:
                yield cell, start + line.find(cell)
        start += len(line) + 1


def _parse_rows(table: str) -> Iterator[_TableRow]:
    for line, start in locate_table_rows(table):
        is_markdown = line.lstrip().startswith("|")
        texts = line.strip().strip("|").split("|") if is_markdown else _TABLE_RULE.sub("", line).split("&")
        cells = tuple(
            strip_markup(text.replace("\\\\", "")).removeprefix("->").removesuffix("<-").strip() for text in texts
        )
        if len(cells) >= _MIN_CELLS and any(cells) and "caption" not in line:
            yield _TableRow(cells, start)
