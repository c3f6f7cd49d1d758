"""`python -m tests.fuzz`: make inputs, check them, and count what came of them."""

import argparse
import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory, mkdtemp
from types import FrameType

from tests.fuzz.context import Context, Input, Kind, has_key
from tests.fuzz.kinds import KINDS

MAX_WAIT = 90.0  # seconds for one input, on a machine that is busy with other work
MAX_GROWTH = 500_000  # kilobytes of memory that one input may add to the most that the process ever had
MAX_ADDRESSES = 8_000_000_000  # bytes of addresses of this process, so that no input takes the whole machine
MEMORY_DISK = Path("/dev/shm")
MAX_SHOWN_CHARS = 1000  # characters of a failure that are shown


class SlowError(BaseException):
    """An input took more time than its kind may; no `except` of the program can catch it."""


@dataclass(slots=True)
class Result:
    """The results of the inputs of one kind: outcomes with their counts, CPU seconds in all and at most, failures."""

    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    slowest: float = 0.0
    slowest_number: int = 0
    failures: int = 0


def main(arguments: Sequence[str] | None = None, kinds: Sequence[Kind] = KINDS) -> int:
    """Run the command; the exit code is 1 if any input failed."""
    options = _parse_options(arguments, kinds)
    chosen = [kind for kind in kinds if not options.only or kind.name in options.only]
    options.folder = options.folder or Path(mkdtemp(prefix="ablation-planner-fuzz-"))
    options.folder.mkdir(parents=True, exist_ok=True)
    results = {kind.name: Result() for kind in chosen}
    started = time.monotonic()
    memory_disk = (
        MEMORY_DISK if MEMORY_DISK.is_dir() else None
    )  # files are synchronised, which takes ten times the rest
    try:
        with TemporaryDirectory(dir=memory_disk) as work, Context(Path(work)) as context, _limit_memory():
            if options.file or options.number is not None:
                for kind in chosen:
                    _try_input(kind, options, options.number or 0, context, results[kind.name])
            else:
                _run_for(options, chosen, context, results, started + options.seconds)
    finally:
        _print_results(results, options.seed, time.monotonic() - started)
    return int(any(result.failures for result in results.values()))


def _parse_options(arguments: Sequence[str] | None, kinds: Sequence[Kind]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=sys.modules["tests.fuzz"].__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="time to run, shared by the kinds")
    parser.add_argument("--count", type=int, help="inputs of each kind at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", choices=[kind.name for kind in kinds], help="kinds to run")
    parser.add_argument("--number", type=int, help="the number of one input to make again")
    parser.add_argument("--file", type=Path, help="an input to check in place of one that is made")
    parser.add_argument("--folder", type=Path, help="where inputs that failed are left")
    return parser.parse_args(arguments)


def _run_for(
    options: argparse.Namespace, kinds: list[Kind], context: Context, results: dict[str, Result], end: float
) -> None:
    """Try inputs until the time is over, always one of the kind that has had the least of it."""
    left = {kind.name: kind for kind in kinds}
    while left and time.monotonic() < end:
        kind = min(left.values(), key=lambda kind: results[kind.name].seconds)
        result = results[kind.name]
        number = result.outcomes.total()
        if number == options.count:
            del left[kind.name]
            continue
        _try_input(kind, options, number, context, result)


def _try_input(kind: Kind, options: argparse.Namespace, number: int, context: Context, result: Result) -> None:
    context.clear()
    given = (
        Input(options.file.read_bytes()) if options.file else kind.make(Random(f"{options.seed}:{kind.name}:{number}"))
    )
    path: Path = options.folder / f"{kind.name}-{options.seed}-{number}"
    path.write_bytes(given.data)  # before it is checked, since a crash would leave nothing
    begun = time.monotonic()
    outcome, problem, used = _check_input(kind, given, context)
    result.outcomes[outcome] += 1
    result.seconds += time.monotonic() - begun
    if used > result.slowest:
        result.slowest, result.slowest_number = used, number
    if not problem:
        path.unlink()
        return
    result.failures += 1
    again = f"--only {kind.name} --seed {options.seed} --number {number}"
    sys.stdout.write(f"FAILED {again}\n  {path}\n  {problem}\n")
    sys.stdout.flush()


def _check_input(kind: Kind, given: Input, context: Context) -> tuple[str, str, float]:
    """Return the outcome of an input, the problem with it or "", and the CPU seconds that it took."""
    memory, cpu = context.most_memory or _read_most_memory(), time.process_time()
    problem = ""
    try:
        with _limit_time(kind.cpu_seconds):
            outcome = kind.check(given, context)
    except SlowError as error:
        problem = f"took over {kind.cpu_seconds:g} s of CPU, or {MAX_WAIT:g} s in all: {_describe(error)}"
    except Exception as error:  # noqa: BLE001 - whatever the program raises is the finding
        problem = _describe(error)
    used = time.process_time() - cpu
    if not problem and any(map(has_key, context.list_texts())):
        problem = "the key is in a file or in the log"
    context.most_memory = _read_most_memory()  # read once an input, since it takes a millisecond
    if not problem and context.most_memory - memory > MAX_GROWTH:
        problem = f"took over {MAX_GROWTH / 1e6:g} GB of memory"
    return "failed" if problem else outcome, problem, used


def _describe(error: BaseException) -> str:
    """Return the error with the last lines of the program that led to it."""
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "tests/fuzz/__main__" not in frame.filename
    ]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames[-6:]))
    return (
        f"{type(error).__name__}: {error}"[:MAX_SHOWN_CHARS].encode("ascii", "backslashreplace").decode()
        + f" [{places}]"
    )


@contextmanager
def _limit_time(cpu_seconds: float) -> Iterator[None]:
    """Raise `SlowError` within the block after so much CPU time, or if it waits for longer than any input may."""

    def stop(_: int, __: FrameType | None) -> None:
        raise SlowError

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, cpu_seconds), (signal.SIGALRM, signal.ITIMER_REAL, MAX_WAIT))
    before = [signal.signal(sign, stop) for sign, _, _ in timers]
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds, seconds)  # again and again: Python drops an exception in a finaliser
    try:
        yield
    finally:
        for (sign, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(sign, handler)


@contextmanager
def _limit_memory() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_ADDRESSES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _read_most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _print_results(results: dict[str, Result], seed: int, seconds: float) -> None:
    count = sum(result.outcomes.total() for result in results.values())
    for name, result in results.items():
        total = result.outcomes.total()
        outcomes = ", ".join(f"{outcome} {number}" for outcome, number in result.outcomes.most_common())
        rate = total / result.seconds if result.seconds else 0.0
        slowest = f"slowest {result.slowest:.2f} s (number {result.slowest_number})"
        sys.stdout.write(f"{name:>10} {total:7} inputs, {rate:6.0f}/s, {slowest}: {outcomes}\n")
    failures = sum(result.failures for result in results.values())
    sys.stdout.write(f"{count} inputs in {seconds:.0f} s with seed {seed}, {failures} failed\n")


if __name__ == "__main__":
    raise SystemExit(main())
