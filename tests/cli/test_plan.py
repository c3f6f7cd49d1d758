"""`plan`, `demo`, `prompt` and `parse`, as a user calls them."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, Start
from tests.scripted import GOOD_ABLATION, GOOD_REPLY, contract
from tests.server.replies import as_asked, error, reply
from tests.server.server import Server

KEY = "sk-marker-0123456789"


def at(server: Server) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, "ABLATION_PLANNER_MODEL": "gpt-4o"}


def answering(server: Server, text: str = GOOD_REPLY) -> Server:
    server.answer = lambda request: as_asked(request, text)
    return server


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in (folder / "trajectories").rglob("*") if path.is_file())


def test_demo_shows_a_plan_on_a_fresh_machine(run: Run, work_folder: Path) -> None:
    result = run("demo")
    assert result.exit_code == 0, result.stderr
    assert "extractive-planner/builtin" in result.stdout
    assert len(files(work_folder)) == 2


def test_plan_prints_the_path_of_the_trajectory(run: Run, work_folder: Path, server: Server) -> None:
    result = run("plan", "paper.md", env=at(answering(server)))
    assert result.exit_code == 0, result.stderr
    [line] = result.stdout.splitlines()
    assert "No gate" in (work_folder / line).read_text(encoding="utf-8")
    assert f"sending to {server.base_url.split('/')[2]}" in result.stderr
    assert server.journal[0].json["model"] == "gpt-4o"


def test_the_same_command_again_sends_nothing_and_force_does(run: Run, work_folder: Path, server: Server) -> None:
    env = at(answering(server))
    first = run("plan", "paper.md", env=env)
    again = run("plan", "paper.md", env=env)
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert len(server.journal) == 1
    run("plan", "paper.md", "--force", env=env)
    assert len(server.journal) == 2


def test_json_tells_a_program_what_happened(run: Run, server: Server) -> None:
    result = run("plan", "paper.md", "--json", "--id", "mine", env=at(answering(server)))
    told = json.loads(result.stdout)
    assert (told["paper_id"], told["outcome"]) == ("mine", "planned")
    assert told["cost"] is not None


def test_an_unknown_price_is_unknown(run: Run, server: Server) -> None:
    env = at(answering(server))
    told = json.loads(run("plan", "paper.md", "--json", "--model", "nobodys-model", env=env).stdout)
    assert told["cost"] is None
    priced = run("plan", "paper.md", "--json", "--model", "nobodys-model", "--price", "1,2", "-o", "priced", env=env)
    assert json.loads(priced.stdout)["cost"] is not None


def test_a_paper_from_stdin_with_its_title_given(run: Run, work_folder: Path, server: Server) -> None:
    text = (work_folder / "paper.md").read_text(encoding="utf-8")
    result = run("plan", "-", "--title", "Tides, Again", stdin=text, env=at(answering(server)))
    assert result.stdout.strip().endswith("Tides__Again.md")


def test_several_papers_of_which_one_is_missing_and_one_is_empty(run: Run, work_folder: Path, server: Server) -> None:
    (work_folder / "empty.md").write_bytes(b"")
    result = run("plan", "paper.md", "missing.md", "empty.md", env=at(answering(server)))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 1
    assert "missing.md: no such file" in result.stderr
    assert "empty" in result.stderr
    assert len(server.journal) == 1


def test_two_papers_with_one_name_do_not_overwrite_each_other(run: Run, work_folder: Path, server: Server) -> None:
    for number, folder in enumerate(("one", "two")):
        text = (work_folder / "paper.md").read_bytes().replace(b"# Slack Water", b"# Slack Water, part %d" % number, 1)
        (work_folder / folder).mkdir()
        (work_folder / folder / "main.md").write_bytes(text)
    result = run("plan", "one/main.md", "two/main.md", env=at(answering(server)))
    first, second = result.stdout.splitlines()
    assert second == first.replace(".md", "-2.md")
    for name, place in (("two/main.md", second), ("one/main.md", first)):
        assert run("plan", name, env=at(server)).stdout.strip() == place, "each is known by its text"
    assert len(server.journal) == 2
    os.mkfifo((work_folder / first).with_name("a pipe.json"))  # passed over: it never ends
    (work_folder / "renamed.md").write_bytes((work_folder / "one" / "main.md").read_bytes())
    assert run("plan", "renamed.md", env=at(server)).stdout.strip() == first
    assert len(server.journal) == 2, "nor is a text paid for twice since its file has another name"
    edited = work_folder / "two" / "main.md"
    edited.write_bytes(edited.read_bytes() + b"\n\nAnd a word more.\n")
    further = run("plan", "two/main.md", env=at(server)).stdout.strip()
    assert further.startswith(second.replace(".md", "--reviewer-2-")), "the text that was edited is another question"


def test_a_failed_paper_has_a_sidecar_and_no_trajectory(run: Run, work_folder: Path, server: Server) -> None:
    server.script(reply("", refusal="I must decline.", finish_reason="stop"))
    result = run("plan", "paper.md", "--no-stream", env=at(server))
    assert result.exit_code == 1
    assert result.stdout == ""
    [sidecar] = files(work_folder)
    facts = json.loads((work_folder / sidecar).read_text(encoding="utf-8"))
    assert facts["outcome"] == "refused"
    assert facts["attempts"][0]["completion"]["raw"]


def test_invalid_replies_are_asked_for_again_twice_at_most(run: Run, server: Server) -> None:
    result = run("plan", "paper.md", env=at(answering(server, contract("Why.", [{**GOOD_ABLATION, "metrics": []}]))))
    assert result.exit_code == 1
    assert "no valid plan" in result.stderr
    assert "metrics must not be empty" in result.stderr
    assert len(server.journal) == 3


def test_a_key_echoed_by_the_server_appears_nowhere(run: Run, work_folder: Path, server: Server) -> None:
    server.answer = lambda request: error(401, f"Incorrect API key provided: {KEY}", code="invalid_api_key")
    base = server.base_url.replace("http://", "http://someone:hunter22@")
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": base, "ABLATION_PLANNER_MODEL": "gpt-4o"}
    result = run("plan", "paper.md", "-v", "--log-file", "log.txt", env=env)
    assert result.exit_code == 1
    written = "".join(path.read_text(encoding="utf-8") for path in work_folder.rglob("*") if path.is_file())
    for secret in (KEY, "hunter22"):
        assert secret not in result.output
        assert secret not in written
    assert len(server.journal) == 1


def test_prompt_sends_nothing_and_parse_takes_the_answer(run: Run, work_folder: Path) -> None:
    shown = json.loads(run("prompt", "paper.md").stdout)
    assert [message["role"] for message in shown["messages"]] == ["system", "user"]
    assert len(shown["sha256"]) == 64
    (work_folder / "reply.txt").write_text(GOOD_REPLY, encoding="utf-8")
    result = run("parse", "reply.txt", "--paper", "paper.md", "--model", "some-chat")
    assert result.exit_code == 0, result.stderr
    assert "lm-planner/some-chat" in result.stdout
    (work_folder / "reply.txt").write_text(GOOD_REPLY.replace("No gate", "No gate at all"), encoding="utf-8")
    again = run("parse", "reply.txt", "--paper", "paper.md", "--model", "some-chat")
    assert "No gate at all" in (work_folder / again.stdout.strip()).read_text(encoding="utf-8")


def test_a_pasted_reply_that_was_cut_is_no_shorter_plan(run: Run, work_folder: Path) -> None:
    (work_folder / "reply.txt").write_text(GOOD_REPLY[:-60], encoding="utf-8")
    result = run("parse", "reply.txt", "--paper", "paper.md")
    assert result.exit_code == 1
    assert "ends in the middle of its predictions" in result.stderr
    assert not [name for name in files(work_folder) if name.endswith(".md")]


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_what_the_next_call_goes_on_from(
    start: Start, run: Run, work_folder: Path, server: Server, sign: signal.Signals, code: int
) -> None:
    bad = contract("Why.", [{**GOOD_ABLATION, "metrics": []}])
    seen = []

    def answer(request):  # type: ignore[no-untyped-def]
        seen.append(request)
        if len(seen) == 2:
            process.send_signal(sign)
            return reply().hanging()
        return as_asked(request, bad if len(seen) == 1 else GOOD_REPLY)

    server.answer = answer
    process = start("plan", "paper.md", env=at(server))
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said
    [sidecar] = files(work_folder)
    assert json.loads((work_folder / sidecar).read_text(encoding="utf-8"))["outcome"] == "interrupted"
    assert run("plan", "paper.md", env=at(server)).exit_code == 0
    assert len(server.journal) == 3, "the first reply was not paid for again"


@pytest.mark.parametrize("words", [("--help",), ("plan", "--help"), ("demo",), ("schema",)])
def test_openai_is_imported_only_when_something_is_asked(start: Start, words: tuple[str, ...]) -> None:
    process = start(*words, env={"PYTHONPROFILEIMPORTTIME": "1"})
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert " openai" not in said
    assert sys.version_info >= (3, 11)


def test_demo_asks_no_model_unless_one_is_named(run: Run, server: Server) -> None:
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url}
    assert run("demo", env=env).exit_code == 0
    assert server.journal == []
    assert run("demo", "--model", "m", env=at(answering(server))).exit_code == 0
    assert len(server.journal) == 1


def test_papers_that_cannot_be_read_do_not_overwrite_each_other_or_a_plan(run: Run, work_folder: Path) -> None:
    for folder in ("a", "b"):
        (work_folder / folder).mkdir()
        (work_folder / folder / "one.md").write_bytes(b"")
    result = run("plan", "paper.md", "--id", "one")
    assert result.exit_code == 0
    paper = work_folder / "one.txt"
    paper.write_text("# one\n\n" + "Every word of this paper is invented. " * 30, encoding="utf-8")
    assert run("plan", "one.txt", "a/one.md", "b/one.md", "--force").exit_code == 1
    records = [name for name in files(work_folder) if name.endswith(".json")]
    assert sorted(records) == [
        f"trajectories/extractive-planner/builtin/one{end}.json" for end in ("-2", "-3", "-4", "")
    ]


def test_an_id_that_was_given_names_an_unreadable_paper_too(run: Run, work_folder: Path) -> None:
    (work_folder / "broken.md").write_bytes(b"")
    run("plan", "broken.md", "--id", "mine")
    assert files(work_folder) == ["trajectories/extractive-planner/builtin/mine.json"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_pasted_reply_in_the_encoding_of_the_editor(run: Run, work_folder: Path, encoding: str) -> None:
    text = contract("Größer als nötig.", [{**GOOD_ABLATION, "name": "Ohne Brückenglied"}])
    (work_folder / "reply.txt").write_bytes(text.encode(encoding))
    result = run("parse", "reply.txt", "--paper", "paper.md")
    assert result.exit_code == 0, result.stderr
    assert "Ohne Brückenglied" in (work_folder / result.stdout.strip()).read_text(encoding="utf-8")
