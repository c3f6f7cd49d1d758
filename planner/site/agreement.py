"""Find the ablations that several models propose."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planner.chat import COMBINED_PLANNER
from planner.matching.group import group_ablations
from planner.schema import Task
from planner.site.entries import PlanEntry


@dataclass(frozen=True, slots=True, order=True)
class AblationPlace:
    """The place of an ablation: the number of its entry, and its number in that plan, both from 0."""

    entry_number: int
    ablation_number: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """The ablations of other models that match an ablation, by its place; and groups of matches, the largest first."""

    matches: dict[AblationPlace, tuple[AblationPlace, ...]]
    groups: tuple[tuple[AblationPlace, ...], ...]


def find_agreement(entries: Sequence[PlanEntry]) -> Agreement:
    """Find the same ablations in the plans of one paper by two or more models for one task.

    A combined plan agrees with its own members, so it does not count.
    """
    groups = [group for task in Task for group in _list_groups(entries, task)]
    models = [(entry.planner, entry.model) for entry in entries]
    matches = {
        place: tuple(other for other in group if models[other.entry_number] != models[place.entry_number])
        for group in groups
        for place in group
    }
    ordered = sorted(groups, key=lambda group: (-len(group), group))
    return Agreement(dict(sorted(matches.items())), tuple(ordered))


def _list_groups(entries: Sequence[PlanEntry], task: Task) -> Iterator[tuple[AblationPlace, ...]]:
    numbers = [n for n, entry in enumerate(entries) if entry.task is task and entry.planner != COMBINED_PLANNER]
    for group in group_ablations([entries[number].ablations for number in numbers]):
        if len({(entries[numbers[plan]].planner, entries[numbers[plan]].model) for plan, _ in group}) > 1:
            yield tuple(AblationPlace(numbers[plan], ablation) for plan, ablation in group)
