"""Pictures of the program on a terminal: `python -m tests.cli.terminal_pictures FOLDER`, run by `make screenshots`.

`--checkout OTHER` draws the same calls of the program in another checkout, such as an earlier one, with its own .venv.
"""

import argparse
import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from tests.conftest import ROOT
from tests.scripted import GOOD_ABLATION, contract
from tests.server.http import Request, Response
from tests.server.replies import stream
from tests.server.server import Server

WIDTH = 92
USAGE = {"prompt_tokens": 3900, "completion_tokens": 210}
DEMO = ROOT / "planner" / "demo" / "paper.md"
ABLATIONS = (
    {
        **GOOD_ABLATION,
        "name": "Fix the harmonic residual gate at one",
        "reason": "The gate is the main claim, and no reported run is without it.",
    },
    {
        **GOOD_ABLATION,
        "name": "Remove the 6-hour resolution",
        "ablated_part": "6-hour resolution",
        "reason": "Three resolutions are used, and which of them matters is not shown.",
    },
)
# Name of the picture, and the commands that it shows.
PICTURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("plan", ("plan paper.md --id slack-water --model some-model --price 2,8",)),
    ("progress", ("plan paper.md --id slow --model slow-model --price 2,8",)),
    ("demo", ("demo --task author -k 3",)),
    ("batch", ("batch papers -o run --model some-model --price 2,8",)),
    ("status", ("status run --failed",)),
    ("show", ("show trajectories",)),
    ("help", ("--help",)),
    ("help-plan", ("plan --help",)),
    (
        "errors",
        (
            "paln",
            "paper.md",
            "plan --k 3 paper.md",
            "plan papers",
            "plan picture.png",
            "show picture.png",
            "status papers",
        ),
    ),
)
_CONTROL = re.compile(r"\x1b\[(\d*)([ABJK])|\x1b\[\?\d+[hl]|(\r\n|\r|\n)")
_FONTS = re.compile(r"@font-face \{\{.*?\}\}\s*", re.DOTALL)  # which the picture would load from the web


def run_on_terminal(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str] | None = None,
    *,
    width: int = WIDTH,
    checkout: Path = ROOT,
) -> tuple[int, str]:
    """Run the program of a checkout on a terminal of its own; its exit code, and all that it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    unset = ("NO_COLOR", "COLUMNS", "OPENAI_API_KEY", "OPENAI_BASE_URL", "ABLATION_PLANNER_MODEL")
    inherited = {name: value for name, value in os.environ.items() if name not in unset}
    process = subprocess.Popen(
        [sys.executable if checkout == ROOT else checkout / ".venv" / "bin" / "python", "-m", "planner", *words],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(checkout), "TERM": "xterm-256color", **(env or {})},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = bytearray()
    with suppress(OSError):  # the other end is closed
        while piece := os.read(master, 65536):
            written += piece
    os.close(master)
    return process.wait(60), written.decode()


def draw_screen(written: str) -> str:
    """Return the final screen with its colours, without lines that were overwritten."""
    lines, row, last = [""], 0, 0
    for control in _CONTROL.finditer(written):
        lines[row] += written[last : control.start()]
        last = control.end()
        count, kind, move = int(control[1] or 1), control[2], control[3]
        if kind == "A":
            row = max(0, row - count)
        elif kind == "K" or (move == "\r" and written.startswith("\x1b[2K", last)):
            lines[row] = ""
        elif move and move != "\r":
            row += 1
            lines += [""] if row == len(lines) else []
    lines[row] += written[last:]
    return "\n".join(lines).rstrip()


def draw_picture(title: str, text: str) -> str:
    """An SVG of a terminal with this text; it loads nothing."""
    console = Console(record=True, file=io.StringIO(), width=WIDTH, color_system="truecolor", force_terminal=True)
    console.print(Text.from_ansi(text))
    return console.export_svg(title=title, code_format=_FONTS.sub("", CONSOLE_SVG_FORMAT))


def answer(request: Request) -> Response:
    """A first reply that is invalid, then plans."""
    invalid = [{**ABLATIONS[0], "metrics": []}]
    text = contract("Neither of the two is ever removed.", invalid if request.number == 1 else ABLATIONS)
    return replace(stream(text, usage=USAGE, pieces=30), pause=0.05 if request.json["model"] == "slow-model" else 0.0)


def main(folder: Path, checkout: Path) -> None:
    """Run the program of a checkout in a new folder, and draw what a user sees; the pictures' paths are printed."""
    with tempfile.TemporaryDirectory() as work, Server(answer) as server:
        prepare_folder(Path(work))
        env = {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": "sk-none"}
        folder.mkdir(parents=True, exist_ok=True)
        for name, commands in PICTURES:
            shown = []
            for command in commands:
                asked = env if "--model" in command else None
                _, written = run_on_terminal(shlex.split(command), Path(work), asked, checkout=checkout)
                if name == "progress" and "so far" in written:  # the screen while the model writes
                    written = written[: written.rindex("so far") + len("so far")]
                written = written.replace(f"127.0.0.1:{server.port}", "model.example.org")
                shown.append(f"\x1b[1;32m$\x1b[0m ablation-planner {command}\n{draw_screen(written)}")
            target = folder / f"{name}.svg"
            target.write_text(draw_picture("ablation-planner", "\n\n".join(shown)), encoding="utf-8")
            click.echo(target)


def prepare_folder(work: Path) -> None:
    """Write a paper, three more in a folder, and a picture."""
    (work / "papers").mkdir()
    (work / "paper.md").write_bytes(DEMO.read_bytes())
    for name in ("tides.md", "currents.md"):
        (work / "papers" / name).write_bytes(DEMO.read_bytes())
    (work / "papers" / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj")
    (work / "papers" / "notes.docx").write_bytes(b"PK\x03\x04")
    (work / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.cli.terminal_pictures")
    parser.add_argument("folder", type=Path, help="folder for the pictures")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="checkout whose program is run; default: this one")
    options = parser.parse_args()
    main(options.folder, options.checkout.resolve())
