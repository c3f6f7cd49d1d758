"""Build the document on a comparison of planners, with sentences computed from its numbers."""

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import Final

from eval import plots
from eval.compare import Comparison, Idea, Profile
from eval.document import Document, Picture, Section, Table
from eval.figures import amount, exact, interval, percent
from eval.results import task_title
from planner.schema import Action

_MOST_IDEAS: Final = 15
_LEVELS: Final = ("#D0E4F2", "#92C0DF", "#4F97C4", "#1F6CA3", "#08406F", "#042A4A")


def compare_document(comparisons: Sequence[Comparison], *, pictures: bool = True) -> Document:
    """Return the document on all comparisons.

    Raises:
        UsageError: if `pictures` is true and matplotlib is not installed.
    """
    return Document(
        title="What planners propose for the same papers",
        lead=(
            "No gold is needed: plans are compared with each other. Two ablations count as the same when the offline "
            "matcher pairs them: similar words for the ablated part, actions that agree, and a common replacement. It "
            "misses ablations that are worded differently, so agreement is a lower bound; compare these numbers only "
            "with each other.",
            *(sentence for c in comparisons for sentence in _findings(c)),
        ),
        sections=tuple(section for c in comparisons for section in _sections(c, pictures)),
        data=tuple(table for c in comparisons for table in _data(c)),
    )


def _findings(c: Comparison) -> Iterator[str]:
    """Yield the main findings as sentences, each computed from the numbers."""
    total, n = len(c.ideas), len(c.systems)
    one, every = percent(c.shared_by(1) / total), percent(c.shared_by(n) / total)
    yield (
        f"{task_title(c.task)}, {len(c.papers)} papers that all {n} systems planned: {total} different ablations in "
        f"all; {one} are proposed by one system only, {every} by all {n}."
    )
    *_, most = by_agreement = sorted(c.pairs, key=lambda pair: pair.agreement.mean)
    least = by_agreement[0]
    yield (
        f"{_name(most.a)} and {_name(most.b)} agree most, {amount(most.agreement.mean)} on a scale from 0 to 1 (95 % "
        f"interval {interval(most.agreement)}); by chance, between their plans for different papers, they agree "
        f"{amount(most.by_chance)}. {_name(least.a)} and {_name(least.b)} agree least, {amount(least.agreement.mean)} "
        f"({interval(least.agreement)})."
    )
    fewest, *_, mostly = sorted(c.profiles, key=_removals)
    yield (
        f"{_name(mostly.system)} removes most often ({percent(_removals(mostly))} of its ablations), "
        f"{_name(fewest.system)} least ({percent(_removals(fewest))})."
    )
    short, *_, long = sorted(c.profiles, key=lambda p: p.words)
    own = max(c.profiles, key=lambda p: p.alone)
    yield (
        f"{_name(long.system)} reasons longest (median {long.words:.0f} words), {_name(short.system)} shortest "
        f"({short.words:.0f}). {_name(own.system)} stands alone most: {percent(own.alone)} of its ablations are in no "
        "other system's plans."
    )


def _removals(profile: Profile) -> float:
    return profile.actions.get(Action.REMOVE, 0) / profile.ablations


def _sections(c: Comparison, pictures: bool) -> Iterator[Section]:
    yield _agreement(c, pictures)
    yield _union(c, pictures)
    yield _profiles(c, pictures)


def _agreement(c: Comparison, pictures: bool) -> Section:
    caption = (
        f"{task_title(c.task)}: how much two systems' plans agree on n = {len(c.papers)} papers. 1 would be the same "
        "ablations in every plan, 0 none."
    )
    matrix = [[_value(c, a, b) for b in c.systems] for a in c.systems]
    names = [_name(system) for system in c.systems]
    axis = "agreement (Dice, 0 to 1)"
    title = f"{task_title(c.task)}: agreement of plans, mean over n = {len(c.papers)} papers"
    drawn = _drawn(pictures, lambda: plots.matrix_picture(f"agreement-{c.task}", caption, axis, title, names, matrix))
    columns = ("System", "and", "Agreement", "95 % interval", "different papers", "Metrics in common", "95 % interval")
    rows = tuple(
        (
            _name(p.a),
            _name(p.b),
            amount(p.agreement.mean),
            interval(p.agreement),
            amount(p.by_chance),
            amount(p.metrics.mean),
            interval(p.metrics),
        )
        for p in sorted(c.pairs, key=lambda p: -p.agreement.mean)
    )
    return Section(
        f"{task_title(c.task)}: agreement",
        (
            "Agreement is 2 × matches / (ablations of both plans), averaged over papers; “different papers” is the "
            "same number for a plan and the other system's plan for another paper. “Metrics in common” is the share of "
            "the metrics in two plans that both name.",
        ),
        drawn,
        (Table(columns, rows),),
    )


def _union(c: Comparison, pictures: bool) -> Section:
    n = len(c.systems)
    caption = f"{task_title(c.task)}: by how many of the {n} systems an ablation is proposed, for each system's own."
    levels = [(_level(count), _LEVELS[min(count - 1, len(_LEVELS) - 1)]) for count in range(1, n + 1)]
    items = tuple(plots.Shares(_name(system), tuple(_levels(c, system))) for system in c.systems)
    title = f"{task_title(c.task)}: who proposes an ablation (n ablations)"
    panel = plots.Panel(title, (*items, plots.Shares("all together", tuple(_levels(c, "")))))
    axis = "share of different ablations (%)"
    drawn = _drawn(pictures, lambda: plots.shares_picture(f"shared-{c.task}", caption, axis, levels, [panel]))
    consensus = sorted((i for i in c.ideas if len(i.systems) > n / 2), key=lambda i: (-len(i.systems), i.paper))
    columns = ("Paper", "Ablated part", "Action", "Systems")
    rows = tuple(_idea(idea, n) for idea in consensus[:_MOST_IDEAS])
    per_paper = len(c.ideas) / len(c.papers)
    text = (
        f"The union of all plans has {len(c.ideas)} different ablations, {per_paper:.1f} per paper; more than half of "
        f"the systems agree on {len(consensus)} of them ({percent(len(consensus) / len(c.ideas))}), the consensus. "
        + (f"The table shows {len(rows)} of these." if len(consensus) > len(rows) else "")
    )
    return Section(
        f"{task_title(c.task)}: union and consensus", (text,), drawn, (Table(columns, rows),) if rows else ()
    )


def _profiles(c: Comparison, pictures: bool) -> Section:
    caption = f"{task_title(c.task)}: what the planned ablations do, in percent of a system's n ablations."
    items = tuple(
        plots.Shares(_name(p.system), tuple((a.value, p.actions.get(a, 0)) for a in Action)) for p in c.profiles
    )
    axis = "share of planned ablations (%)"
    title = f"{task_title(c.task)}: what the n ablations do"
    palette = tuple(plots.ACTION_COLOURS.items())
    drawn = _drawn(
        pictures, lambda: plots.shares_picture(f"actions-{c.task}", caption, axis, palette, [plots.Panel(title, items)])
    )
    columns = ("System", "Ablations per plan", *(a.value for a in Action), "Replacements each", "Metrics each")
    rows = tuple(
        (
            _name(p.system),
            f"{p.per_plan:.2f}",
            *(percent(p.actions.get(action, 0) / p.ablations) for action in Action),
            amount(p.replacements),
            f"{p.metrics:.2f}",
            f"{p.words:.0f}",
            percent(p.alone),
        )
        for p in c.profiles
    )
    return Section(
        f"{task_title(c.task)}: what each system is like",
        ("Replacements are counted for ablations that replace or add; the reasoning's length is a median in words.",),
        drawn,
        (Table((*columns, "Reasoning, words", "Unique"), rows),),
    )


def _data(c: Comparison) -> Iterator[tuple[str, Table]]:
    intervals = ("agreement", "low", "high", "different_papers", "metrics", "metrics_low", "metrics_high")
    pairs = tuple(
        (pair.a, pair.b, str(pair.agreement.n), *map(exact, numbers))
        for pair in c.pairs
        for a, m in ((pair.agreement, pair.metrics),)
        for numbers in ((a.mean, a.low, a.high, pair.by_chance, m.mean, m.low, m.high),)
    )
    yield f"agreement-{c.task}", Table(("a", "b", "papers", *intervals), pairs)
    ideas = tuple(
        (
            idea.paper,
            shown.name,
            shown.ablated_part,
            shown.action.value,
            str(len(idea.systems)),
            "; ".join(idea.systems),
        )
        for idea in c.ideas
        for shown in (idea.shown,)
    )
    columns = ("paper", "name", "ablated_part", "action", "systems", "proposed_by")
    yield f"ideas-{c.task}", Table(columns, ideas)


def _levels(c: Comparison, system: str) -> Iterator[tuple[str, int]]:
    own = [idea for idea in c.ideas if not system or system in idea.systems]
    for count in range(1, len(c.systems) + 1):
        yield _level(count), sum(len(idea.systems) == count for idea in own)


def _level(count: int) -> str:
    return "1 system" if count == 1 else f"{count} systems"


def _idea(idea: Idea, n: int) -> tuple[str, ...]:
    return idea.paper.replace("_", " "), idea.shown.ablated_part, idea.shown.action.value, f"{len(idea.systems)} of {n}"


def _value(c: Comparison, a: str, b: str) -> float:
    pair = c.pair(a, b)
    return nan if pair is None else pair.agreement.mean


def _name(system: str) -> str:
    return system.removeprefix("lm-planner/")


def _drawn(wanted: bool, draw: Callable[[], Picture]) -> tuple[Picture, ...]:
    return (draw(),) if wanted else ()
