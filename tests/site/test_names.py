"""Page names and anchors: safe, unique, and the same in every build."""

import string

from hypothesis import given
from hypothesis import strategies as st

from planner.site.views import choose_page_names, derive_anchor_from_label

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


@given(st.lists(st.text(max_size=100), unique=True))
def test_anchors_are_plain_and_unique(labels: list[str]) -> None:
    anchors = {derive_anchor_from_label(label) for label in labels}
    assert len(anchors) == len(labels)
    for anchor in anchors:
        assert anchor[0] != "_"
        assert set(anchor) <= set(string.ascii_letters + string.digits + "._-~")


def test_the_anchor_of_a_plain_label_is_the_label() -> None:
    assert [derive_anchor_from_label(label) for label in ("gpt-4o", "claude-3.5-sonnet")] == [
        "gpt-4o",
        "claude-3.5-sonnet",
    ]
