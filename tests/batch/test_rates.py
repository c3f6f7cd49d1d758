"""A provider that enforces its limits: nearly all of the allowance is used, and next to nothing is refused."""

from pathlib import Path

import pytest

from tests.batch.program import Program, Serve, make_papers, wait_until

STEADY = 70.0  # seconds until the first minute, and what it began with, is past


@pytest.mark.slow
@pytest.mark.parametrize("flags", [True, False], ids=["flags", "headers"])
@pytest.mark.parametrize("by", ["requests", "tokens"])
def test_the_allowance_is_used_and_seldom_passed(
    by: str, flags: bool, serve: Serve, program: Program, tmp_path: Path
) -> None:
    make_papers(tmp_path / "papers", 3000)
    tpm = 10_000_000 if by == "requests" else 600_000
    limits = ("--rpm", "600", "--tpm", str(tpm))
    served = serve("--headers", "--latency", "0.5", *limits)
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "64", "-q")
    process = program.start(*words, *(limits if flags else ()))
    seconds = 190.0
    wait_until(
        lambda: served.count > 1 and served.entries[-1].at - served.entries[0].at > seconds, process, max_wait=300
    )
    process.kill()
    entries = [entry for entry in served.entries if entry.at >= served.entries[0].at + STEADY]
    good = [entry for entry in entries if entry.what == "ok"]
    minutes = (entries[-1].at - entries[0].at) / 60
    used = len(good) / minutes / 600 if by == "requests" else sum(entry.tokens for entry in good) / minutes / tpm
    refused = sum(entry.what == "429" for entry in entries) / len(entries)
    assert used >= 0.95, f"{used:.3f} of the allowance was used, {refused:.3%} was refused"
    assert refused < 0.01, f"{used:.3f} of the allowance was used, {refused:.3%} was refused"


def test_a_small_allowance_is_kept_to(serve: Serve, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 30)
    served = serve("--rpm", "600")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "16")
    program.run(*words, "--rpm", "600")
    times = [entry.at for entry in served.entries]
    assert len(times) == 30
    assert times[-1] - times[0] >= 0.5 * 29 / 10, "about ten a second, not all at once"


def test_everybody_waits_when_one_is_refused(serve: Serve, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 12)
    served = serve("--refuse-after", "4", "--latency", "0.05")
    words = ("batch", "papers", "-o", "run", "--model", "m", "--base-url", served.url, "--concurrency", "2")
    program.run(*words)
    entries = served.entries
    refused = [entry.at for entry in entries if entry.what == "429"]
    assert refused
    assert not [e for e in entries if refused[0] + 0.2 < e.at < refused[0] + 0.9], "nobody asks during the pause"
    status = program.status()
    assert (status["planned"], status["failed"]) == (12, 0), "a refusal for the rate is no failed paper"
