"""Tables that compare variants of one part."""

import pytest
from hypothesis import given

from planner.analysis.sentences import find_check_marked_parts_and_variants, find_parts_varied_in_table
from tests.analysis.odd_text import ODD_TEXT

MARKDOWN = """| Variant | mAP |
|---|---|
| Full | 81.2 |
| **Widest nest first** | 79.0 |
| w/o gate | 77.0 |
| Ring buffer | 78.1 |
"""
LATEX = r"""\begin{tabular}{lcc}
\toprule
\rowcolor{gray!10} \textbf{Variant} & \textbf{mAP} & $\Delta$ \\
\midrule
\quad \textit{Widest nest first} & 79.0 & $-$2.2 \\
\quad \textit{$-$\,Gate} & 77.0 & $-$4.2 \\
\multirow{2}{*}{Memory} & & \\
 & Ring buffer & 78.1 \\
Ours & \textbf{81.2} & --- \\
\bottomrule
\end{tabular}"""


@pytest.mark.parametrize("table", [MARKDOWN, LATEX], ids=["markdown", "latex"])
def test_rows_are_variants_except_the_head_the_whole_method_and_removals(table: str) -> None:
    assert [phrase.part for phrase in find_check_marked_parts_and_variants(table)] == [
        "Widest nest first",
        "Ring buffer",
    ]


def test_prose_and_tables_of_pdfs_have_no_variants() -> None:
    assert not list(find_check_marked_parts_and_variants("Owls & mice are 2 kinds.\nModel mAP\nRing buffer 78.1 2.0"))


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ("| Model (owl dropout) | mAP |\n|---|---|\n| a (0.1) | 70 |", "owl dropout"),
        ("Window length & mAP \\\\\n1 & 70 \\\\\n2 & 71 \\\\\n4 & 72 \\\\", "Window length"),
        (
            "| ->$\\tau$ of hoots<- | mAP |\n|--|--|\n| ->0.5<- | 7 |\n| ->1.0<- | 8 |\n| ->1.5<- | 9 |",
            "\\tau of hoots",
        ),
    ],
)
def test_the_head_names_the_varied_part(table: str, part: str) -> None:
    assert [phrase.part for phrase in find_parts_varied_in_table(table)] == [part]


@pytest.mark.parametrize(
    "table",
    [
        "| Model (ours) |",
        "| Year | Owls |\n|---|---|\n| 1990 | 7 |\n| 1991 | 8 |",
        "| Model | mAP |\n|---|---|\n| a | 70 |\n| b | 71 |\n| c | 72 |",
        "1 & 2 \\\\\n3 & 4 \\\\",
        "",
    ],
)
def test_other_heads_name_nothing(table: str) -> None:
    assert not list(find_parts_varied_in_table(table))


@given(ODD_TEXT)
def test_places_are_inside_the_text(text: str) -> None:
    for phrase in (*find_parts_varied_in_table(text), *find_check_marked_parts_and_variants(text)):
        assert 0 <= phrase.start < len(text)
