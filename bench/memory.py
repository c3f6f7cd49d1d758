"""Measure the peak memory of `batch` over 500 and 20,000 small papers, and the time to start a finished run again.

`python -m bench.memory` prints the peaks of the loop's process in MB, their ratio, and the seconds of the restart.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.batch import BenchmarkCase, run_batch, serve_endpoint
from bench.papers import make_papers

CONCURRENCY = 64
MAX_MEMORY_RATIO = 1.3
MAX_RESTART_SECONDS = 5.0


def main() -> None:
    """Measure memory and restart time, and print them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = measure_peak_memory(folder / "few", 500)
        many = measure_peak_memory(folder / "many", 20_000)
        restart = measure_restart(folder / "many")
    sys.stdout.write(
        f"peak {few:.0f} MB for 500 papers, {many:.0f} MB for 20,000: {many / few:.2f} x (at most {MAX_MEMORY_RATIO})\n"
        f"a finished run of 20,000 started again: {restart:.1f} s (less than {MAX_RESTART_SECONDS:.0f})\n"
    )


def measure_peak_memory(folder: Path, paper_count: int) -> float:
    """Run `batch` over a number of papers of 2 KB, and return its peak MB."""
    case = BenchmarkCase(paper_count, CONCURRENCY, 0.0, 0.0)
    make_papers(folder / "papers", paper_count, size=2_000)
    with serve_endpoint(case, folder / "journal") as url:
        return run_batch(url, folder / "papers", folder / "run", case, folder / "journal").memory


def measure_restart(folder: Path) -> float:
    """Run `batch` again on a finished run, without an endpoint, and return the seconds."""
    words = ["batch", str(folder / "papers"), "-o", str(folder / "run"), "--model", "bench", "-q"]
    words += ["--base-url", read_endpoint(folder), "--no-stream", "--concurrency", str(CONCURRENCY)]
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "planner", *words], check=True)
    return time.monotonic() - started


def read_endpoint(folder: Path) -> str:
    """Return the endpoint's address that a run recorded."""
    facts = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    return str(facts["models"][0]["endpoint"])


if __name__ == "__main__":
    main()
