from hypothesis import given
from hypothesis import strategies as st

from planner.batch.service.services import format_custom_id, parse_identity_prefix

identities = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(paper=st.text(), identity=identities)
def test_a_name_is_short_plain_and_leads_back_to_the_identity(paper: str, identity: str) -> None:
    name = format_custom_id(paper, identity)
    assert len(name) <= 64
    assert name.isascii()
    assert name.isprintable()
    assert parse_identity_prefix(name) == identity[:32]


@given(st.text())
def test_what_is_no_name_of_ours_names_nothing(text: str) -> None:
    found = parse_identity_prefix(text)
    assert found is None or text.endswith(f"-{found}")


def test_a_paper_is_named_as_it_is() -> None:
    assert format_custom_id("2502.19918v2", "ab" * 32) == "2502.19918v2-" + "ab" * 16
