"""The lower bounds that `make test-lowest` installs are those that the project states."""

import re
import tomllib

from tests.conftest import ROOT


def test_each_stated_lower_bound_is_the_one_that_is_tried() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    bounds = dict(re.split(r">=", dependency) for dependency in stated)
    lines = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8").splitlines()
    tried = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert tried.keys() == bounds.keys()
    for name, bound in bounds.items():
        assert re.fullmatch(re.escape(bound) + r"(\.0)*", tried[name]), name
