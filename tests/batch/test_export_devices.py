"""`export` into pipes and devices: they are written into, and never replaced."""

import os
import threading
from pathlib import Path

import pytest

from planner.files import write_file_atomically
from tests.batch.program import Program, make_papers


@pytest.mark.parametrize("form", ["csv", "jsonl", "matrix"])
def test_a_pipe_is_written_into_and_stays_one(form: str, program: Program, tmp_path: Path) -> None:
    make_papers(tmp_path / "papers", 2)
    program.invoke("batch", "papers", "-o", "run", "--model", "extractive", code=1)
    program.invoke("export", "run", "--to", form, "plain")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        arrived: list[bytes] = []
        reader = threading.Thread(target=lambda into=arrived: into.append((tmp_path / "pipe").read_bytes()))
        reader.start()
        assert name not in program.invoke("export", "run", "--to", form, name).stdout
        reader.join(10)
        assert arrived == [(tmp_path / "plain").read_bytes()]
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "out").symlink_to("/dev/stdout")
    program.invoke("export", "run", "--to", form, "null")
    program.invoke("export", "run", "--to", "openai-batch", "pipe", code=2)
    with (tmp_path / "redirected").open("wb") as redirected:
        program.start("export", "run", "--to", form, "out", stdout=redirected).wait(60)
    assert (tmp_path / "redirected").read_bytes() == (tmp_path / "plain").read_bytes()
    assert (tmp_path / "null").is_symlink()
    assert (tmp_path / "out").is_symlink()


def test_a_link_to_a_file_is_replaced_and_its_file_left_alone(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "link").symlink_to("file")
    write_file_atomically(tmp_path / "link", "new")
    assert (tmp_path / "file").read_text() == "kept"
    assert not (tmp_path / "link").is_symlink()
