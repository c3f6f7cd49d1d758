"""Every read has a bound, and whatever may never end is named and not read."""

import io
import json
import os
import re
import signal
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import planner.trajectory.escape as escape
from eval.plans import find_files
from planner.batch.corpus import assign_paper_ids, collect_corpus_without_ids
from planner.batch.manifest import MAX_STDIN_LIST_BYTES
from planner.chat import Completion
from planner.cli.terminal.console import run_for_exit_code
from planner.errors import Outcome, OutputError, PlannerError, PromptError, TrajectoryError
from planner.files import MAX_FOLDER_DEPTH, read_bounded_file, read_bounded_stream
from planner.parsing.reply import MAX_REPLY_CHARS, parse_reply
from planner.planning.prompts import PromptTemplates
from planner.planning.record import MAX_RECORD_BYTES, MAX_STORED_VALUES, PlanRecord
from planner.sanitize import MAX_NAME_CHARS
from planner.schema import Ablation, Plan, Task
from planner.trajectory.format import Trajectory, normalize_trajectory, render_trajectory
from planner.trajectory.reader import MAX_TRAJECTORY_BYTES, parse_trajectory
from tests.cli.conftest import DEMO, Run, run, work_folder  # noqa: F401 - fixtures

SIZE = 200_000  # characters; a quadratic step would take minutes
CPU_SECONDS = 2.0
HOSTILE = (
    *("[", "[[", "![", "[a]: ", "[a\n", "`", "` `` ", "<", "<a ", "<!--\n\n", "<script>\n\n", "<b>", "*", "*_", "> "),
    *(">\n", "{}\n", "{x}", '{"a":', "<predictions>", "<predictions>{}</predictions>", "<think>", "\\", "&lt;", "&"),
    *(" ", "\u00a0", "1", "1. a\n", "\n", "\t", "- ", "---\n", "=", "```\n", "~", "a|b\n-|-\n", "# \n", "\x1b]", "a\n"),
)


def make_reply(reasoning: str = "Because.", **fields: object) -> str:
    ablation = {"name": "Gate", "ablated_part": "the gate", "action": "REMOVE", "metrics": ["accuracy"], **fields}
    return f"<discussion>{reasoning}</discussion><predictions>\n{json.dumps(ablation)}\n</predictions>"


@pytest.fixture
def deep(work_folder: Path) -> Iterator[Path]:  # noqa: F811
    """A folder with 1,200 levels below it, which pytest itself cannot delete."""
    root = work_folder / "deep"
    root.mkdir()
    os.chdir(root)
    for _ in range(1_200):
        Path("d").mkdir()
        os.chdir("d")
    yield root
    os.chdir(root)
    for _ in range(1_200):
        os.chdir("d")
    for _ in range(1_200):
        os.chdir("..")
        Path("d").rmdir()
    os.chdir(work_folder)


@pytest.fixture
def special_files(tmp_path: Path) -> list[Path]:
    """A pipe, and a link to a device that never ends."""
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    link.symlink_to("/dev/zero")
    return [pipe, link]


def test_a_file_over_its_bound_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded_file(path, 5) == b"12345"
    with pytest.raises(OSError, match="it has over 4 bytes"):
        read_bounded_file(path, 4)


def test_a_stream_is_read_no_further_than_its_bound() -> None:
    stream = io.BytesIO(b"x" * 10_000_000)
    with pytest.raises(OSError, match="it has over 1,000 bytes"):
        read_bounded_stream(stream, 1_000, "stdin")
    assert stream.tell() < 2_000_000


def test_special_files_are_named_and_not_read(special_files: list[Path]) -> None:
    reasons = []
    for path in special_files:
        with pytest.raises(OSError, match="it is") as caught:
            read_bounded_file(path, 10)
        reasons.append(caught.value.strerror)
    assert reasons == ["it is a pipe, not a file", "it is a device, not a file"]


@pytest.mark.parametrize(
    ("words", "size"),
    [
        (("paper", "-"), 300_000_001),
        (("prompt", "-"), 300_000_001),
        (("batch", "-", "-o", "run", "--model", "extractive"), MAX_STDIN_LIST_BYTES + 1),
        (("parse", "-", "--paper", "paper.md"), 10_000_001),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_stdin_has_a_bound(run: Run, words: tuple[str, ...], size: int) -> None:  # noqa: F811
    result = run(*words, stdin=bytes(size))
    assert result.exit_code == 1
    assert "stdin" in result.output
    assert "it has over" in result.output


def test_commands_name_special_files_and_go_on(run: Run, work_folder: Path, special_files: list[Path]) -> None:  # noqa: F811
    run("demo", "-o", "out")
    plan = next(Path("out").rglob("*.md"))
    for number, path in enumerate(special_files):
        for ending in (".md", ".json", ".pdf", ".jsonl", ".tex"):
            (plan.parent / f"{number}{ending}").symlink_to(path)
    assert run("site", "out", "-o", "site").exit_code == 0
    page = (work_folder / "site" / "index.html").read_text()
    assert "it is a pipe, not a file" in page
    assert "it is a device, not a file" in page
    for special in map(str, special_files):
        assert "it is a" in run("check", special, str(plan)).output
        assert "it is a" in run("show", special, str(plan)).output
        assert "it is a" in run("parse", special, "--paper", "paper.md").output
        assert run("paper", special).exit_code == 1
        assert run("batch", special, "-o", "run", "--model", "extractive").exit_code == 1
    corpus = collect_corpus_without_ids((str(plan.parent),))
    assert [Path(problem.source).name for problem in corpus.problems if "is skipped" in problem.reason] == [
        f"{number}{ending}" for number in (0, 1) for ending in (".json", ".jsonl", ".md", ".pdf", ".tex")
    ]


def test_a_manifest_that_never_ends_is_refused(special_files: list[Path], tmp_path: Path) -> None:
    for ending in (".jsonl", ".csv", ".parquet"):
        link = tmp_path / f"list{ending}"
        link.symlink_to(special_files[1])
        with pytest.raises(PlannerError, match="it is a device, not a file"):
            collect_corpus_without_ids((str(link),))


@pytest.mark.parametrize("kind", ["record", "trajectory", "template", "plan"])
def test_the_program_s_own_files_have_a_bound(run: Run, kind: str) -> None:  # noqa: F811
    """The files are sparse: they have a size and take no room."""
    path = Path(f"large.{ {'record': 'json', 'trajectory': 'md', 'template': 'jinja', 'plan': 'jsonl'}[kind] }")
    with path.open("wb") as file:
        file.truncate(max(MAX_RECORD_BYTES, MAX_TRAJECTORY_BYTES) + 1)
    if kind == "record":
        with pytest.raises(OSError, match="it has over"):
            PlanRecord.read(path)
    elif kind == "template":
        with pytest.raises(PromptError, match="it has over 1,000,000 bytes"):
            PromptTemplates(Path()).render_template(path.name)
    else:
        assert "it has over 16,777,216 bytes" in run("check", str(path)).output


def test_folders_are_searched_to_a_stated_depth(run: Run, work_folder: Path, deep: Path) -> None:  # noqa: F811
    os.chdir(work_folder)
    (deep / "a.md").write_bytes(DEMO.read_bytes())
    (deep / "b.md").write_bytes(DEMO.read_bytes())
    corpus = collect_corpus_without_ids(("deep",))
    assert [Path(entry.source).name for entry in corpus.entries] == ["a.md", "b.md"]
    assert [problem.reason for problem in corpus.problems] == [
        f"folders more than {MAX_FOLDER_DEPTH} levels deep are not searched; give this path too"
    ]
    assert f"has folders nested over {MAX_FOLDER_DEPTH} deep" in run("paper", "deep").output
    assert f"more than {MAX_FOLDER_DEPTH} levels" in run("batch", "deep", "-o", "run", "--model", "extractive").output
    run("demo", "-o", "deep")
    assert run("site", "deep", "-o", "site").exit_code == 0
    assert f"over {MAX_FOLDER_DEPTH} levels deep" in (work_folder / "site" / "index.html").read_text()
    assert len(find_files(deep, ".md")) == 3


def test_many_rows_with_one_id_are_numbered_in_linear_time(tmp_path: Path) -> None:
    rows = [json.dumps({"id": "Same", "arxiv_id": f"2001.{number:05d}"}) for number in range(20_000)]
    rows += [
        json.dumps({"id": "same-7", "arxiv_id": "2001.99999"}),
        json.dumps({"id": "SAME", "arxiv_id": "2002.0001"}),
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(rows[:-1]))
    corpus = collect_corpus_without_ids((str(tmp_path / "list.jsonl"),))
    begun = time.process_time()
    ids = [entry.id for entry in assign_paper_ids(corpus, {}).entries]
    assert time.process_time() - begun < CPU_SECONDS
    assert ids[:3] == ["Same", "Same-2", "Same-3"]
    assert len({name.casefold() for name in ids}) == len(ids) == 20_001


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_ends_a_long_step_that_costs_nothing(sign: signal.Signals, code: int) -> None:
    async def work() -> int:
        signal.raise_signal(sign)
        raise AssertionError("the step went on")

    assert run_for_exit_code(work(), exits_at_first_signal=True) == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_log_file_that_cannot_be_written_is_given_up_with_one_message(run: Run) -> None:  # noqa: F811
    result = run("plan", "paper.md", "--model", "extractive", "-o", "out", "--log-file", "/dev/full", "-v")
    assert result.exit_code == 0
    assert result.output.count("/dev/full: cannot be written: No space left on device") == 1
    assert "Logging error" not in result.output


def test_a_log_file_that_is_a_pipe_without_a_reader_is_named(run: Run) -> None:  # noqa: F811
    os.mkfifo("log")
    result = run("plan", "paper.md", "--model", "extractive", "-o", "out", "--log-file", "log")
    assert (result.exit_code, result.stderr) == (1, "Error: log: No such device or address\n")


def test_a_member_with_an_endless_name_is_passed_over(run: Run) -> None:  # noqa: F811
    with tarfile.open("paper.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("a" * 1_000_000 + ".md", "paper.md"):
            member = tarfile.TarInfo(name)
            member.size = DEMO.stat().st_size
            archive.addfile(member, io.BytesIO(DEMO.read_bytes()))
    result = run("plan", "paper.tar", "--model", "extractive", "-o", "out")
    assert result.exit_code == 0
    assert len(result.output) < 5_000


def test_a_title_and_a_heading_are_shortened(run: Run, work_folder: Path) -> None:  # noqa: F811
    with (work_folder / "paper.md").open("a") as file:
        file.write(f"\n\n## {'Heading ' * 1_000}\n\nText.\n")
    understood = json.loads(run("paper", "paper.md", "--title", "Title" * 1_000, "--to", "json").stdout)
    assert len(understood["title"]) == MAX_NAME_CHARS
    assert max(len(section["heading"]) for section in understood["sections"]) <= MAX_NAME_CHARS


def measure_cpu(step: Callable[[], object]) -> float:
    begun = time.process_time()
    try:
        step()
    except OutputError as error:
        assert error.outcome in (Outcome.INVALID, Outcome.TRUNCATED, Outcome.EMPTY, Outcome.REFUSED)
    return time.process_time() - begun


@pytest.mark.parametrize("unit", HOSTILE)
def test_parsing_a_hostile_reply_is_linear(unit: str) -> None:
    text = unit * (SIZE // len(unit))
    block = f"<discussion>Because.</discussion><predictions>\n{text}\n</predictions>"
    replies = (text, make_reply(text), block, make_reply(ablated_part=f"a{text}b"), make_reply(metrics=[unit] * 40_000))
    for reply in replies:
        for finish_reason in ("stop", ""):
            completion = Completion(reply, finish_reason=finish_reason)
            assert measure_cpu(lambda completion=completion: parse_reply(completion, 5)) < CPU_SECONDS  # type: ignore[misc]


@pytest.mark.parametrize("unit", HOSTILE)
def test_writing_and_reading_a_hostile_text_is_linear(unit: str) -> None:
    text = f"a{unit * (SIZE // len(unit))}b &lt; <c>"
    line = " ".join(text.split("\n"))
    ablation = Ablation.model_validate(
        {"name": line, "ablated_part": line, "action": "ADD", "replacement": [line], "metrics": [line]}
    )
    begun = time.process_time()
    written = normalize_trajectory(Trajectory("p", "m", "x", Task.REVIEWER, text, Plan(ablations=(ablation,))))
    read = parse_trajectory(render_trajectory(written).encode(), "file")
    assert time.process_time() - begun < 2 * CPU_SECONDS
    assert (read.reasoning, read.plan) == (written.reasoning, written.plan)
    assert normalize_trajectory(read).reasoning == read.reasoning


@given(st.text(alphabet="<>&lt;amp b\\*[]`\n-=#/!"))
def test_a_text_with_much_markup_is_written_and_read_back(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(escape, "_MAX_MARKS", 1)
        inert = escape.flatten_unescapable_markup(text)
        written = escape.escape_markup(inert)
        assert escape.unescape_markup(written) == inert
        assert escape.flatten_unescapable_markup(inert) == inert
        assert not escape.has_too_many_markup_characters(inert) or not re.search(
            r"(?<!\\)(?:\\\\)*<[A-Za-z/!?]", written
        )


@pytest.mark.parametrize("size", range(9_998, 10_003))
def test_a_trajectory_with_just_so_much_markup_is_read_back(size: int) -> None:
    reasoning = "<div>*a* `b`\n\n" + "a! " * (size - 8)
    plan = Plan(ablations=(Ablation.model_validate(json.loads(make_reply().split("\n")[1])),))
    written = normalize_trajectory(Trajectory("p", "m", "x", Task.REVIEWER, reasoning, plan))
    assert parse_trajectory(render_trajectory(written).encode(), "file").reasoning == written.reasoning


@pytest.mark.parametrize("unit", ["[", "<!--\n\n", "<script>\n\n", "---\n", "`a ", "<b>", "&lt;", "> a\n", "[a\n"])
def test_a_text_with_almost_too_much_markup_is_parsed_in_time(unit: str) -> None:
    words = "word " * 20
    for text in (unit * 1_600, (unit + words) * 1_600, unit * 1_600 + words * 10_000):
        assert not escape.has_too_many_markup_characters(text)
        begun = time.process_time()
        inert = escape.flatten_unescapable_markup(text)
        assert escape.unescape_markup(escape.escape_markup(inert)) == inert
        assert time.process_time() - begun < CPU_SECONDS


@pytest.mark.parametrize("block_count", [1, 40])
def test_objects_that_take_long_to_repair_are_bounded_in_all_blocks_together(block_count: int) -> None:
    surrogates, keys = r"\ud800" * 100, '</"action":"ADD"' * 520
    broken = '{"name": "No gate", "ablated_part": "gate", "metrics": ["$' + surrogates + keys + surrogates + '$"]}'
    blocks = f"<predictions>\n{broken}\n\n</predictions>\n" * block_count
    completion = Completion(f"<discussion>Because.</discussion>\n{blocks}", finish_reason="stop")
    assert measure_cpu(lambda: parse_reply(completion, 5)) < CPU_SECONDS


def test_a_reply_over_its_bound_is_invalid_and_says_so() -> None:
    with pytest.raises(OutputError, match="characters, over 1,000,000") as caught:
        parse_reply(Completion(make_reply("x" * MAX_REPLY_CHARS), finish_reason="stop"), 5)
    assert caught.value.outcome is Outcome.INVALID
    with pytest.raises(OutputError, match="line 2 of the reply: has 40,"):
        parse_reply(Completion(make_reply(ablated_part="x" * 40_000), finish_reason="stop"), 5)


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * MAX_STORED_VALUES + "1]",
        json.dumps({"attempts": [{}] * 300_000}),
        json.dumps({"considered": [{"metrics": [1] * 1_000_000}]}),
        json.dumps({"votes": [[{}] * 300_000]}),
        json.dumps({"warnings": [[]] * 500_000}),
    ],
    ids=("values", "attempts", "metrics", "votes", "warnings"),
)
def test_a_wrong_record_is_refused_in_time(text: str, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text(text, encoding="utf-8")
    begun = time.process_time()
    with pytest.raises(TrajectoryError, match="not the record of a plan"):
        PlanRecord.read(path)
    assert time.process_time() - begun < CPU_SECONDS
