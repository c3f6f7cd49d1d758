"""Papers made for tests."""

from planner.papers.paper import Block, BlockKind, Paper, Section, SectionKind


def section(heading: str, kind: SectionKind, *prose: str, level: int = 1) -> Section:
    blocks = (Block(BlockKind.HEADING, f"# {heading}"), *(Block(BlockKind.PROSE, text) for text in prose))
    return Section(heading, level, kind, blocks)


def paper(**changes: object) -> Paper:
    facts: dict[str, object] = {
        "id": "A_Paper",
        "title": "A Paper",
        "abstract": "We gate a prior.",
        "sections": (
            section("Introduction", SectionKind.INTRODUCTION, "Tides turn."),
            section("Method", SectionKind.METHOD, "The harmonic residual gate bounds the residual."),
            section("Experiments", SectionKind.EXPERIMENTS, "MAE falls to 0.085."),
            section("References", SectionKind.REFERENCES, "Moreau 2009."),
        ),
        "format": "markdown",
        "source": "paper.md",
        "main_file": "paper.md",
    }
    return Paper(**(facts | changes))  # type: ignore[arg-type]
