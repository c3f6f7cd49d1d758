"""Find the replacements of an ablation that name nothing to run, or that the paper uses already."""

import re
from functools import lru_cache
from itertools import dropwhile
from typing import Final

from planner.analysis.parts import list_names_of_part
from planner.analysis.passages import PassageSearch
from planner.analysis.sentences import has_row_with_part_and_cell
from planner.matching import (
    REMOVAL_WORDS,
    STOP_WORDS,
    extract_number_set,
    extract_numbers,
    extract_stem_set,
    extract_stems,
    is_mostly_number,
    split_into_word_set,
    split_words,
    stem_word,
)
from planner.papers.leaks import split_sentences
from planner.schema import Ablation


def _parse_stems(text: str) -> frozenset[str]:
    return frozenset(map(stem_word, split_into_word_set(text)))


_OMITS: Final = re.compile(
    rf"\b(?:{REMOVAL_WORDS}|not|zero|off|minus|instead|in place of|rather|but|except|only|otherwise)\b", re.I
)
# "the proposed gate", "our full model", "unchanged"; then "a gate as in the paper".
_OWN: Final = re.compile(
    r"(?:(?:keep(?:ing)?|use|using|with|exactly)\s)*(?:(?:the|our|its)\s)?(?:proposed|paper'?s|authors'?|unchanged|"
    r"unmodified|current|full|complete|same|original|default|own|ours)\b",
    re.I,
)
_AS_PAPER: Final = re.compile(
    r"\b(?:as|that|which)\s(?:(?:is|are|was|were|already)\s){0,2}(?:in|proposed|described|used|done|presented|introduced)"
    r"(?:\s(?:in|by))?\s(?:the|this)\s(?:paper|method|authors?)\b(?!'s)"
    r"|\b(?:same|identical|equal)\s(?:as|to)\s(?:in\s)?(?:(?:the|this)\s)?(?:paper|method|proposed)\b"
    r"|\bno change\b|\bas proposed\b|\bas is\b",
    re.I,
)
_VAGUE: Final = _parse_stems(
    "alternate alternative another appropriate available better different diverse else etc existing further other "
    "others similar simpler some something suitable unspecified varied various vary varying"
)
_OTHER: Final = _parse_stems("alternate alternative another different other various varied")
_WHICH: Final = re.compile(r"\b(?:every|each|all|both|single|one|first|last|only|half)\b", re.I)
# "Other learning rate schedules", but not "different weights for both losses" and "other SGD schedules".
_OTHERS: Final = re.compile(
    r"(?:[Oo]ther|[Dd]ifferent|[Vv]arious|[Aa]lternative)(?:\s(?!for|of|in|on|from|per|by|to|with)[a-z-]+){1,3}s"
)
_GENERIC: Final = _parse_stems(
    "algorithm approach architecture baseline choice combination common component configuration conventional design "
    "function hyperparameter implementation kind layer level many mechanism method metric model module multiple new "
    "number option own parameter part possible process related replacement scheme set setting several size solution "
    "standard strategy structure substitute system technique thing tool type unit value variant variation version way"
)
_COUNT: Final = _parse_stems("number")
_OWN_WORDS: Final = _parse_stems(
    "keep use using exactly our its proposed paper author unchanged unmodified current full complete same original "
    "default own ours s"
)
_ORDER: Final = re.compile(r"\b(?:after|before|then|to|from|over|into|between|by|versus|vs)\b|→|->", re.I)
_TAIL: Final = re.compile(
    r"\s(?:in|of|for|at|on|between|over|inside|within|before|after|across|from|to|with|that|which)\s.*"
)
_BRACKETS: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_USES: Final = re.compile(
    r"(?:us(?:e|es|ed|ing)|employ(?:s|ed|ing)?|adopt(?:s|ed|ing)?|appl(?:y|ies|ied|ying)|cho(?:ose|oses|osing|se|sen)|"
    r"sets?|implemented|instantiated|initiali[sz]ed|(?:pre-?|fine-?)?(?:trained|tuned)|minimi[sz](?:e|es|ed|ing)|"
    r"sampl(?:e|es|ed|ing)|drawn|draws?|approximated|based|estimated|optimi[sz]e[sd]?|parameteri[sz]ed|reali[sz]ed|"
    r"trains?|compute[sd]?|built|builds?|replaced|is|are|utili[sz](?:e|es|ed|ing)|leverag(?:e|es|ed|ing)|adhere[sd]?|"
    r"(?:follow|select|perform)(?:s|ed)?|feeds?|fed|keeps?|kept|scaled?|normali[sz]ed?)",
    re.I,
)
_SERVES: Final = frozenset({"serves as", "serve as", "acts as", "act as"})
_IS: Final = split_into_word_set("is are was were")
_CONTRASTS: Final = re.compile(
    r"\b(?:instead|in place of|rather|unlike|without|(?<!is )(?<!are )replac(?:es?|ed|ing|ements?\s(?:of|for))|"
    r"compar\w*|baselines?|alternativ\w*|others?|contrast|whereas|while|than|previous\w*|prior|existing|earlier|not|or|vs|"
    r"versus|could|may|might|can (?:also|be an?|be the)|one can|ablat\w*|even \w+ing|"
    r"(?:most|many|several|some|common|popular) (?:\w+ )?(?:methods|works|approaches|models)|"
    r"variants?|different|such|et al|when (?:we )?us(?:e|ing)|remov\w*|current\w*)\b",
    re.I,
)
_NOT_USED: Final = re.compile(
    r"\b(?:instead of|in place of|(?:drop-?in )?replacements? (?:for|of)|rather than|than|unlike)\b.*", re.I | re.S
)
_LIMITED: Final = re.compile(r"\b(?:only|alone|just|frozen|unchanged)\b", re.I)  # such a part says its setting
_WE: Final = re.compile(r"\b(?:we|our)\b", re.I)
_PREFIX: Final = re.compile(r"\b(pre|fine|re|co|non|multi)-(?=[a-z])", re.I)
_EVERY_OTHER: Final = re.compile(r"\b(?:every|each)\sother\b", re.I)
# "(Roe et al., 2020)", "(Roe et al. (2020))", a Markdown link, "[Roe et al., 2020]", "[3, 7]", "following Roe (2020)".
_CITATION: Final = re.compile(
    r"\([^()]*\bet al\b[^()]*(?:\([^()]*\)[^()]*)?\)|\[[^\[\]]*\]\([^()]*\)"
    r"|\[[^\[\]]*(?:\bet al\b|\d{4})[^\[\]]*\]|\[\d[^\[\]]*\]"
    r"|\bfollowing\s[A-Z][\w-]+(?:\s(?:et al\b\.?|(?:and|&)\s[A-Z][\w-]+))?\s?\(\d{4}[a-z]?\)"
)
_ASSIGNMENT: Final = r"[^\s=,;]+\s*=\s*-?\d[\d.]*%?"
_ASSIGNMENTS: Final = re.compile(rf"{_ASSIGNMENT}(?:(?:\s*[,;]|\s+and\b)?\s+{_ASSIGNMENT})*")  # "a = 1 and b = 0.8"
# "Algorithm 1", "Eq. 8", "1)" and "one group", which state no value; then "i = 1".
_REFERENCE: Final = re.compile(
    r"\b(?:algorithm|eqs?|equations?|tables?|figures?|figs?|sections?|cases?|steps?|appendix)\b\.?\s\(?\d+\)?"
    r"|\b\d\)|\bone\b",
    re.I,
)
_SYMBOL_VALUE: Final = re.compile(r"(?<!\w)(\w)\s?=\s?-?\d[\d.]*")
_SETS: Final = re.compile(r"\bset\b|(?<!\w)\w\s?=\s?-?\d")
_SYMBOL: Final = re.compile(r"(?<![\w-])[^\W\d_aA](?![\w-])")
_AND: Final = re.compile(r"\sand\s")
_CLAUSE_END: Final = re.compile(r"[,;]\s|\s(?:and|or)\s")
_LINKS: Final = split_into_word_set("a an as by from of on our simple standard the to with")  # after a verb of use
_TELLING_WORDS: Final = 3  # words of a replacement that say by themselves what it is about
_MANY_WORDS: Final = 5  # words of a replacement that do not stand together by accident
_MAX_WORDS_BETWEEN: Final = 2  # other words between them
_MIN_PART_SHARE: Final = 0.5  # share of a part's words in a sentence that states the part's setting
_MAX_OTHER_VALUES: Final = 1  # other numbers in a sentence or clause that states a value; more of them are a sweep
_MAX_SENTENCE_BREAKS: Final = 3  # line breaks in a sentence; a text with more is rows of a table
_SMALL_NUMBERS: Final = frozenset(range(10))  # of which any sentence may have one
_NEAR: Final = 3  # words from a small number to a word of the part whose value it is
_MAX_WORDS_TO_VERB: Final = 3  # "is then used" after an item
_FEW_WORDS: Final = 3  # fewer words and numbers of a replacement stand in a quote by accident
_MIN_SHARE: Final = 0.8  # share of the words of a replacement that a quote, or the text around it, must hold
_MIN_SWEEP: Final = 3  # values of a sweep, of which one may be the paper's own


def find_vague_replacements(ablation: Ablation) -> tuple[str, ...]:
    """Return the replacements that name nothing that could be run, such as "another method" or "different values"."""
    part = {stem_word(word) for word in split_words(ablation.ablated_part)}
    return tuple(item for item in ablation.replacement if _is_vague(item, part))


def _is_vague(item: str, part: set[str]) -> bool:
    if any(letter.isdigit() for letter in item) or _WHICH.search(item):
        return False
    words = extract_stem_set(item) | (_VAGUE & {stem_word(word) for word in split_words(item)})
    named = words - _VAGUE - _GENERIC
    if not named or (words & _OTHER and len(named) == 1) or _OTHERS.fullmatch(item):
        return True  # "another pooling method"
    return bool(words & _VAGUE) and named <= part


def find_replacements_in_use(ablation: Ablation, quote: str, passage_search: PassageSearch) -> tuple[str, ...]:
    """Return the replacements that the paper uses already.

    Such a replacement repeats the part or its value, or refers to the paper ("as in the paper"). It may also be what
    the paper uses according to the ablation's `quote` (which may be ""), the text around the quote, or another
    sentence. Three or more values are a sweep, which may include the paper's own value.
    """
    part, is_sweep = ablation.ablated_part, sum(map(_is_setting, ablation.replacement)) >= _MIN_SWEEP
    statements = _split_clauses(_strip_references(_join_prefixes(quote)))[1]
    items = (item for item in ablation.replacement if not (is_sweep and _is_setting(item)))
    if _LIMITED.search(part):
        return tuple(item for item in items if _repeats_part(item, part))
    surroundings = passage_search.find_text_around_quote(quote)
    return tuple(
        item
        for item in items
        if _is_quoted(item, part, statements, surroundings)
        or (
            not _OMITS.search(item)
            and (
                _repeats_part(item, part)
                or any(_states(*each, item, part) for each in passage_search.find_sentences_with_words(item))
            )
        )
    )


def _join_prefixes(text: str) -> str:
    """Return a text in which a word such as "pre-trained" has no hyphen after its prefix."""
    return _PREFIX.sub(r"\1", text)


def _is_quoted(item: str, part: str, statements: list[str], surroundings: str) -> bool:
    """Return whether the `statements` of a quote, or its `surroundings`, say that the paper uses the item."""
    item, part = _join_prefixes(item), _join_prefixes(part)
    if not set(_OMITS.findall(item)) <= set(_OMITS.findall(" ".join(statements))):
        return False
    numbers = extract_number_set(item)
    if _is_setting(item):
        words = {stem for stem in extract_stems(f"{item} {part}") if stem.isalpha()}
        clauses = (clause for statement in statements for clause in _CLAUSE_END.split(statement))
        return any(numbers == extract_number_set(clause) and words & {*extract_stems(clause)} for clause in clauses)
    figures = {stem for stem in extract_stems(item) if stem[0].isdigit()}  # compared as numbers
    own = tuple(stem for stem in extract_stems(item) if stem not in _GENERIC | _VAGUE | figures and len(stem) > 1)
    wanted = set(own).difference(extract_stems(part))
    if not wanted:
        return False  # a choice among the things that the part names
    if len(wanted) + len(figures) < _FEW_WORDS:
        is_long = len(own) >= _FEW_WORDS and not _AND.search(item)
        return any(_is_used(item, part, each) or (is_long and _hold_together(own, each)) for each in statements)
    head, least = wanted.intersection(extract_stems(_TAIL.sub("", item))), _MIN_SHARE * len(wanted)
    quoted = [(wanted.intersection(extract_stems(each)), each) for each in statements]
    if any(len(words) >= least and numbers <= extract_number_set(each) for words, each in quoted):
        return True
    has_head = bool(head) and any(head <= words for words, _ in quoted)
    around = " ".join(_NOT_USED.sub(" ", each) for each in split_sentences(surroundings)) if has_head else ""
    return len(wanted & extract_stem_set(_join_prefixes(around))) >= least and numbers <= extract_number_set(around)


def _repeats_part(item: str, part: str) -> bool:
    if _AS_PAPER.search(item):
        return True
    words = extract_stem_set(item)
    if _OWN.match(item) and words <= _OWN_WORDS | _GENERIC | extract_stem_set(part):
        return True
    forms = {part, _BRACKETS.sub(" ", part), *_BRACKETS.findall(part)}
    if not _TAIL.search(item):
        forms |= {_TAIL.sub("", form) for form in forms}
    if is_mostly_number(item):
        named = {word for word in words if not word[0].isdigit()}
        return _has_numbers(item, part) and named <= extract_stem_set(part) | _GENERIC
    return any(_is_same(item, form) for form in forms)


def _has_numbers(item: str, part: str) -> bool:
    """Return whether a part has the numbers of an item side by side, in order: "3 × 1" has "1", but not "1 × 1"."""
    wanted, numbers = extract_numbers(item), extract_numbers(part)
    return any(numbers[at : at + len(wanted)] == wanted for at in range(len(numbers)))


def _is_same(item: str, part: str) -> bool:
    a, b = _drop_generic(item), _drop_generic(part)
    if len({bool(_EVERY_OTHER.search(text)) for text in (item, part)}) > 1:
        return False
    return bool(a) and (a == b or (set(a) == set(b) and not _ORDER.search(f"{item} {part}")))


def _drop_generic(text: str) -> tuple[str, ...]:
    stems = extract_stems(text)
    return tuple(stem for stem in stems if stem not in _GENERIC) or stems


@lru_cache(maxsize=4096)
def _is_setting(item: str) -> bool:
    """Return whether a replacement is a value, a list of numbers, or values of symbols: "a = 1 and b = 0.8"."""
    return is_mostly_number(item) or bool(_ASSIGNMENTS.fullmatch(item))


def _states(sentence: str, heading: str, item: str, part: str) -> bool:
    """Return whether a sentence says that the paper uses a replacement for a part: "we use mean pooling over tokens".

    In a sentence with a contrast ("unlike X, we use Y"), only clauses with "we" count.
    """
    sentence = _strip_references(sentence)
    item = _BRACKETS.sub(" ", item)
    if symbols := set(_SYMBOL.findall(f"{item} {part}")):
        sentence = _SYMBOL_VALUE.sub(lambda match: match[0] if match[1] in symbols else " ", sentence)
    clauses, statements = _split_clauses(sentence)
    item_stems, own_stems = extract_stems(item), extract_stem_set(sentence)
    part_stems = set(_drop_generic(_BRACKETS.sub(" ", part)))
    is_setting, is_table = _is_setting(item), sentence.count("\n") > _MAX_SENTENCE_BREAKS
    about = part_stems.difference(item_stems, _COUNT) or (part_stems if is_setting else set())
    says_all = len(set(item_stems)) >= _MANY_WORDS and not _AND.search(item)
    if says_all and any(
        _hold_together(item_stems, text) or part_stems.union(item_stems).issubset(extract_stems(text))
        for text in statements
    ):
        return True
    has_heading = is_setting or not part_stems.isdisjoint(item_stems)
    stems = own_stems | extract_stem_set(heading) if has_heading else own_stems
    # "Number" says too little of "number of layers" beside a value.
    head = list_names_of_part(part)[0] if is_setting and part.isascii() else _TAIL.sub("", _BRACKETS.sub(" ", part))
    head_stems = set(_drop_generic(head)).difference(item_stems)
    is_named = bool(head_stems) and head_stems.issubset(own_stems)
    is_about = is_named or len(about & stems) >= _MIN_PART_SHARE * len(about)
    if not item_stems or (not is_about and len(_drop_generic(item)) < _TELLING_WORDS):
        return False
    if not is_setting:
        is_listed = is_named and is_table and has_row_with_part_and_cell(sentence, item_stems, head_stems, part_stems)
        return is_listed or any(_is_used(item, part, statement) for statement in statements)
    own = extract_number_set(item)
    if not own or (extract_number_set(part) and not _has_numbers(item, part)):
        return False  # in the second case, the part's name already has its value
    if is_table:
        rows = ((row, extract_stem_set(row)) for row in sentence.split("\n"))
        return len(head_stems) > 1 and any(
            head_stems <= words and own == extract_number_set(row) for row, words in rows
        )
    words = part_stems.difference(_COUNT) if about <= stems else about
    about_part = [clause for clause in clauses if words.intersection(extract_stems(clause))]
    about_part += [
        text for text in statements if (symbols and _SETS.search(text)) or head_stems <= extract_stem_set(text)
    ]
    most = len(own) + _MAX_OTHER_VALUES
    is_stated = any(own <= numbers and len(numbers) <= most for numbers in map(extract_number_set, about_part))
    return bool(about) and is_stated and _has_part_near(own, part_stems | symbols, sentence)


def _has_part_near(numbers: frozenset[float], part_words: set[str], sentence: str) -> bool:
    """Return whether a sentence has a word of the part; one of the `numbers` must stand near it if all are small."""
    words = split_words(sentence)
    places = [place for place, word in enumerate(words) if part_words & {word, stem_word(word)}]
    near = (" ".join(words[max(0, place - _NEAR) : place + _NEAR + 1]) for place in places)
    return any(numbers & extract_number_set(text) for text in near) if numbers <= _SMALL_NUMBERS else bool(places)


def _strip_references(sentence: str) -> str:
    """Return a sentence without citations, and without numbers of equations and the like."""
    return _REFERENCE.sub(" ", _CITATION.sub(" ", sentence))


def _split_clauses(sentence: str) -> tuple[list[str], list[str]]:
    """Return (clauses that speak only of the paper, statements of what the paper does) in a sentence.

    If the sentence contrasts the paper with other work, only clauses with "we" are statements. Else all of it is one.
    """
    clauses = _CLAUSE_END.split(sentence)
    if not _CONTRASTS.search(sentence):
        return clauses, [sentence]
    own = [clause for each in clauses if not _CONTRASTS.search(clause := _NOT_USED.sub(" ", each))]
    return own, list(filter(_WE.search, own))


def _hold_together(item_stems: tuple[str, ...], sentence: str) -> bool:
    """Return whether the words of an item stand together in a sentence, in any order."""
    wanted, stems = set(item_stems), extract_stems(sentence)
    width = len(wanted) + _MAX_WORDS_BETWEEN
    return any(wanted.issubset(stems[at : at + width]) for at in range(len(stems) - len(wanted) + 1))


def _is_used(item: str, part: str, sentence: str) -> bool:
    """Return whether a sentence says that an item is used; "we use A, B and C" does not say this of "A and B"."""
    item_stems, words, nouns = extract_stems(item), split_words(sentence), _GENERIC.union(extract_stems(part))
    content = [(number, stem_word(word)) for number, word in enumerate(words) if word.lower() not in STOP_WORDS]
    stems = [stem for _, stem in content]
    for at in range(len(content) - len(item_stems) + 1):
        if tuple(stems[at : at + len(item_stems)]) == item_stems:
            after = words[content[at + len(item_stems) - 1][0] + 1 :]
            after = list(dropwhile(lambda word: stem_word(word) in nouns, after))  # "the ReLU activation was used"
            before = list(dropwhile(lambda word: word.lower() in _LINKS, reversed(words[: content[at][0]])))
            if _AND.search(item) and after[:1] == ["and"]:
                continue
            is_passive = after and after[0] in _IS and any(map(_USES.fullmatch, after[1:_MAX_WORDS_TO_VERB]))
            if is_passive or " ".join(after[:2]) in _SERVES or (before and _USES.fullmatch(before[0])):
                return True
    return False
