"""Random text with scraps of papers in it."""

from hypothesis import strategies as st

SCRAPS = [
    "## 3 Method\n\n", "# Ablation Study\n\n", "we propose a ", "w/o ", "**", "(ABC)", "\\textbf{", "}", "|", "\n",
    "\n\n", "- ",
    "replace ", " with ", " → ", "12.3 ", "✓ × ", "without ", "effect of ", "Table 1: ", "$\\lambda$", " loss", "&",
]  # fmt: skip
ODD_TEXT = st.lists(st.one_of(st.sampled_from(SCRAPS), st.text(max_size=8)), max_size=60).map("".join)
