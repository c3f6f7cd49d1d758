"""Measure the limits of a run on several machines: `python -m bench.cluster`.

It measures the papers a second that 1 and 2 Ray workers read (PDFs of PLANNER_SHARED, the better of two turns), the
ledger's writes a second with both journals, and the papers a second that the driver of `--engine ray` can handle, from
its own CPU time at an endpoint that answers at once. The printed load shows what else the machine was doing.
"""

import argparse
import asyncio
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from bench.batch import BenchmarkCase, serve_endpoint, watch_process
from bench.papers import make_papers
from planner.batch.cluster.ray import WorkerConfig, open_ray_pool
from planner.batch.ledger.store import Ledger, LedgerModel
from planner.batch.manifest import CorpusEntry, PlanTask
from planner.chat import Completion, Message, ModelInfo, Prompt, Usage
from planner.papers.arxiv import ArxivClient
from planner.planning.record import create_attempt_record
from planner.reading.request import ReadRequest
from planner.schema import Task

SHARED = Path(os.environ.get("PLANNER_SHARED", "../shared"))
BENCH_MODEL = ModelInfo("lm-planner", "bench", "bench")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("--pdfs", type=int, default=60, help="papers read for each number of workers")
    parser.add_argument("--writes", type=int, default=5000, help="replies committed for each journal")
    parser.add_argument("--papers", type=int, default=400, help="papers of 80 KB planned by the driver")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        for name, shared_disk in (("write-ahead log", False), ("plain journal, as in shards", True)):
            asyncio.run(measure_ledger(name, Path(folder) / f"{shared_disk}", options.writes, shared_disk))
        if importlib.util.find_spec("ray") is None:
            print("Ray is not installed: reading by its workers and its driver are not measured")
            return
        measure_reading(options.pdfs)
        measure_driver(options.papers, Path(folder))


async def measure_ledger(name: str, path: Path, count: int, shared_disk: bool) -> None:
    """Print the rate of recording and committing `count` requests, 64 at once, with durable replies of 8 KB."""
    entry = CorpusEntry("p", "p", "p", "file")
    plan_task, reply = PlanTask(entry, "lm-planner/bench"), Completion("word " * 1600, usage=Usage(20_000, 2_000))
    async with Ledger(path, shared_disk=shared_disk) as ledger:
        await ledger.begin_command(Task.REVIEWER, [entry], [LedgerModel(BENCH_MODEL, "x")])

        async def ask(numbers: range) -> None:
            for number in numbers:
                prompt = Prompt.from_messages([Message("user", str(number))], "t")
                identity = BENCH_MODEL.identify_request(prompt)
                attempt = await ledger.record_request(plan_task, create_attempt_record(identity, prompt), None)
                await ledger.record_reply(attempt, identity, reply, None, None)

        started = time.perf_counter()
        await asyncio.gather(*(ask(range(first, count, 64)) for first in range(64)))
        seconds = time.perf_counter() - started
    print(f"ledger, {name}: {2 * count / seconds:,.0f} durable writes/s, {count / seconds:,.0f} requests/s")


def measure_reading(count: int) -> None:
    """Print the rate of reading PDFs with one worker and with two, each on its own node."""
    from ray.cluster_utils import Cluster

    pdfs = sorted(SHARED.rglob("*.pdf"))
    if not pdfs:
        print(f"no PDFs at {SHARED} (PLANNER_SHARED): reading by Ray workers is not measured")
        return
    entries = [CorpusEntry(f"p{n}", str(pdf.resolve()), "", "PDF") for n, pdf in enumerate(islice(cycle(pdfs), count))]
    rates: dict[int, list[float]] = {1: [], 2: []}
    for node_count in (1, 2, 1, 2):
        node_options = {"num_cpus": 1, "object_store_memory": 100_000_000}
        cluster = Cluster(initialize_head=True, head_node_args={**node_options, "include_dashboard": False})
        for _ in range(node_count - 1):
            cluster.add_node(**node_options)
        try:
            rates[node_count].append(asyncio.run(measure_read_rate(entries, cluster.address, node_count)))
        finally:
            cluster.shutdown()
    rate_1, rate_2 = max(rates[1]), max(rates[2])
    ratio, load = rate_2 / rate_1, os.getloadavg()[0]
    print(f"Ray: {rate_1:.1f} PDFs/s read by 1 worker, {rate_2:.1f} by 2 ({ratio:.2f} x); load {load:.1f}")


async def measure_read_rate(entries: list[CorpusEntry], address: str, workers: int) -> float:
    async with open_ray_pool(WorkerConfig({}, ArxivClient(offline=True), str(Path.cwd())), address) as pool:
        while len(pool) < workers:
            await asyncio.sleep(0.1)
        requests = [ReadRequest(entry.source, paper_id=entry.id) for entry in entries]
        # A worker's first paper starts its process, so it is not timed.
        await asyncio.gather(*map(pool.read_paper_with_prompts, requests[: 2 * workers]), return_exceptions=True)
        started = time.perf_counter()
        papers = await asyncio.gather(*map(pool.read_paper_with_prompts, requests), return_exceptions=True)
        seconds = time.perf_counter() - started
    failed = [paper for paper in papers if isinstance(paper, BaseException)]
    if failed:
        print(f"{len(failed)} could not be read, such as: {failed[0]}")
    return len(papers) / seconds


def measure_driver(count: int, folder: Path) -> None:
    """Print the driver's CPU time for a paper of 80 KB; a smaller run is subtracted, so the start does not count."""
    small_run_cpu, _, _ = run_driver(count // 4, folder / "small")
    cpu, seconds, memory = run_driver(count, folder / "whole")
    paper_cpu = (cpu - small_run_cpu) / (count - count // 4)
    print(
        f"Ray driver: {1000 * paper_cpu:.1f} ms CPU a paper after its start, so at most {1 / paper_cpu:,.0f} papers/s; "
        f"{count / seconds:.0f} papers/s in all here, where workers and endpoint share the CPUs; {memory:.0f} MB"
    )


def run_driver(count: int, folder: Path) -> tuple[float, float, float]:
    """Run the driver; return its CPU seconds, the run's seconds, and its peak MB."""
    papers = make_papers(folder / "papers", count)
    with serve_endpoint(BenchmarkCase(count, 64, 0.0, 0.0), folder / "journal") as url:
        command = [sys.executable, "-m", "planner", "batch", str(papers), "-o", str(folder / "run"), "--model", "bench"]
        command += ["--base-url", url, "--no-stream", "--concurrency", "64", "-q", "--engine", "ray"]
        started = time.perf_counter()
        with subprocess.Popen(command) as process:
            memory, cpu = watch_process(process.pid)
        assert process.returncode == 0
        return cpu, time.perf_counter() - started, memory


if __name__ == "__main__":
    main()
