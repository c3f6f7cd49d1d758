"""Small papers for the tests: one method in several formats."""

from planner.analysis.analyse import index_paper_for_check
from planner.analysis.passages import PaperIndex
from planner.papers.excerpt import cut_excerpt
from planner.papers.headings import classify_heading
from planner.papers.paper import Block, BlockKind, Paper, Section
from planner.schema import Task

H, P, T, F = BlockKind.HEADING, BlockKind.PROSE, BlockKind.TABLE, BlockKind.FIGURE


def section(heading: str, *blocks: tuple[BlockKind, str], level: int = 1, parent: Section | None = None) -> Section:
    kind = classify_heading(heading, parent.kind if parent else None)
    return Section(heading, level, kind, (Block(H, heading), *(Block(k, text) for k, text in blocks)))


def paper(*sections: Section, format_: str = "text") -> Paper:
    return Paper("p", "Finding Owls by Ear", "We find owls.", sections, format_, "p")


def index(source: Paper, task: Task = Task.REVIEWER) -> PaperIndex:
    """Index a paper whose whole excerpt was sent."""
    return index_paper_for_check(source, task, cut_excerpt(source, task))


_METHOD = section("3 Method")
_RESULTS = section("4 Experiments")

PLAIN = paper(
    section("1 Introduction", (P, "Owls hoot. We propose a spectral gating unit (SGU) to hear them.")),
    section("2 Related Work", (P, "Others use a wavelet scattering network (WSN).")),
    _METHOD,
    section("3.1 Overview", (P, "The spectral gating unit feeds all else. The SGU is small."), level=2, parent=_METHOD),
    section("3.2 Echo Memory", (P, "Echo memory stores past calls."), level=2, parent=_METHOD),
    section(
        "3.3 Training",
        (P, "Night contrast loss. The night contrast loss parts owls from wind."),
        (P, "The night contrast loss needs pairs; the night contrast loss is weighted by the coefficient λ."),
        level=2,
        parent=_METHOD,
    ),
    _RESULTS,
    section("4.1 Setup", (P, "Our metrics are mAP and the hoot error rate (HER)."), level=2, parent=_RESULTS),
    section(
        "4.2 Ablation Study",
        (P, "We remove the echo memory, and replace the log-mel front end with raw waveforms."),
        (T, "Table 2: Ablations.\nModel mAP HER\nFull 81.2 4.1\nw/o SGU 77.0 5.9\nReLU → GELU 80.9 4.2"),
        (P, "Impact of window length. We vary the coefficient λ from 0 to 2."),
        level=2,
        parent=_RESULTS,
    ),
    section("References", (P, "w/o nothing 12.0 13.0 and mAP.")),
)

LATEX = paper(
    section("Introduction", (P, r"We introduce a \textbf{spectral gating unit} (SGU).")),
    section("Method", (P, r"\paragraph{Echo memory.} It stores calls.")),
    section(
        "Ablations",
        (
            T,
            "\\begin{tabular}{lc}\nFull & 81.2 \\\\\n~~w/o SGU & 77.0 \\\\\n-- Echo memory & 79.3 \\\\\n",
        ),
    ),
    format_="latex",
)

MARKDOWN = paper(
    section("Introduction", (P, "We propose a **spectral gating unit** (SGU).")),
    section("Method", (P, "**Echo memory** stores calls.")),
    section(
        "Ablation",
        (T, "| Model | mAP |\n|---|---|\n| Full | 81.2 |\n| w/o SGU | 77.0 |\n| without echo memory | 79.3 |"),
    ),
    format_="markdown",
)
