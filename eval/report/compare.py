"""Build the document on a comparison of planners, with sentences computed from its numbers."""

from collections.abc import Callable, Iterator, Sequence
from math import nan
from typing import Final

from eval.compare import Comparison, ProposedAblation, SystemProfile
from eval.report import plots
from eval.report.document import Document, Picture, ReportSection, Table
from eval.scoring import format_task_title
from eval.statistics import format_exact, format_interval, format_number, format_percent
from planner.schema import Action

_MAX_PROPOSALS: Final = 15
_LEVEL_COLOURS: Final = ("#D0E4F2", "#92C0DF", "#4F97C4", "#1F6CA3", "#08406F", "#042A4A")


def build_comparison_document(comparisons: Sequence[Comparison], *, with_pictures: bool = True) -> Document:
    """Return the document on all comparisons.

    Raises:
        UsageError: if `with_pictures` is true and matplotlib is not installed.
    """
    return Document(
        title="What planners propose for the same papers",
        lead=(
            "No gold is needed: plans are compared with each other. Two ablations count as the same when the offline "
            "matcher pairs them: similar words for the ablated part, actions that agree, and a common replacement. It "
            "misses ablations that are worded differently, so agreement is a lower bound; compare these numbers only "
            "with each other.",
            *(sentence for c in comparisons for sentence in _write_findings(c)),
        ),
        sections=tuple(section for c in comparisons for section in _build_sections(c, with_pictures)),
        csv_tables=tuple(table for c in comparisons for table in _build_csv_tables(c)),
    )


def _write_findings(c: Comparison) -> Iterator[str]:
    """Yield the main findings as sentences, each computed from the numbers."""
    total, n = len(c.proposals), len(c.systems)
    one, every = format_percent(c.count_shared_by(1) / total), format_percent(c.count_shared_by(n) / total)
    yield (
        f"{format_task_title(c.task)}, {len(c.papers)} papers that all {n} systems planned: {total} different ablations in "
        f"all; {one} are proposed by one system only, {every} by all {n}."
    )
    *_, most = by_agreement = sorted(c.pairs, key=lambda pair: pair.agreement.mean)
    least = by_agreement[0]
    yield (
        f"{_short_system_name(most.a)} and {_short_system_name(most.b)} agree most, {format_number(most.agreement.mean)} on a scale from 0 to 1 (95 % "
        f"interval {format_interval(most.agreement)}); by chance, between their plans for different papers, they agree "
        f"{format_number(most.chance_agreement)}. {_short_system_name(least.a)} and {_short_system_name(least.b)} agree least, {format_number(least.agreement.mean)} "
        f"({format_interval(least.agreement)})."
    )
    fewest, *_, mostly = sorted(c.profiles, key=_removal_share)
    yield (
        f"{_short_system_name(mostly.system)} removes most often ({format_percent(_removal_share(mostly))} of its ablations), "
        f"{_short_system_name(fewest.system)} least ({format_percent(_removal_share(fewest))})."
    )
    short, *_, long = sorted(c.profiles, key=lambda p: p.median_reasoning_words)
    own = max(c.profiles, key=lambda p: p.unique_share)
    yield (
        f"{_short_system_name(long.system)} reasons longest (median {long.median_reasoning_words:.0f} words), {_short_system_name(short.system)} shortest "
        f"({short.median_reasoning_words:.0f}). {_short_system_name(own.system)} stands alone most: {format_percent(own.unique_share)} of its ablations are in no "
        "other system's plans."
    )


def _removal_share(profile: SystemProfile) -> float:
    return profile.action_counts.get(Action.REMOVE, 0) / profile.ablation_count


def _build_sections(c: Comparison, pictures: bool) -> Iterator[ReportSection]:
    yield _build_agreement_section(c, pictures)
    yield _build_union_section(c, pictures)
    yield _build_profiles_section(c, pictures)


def _build_agreement_section(c: Comparison, pictures: bool) -> ReportSection:
    caption = (
        f"{format_task_title(c.task)}: how much two systems' plans agree on n = {len(c.papers)} papers. 1 would be the same "
        "ablations in every plan, 0 none."
    )
    matrix = [[_agreement_value(c, a, b) for b in c.systems] for a in c.systems]
    names = [_short_system_name(system) for system in c.systems]
    axis = "agreement (Dice, 0 to 1)"
    title = f"{format_task_title(c.task)}: agreement of plans, mean over n = {len(c.papers)} papers"
    drawn = _draw_if(pictures, lambda: plots.draw_matrix(f"agreement-{c.task}", caption, axis, title, names, matrix))
    columns = ("System", "and", "Agreement", "95 % interval", "different papers", "Metrics in common", "95 % interval")
    rows = tuple(
        (
            _short_system_name(p.a),
            _short_system_name(p.b),
            format_number(p.agreement.mean),
            format_interval(p.agreement),
            format_number(p.chance_agreement),
            format_number(p.metric_agreement.mean),
            format_interval(p.metric_agreement),
        )
        for p in sorted(c.pairs, key=lambda p: -p.agreement.mean)
    )
    return ReportSection(
        f"{format_task_title(c.task)}: agreement",
        (
            "Agreement is 2 × matches / (ablations of both plans), averaged over papers; “different papers” is the "
            "same number for a plan and the other system's plan for another paper. “Metrics in common” is the share of "
            "the metrics in two plans that both name.",
        ),
        drawn,
        (Table(columns, rows),),
    )


def _build_union_section(c: Comparison, pictures: bool) -> ReportSection:
    n = len(c.systems)
    caption = (
        f"{format_task_title(c.task)}: by how many of the {n} systems an ablation is proposed, for each system's own."
    )
    levels = [
        (_level_title(count), _LEVEL_COLOURS[min(count - 1, len(_LEVEL_COLOURS) - 1)]) for count in range(1, n + 1)
    ]
    items = tuple(plots.ShareBar(_short_system_name(system), tuple(_count_by_level(c, system))) for system in c.systems)
    title = f"{format_task_title(c.task)}: who proposes an ablation (n ablations)"
    panel = plots.Panel(title, (*items, plots.ShareBar("all together", tuple(_count_by_level(c, "")))))
    axis = "share of different ablations (%)"
    drawn = _draw_if(pictures, lambda: plots.draw_shares(f"shared-{c.task}", caption, axis, levels, [panel]))
    consensus = sorted((i for i in c.proposals if len(i.systems) > n / 2), key=lambda i: (-len(i.systems), i.paper))
    columns = ("Paper", "Ablated part", "Action", "Systems")
    rows = tuple(_proposal_row(idea, n) for idea in consensus[:_MAX_PROPOSALS])
    per_paper = len(c.proposals) / len(c.papers)
    text = (
        f"The union of all plans has {len(c.proposals)} different ablations, {per_paper:.1f} per paper; more than half of "
        f"the systems agree on {len(consensus)} of them ({format_percent(len(consensus) / len(c.proposals))}), the consensus. "
        + (f"The table shows {len(rows)} of these." if len(consensus) > len(rows) else "")
    )
    return ReportSection(
        f"{format_task_title(c.task)}: union and consensus", (text,), drawn, (Table(columns, rows),) if rows else ()
    )


def _build_profiles_section(c: Comparison, pictures: bool) -> ReportSection:
    caption = f"{format_task_title(c.task)}: what the planned ablations do, in percent of a system's n ablations."
    items = tuple(
        plots.ShareBar(_short_system_name(p.system), tuple((a.value, p.action_counts.get(a, 0)) for a in Action))
        for p in c.profiles
    )
    axis = "share of planned ablations (%)"
    title = f"{format_task_title(c.task)}: what the n ablations do"
    palette = tuple(plots.ACTION_COLOURS.items())
    drawn = _draw_if(
        pictures, lambda: plots.draw_shares(f"actions-{c.task}", caption, axis, palette, [plots.Panel(title, items)])
    )
    columns = ("System", "Ablations per plan", *(a.value for a in Action), "Replacements each", "Metrics each")
    rows = tuple(
        (
            _short_system_name(p.system),
            f"{p.ablations_per_plan:.2f}",
            *(format_percent(p.action_counts.get(action, 0) / p.ablation_count) for action in Action),
            format_number(p.mean_replacements),
            f"{p.mean_metrics:.2f}",
            f"{p.median_reasoning_words:.0f}",
            format_percent(p.unique_share),
        )
        for p in c.profiles
    )
    return ReportSection(
        f"{format_task_title(c.task)}: what each system is like",
        ("Replacements are counted for ablations that replace or add; the reasoning's length is a median in words.",),
        drawn,
        (Table((*columns, "Reasoning, words", "Unique"), rows),),
    )


def _build_csv_tables(c: Comparison) -> Iterator[tuple[str, Table]]:
    intervals = ("agreement", "low", "high", "different_papers", "metrics", "metrics_low", "metrics_high")
    pairs = tuple(
        (pair.a, pair.b, str(pair.agreement.n), *map(format_exact, numbers))
        for pair in c.pairs
        for a, m in ((pair.agreement, pair.metric_agreement),)
        for numbers in ((a.mean, a.low, a.high, pair.chance_agreement, m.mean, m.low, m.high),)
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
        for idea in c.proposals
        for shown in (idea.ablation,)
    )
    columns = ("paper", "name", "ablated_part", "action", "systems", "proposed_by")
    yield f"ideas-{c.task}", Table(columns, ideas)


def _count_by_level(c: Comparison, system: str) -> Iterator[tuple[str, int]]:
    own = [idea for idea in c.proposals if not system or system in idea.systems]
    for count in range(1, len(c.systems) + 1):
        yield _level_title(count), sum(len(idea.systems) == count for idea in own)


def _level_title(count: int) -> str:
    return "1 system" if count == 1 else f"{count} systems"


def _proposal_row(idea: ProposedAblation, n: int) -> tuple[str, ...]:
    return (
        idea.paper.replace("_", " "),
        idea.ablation.ablated_part,
        idea.ablation.action.value,
        f"{len(idea.systems)} of {n}",
    )


def _agreement_value(c: Comparison, a: str, b: str) -> float:
    pair = c.find_pair(a, b)
    return nan if pair is None else pair.agreement.mean


def _short_system_name(system: str) -> str:
    return system.removeprefix("lm-planner/")


def _draw_if(wanted: bool, draw: Callable[[], Picture]) -> tuple[Picture, ...]:
    return (draw(),) if wanted else ()
