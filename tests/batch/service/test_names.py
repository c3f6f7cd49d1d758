from hypothesis import given
from hypothesis import strategies as st

from planner.batch.service.names import custom_id, identity_in

identities = st.text("0123456789abcdef", min_size=64, max_size=64)


@given(paper=st.text(), identity=identities)
def test_a_name_is_short_plain_and_leads_back_to_the_identity(paper: str, identity: str) -> None:
    name = custom_id(paper, identity)
    assert len(name) <= 64
    assert name.isascii()
    assert name.isprintable()
    assert identity_in(name) == identity[:32]


@given(st.text())
def test_what_is_no_name_of_ours_names_nothing(text: str) -> None:
    found = identity_in(text)
    assert found == "" or text.endswith(f"-{found}")


def test_a_paper_is_named_as_it_is() -> None:
    assert custom_id("2502.19918v2", "ab" * 32) == "2502.19918v2-" + "ab" * 16
