"""Page names and anchors: safe, unique, and the same in every build."""

import string
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from planner.chat import LM_PLANNER
from planner.errors import Outcome
from planner.schema import Task
from planner.site.entries import PlanEntry
from planner.site.views import build_paper_view, choose_page_names

IDS = st.lists(
    st.one_of(st.text(min_size=1, max_size=300), st.sampled_from(["a", "A", "ß", "ss", "..", "CON", "a/b", "a_b"]))
)


@given(IDS)
def test_page_names_are_safe_and_unique_where_case_does_not_count(ids: list[str]) -> None:
    names = choose_page_names(ids)
    assert set(names) == set(ids)
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert name and not name.startswith(".")
        assert not set(name) & set('/\\:*?"<>|\0\n')
        assert len(f"{name}.html".encode()) <= 255


@given(IDS)
def test_page_names_do_not_depend_on_order(ids: list[str]) -> None:
    assert choose_page_names(ids) == choose_page_names(reversed(ids))


def test_a_common_id_is_its_own_name() -> None:
    assert choose_page_names(["Playing_For_You", "swin-transformer", "少样本"]) == {
        "Playing_For_You": "Playing_For_You",
        "swin-transformer": "swin-transformer",
        "少样本": "少样本",
    }


def list_anchors(models: Sequence[str]) -> list[str]:
    entries = [PlanEntry("run", LM_PLANNER, model, "a", Task.REVIEWER, Outcome.REFUSED) for model in models]
    return [panel.anchor for panel in build_paper_view(entries).panels]


@given(st.lists(st.text(max_size=100), min_size=1, unique=True))
def test_anchors_are_plain_and_unique(models: list[str]) -> None:
    anchors = set(list_anchors(models))
    assert len(anchors) == len(models)
    for anchor in anchors:
        assert anchor[0] != "_"
        assert set(anchor) <= set(string.ascii_letters + string.digits + "._-~")


def test_the_anchor_of_a_plain_model_is_its_name() -> None:
    assert list_anchors(("gpt-4o", "claude-3.5-sonnet")) == ["gpt-4o", "claude-3.5-sonnet"]
