"""Measure how fast papers are read: PDF pages a second on one core, LaTeX folders, and memory (Linux).

The start of the process is not counted. The rate of pdfium's bare text in the same run is printed too: the ratio of
both rates hardly depends on the machine.

`python -m bench.reading FOLDER` takes any folder of papers, by default the shared ones.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median

import pypdfium2

from planner.papers.load import load_paper

ROUNDS = 5
# Linux lets a process inherit ru_maxrss from its parent, so it is of no use here.
_PRINT_PEAK = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.reading", description=__doc__)
    shared = os.environ.get("PLANNER_SHARED", Path(__file__).parents[2] / "shared")
    parser.add_argument("folder", type=Path, nargs="?", default=Path(shared) / "papers", help="folder of papers")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        load_paper(str(options.memory_of))
        exec(_PRINT_PEAK)
        return
    pdfs = sorted(options.folder.rglob("*.pdf"))
    latex_folders = sorted({path.parent for path in options.folder.glob("source/*/main.tex")})
    if not pdfs:
        raise SystemExit(f"no PDFs below {options.folder}")
    pages = {path: len(pypdfium2.PdfDocument(path)) for path in pdfs}
    times = [
        (_cpu_seconds(partial(_read_papers, pdfs)), _cpu_seconds(partial(_read_bare_text, pdfs))) for _ in range(ROUNDS)
    ]
    total = sum(pages.values())
    rates = _format_rates(total / seconds for seconds, _ in times)
    bare_rates = _format_rates(total / bare_seconds for _, bare_seconds in times)
    ratio = median(bare_seconds / seconds for seconds, bare_seconds in times)
    print(f"PDF, {len(pdfs)} files, {total} pages: {rates} pages a CPU second")
    print(f"  bare text: {bare_rates}; ratio {ratio:.2f}")
    for folder in latex_folders:
        seconds = median(_cpu_seconds(partial(_read_papers, [folder])) for _ in range(ROUNDS))
        print(f"LaTeX {folder.name}: {seconds * 1000:.0f} ms")
    longest = max((path for path in pdfs if pages[path] <= 60), key=lambda path: pages[path])
    memory = (_peak_memory(longest) - _peak_memory(None)) / 1024
    print(f"memory over bare Python, {pages[longest]} pages: {memory:.0f} MB")


def _read_papers(sources: Iterable[Path]) -> None:
    for source in sources:
        load_paper(str(source))


def _read_bare_text(sources: Iterable[Path]) -> None:
    for source in sources:
        with pypdfium2.PdfDocument(source) as document:
            for page in document:
                page.get_textpage().get_text_range()


def _cpu_seconds(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def _format_rates(rates: Iterable[float]) -> str:
    known = sorted(rates)
    return f"{median(known):.0f} (from {known[0]:.0f} to {known[-1]:.0f})"


def _peak_memory(paper: Path | None) -> int:
    """Return the peak memory in KB of a process that reads one paper, or of one that does nothing."""
    words = ["-m", "bench.reading", "--memory-of", str(paper)] if paper else ["-c", _PRINT_PEAK]
    return int(subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
