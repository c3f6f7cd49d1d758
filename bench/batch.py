"""Compare `batch` with a bare client at the same server: `python -m bench.batch`, five paired runs for each case.

Active time is from the first request to the last written file. CPU and memory are those of the process with the event
loop; the CPU of its reading workers is counted separately.
"""

import argparse
import compileall
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from bench.papers import make_papers


@dataclass(frozen=True)
class BenchmarkCase:
    """A load: papers, requests in flight, the server's latency in seconds, and the greatest allowed ratio to bare."""

    papers: int
    concurrency: int
    latency: float
    max_ratio: float


CASES = (BenchmarkCase(400, 64, 1.0, 1.05), BenchmarkCase(2000, 256, 1.0, 1.10), BenchmarkCase(400, 64, 0.0, 1 / 0.7))


@dataclass(frozen=True)
class BenchmarkRun:
    """The active and the whole time of a run in seconds, and the CPU seconds and peak MB of the loop's process."""

    active: float
    whole: float
    cpu: float
    memory: float
    workers_cpu: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.batch")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--case", type=int, action="append", help="0, 1 or 2; may be repeated; all by default")
    options = parser.parse_args()
    # An installed program has its bytecode; a checkout may have none, and each process would compile the source again.
    compileall.compile_dir("planner", quiet=1)
    for number in options.case or range(len(CASES)):
        with tempfile.TemporaryDirectory() as folder:
            measure_case(CASES[number], options.pairs, Path(folder))


def measure_case(case: BenchmarkCase, pair_count: int, folder: Path) -> None:
    papers = make_papers(folder / "papers", case.papers)
    bare, batch = list[BenchmarkRun](), list[BenchmarkRun]()
    for number in range(pair_count):
        with serve_endpoint(case, folder / f"bare-journal{number}") as url:
            bare.append(run_bare_client(url, papers, folder / f"bare{number}", case))
        journal = folder / f"batch-journal{number}"
        with serve_endpoint(case, journal) as url:
            batch.append(run_batch(url, papers, folder / f"run{number}", case, journal))
    print_report(case, bare, batch)


def print_report(case: BenchmarkCase, bare: list[BenchmarkRun], batch: list[BenchmarkRun]) -> None:
    bound = math.ceil(case.papers / case.concurrency) * case.latency
    compared = "active" if case.latency else "whole"
    ratios = [getattr(b, compared) / getattr(a, compared) for a, b in zip(bare, batch, strict=True)]
    print(f"\nlatency {case.latency:g} s, {case.concurrency} at once, {case.papers} papers, bound {bound:g} s")
    for name, runs in (("bare", bare), ("batch", batch)):
        median = BenchmarkRun(*(statistics.median(values) for values in zip(*map(astuple, runs), strict=True)))
        times = f"{median.active / bound:.2f} x bound, " if bound else ""
        print(
            f"  {name:5} active {median.active:.2f} s, {times}in all {median.whole:.2f} s; loop's process "
            f"{1000 * median.cpu / case.papers:.1f} ms CPU a paper, {median.memory:.0f} MB; "
            f"workers {1000 * median.workers_cpu / case.papers:.1f} ms"
        )
    ratio = f"{statistics.median(ratios):.3f} (at most {case.max_ratio:.2f})"
    print(f"  batch / bare: {ratio}  {[round(ratio, 3) for ratio in ratios]}")


@contextlib.contextmanager
def serve_endpoint(case: BenchmarkCase, journal: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.server.provider", "--plain", "--latency", str(case.latency)]
    with subprocess.Popen([*command, "--journal", str(journal)], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdin
        assert server.stdout
        yield server.stdout.readline().strip()
        server.stdin.close()


def run_bare_client(url: str, papers: Path, out: Path, case: BenchmarkCase) -> BenchmarkRun:
    started = time.time()
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare", url, str(papers), str(out), str(case.concurrency)], stdout=-1, text=True
    )
    assert process.stdout
    times = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    active, whole = times["last"] - times["first"], time.time() - started
    return BenchmarkRun(active, whole, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run_batch(url: str, papers: Path, out: Path, case: BenchmarkCase, journal: Path) -> BenchmarkRun:
    command = [sys.executable, "-m", "planner", "batch", str(papers), "-o", str(out), "--model", "bench", "-q"]
    command += ["--base-url", url, "--no-stream", "--concurrency", str(case.concurrency)]
    started = time.time()
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        memory, cpu = watch_process(process.pid)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
        assert process.returncode == 0, process.stderr and process.stderr.read()
    whole = time.time() - started
    files = list((out / "trajectories").rglob("*.*"))
    assert len(files) == 2 * case.papers, len(files)
    first = json.loads(journal.read_text(encoding="utf-8").partition("\n")[0])["at"]
    last = max(file.stat().st_mtime for file in files)
    total_cpu = usage.ru_utime + usage.ru_stime
    return BenchmarkRun(last - first, whole, cpu, memory, total_cpu - cpu)


def watch_process(pid: int) -> tuple[float, float]:
    """Poll a process until it ends, and return its peak MB and CPU seconds, without its children."""
    memory = cpu = 0.0
    ticks = os.sysconf("SC_CLK_TCK")
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            return memory, cpu
        if "VmHWM" not in status:
            return memory, cpu
        memory = int(status.partition("VmHWM:")[2].split()[0]) / 1024
        cpu = (int(fields[11]) + int(fields[12])) / ticks
        time.sleep(0.05)


if __name__ == "__main__":
    main()
