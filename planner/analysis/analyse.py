"""Find the components, metrics and reported ablations in a paper's text, and index the text for the checks of a plan.

Ablations are reported in table rows, captions, headings and sentences.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from planner.analysis.components import Component, ComponentNames, find_components
from planner.analysis.metrics import Metric, find_metrics, is_unambiguous_metric_name
from planner.analysis.parts import blank_out_aspect_owners
from planner.analysis.passages import (
    EXPERIMENT_SECTIONS,
    IndexedSection,
    PaperIndex,
    Passage,
    ReportedAblation,
    split_sections_into_passages,
    strip_markup,
)
from planner.analysis.phrases import (
    extract_bare_name,
    is_generic_name,
    locate_run_in_headings,
    split_into_bare_names,
)
from planner.analysis.sentences import (
    AblationPhrase,
    find_added_or_lacking_parts,
    find_check_marked_parts_and_variants,
    find_parts_changed_in_rows,
    find_parts_varied_in_table,
    find_removals_and_replacements,
    find_studied_or_compared_parts,
    find_studied_parts,
    find_varied_choices_and_values,
)
from planner.matching import extract_stem_set
from planner.papers.headings import strip_number_and_punctuation
from planner.papers.paper import BlockKind, Excerpt, Paper, Section, SectionKind, is_english_paper
from planner.schema import Action, Task

_UNREAD_KINDS: Final = frozenset({SectionKind.REFERENCES, SectionKind.CHECKLIST})
_MAX_REPORTED: Final = 1_000  # ablations that are compared; ten times those of any real paper
_SENTENCE_KINDS: Final = frozenset({BlockKind.PROSE, BlockKind.FIGURE})
_FLOAT_KINDS: Final = frozenset({BlockKind.TABLE, BlockKind.FIGURE})
_NO_NAME: Final = re.compile(
    r"learning rates?|batch size|weight decay|(?:number of )?epochs|random seeds?|initial learning rate|"
    r"first|second|third|fourth|last|former|latter|rows?|columns?|R?Q\d+|[a-z] \\.*"
    r"|(?i:.*\b(?:data ?sets?|benchmarks?|baselines|algorithms|methods|approaches|combinations|experiments|results|"
    r"performances)\??|oracle baseline|(?:mem|time)-?outs?|.*\s(?:vs\.?|versus|only))"
)
# Pieces of a formula: "s:t", "µbO" and "δℓ", but not "λ1".
_BROKEN: Final = re.compile(r"[\\^]|\w:\w|(?<!\w)[^\W\dA-Za-z](?:[^\W\dA-Za-z]|[a-z]+[A-Z])")
_FORMULA: Final = re.compile(r"\s*\([^()]*[\\^][^()]*\)")
_SKIPPED_SECTIONS: Final = frozenset({SectionKind.REFERENCES, SectionKind.RELATED_WORK, SectionKind.CHECKLIST})
_QUESTION_NUMBER: Final = re.compile(r"^R?Q\d+\s*[.:]\s*")
_SUMMARY_WORD: Final = re.compile(
    r"\b(?:summary|curves?|rankings?|findings?|benefits?|discussions?|details|overview|setup|extensibility)\b", re.I
)
_ABLATION_WORD: Final = re.compile(
    r"\bablat|(?<!\bno )(?<!controls the )\bsensitivity (?:to|analysis|of)\b|\bhyper-?parameter (?:analysis|study)",
    re.I,
)
_ABLATION_CUES: Final = ("ablat", "sensitivity", "parameter")  # quicker to look for than the pattern
_EFFECT_WORDS: Final = (
    *("effective", "improv", "contribut", "gain", "increase", "decrease", "drop", "degrad", "boost", "benefit"),
    *("perform", "bring", "help", "component"),
)


@dataclass(frozen=True, slots=True)
class Analysis:
    """The components and reported ablations of a paper in reading order, and its metrics by frequency."""

    components: tuple[Component, ...]
    reported_ablations: tuple[ReportedAblation, ...]
    metrics: tuple[Metric, ...]


def analyse_paper(paper: Paper) -> Analysis:
    """Find the components, reported ablations and metrics of a paper, each with its place in `paper.text`.

    No language model is used, and the time is linear in the length of the text. Nothing is found in a paper that is not
    in English.
    """
    if not is_english_paper(paper.sections):
        return Analysis((), (), ())
    return analyse_sections(paper.sections, paper.title)


def analyse_sections(sections: Sequence[Section], title: str = "") -> Analysis:
    """Find the components, reported ablations and metrics in sections; offsets count from the first section's start."""
    passages = split_sections_into_passages(sections)
    components = find_components(passages)
    reported = _find_reported_ablations(passages, ComponentNames(lambda: components, title))
    return Analysis(components, reported, find_metrics(passages))


def index_paper_for_check(paper: Paper, task: Task, sent_excerpt: Excerpt) -> PaperIndex:
    """Return an index of a paper for the check of a plan.

    `sent_excerpt` is what was sent to the model. References and checklists are left out, because they are never sent.
    """
    if task is not Task.REVIEWER:
        return PaperIndex(task, tuple(_index_sections(paper, sent_excerpt, frozenset())))
    passages = split_sections_into_passages(paper.sections)
    names = ComponentNames(lambda: find_components(passages, with_mention_counts=False), paper.title)
    about = (p.text for p in passages if p.section_kind in EXPERIMENT_SECTIONS and _is_about_ablations(p))
    sections = tuple(_index_sections(paper, sent_excerpt, frozenset(about)))
    return PaperIndex(task, sections, _find_reported_ablations(passages, names)[:_MAX_REPORTED])


def _index_sections(paper: Paper, excerpt: Excerpt, ablation_texts: frozenset[str]) -> Iterator[IndexedSection]:
    abstract_page = next((section.page for section in paper.sections if section.kind is SectionKind.ABSTRACT), None)
    yield IndexedSection("Abstract", (excerpt.title, excerpt.abstract), pages=(abstract_page,) * 2)
    sent = {block.text for section in excerpt.sections for block in section.blocks}
    for section in excerpt.sections:
        yield _index_blocks(section, ablation_texts)
    for section in paper.sections:
        unsent = [block for block in section.blocks if block.text not in sent]
        if unsent and section.kind not in _UNREAD_KINDS:
            yield IndexedSection(section.heading, tuple(block.text for block in unsent), is_sent=False)


def _index_blocks(section: Section, ablation_texts: frozenset[str]) -> IndexedSection:
    """Return a section with its blocks as passages. Tables and figures come last, as they may interrupt a sentence."""
    ordered = sorted(section.blocks, key=lambda block: block.kind in _FLOAT_KINDS)
    texts = tuple(block.text for block in ordered)
    pages = tuple(block.page for block in ordered)
    about = tuple(number for number, text in enumerate(texts) if text in ablation_texts)
    return IndexedSection(
        section.heading,
        texts,
        pages=pages if any(pages) else (),
        ablation_passage_indices=about,
        is_experiment=section.kind in EXPERIMENT_SECTIONS,
        passage_lengths=tuple(len(block.text) for block in section.blocks),
        float_indices=tuple(number for number, block in enumerate(section.blocks) if block.kind in _FLOAT_KINDS),
    )


def _is_possible_part_name(name: str, non_part_names: frozenset[str]) -> bool:
    """Return whether a part may have this name: "gated unit", but not "top-1 accuracy" or one of `non_part_names`."""
    if (
        _NO_NAME.fullmatch(name)
        or _BROKEN.search(name)
        or is_unambiguous_metric_name(name)
        or name.lower() in non_part_names
    ):
        return False
    return not is_generic_name(" ".join(word for word in name.split() if word.lower() not in non_part_names))


def _find_reported_ablations(passages: Sequence[Passage], names: ComponentNames) -> tuple[ReportedAblation, ...]:
    """Find the ablations that the passages report, one for each part and action, in reading order.

    A passage about ablations reports each component that it names in a table or together with a word like "improves".
    Metrics, data sets and the whole method never count as parts.
    """
    found = [
        ReportedAblation(each.part, each.action, each.replacement, passage.locate_text(each.part, each.start))
        for passage in passages
        for each in _read_passage(passage, names)
        if each.part and not is_generic_name(each.part)
    ]
    other_names = names.find_non_part_names(passages) if found else frozenset()
    ablations: dict[tuple[frozenset[str], Action], ReportedAblation] = {}
    for ablation in found:
        part = names.label_part(_FORMULA.sub("", ablation.part))
        if _is_possible_part_name(part, other_names):
            ablations.setdefault((extract_stem_set(part), ablation.action), replace(ablation, part=part))
    return tuple(sorted(ablations.values(), key=lambda ablation: ablation.location.paper_offset))


def _read_passage(passage: Passage, names: ComponentNames) -> Iterator[AblationPhrase]:
    """Yield the ablations that a passage reports. Outside experiment sections, only tables are read.

    A table of results may be printed in another section than the experiments that it belongs to.
    """
    is_experiment = passage.section_kind in EXPERIMENT_SECTIONS
    is_table = passage.block_kind is BlockKind.TABLE
    if is_experiment or (is_table and passage.section_kind not in _SKIPPED_SECTIONS):
        is_about = _is_about_ablations(passage)
        yield from find_parts_changed_in_rows(passage.text, is_table=is_table, is_ablation_table=is_table and is_about)
        yield from find_parts_varied_in_table(passage.text) if is_table else ()
        if is_experiment:
            yield from _read_words(passage, is_about)
            yield from find_check_marked_parts_and_variants(passage.text) if is_table and is_about else ()
            yield from _find_ablated_components(passage, names, is_about)


def _is_about_ablations(passage: Passage) -> bool:
    """Return whether a passage speaks of ablations, or stands in a section on them."""
    if passage.section_kind is SectionKind.ABLATION:
        return True
    has_cue = any(map(passage.text.lower().__contains__, _ABLATION_CUES))
    return has_cue and bool(_ABLATION_WORD.search(passage.text))


def _read_words(passage: Passage, is_about: bool) -> Iterator[AblationPhrase]:
    """Yield each part that the words of a passage report as removed, replaced, varied, added or studied."""
    for phrase in chain(find_added_or_lacking_parts(passage.one_line_text), _read_phrases(passage, is_about)):
        replacement = extract_bare_name(phrase.replacement)
        for part in split_into_bare_names(phrase.part):
            yield replace(phrase, part=part, replacement=replacement)


def _read_phrases(passage: Passage, is_about: bool) -> Iterator[AblationPhrase]:
    """Yield the parts that a passage about ablations reports, or those that another heading or caption announces."""
    text, kind = passage.one_line_text, passage.block_kind
    if kind is BlockKind.HEADING:
        yield from _read_heading(passage, is_about)
    elif kind is BlockKind.PROSE:
        yield from _read_run_in_headings(passage.text, is_about)
    elif not is_about:
        caption = max(0, text.find("\\caption"))
        yield from _shift_phrases(find_studied_or_compared_parts(text[caption:]), caption)
    if is_about:
        yield from find_varied_choices_and_values(text) if kind is BlockKind.PROSE else ()
        yield from find_removals_and_replacements(text) if kind in _SENTENCE_KINDS else ()
        yield from find_studied_parts(text)


def _read_heading(passage: Passage, is_about: bool) -> Iterator[AblationPhrase]:
    """Yield the parts that a heading names; on ablations, a heading without such words is itself the name of a part."""
    if passage.section_kind is SectionKind.APPENDIX and not is_about:
        return  # an appendix describes methods too
    heading = strip_number_and_punctuation(strip_markup(passage.heading))
    name = _QUESTION_NUMBER.sub("", heading) if is_about else heading
    phrases = list(find_studied_or_compared_parts(name))
    if is_about and not phrases and not _SUMMARY_WORD.search(name):
        phrases = [AblationPhrase(name, Action.REMOVE, "", 0)]
    yield from phrases


def _read_run_in_headings(text: str, is_about: bool) -> Iterator[AblationPhrase]:
    for heading, start in locate_run_in_headings(text):
        named = [AblationPhrase(heading, Action.REMOVE, "", 0)] if is_about else []
        yield from _shift_phrases(list(find_studied_parts(heading)) or named, start)


def _shift_phrases(phrases: Iterable[AblationPhrase], start: int) -> Iterator[AblationPhrase]:
    return (replace(phrase, start=start + phrase.start) for phrase in phrases)


def _find_ablated_components(passage: Passage, names: ComponentNames, is_about: bool) -> Iterator[AblationPhrase]:
    """Yield the components of the method that a passage reports as ablated.

    In a passage about ablations, these are the components in a table or beside a word like "improves". In any other
    passage, these are the components that a sentence removes or replaces.
    """
    if is_about:
        has_effect_word = any(map(passage.text.lower().__contains__, _EFFECT_WORDS))
        is_credited = passage.block_kind is BlockKind.TABLE or has_effect_word
        mentions = list(names.locate_mentions(passage.text)) if is_credited else []
        without_owners = blank_out_aspect_owners(passage.text) if mentions else ""
        for label, start in mentions:
            if not without_owners[start].isspace():
                yield AblationPhrase(label, Action.REMOVE, "", start)
        return
    for phrase in find_removals_and_replacements(passage.one_line_text):
        replacement = extract_bare_name(phrase.replacement)
        for label, start in names.locate_mentions(extract_bare_name(phrase.part)):
            yield AblationPhrase(label, phrase.action, replacement, phrase.start + start)
