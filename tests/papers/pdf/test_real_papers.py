"""Real papers against their true titles, abstracts, outlines and labels."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2
import pytest

from planner.papers.paper import BlockKind, ParsedPaper, SectionKind
from planner.papers.pdf.reader import read_pdf

pytestmark = pytest.mark.shared


@dataclass(frozen=True)
class LabelledPaper:
    """A paper with its true title, abstract and label, and the paper that was read."""

    path: Path
    title: str
    abstract: str
    label: dict[str, object]
    parsed: ParsedPaper

    @property
    def text(self) -> str:
        return "\n\n".join(section.text for section in self.parsed.sections)


def _read_labelled_paper(path: Path, truth: dict[str, object]) -> LabelledPaper:
    return LabelledPaper(
        path, str(truth["title"]), str(truth["abstract"]), truth, read_pdf(path.read_bytes(), path.name)
    )


def _read_papers(shared: Path) -> Iterator[LabelledPaper]:
    papers = shared / "papers"
    for name, truth in json.loads((papers / "pdf" / "truth.json").read_text(encoding="utf-8")).items():
        yield _read_labelled_paper(papers / "pdf" / f"{name}.pdf", truth)
    for label in sorted((papers / "labelled").glob("*.json")):
        yield _read_labelled_paper(label.with_suffix(".pdf"), json.loads(label.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def papers(shared: Path) -> list[LabelledPaper]:
    return list(_read_papers(shared))


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())


def _recall(found: str, true: str) -> float:
    found_words, true_words = (Counter(re.findall(r"\w+", text.casefold())) for text in (found, true))
    return (found_words & true_words).total() / true_words.total()


def test_titles(papers: list[LabelledPaper]) -> None:
    wrong = [paper.path.stem for paper in papers if _letters(paper.parsed.title) != _letters(paper.title)]
    assert len(papers) == 38
    assert len(wrong) <= 2, wrong


def test_abstracts(papers: list[LabelledPaper]) -> None:
    def is_right(paper: LabelledPaper) -> bool:
        found, true = paper.parsed.abstract, paper.abstract
        return _recall(found, true) >= 0.9 and 0.85 <= len(found) / len(true) <= 1.3

    wrong = [paper.path.stem for paper in papers if not is_right(paper)]
    assert len(wrong) <= 2, wrong


@pytest.mark.parametrize("name", ["mstar", "papo", "sheetsage", "tara-rag"])
def test_a_compiled_paper_has_the_title_and_abstract_of_its_source(shared: Path, name: str) -> None:
    folder = shared / "papers" / "source" / name
    paper = _read_labelled_paper(folder / "paper.pdf", json.loads((folder / "meta.json").read_text(encoding="utf-8")))
    assert _letters(paper.parsed.title) == _letters(paper.title)
    assert _recall(paper.parsed.abstract, paper.abstract) >= 0.9


def test_top_level_headings_of_the_outline(papers: list[LabelledPaper]) -> None:
    complete, outlined = 0, 0
    for paper in papers:
        with pypdfium2.PdfDocument(paper.path) as document:
            tops = [_letters(item.get_title()) for item in document.get_toc() if item.level == 0]
        headings = [_letters(section.heading) for section in paper.parsed.sections]
        found = [any(heading.endswith(top) for heading in headings) for top in tops]
        outlined += bool(tops)
        complete += bool(tops) and all(found)
    assert complete >= 0.95 * outlined > 0


def test_references_and_appendix_start_right(papers: list[LabelledPaper]) -> None:
    for paper in papers:
        kinds = [section.kind for section in paper.parsed.sections if section.level == 1]
        assert kinds.count(SectionKind.REFERENCES) == 1, paper.path.stem
        start = kinds.index(SectionKind.REFERENCES)
        assert SectionKind.APPENDIX not in kinds[:start], paper.path.stem
        rest = set(kinds[start + 1 :]) - {SectionKind.ABLATION, SectionKind.ACKNOWLEDGEMENTS, SectionKind.CHECKLIST}
        assert rest <= {SectionKind.APPENDIX}, paper.path.stem


def test_control_characters_and_page_furniture_are_removed(papers: list[LabelledPaper]) -> None:
    for paper in papers:
        assert not re.search("[\x00-\x08\x0b-\x1f\ufb00-\ufb06\ufffe\xad]", paper.text), paper.path.stem
        lines = Counter(line for line in paper.text.splitlines() if re.match(r"Proceedings of|.*PMLR \d+:\d+", line))
        assert not [line for line, times in lines.items() if times > 1], paper.path.stem


def test_the_evidence_of_the_labels_is_in_the_text(papers: list[LabelledPaper]) -> None:
    evidence = [
        (paper.path.stem, item["evidence"], _letters(item["evidence"]) in _letters(paper.text))
        for paper in papers
        for item in paper.label.get("ablations", [])  # type: ignore[attr-defined]
    ]
    missing = [(name, text) for name, text, found in evidence if not found]
    assert len(evidence) == 82
    assert len(missing) <= 2, missing


def test_the_heading_of_the_experiments_is_found_as_printed(papers: list[LabelledPaper]) -> None:
    for paper in papers:
        if "method_end" in paper.label:
            assert paper.label["method_end"] in [section.heading for section in paper.parsed.sections]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("v189-sun23a", ["Disentangler + Voting-S 91.8±0.20 71.2±0.40 91.0±0.58 14.4±1.09 48.7±1.19 63.4"]),
        (
            "v222-haotian24a",
            [
                "Model Intra-F1 Inter-F1 Ign F1 F1",
                "Ours all-graph 71.09 56.13 62.53 64.45",
                "w/o G1 70.72 56.55 62.49 64.36",
                "w/o G2 70.80 55.67 62.13 64.00",
                "w/o G3 70.87 56.32 62.47 64.25",
                "w/o G4 70.82 55.96 62.29 64.17",
                "w/o G5 70.77 55.40 62.01 63.88",
            ],
        ),
        (
            "chung23a",
            [
                "- - ✓ ✓ ✓ 0.910±0.0015 0.884±0.0188 0.581±0.0055 0.455±0.0242",
                "- ✓ - ✓ ✓ 0.908±0.0010 0.911±0.0125 0.582±0.0024 0.452±0.0143",
                "- ✓ ✓ - ✓ 0.908±0.0023 0.912±0.0105 0.576±0.0054 0.455±0.0087",
                "- ✓ ✓ ✓ ✓ 0.918±0.0045 0.921±0.0123 0.585±0.0051 0.469±0.0189",
                "- ✓ ✓ ✓ - 0.904±0.0032 0.906±0.0066 0.506±0.0135 0.468±0.0044",
                "✓ - ✓ ✓ ✓ 0.847±0.0396 0.757±0.0366 0.396±0.0135 0.255±0.0513",
                "✓ ✓ - ✓ ✓ 0.907±0.0008 0.912±0.0087 0.576±0.0050 0.465±0.0207",
                "✓ ✓ ✓ - ✓ 0.911±0.0015 0.912±0.0097 0.577±0.0132 0.444±0.0105",
                "✓ ✓ ✓ ✓ ✓ 0.911±0.0012 0.921±0.0044 0.582±0.0032 0.511±0.0086",
            ],
        ),
        ("v222-yuxin24a", ["5 52.84 ± 1.33 53.73 ± 0.63 54.56 ± 0.49", "0 71.03±0.27 71.18±0.11 - - - - 70.90±0.20"]),
    ],
)
def test_rows_of_tables(papers: list[LabelledPaper], name: str, rows: list[str]) -> None:
    paper = next(paper for paper in papers if paper.path.stem == name)
    blocks = [block for section in paper.parsed.sections for block in section.blocks if block.kind is BlockKind.TABLE]
    lines = {" ".join(line.split()) for block in blocks for line in block.text.splitlines()}
    assert set(rows) <= lines
