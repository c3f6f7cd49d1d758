"""Build the document on a comparison of planners, with sentences computed from its numbers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import nan
from typing import Final

from eval.compare import Comparison, ProposedAblation, SystemProfile
from eval.matching import MATCH_THRESHOLD
from eval.report import plots
from eval.report.document import Document, ReportSection, Table
from eval.scoring import format_task_title
from eval.statistics import format_exact, format_interval, format_number, format_percent
from planner.details import format_count
from planner.matching import SURE_SIMILARITY
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
            *(sentence for comparison in comparisons for sentence in _write_findings(comparison)),
        ),
        sections=tuple(section for comparison in comparisons for section in _build_sections(comparison, with_pictures)),
        csv_tables=tuple(table for comparison in comparisons for table in _build_csv_tables(comparison)),
    )


def _write_findings(comparison: Comparison) -> Iterator[str]:
    """Yield the main findings as sentences, each computed from the numbers."""
    total, everyone = len(comparison.proposals), _name_all(comparison)
    by_one = comparison.count_shared_by(1)
    by_all = format_percent(comparison.count_shared_by(len(comparison.systems)) / total)
    yield (
        f"{format_task_title(comparison.task)}, {format_count(len(comparison.papers), 'paper')} that {everyone} "
        f"planned: {format_count(total, 'different ablation')} in all; {format_percent(by_one / total)} are proposed "
        f"by one system only, {by_all} by {everyone}."
    )
    yield (
        f"{total - by_one} of them are proposed by more than one system. The pages of “site” and the plans of "
        f"“combine” show {comparison.sure_join_count} such studies, since they join two ablations only if they are "
        f"surely the same: from a similarity of {SURE_SIMILARITY} on, and not from {MATCH_THRESHOLD} as here."
    )
    agreements = [
        (
            f"{_shorten_name(p.a)} and {_shorten_name(p.b)}",
            format_number(p.agreement.mean),
            format_interval(p.agreement),
        )
        for p in sorted(comparison.pairs, key=lambda p: p.agreement.mean)
    ]
    yield _describe_range(
        "Agreement of two systems' plans, from 0 to 1, with its 95 % interval",
        [(names, f"{mean}, {interval}") for names, mean, interval in agreements],
    )
    if len(comparison.papers) > 1:
        chance = max(pair.chance_agreement for pair in comparison.pairs)
        yield f"By chance, between their plans for different papers, it is {format_number(chance)} at most."
    for label, measure, show in _PROFILE_MEASURES:
        ranked = sorted(comparison.profiles, key=measure)
        yield _describe_range(label, [(_shorten_name(each.system), show(measure(each))) for each in ranked])


def _name_all(comparison: Comparison) -> str:
    return "both systems" if len(comparison.systems) == 2 else f"all {len(comparison.systems)} systems"


def _describe_range(label: str, ranked: Sequence[tuple[str, str]]) -> str:
    """Return a sentence on who has the most and the least, from names and values as they are shown, the least first."""
    (_, least), (_, most) = ranked[0], ranked[-1]
    if least == most:
        return f"{label}: {most} for {_join_names(name for name, _ in ranked)}."
    at_most, at_least = (_join_names(name for name, value in ranked if value == end) for end in (most, least))
    return f"{label}: most for {at_most} ({most}), least for {at_least} ({least})."


def _join_names(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _removal_share(profile: SystemProfile) -> float:
    return profile.action_counts.get(Action.REMOVE, 0) / profile.ablation_count


_PROFILE_MEASURES: Final[tuple[tuple[str, Callable[[SystemProfile], float], Callable[[float], str]], ...]] = (
    ("Share of the ablations that remove a part", _removal_share, format_percent),
    ("Median length of the reasoning in words", lambda profile: profile.median_reasoning_words, "{:.0f}".format),
    ("Share of the ablations that no other system has", lambda profile: profile.unique_share, format_percent),
)


def _build_sections(comparison: Comparison, with_pictures: bool) -> Iterator[ReportSection]:
    yield _build_agreement_section(comparison, with_pictures)
    yield _build_union_section(comparison, with_pictures)
    yield _build_profiles_section(comparison, with_pictures)


def _build_agreement_section(comparison: Comparison, with_pictures: bool) -> ReportSection:
    task_title, paper_count = format_task_title(comparison.task), len(comparison.papers)
    caption = (
        f"{task_title}: how much two systems' plans agree on n = {paper_count} papers. 1 would be the same ablations "
        "in every plan, 0 none."
    )
    matrix = [[_agreement_value(comparison, a, b) for b in comparison.systems] for a in comparison.systems]
    names = [_shorten_name(system) for system in comparison.systems]
    axis = "agreement (Dice, 0 to 1)"
    title = f"{task_title}: agreement of plans, mean over n = {paper_count} papers"
    pictures = (
        (plots.draw_matrix(f"agreement-{comparison.task}", caption, axis, title, names, matrix),)
        if with_pictures
        else ()
    )
    columns = ("System", "and", "Agreement", "95 % interval", "different papers", "Metrics in common", "95 % interval")
    rows = tuple(
        (
            _shorten_name(p.a),
            _shorten_name(p.b),
            format_number(p.agreement.mean),
            format_interval(p.agreement),
            format_number(p.chance_agreement),
            format_number(p.metric_agreement.mean),
            format_interval(p.metric_agreement),
        )
        for p in sorted(comparison.pairs, key=lambda p: -p.agreement.mean)
    )
    return ReportSection(
        f"{task_title}: agreement",
        (
            "Agreement is 2 × matches / (ablations of both plans), averaged over papers; “different papers” is the "
            "same number for a plan and the other system's plan for another paper. “Metrics in common” is the share of "
            "the metrics in two plans that both name.",
        ),
        pictures,
        (Table(columns, rows),),
    )


def _build_union_section(comparison: Comparison, with_pictures: bool) -> ReportSection:
    task_title, n = format_task_title(comparison.task), len(comparison.systems)
    caption = f"{task_title}: by how many of the {n} systems an ablation is proposed, for each system's own."
    levels = [
        (_level_title(count), _LEVEL_COLOURS[min(count - 1, len(_LEVEL_COLOURS) - 1)]) for count in range(1, n + 1)
    ]
    items = tuple(
        plots.ShareBar(_shorten_name(system), tuple(_count_by_level(comparison, system)))
        for system in comparison.systems
    )
    title = f"{task_title}: who proposes an ablation (n ablations)"
    panel = plots.Panel(title, (*items, plots.ShareBar("all together", tuple(_count_by_level(comparison, "")))))
    axis = "share of different ablations (%)"
    pictures = (
        (plots.draw_shares(f"shared-{comparison.task}", caption, axis, levels, [panel]),) if with_pictures else ()
    )
    proposals = comparison.proposals
    consensus = sorted((p for p in proposals if len(p.systems) > n / 2), key=lambda p: (-len(p.systems), p.paper))
    columns = ("Paper", "Ablated part", "Action", "Systems")
    rows = tuple(_proposal_row(proposal, n) for proposal in consensus[:_MAX_PROPOSALS])
    text = (
        f"The union of all plans has {len(proposals)} different ablations, "
        f"{len(proposals) / len(comparison.papers):.1f} per paper; more than half of the systems agree on "
        f"{len(consensus)} of them "
        f"({format_percent(len(consensus) / len(proposals))}), the consensus. "
        + (f"The table shows {len(rows)} of these." if len(consensus) > len(rows) else "")
    )
    return ReportSection(
        f"{task_title}: union and consensus", (text,), pictures, (Table(columns, rows),) if rows else ()
    )


def _build_profiles_section(comparison: Comparison, with_pictures: bool) -> ReportSection:
    task_title = format_task_title(comparison.task)
    caption = f"{task_title}: what the planned ablations do, in percent of a system's n ablations."
    items = tuple(
        plots.ShareBar(_shorten_name(p.system), tuple((a.value, p.action_counts.get(a, 0)) for a in Action))
        for p in comparison.profiles
    )
    axis = "share of planned ablations (%)"
    title = f"{task_title}: what the n ablations do"
    palette, panel = tuple(plots.ACTION_COLOURS.items()), plots.Panel(title, items)
    pictures = (
        (plots.draw_shares(f"actions-{comparison.task}", caption, axis, palette, [panel]),) if with_pictures else ()
    )
    columns = ("System", "Ablations per plan", *(a.value for a in Action), "Replacements each", "Metrics each")
    rows = tuple(
        (
            _shorten_name(p.system),
            f"{p.ablations_per_plan:.2f}",
            *(format_percent(p.action_counts.get(action, 0) / p.ablation_count) for action in Action),
            format_number(p.mean_replacements),
            f"{p.mean_metrics:.2f}",
            f"{p.median_reasoning_words:.0f}",
            format_percent(p.unique_share),
        )
        for p in comparison.profiles
    )
    return ReportSection(
        f"{task_title}: what each system is like",
        ("Replacements are counted for ablations that replace or add; the reasoning's length is a median in words.",),
        pictures,
        (Table((*columns, "Reasoning, words", "Unique"), rows),),
    )


def _build_csv_tables(comparison: Comparison) -> Iterator[tuple[str, Table]]:
    intervals = ("agreement", "low", "high", "different_papers", "metrics", "metrics_low", "metrics_high")
    pairs = tuple(
        (pair.a, pair.b, str(pair.agreement.n), *map(format_exact, numbers))
        for pair in comparison.pairs
        for a, m in ((pair.agreement, pair.metric_agreement),)
        for numbers in ((a.mean, a.low, a.high, pair.chance_agreement, m.mean, m.low, m.high),)
    )
    yield f"agreement-{comparison.task}", Table(("a", "b", "papers", *intervals), pairs)
    proposals = tuple(
        (
            proposal.paper,
            shown.name,
            shown.ablated_part,
            shown.action.value,
            str(len(proposal.systems)),
            "; ".join(proposal.systems),
        )
        for proposal in comparison.proposals
        for shown in (proposal.ablation,)
    )
    columns = ("paper", "name", "ablated_part", "action", "systems", "proposed_by")
    yield f"ideas-{comparison.task}", Table(columns, proposals)


def _count_by_level(comparison: Comparison, system: str) -> Iterator[tuple[str, int]]:
    own = [proposal for proposal in comparison.proposals if not system or system in proposal.systems]
    for count in range(1, len(comparison.systems) + 1):
        yield _level_title(count), sum(len(proposal.systems) == count for proposal in own)


def _level_title(count: int) -> str:
    return "1 system" if count == 1 else f"{count} systems"


def _proposal_row(proposal: ProposedAblation, n: int) -> tuple[str, ...]:
    return (
        proposal.paper.replace("_", " "),
        proposal.ablation.ablated_part,
        proposal.ablation.action.value,
        f"{len(proposal.systems)} of {n}",
    )


def _agreement_value(comparison: Comparison, a: str, b: str) -> float:
    pair = comparison.find_pair(a, b)
    return nan if pair is None else pair.agreement.mean


def _shorten_name(system: str) -> str:
    return system.removeprefix("lm-planner/")
