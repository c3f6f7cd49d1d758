"""The fuzz command: a few inputs of each kind, and how a failure is told and made again."""

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.__main__ import main
from tests.fuzz.context import Context, Input, Kind, has_key
from tests.fuzz.kinds import KINDS
from tests.fuzz.mutations import KEY


def test_a_few_inputs_of_each_kind_end_in_a_named_outcome(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "60", "--count", "6", "--folder", str(tmp_path)]) == 0, capsys.readouterr().out
    assert f"{6 * len(KINDS)} inputs" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def check(given: Input, context: Context) -> str:
    if given.data == b"5":
        raise KeyError("five")
    if given.data == b"6":
        while True:
            pass
    if given.data == b"7":
        (context.folder / "file").write_text("\u200b".join(KEY))
    return "read"


PLANTED = (Kind("planted", lambda dice: Input(b"%d" % dice.randrange(8)), check, 0.05),)


def test_a_failure_is_told_and_can_be_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "12", "--folder", str(tmp_path), "--seed", "3"], PLANTED) == 1
    out = capsys.readouterr().out
    failed = list(tmp_path.iterdir())
    assert {path.read_bytes() for path in failed} == {b"5", b"6", b"7"}
    assert out.count("FAILED --only planted --seed 3 --number ") == len(failed)
    for words in ("KeyError: 'five'", "took over 0.05 s of CPU", "the key is in a file or in the log"):
        assert words in out
    for path in failed:
        number = path.name.rpartition("-")[2]
        assert Random(f"3:planted:{number}").randrange(8) == int(path.read_bytes())
        again = ["--only", "planted", "--folder", str(tmp_path / "again")]
        assert main([*again, "--seed", "3", "--number", number], PLANTED) == 1
        assert main([*again, "--file", str(path)], PLANTED) == 1


@pytest.mark.parametrize("text", [KEY, f"a{KEY}b", "\u200b".join(KEY), "\x1b[1m".join(KEY), "\x00".join(KEY)])
def test_the_key_is_found_with_anything_unseen_in_it(text: str) -> None:
    assert has_key(text)
    assert not has_key(text.replace("9", "***"))
