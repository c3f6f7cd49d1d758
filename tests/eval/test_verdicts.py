"""Files of verdicts, in and out."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eval.tables import TableError
from eval.verdicts import AuthorVerdict, ReviewerVerdict, read_author_verdicts, read_reviewer_verdicts, write_verdicts

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
author = st.builds(
    AuthorVerdict,
    name_in_paper=text,
    name_in_plan=st.lists(text, max_size=3, unique=True).map(tuple),
)
reviewer = st.builds(ReviewerVerdict, name_in_plan=text, appears_in_review=st.booleans())
same_folder = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@same_folder
@given(st.lists(author, max_size=4))
def test_author_verdicts_come_back_as_they_were_written(tmp_path: Path, verdicts: list[AuthorVerdict]) -> None:
    write_verdicts(tmp_path / "x.jsonl", verdicts)
    assert list(read_author_verdicts(tmp_path / "x.jsonl")) == verdicts


@same_folder
@given(st.lists(reviewer, max_size=4))
def test_reviewer_verdicts_come_back_as_they_were_written(tmp_path: Path, verdicts: list[ReviewerVerdict]) -> None:
    write_verdicts(tmp_path / "x.jsonl", verdicts)
    assert list(read_reviewer_verdicts(tmp_path / "x.jsonl")) == verdicts


@pytest.mark.parametrize(("names", "written"), [((), None), (("p",), "p"), (("p", "q"), ["p", "q"])])
def test_the_published_forms(tmp_path: Path, names: tuple[str, ...], written: Any) -> None:
    write_verdicts(tmp_path / "x.jsonl", [AuthorVerdict(name_in_paper="g", name_in_plan=names)])
    (line,) = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line) == {"name_in_paper": "g", "name_in_plan": written}


@pytest.mark.parametrize(
    ("written", "names"),
    [(None, ()), ("", ()), ([], ()), (["p"], ("p",)), (["p", "p", "q"], ("p", "q"))],
)
def test_a_list_counts_as_a_set_and_an_empty_one_as_none(written: Any, names: tuple[str, ...]) -> None:
    assert AuthorVerdict.model_validate({"name_in_paper": "g", "name_in_plan": written}).name_in_plan == names


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"name_in_plan": "p"}', '{"name_in_paper": "g", "name_in_plan": 3}', "null"]
)
def test_a_line_that_is_no_verdict_is_named(tmp_path: Path, line: str) -> None:
    good = '{"name_in_paper": "g"}'
    (tmp_path / "x.jsonl").write_text(f"{good}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"x\.jsonl: line 3"):
        read_author_verdicts(tmp_path / "x.jsonl")
