"""No call takes away a plan that an earlier one made: plans of other questions stand beside it, failures leave it."""

import json
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from planner.planning.record import PlanRecord
from planner.trajectory.reader import read_trajectory
from tests.cli.conftest import Run, Start
from tests.scripted import GOOD_ABLATION, contract
from tests.server.http import Request, Response
from tests.server.replies import as_asked, error, reply
from tests.server.server import Server

KEY = "sk-marker-0123456789"
FOLDER = Path("trajectories") / "lm-planner" / "gpt-4o"
QUESTIONS = (("--task", "reviewer"), ("--task", "author"), ("--task", "reviewer", "-k", "7"))
BAD_REPLY = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])


def with_key(server: Server, key: str = KEY) -> dict[str, str]:
    return {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": server.base_url, "ABLATION_PLANNER_MODEL": "gpt-4o"}


def answer_numbered(request: Request) -> Response:
    """Answer the right key with a plan that no other request gets."""
    if request.headers["authorization"] != f"Bearer {KEY}":
        return error(401, "wrong key")
    return as_asked(request, contract(f"Reason number {request.number}.", [GOOD_ABLATION]))


def read_plans(work_folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(work_folder)): path.read_bytes() for path in (work_folder / FOLDER).glob("*.md")}


def test_every_plan_ever_made_stays_readable(run: Run, work_folder: Path, server: Server) -> None:
    server.answer = answer_numbered
    paper, made = work_folder / "paper.md", dict[str, bytes]()
    text = paper.read_text(encoding="utf-8")
    for version in (text, text.replace("\n## ", "\nA changed sentence of the paper.\n\n## ", 2)):
        paper.write_text(version, encoding="utf-8")
        for question in QUESTIONS:
            refused = run("plan", "paper.md", *question, env=with_key(server, "sk-wrong-0123456789"))
            assert refused.exit_code == 1
            assert read_plans(work_folder) == made
            path = run("plan", "paper.md", *question, env=with_key(server)).stdout.strip()
            assert path not in made
            assert made.items() <= read_plans(work_folder).items()
            made = read_plans(work_folder)
            assert path in made
    sent = len(server.journal)
    for question in QUESTIONS:
        assert run("plan", "paper.md", *question, env=with_key(server, "sk-wrong-0123456789")).exit_code == 0
        assert run("plan", "paper.md", *question, "--force", env=with_key(server, "sk-wrong-0123456789")).exit_code == 1
    assert read_plans(work_folder) == made
    paper.write_text(text, encoding="utf-8")
    for question in QUESTIONS:
        assert run("plan", "paper.md", *question, env=with_key(server)).stdout.strip() in made
    assert len(server.journal) == sent + len(QUESTIONS), "only what was forced is sent"
    assert read_plans(work_folder) == made
    for planned in map(Path, made):
        record = PlanRecord.read(planned.with_suffix(".json"))
        assert (record.outcome, record.task) == ("planned", read_trajectory(planned).task)
    assert run("show", *made).stdout.count("lm-planner/gpt-4o/") == len(made) == 6
    assert run("check", *made).exit_code == 0
    assert run("site", "trajectories", "-o", "pages").exit_code == 0
    [page] = [path for path in (work_folder / "pages").rglob("*.html") if path.name != "index.html"]
    shown = page.read_text(encoding="utf-8")
    assert all(f"Reason number {read_trajectory(Path(path)).reasoning.split()[-1]}" in shown for path in made)


def test_the_first_plan_has_the_published_path_and_further_ones_say_what_they_answer(
    run: Run, work_folder: Path, server: Server
) -> None:
    server.answer = answer_numbered
    first, author, three = (
        Path(run("plan", "paper.md", *question, env=with_key(server)).stdout.strip()) for question in QUESTIONS
    )
    assert first.parent == author.parent == three.parent == FOLDER
    assert author.name.startswith(f"{first.stem}--author-5-")
    assert three.name.startswith(f"{first.stem}--reviewer-7-")
    for path in (work_folder / FOLDER).iterdir():
        path.unlink()
    again = run("plan", "paper.md", "--task", "reviewer", env=with_key(server))
    assert Path(again.stdout.strip()) == first
    assert run("plan", "paper.md", "-k", "7", env=with_key(server)).stdout.strip() == str(three), "names are stable"


def test_names_of_further_plans_fit_every_file_system(run: Run, work_folder: Path, server: Server) -> None:
    server.answer = answer_numbered
    for question in QUESTIONS:
        assert run("plan", "paper.md", "--id", "ü" * 150, *question, env=with_key(server)).exit_code == 0
    names = [path.name for path in (work_folder / FOLDER).iterdir()]
    assert len(names) == 2 * len(QUESTIONS)
    assert max(len(name.encode()) for name in names) <= 255


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: as_asked(request, "no plan at all"),
        lambda request: as_asked(request, BAD_REPLY),
        lambda request: as_asked(request, ""),
        lambda request: as_asked(request, BAD_REPLY, finish_reason="length"),
        lambda request: error(400, "not today"),
    ],
    ids=["unparsable", "invalid", "empty", "truncated", "refused"],
)
def test_a_failing_call_by_force_leaves_the_plan(
    run: Run, work_folder: Path, server: Server, answer: Callable[[Request], Response]
) -> None:
    server.answer = answer_numbered
    path = Path(run("plan", "paper.md", env=with_key(server)).stdout.strip())
    before = path.read_bytes()
    server.answer = answer
    failed = run("plan", "paper.md", "--force", env=with_key(server))
    assert failed.exit_code == 1
    assert f"the earlier plan stays in {path}" in failed.stderr
    assert path.read_bytes() == before
    kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert kept["outcome"] == "planned"
    assert len(kept["attempts"]) == len(server.journal), "what failed is on record too"


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("--force",), ("--task", "author")])
def test_an_interrupted_call_leaves_the_plan(
    start: Start, run: Run, work_folder: Path, server: Server, sign: signal.Signals, words: tuple[str, ...]
) -> None:
    server.answer = answer_numbered
    path = Path(run("plan", "paper.md", env=with_key(server)).stdout.strip())
    before = path.read_bytes()

    def interrupt(_: Request) -> Response:
        process.send_signal(sign)
        return reply().hanging()

    server.answer = interrupt
    process = start("plan", "paper.md", *words, env=with_key(server))
    process.communicate(timeout=60)
    assert process.returncode == 128 + sign
    assert path.read_bytes() == before
    assert PlanRecord.read(path.with_suffix(".json")).outcome == "planned"
    assert run("plan", "paper.md", env=with_key(server)).stdout.strip() == str(path)
    assert len(server.journal) == 2, "nothing is sent for the plan that is there"
    assert not list((work_folder / FOLDER).glob("*.lock"))


def test_a_bad_pasted_reply_leaves_the_plan_of_a_good_one(run: Run, work_folder: Path) -> None:
    (work_folder / "good.txt").write_text(contract("Why.", [GOOD_ABLATION]), encoding="utf-8")
    (work_folder / "bad.txt").write_text("I would rather talk about the weather.", encoding="utf-8")
    path = Path(run("parse", "good.txt", "--paper", "paper.md").stdout.strip())
    before = path.read_bytes()
    for words in ((), ("--task", "author")):
        assert run("parse", "bad.txt", "--paper", "paper.md", *words).exit_code == 1
        assert path.read_bytes() == before
    assert PlanRecord.read(path.with_suffix(".json")).outcome == "planned"


def test_a_trajectory_without_a_record_is_never_replaced(run: Run, work_folder: Path, server: Server) -> None:
    server.answer = answer_numbered
    path = Path(run("plan", "paper.md", env=with_key(server)).stdout.strip())
    before = path.read_bytes()
    path.with_suffix(".json").unlink()
    other = Path(run("plan", "paper.md", env=with_key(server)).stdout.strip())
    assert other != path
    assert path.read_bytes() == before


def test_processes_that_plan_one_paper_at_once_wait_for_each_other(
    start: Start, work_folder: Path, server: Server
) -> None:
    server.answer = answer_numbered
    processes = [start("plan", "paper.md", *question, env=with_key(server)) for question in QUESTIONS * 2]
    ended = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    assert [code for _, _, code in ended] == [0] * len(processes), ended
    assert len(server.journal) == len(QUESTIONS), "one that waited uses the reply of the other"
    records = [PlanRecord.read(path) for path in (work_folder / FOLDER).glob("*.json")]
    assert sum(attempt.completion is not None for record in records for attempt in record.attempts) == len(QUESTIONS)
    assert len({path for path, _, _ in ended}) == len(read_plans(work_folder)) == len(QUESTIONS)


def test_a_lock_of_a_killed_process_is_no_obstacle(start: Start, run: Run, work_folder: Path, server: Server) -> None:
    def kill(_: Request) -> Response:
        process.kill()
        return reply().hanging()

    server.answer = kill
    process = start("plan", "paper.md", env=with_key(server))
    process.communicate(timeout=60)
    assert list((work_folder / FOLDER).glob(".*.lock"))
    server.answer = answer_numbered
    assert run("plan", "paper.md", env=with_key(server)).exit_code == 0
    assert not list((work_folder / FOLDER).glob(".*.lock"))


def lose_folder(request: Request) -> Response:
    """Answer when the folder is no longer there to be written."""
    shutil.rmtree(FOLDER)
    FOLDER.write_text("a file where the folder was", encoding="utf-8")
    return answer_numbered(request)


def test_a_reply_that_the_folder_cannot_take_is_kept_elsewhere(
    run: Run, work_folder: Path, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    server.answer = lose_folder
    failed = run("plan", "paper.md", env=with_key(server))
    assert failed.exit_code == 1
    found = re.search(r"is kept in (\S+): when (\S+) can be written", failed.stderr)
    assert found, failed.stderr
    place, path = map(Path, found.groups())
    assert place.parent == tmp_path
    assert place.stat().st_mode & 0o077 == 0
    FOLDER.unlink()
    FOLDER.mkdir()
    place.rename(path)
    assert run("plan", "paper.md", env=with_key(server)).exit_code == 0
    assert len(server.journal) == 1, "the reply is used"


def test_a_reply_that_no_place_can_take_is_shown(
    run: Run, work_folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(work_folder / "nowhere"))
    server.answer = lose_folder
    failed = run("plan", "paper.md", env=with_key(server))
    assert failed.exit_code == 1
    assert "Reason number 1." in failed.stderr
    assert GOOD_ABLATION["ablated_part"] in failed.stderr


def test_one_that_waits_names_the_paper_and_is_interrupted_at_once(
    start: Start, work_folder: Path, server: Server
) -> None:
    server.answer = lambda _: reply().hanging()
    first = start("plan", "paper.md", env=with_key(server))
    second: subprocess.Popen[str] | None = None
    try:
        while not server.journal:
            assert first.poll() is None
        second = start("plan", "paper.md", "--task", "author", env=with_key(server))
        assert second.stderr is not None
        said = next(line for line in second.stderr if "another process is planning this paper" in line)
        assert next((work_folder / FOLDER).glob("*.json")).stem in said
        second.send_signal(signal.SIGINT)
        assert second.wait(timeout=60) == 130
        assert len(server.journal) == 1
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.communicate()
