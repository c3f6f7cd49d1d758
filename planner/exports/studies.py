"""The studies of a plan. A study is an ablation with the variants of the method to run, and safe names for them."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from planner.analysis.parts import is_same_part
from planner.details import Details, RejectionReason
from planner.matching import extract_number_set, is_mostly_number
from planner.names import UniqueNames, sanitize_file_name
from planner.sanitize import truncate_long_name
from planner.schema import Ablation, Action, list_labelled_non_benchmark_fields
from planner.site.copies import (
    choose_descriptive_name_or_part,
    find_removed_part,
    format_as_one_line,
    format_change_as_instruction,
    format_replacement_as_phrase,
)
from planner.site.entries import PlanEntry
from planner.site.facts import choose_shown_title, choose_unique_labels

BASELINE: Final = "baseline"
SEEDS: Final = (0, 1, 2)
_MAX_SLUG_CHARS: Final = 48
_MAX_LABEL_CHARS: Final = 96  # a label ends with the run and k, after the planner, the model and the task
_DEFAULT: Final = re.compile(r"\bdefault(?:s to| is)?\b[\s:=]*([^,;()]*)", re.I)  # "number of groups G (default 6)"
_LONG_SWEEP: Final = 5  # values, of which three are run first to see if the others are worth their runs


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant of the method that a study runs. `change` says how it differs from the method.

    `replacement` is what the variant runs instead, and `removed_part` is the part that this replacement removes.
    `same_as` is the slug of an earlier study's variant that seems to be the same. Each of them may be "".
    """

    slug: str
    change: str
    replacement: str = ""
    removed_part: str = ""
    same_as: str = ""


@dataclass(frozen=True, slots=True)
class ExportedStudy:
    """An ablation with the variants to run. The slugs of studies and variants are unique in the plan.

    `number` is the rank of the study in the plan. `run_position` is its place in the order of runs. Both count from 1.
    """

    number: int
    run_position: int
    slug: str
    headline: str
    ablation: Ablation
    details: Details
    variants: tuple[Variant, ...]

    def iterate_facts(self) -> Iterator[tuple[str, str]]:
        """Yield (label, text) for each fact that helps to run the study."""
        texts = (
            ("Part", self.ablation.ablated_part),
            *self.details.list_labelled_lines(),
            ("Measure", "; ".join(self.ablation.metrics)),
            *list_labelled_non_benchmark_fields(self.ablation),
        )
        for label, text in texts:
            if label != "Chance" and (line := format_as_one_line(text)):
                yield label, line

    def describe_variant(self, variant: Variant) -> str:
        """Return a description of a variant. If the variant seems to repeat an earlier run, the description says so."""
        is_replaced = self.ablation.action is Action.REPLACE and variant.replacement
        done = format_replacement_as_phrase(variant.replacement) if is_replaced else variant.change
        default = _DEFAULT.search(self.ablation.ablated_part)
        own_numbers = extract_number_set(default[1]) if default else None
        if is_mostly_number(variant.replacement) and extract_number_set(variant.replacement) == own_numbers:
            return f"{done} (the method's own value: the baseline)"
        return done + (f" (seems the same run as {variant.same_as}; if so, run it once)" if variant.same_as else "")

    @property
    def variants_to_run_first(self) -> tuple[Variant, ...]:
        """The variants to run first. In a long sweep of values, these are the two ends and the middle."""
        values = [variant for variant in self.variants if is_mostly_number(variant.replacement)]
        if len(values) < _LONG_SWEEP:
            return self.variants
        values.sort(key=lambda variant: min(extract_number_set(variant.replacement)))
        later = {*values[1:-1]}.difference([values[len(values) // 2]])
        return tuple(variant for variant in self.variants if variant not in later)


@dataclass(frozen=True, slots=True)
class ExportedPlan:
    """A plan with the title of its paper and its studies. `slug` is a unique name for its files.

    `k` is the largest number of studies that the plan could have. `rejected_studies` are the candidates that the plan
    does not keep, the likeliest first.
    """

    slug: str
    title: str
    entry: PlanEntry
    studies: tuple[ExportedStudy, ...]
    k: int
    rejected_studies: tuple[ExportedStudy, ...] = ()


def build_exported_plans(entries: Sequence[PlanEntry]) -> Iterator[ExportedPlan]:
    """Yield each plan. If a paper has several plans, the slug of each ends in a label, such as the model's name."""
    papers: dict[str, list[PlanEntry]] = defaultdict(list)
    for entry in entries:
        if entry.trajectory:
            papers[entry.paper_id].append(entry)
    plans = [
        (entry, f"{slug}--{_cut_slug(label, _MAX_LABEL_CHARS)}" if len(found) > 1 else slug, choose_shown_title(found))
        for slug, found in zip(_choose_slugs(tuple(papers)), papers.values(), strict=True)
        for entry, label in zip(found, choose_unique_labels(found), strict=True)
    ]
    names = UniqueNames()
    for entry, slug, title in plans:
        studies = tuple(_list_studies(entry))
        kept, further = studies[: len(entry.ablations)], studies[len(entry.ablations) :]
        in_plan = tuple(sorted(kept, key=lambda study: study.number))
        k = entry.record.k if entry.record else len(in_plan)
        file_name = names.reserve_unique_name(sanitize_file_name(slug))  # "con" and "aux" are devices
        yield ExportedPlan(file_name, format_as_one_line(title), entry, in_plan, k, further)


def _list_studies(entry: PlanEntry) -> Iterator[ExportedStudy]:
    """Yield the studies of a plan in the order in which to run them, and then its rejected candidates.

    Candidates that the model withdrew are left out. If a variant repeats an earlier run, its `same_as` names that run.
    """
    count = len(entry.ablations)
    further = [candidate for candidate in entry.considered if candidate.why is not RejectionReason.WITHDRAWN]
    order = entry.run_order
    if sorted(order) != list(range(count)):  # a record without details has no order, and an edited record may have any
        order = tuple(range(count))
    ablations = (*entry.ablations, *further)
    details = (*entry.details, *(candidate.details for candidate in further))
    earlier: list[Variant] = []  # those that remove a part
    for place, index in enumerate((*order, *range(count, len(ablations))), start=1):
        ablation = ablations[index]
        number = f"{index + 1:02}"
        headline = (
            truncate_long_name(format_as_one_line(choose_descriptive_name_or_part(ablation))) or f"Ablation {index + 1}"
        )
        variants = tuple(_list_variants(ablation, number, earlier))
        yield ExportedStudy(
            number=index + 1,
            run_position=place,
            slug=f"{number}-{_slugify(headline)}",
            headline=headline,
            ablation=ablation,
            details=details[index],
            variants=variants,
        )
        earlier += [variant for variant in variants if variant.removed_part and not variant.same_as]


def _list_variants(ablation: Ablation, number: str, earlier: Sequence[Variant]) -> Iterator[Variant]:
    # A published plan may break the rule that each action but REMOVE, and no other, has a replacement.
    replacements = ("",) if ablation.action is Action.REMOVE else ablation.replacement or ("",)
    names = UniqueNames()
    slugs = _choose_slugs([_name_variant(ablation, item) for item in replacements])
    for item, variant_slug in zip(replacements, slugs, strict=True):
        part = find_removed_part(ablation, item)
        same = next((run.slug for run in earlier if part and is_same_part(part, run.removed_part)), "")
        change = format_as_one_line(format_change_as_instruction(ablation, [item] if item else []))
        slug = names.reserve_unique_name(f"{number}-{variant_slug}")
        yield Variant(slug, change, format_as_one_line(item), part, same)


def _name_variant(ablation: Ablation, item: str) -> str:
    return (
        format_replacement_as_phrase(item).removeprefix("with ")
        if item
        else f"{ablation.action} {ablation.ablated_part}"
    )


def _choose_slugs(texts: Sequence[str]) -> list[str]:
    """Return a slug for each text. Long texts that begin alike are shortened in the middle, so that slugs differ."""
    slugs = list(map(_slugify, texts))
    counts = Counter(slugs)
    return [
        _cut_slug(text, _MAX_SLUG_CHARS) if counts[slug] > 1 else slug for text, slug in zip(texts, slugs, strict=True)
    ]


def _slugify(text: str) -> str:
    """Return a text as at most 48 small Latin letters, digits and hyphens, or a hash if it has none of these."""
    return _build_whole_slug(text)[:_MAX_SLUG_CHARS].strip("-")


def _cut_slug(text: str, max_chars: int) -> str:
    """Return a text as a slug of at most `max_chars` characters. A longer slug loses its middle."""
    slug, half = _build_whole_slug(text), max_chars // 2
    if len(slug) <= max_chars:
        return slug
    beginning, end = slug[: half - 1], slug[-half:]
    return f"{beginning.rpartition('-')[0] or beginning}-{end.partition('-')[2] or end}"


def _build_whole_slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain)) or sha256(text.encode("utf-8", "replace")).hexdigest()[:8]
