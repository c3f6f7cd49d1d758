"""Describe a paper as a JSON object: what was read of it, and what would be sent."""

from dataclasses import asdict

from planner.analysis.analyse import Analysis, analyse_paper
from planner.analysis.passages import TextLocation
from planner.analysis.repeats import select_distinct_ablations
from planner.chat import TokenCounter
from planner.errors import PlannerError
from planner.papers.paper import Paper, Section
from planner.planning.first_prompt import PlanSettings, build_prompt


def describe_paper(paper: Paper, settings: PlanSettings) -> dict[str, object]:
    """Return the paper as a JSON object; if the task cannot cut the paper, that is a warning here."""
    analysis, counter = analyse_paper(paper), TokenCounter()
    prompt_tokens = None
    try:
        sent = build_prompt(paper, settings, counter)
        prompt_tokens = counter.count_prompt(sent.prompt)
        left_out, warnings = sent.omissions, (*paper.warnings, *sent.warnings)
    except PlannerError as error:
        left_out, warnings = (), (*paper.warnings, str(error))
    return {
        "id": paper.id,
        "title": paper.title,
        "abstract": paper.abstract,
        "format": paper.format,
        "main_file": paper.main_file,
        "sections": [_describe_section(section) for section in paper.sections],
        "tokens": counter.count_text(f"{paper.title}\n{paper.abstract}\n{paper.text}"),
        "prompt_tokens": prompt_tokens,
        **_describe_analysis(analysis),
        "left_out": [asdict(part) for part in left_out],
        "warnings": list(warnings),
    }


def _describe_section(section: Section) -> dict[str, object]:
    return {
        "heading": section.heading,
        "level": section.level,
        "kind": section.kind.value,
        "chars": len(section.text),
        "page": section.page,
    }


def _describe_analysis(analysis: Analysis) -> dict[str, object]:
    return {
        "components": [
            {"name": c.label, "mentions": c.mention_count, **_describe_passage(c.location)} for c in analysis.components
        ],
        "reported_ablations": [
            {
                "ablated_part": r.part,
                "action": r.action.value,
                "replacement": r.replacement,
                **_describe_passage(r.location),
            }
            for r in select_distinct_ablations(analysis.reported_ablations)
        ],
        "metrics": [
            {"name": m.name, "mentions": m.mention_count, **_describe_passage(m.location)} for m in analysis.metrics
        ],
    }


def _describe_passage(passage: TextLocation) -> dict[str, object]:
    return {"text": passage.text, "heading": passage.heading, "offset": passage.paper_offset}
