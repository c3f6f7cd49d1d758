"""A paper that is longer than a model's window: what is given up, where that is said, and what is asked again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import DEMO, Run
from tests.scripted import GOOD_REPLY
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error
from tests.server.server import Server

RELATED = "The harmonic residual gate bounds the neural residual of the forecast at every station. "
UNRELATED = "We thank our landlady Brigitta for strawberries, umbrellas and seventeen wonderful breakfasts. "
FITS = "left out to fit the model's window"
WINDOW = 8192


@pytest.fixture
def long(work_folder: Path) -> Path:
    """A paper with thanks and two appendices, of which the first tells of the method and the second does not."""
    parts = (
        DEMO.read_text(encoding="utf-8").split("## References")[0],
        f"## Acknowledgements\n\n{UNRELATED * 10}\n\n## References\n\n[1] Moreau. Tides. 2009.\n\n",
        f"## Appendix A: Gate Details\n\n{RELATED * 100}\n\n## Appendix B: Breakfasts\n\n{UNRELATED * 200}\n",
    )
    path = work_folder / "long.md"
    path.write_text("".join(parts), encoding="utf-8")
    return path


def at(server: Server, model: str = "some-model") -> tuple[str, ...]:
    return ("--model", model, "--base-url", server.base_url)


def too_long(limit: int | None) -> Response:
    stated = f"This model's maximum context length is {limit} tokens. " if limit else ""
    return error(400, f"{stated}Please reduce the length of the messages.", code="context_length_exceeded")


def facts(run: Run, *words: str) -> dict[str, Any]:
    """The sidecar that a call of `plan` leaves."""
    [line] = run("plan", "long.md", *words, "--json").stdout.splitlines()
    sidecar: dict[str, Any] = json.loads(Path(json.loads(line)["sidecar"]).read_text(encoding="utf-8"))
    return sidecar


def left_out(parts: list[dict[str, Any]]) -> list[str]:
    """The headings of what the window pushed out, in the order of the paper."""
    return [part["heading"] for part in parts if part["why"] == FITS]


@pytest.mark.parametrize(
    ("window", "gone"),
    [
        (100_000, []),
        (12_000, ["Acknowledgements", "Appendix B: Breakfasts"]),
        (8_000, ["Acknowledgements", "Appendix A: Gate Details", "Appendix B: Breakfasts"]),
    ],
)
def test_what_matters_least_goes_first(run: Run, long: Path, window: int, gone: list[str]) -> None:
    told = json.loads(run("paper", "long.md", "--to", "json", "--context-window", str(window)).stdout)
    assert left_out(told["left_out"]) == gone
    sent = run("prompt", "long.md", "--to", "text", "--context-window", str(window)).stdout
    assert ("Brigitta" in sent) == ("Appendix B: Breakfasts" not in gone)
    assert ("at every station" in sent) == ("Appendix A: Gate Details" not in gone)
    for kept in ("3.3 Harmonic Residual Gate", "4.3 Ablation Study", "5 Conclusion"):
        assert kept in sent


def test_every_cut_is_said_with_its_size_by_every_command(run: Run, long: Path) -> None:
    window = ("--context-window", str(WINDOW))
    parts = json.loads(run("paper", "long.md", "--to", "json", *window).stdout)["left_out"]
    assert len(parts) >= 4
    page = run("paper", "long.md", *window).stdout
    for words in (("prompt", "long.md"), ("paper", "long.md", "--to", "text"), ("plan", "long.md")):
        said = run(*words, *window, "-v").stderr
        reasons = f"references are not sent (1); to fit the model's window ({len(parts) - 1})"
        assert f"{len(parts)} parts left out: {reasons}; -v lists them" in said
        for part in parts:
            assert f"left out {part['heading']!r}, {part['chars']:,} characters: {part['why']}" in said
            assert f"{part['heading']}, {part['chars']:,} characters: {part['why']}" in page


def test_the_sidecar_holds_the_same_cuts_as_paper_shows(run: Run, long: Path) -> None:
    for task in ("reviewer", "author"):
        words = ("--context-window", str(WINDOW), "--task", task)
        shown = json.loads(run("paper", "long.md", "--to", "json", *words).stdout)["left_out"]
        assert facts(run, *words, "-o", task)["paper"]["left_out"] == shown


def test_a_limit_of_the_reply_frees_the_room_that_is_kept_for_it(run: Run, long: Path, server: Server) -> None:
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    sizes = {}
    for limit in ("", "100", "4000"):
        words = ("--max-tokens", limit, "-o", limit) if limit else ()
        facts(run, *at(server), "--context-window", str(WINDOW), *words)
        sizes[limit] = len(server.journal[-1].prompt)
    assert sizes["4000"] == sizes[""] < sizes["100"]


def test_the_window_is_that_of_the_environment_unless_the_option_says_otherwise(run: Run, long: Path) -> None:
    env = {"ABLATION_PLANNER_CONTEXT_WINDOW": "8000"}
    narrow = run("prompt", "long.md", env=env)
    assert narrow.stdout == run("prompt", "long.md", "--context-window", "8000").stdout
    assert narrow.stdout != run("prompt", "long.md", "--context-window", "100000", env=env).stdout


@pytest.mark.parametrize("window", ["999", "0", "-1", "many"])
def test_a_window_that_can_hold_nothing_is_wrong_usage(run: Run, window: str) -> None:
    result = run("plan", "paper.md", "--context-window", window)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--context-window" in result.stderr


def test_a_paper_that_can_not_fit_sends_nothing_and_is_too_long(run: Run, work_folder: Path, server: Server) -> None:
    result = run("plan", "paper.md", "--context-window", "3000", *at(server), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["outcome"], told["trajectory"]) == (1, "too_long", None)
    assert "--context-window" in told["reason"]
    assert server.journal == []


def test_the_window_of_a_known_model_is_known(run: Run, long: Path, server: Server) -> None:
    """gpt-4 takes 8,192 tokens; what does not fit is never tried."""
    server.answer = lambda request: as_asked(request, GOOD_REPLY)
    known = facts(run, *at(server, "gpt-4"), "-o", "known")
    assert left_out(known["paper"]["left_out"]) == [
        "Acknowledgements",
        "Appendix A: Gate Details",
        "Appendix B: Breakfasts",
    ]
    unknown = facts(run, *at(server, "nobodys-model"), "-o", "unknown")
    assert left_out(unknown["paper"]["left_out"]) == []
    assert len(server.journal[0].body) < len(server.journal[1].body)


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_the_limit_that_the_endpoint_states_is_kept_in_one_more_try(
    run: Run, long: Path, server: Server, stream: str
) -> None:
    def answer(request: Request) -> Response:
        return as_asked(request, GOOD_REPLY) if request.number == 2 else too_long(WINDOW)

    server.answer = answer
    sidecar = facts(run, *at(server), stream)
    assert sidecar["outcome"] == "planned"
    assert len(server.journal) == 2
    first, second = (request.prompt for request in server.journal)
    assert "Breakfasts" in first
    assert "Breakfasts" not in second
    stated = run("prompt", "long.md", "--to", "text", "--context-window", str(WINDOW)).stdout
    assert second.split() == stated.split()
    assert [attempt["outcome"] for attempt in sidecar["attempts"]] == ["too_long", "planned"]
    assert "Appendix B: Breakfasts" in left_out(sidecar["paper"]["left_out"])


@pytest.mark.parametrize("share", [1.05, 1.4], ids=["a little", "by far"])
@pytest.mark.parametrize("counts", [True, False], ids=["the endpoint counts", "it only states its limit"])
def test_a_prompt_that_fits_by_our_estimate_alone_is_cut_by_the_endpoints_measure(
    run: Run, long: Path, server: Server, share: float, counts: bool
) -> None:
    """The window lies above the estimate of the whole paper; the endpoint counts more tokens than we do."""
    estimated = json.loads(run("paper", "long.md", "--to", "json").stdout)["tokens"]
    window = int(estimated * 1.3) + 8_000
    counted = f" However, your request has {int(window * share)} input tokens." if counts else ""

    def answer(request: Request) -> Response:
        if "Brigitta" not in request.prompt:
            return as_asked(request, GOOD_REPLY)
        return error(400, f"This model's maximum context length is {window} tokens.{counted}")

    server.answer = answer
    sidecar = facts(run, *at(server))
    assert sidecar["outcome"] == "planned"
    assert len(server.journal) == 2
    assert "Acknowledgements" in left_out(sidecar["paper"]["left_out"])


def test_a_second_too_long_is_the_end(run: Run, long: Path, server: Server) -> None:
    server.answer = lambda request: too_long(WINDOW if request.number == 1 else 6000)
    sidecar = facts(run, *at(server))
    assert sidecar["outcome"] == "too_long"
    assert "6000" in sidecar["reason"]
    assert len(server.journal) == 2


@pytest.mark.parametrize(
    ("limit", "said"),
    [(None, "reduce the length"), (100_000, "100000"), (2000, "must be sent")],
    ids=["no limit stated", "a limit that the prompt keeps already", "a limit that no cut keeps"],
)
def test_the_same_prompt_is_not_sent_twice_and_no_hopeless_one_once(
    run: Run, long: Path, server: Server, limit: int | None, said: str
) -> None:
    server.answer = lambda request: too_long(limit)
    sidecar = facts(run, *at(server))
    assert sidecar["outcome"] == "too_long"
    assert said in sidecar["reason"]
    assert len(server.journal) == 1


def test_the_same_command_again_shortens_again_and_asks_once(run: Run, long: Path, server: Server) -> None:
    """The refused request brought no reply, so it is sent once more; the answered one is not."""
    server.answer = lambda request: too_long(WINDOW) if "Brigitta" in request.prompt else as_asked(request, GOOD_REPLY)
    facts(run, *at(server))
    again = facts(run, *at(server))
    assert again["outcome"] == "planned"
    assert len(server.journal) == 3
    assert len([attempt for attempt in again["attempts"] if attempt["completion"]]) == 1


def test_a_prompt_that_the_endpoint_cut_without_a_word_is_a_warning(run: Run, server: Server) -> None:
    counted = {"prompt_tokens": 300, "completion_tokens": 50, "total_tokens": 350}
    server.answer = lambda request: as_asked(request, GOOD_REPLY, usage=counted)
    result = run("plan", "paper.md", *at(server), "--json")
    assert any("may have truncated the prompt" in warning for warning in json.loads(result.stdout)["warnings"])
    assert "warning: paper.md: the endpoint counted 300 prompt tokens instead of at least" in result.stderr
