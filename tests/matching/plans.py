"""Short builders of ablations for the tests."""

from hypothesis import strategies as st

from planner.schema import Ablation, Action


def remove(part: str, name: str = "Study") -> Ablation:
    return Ablation(name=name, ablated_part=part, action=Action.REMOVE, metrics=("mAP",))


def replace(part: str, *replacement: str, name: str = "Study", action: Action = Action.REPLACE) -> Ablation:
    return Ablation(name=name, ablated_part=part, action=action, replacement=replacement, metrics=("mAP",))


def add(part: str, *replacement: str) -> Ablation:
    return replace(part, *replacement, action=Action.ADD)


LINES = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    str.strip
)
ABLATIONS = st.one_of(
    LINES.map(remove),
    st.builds(lambda part, items: replace(part, *items), LINES, st.lists(LINES, min_size=1, max_size=3)),
)
