"""The progress of a run in words."""

from planner.batch.progress import Progress


def in_words(progress: Progress) -> str:
    """Return the progress of a run as one line."""
    papers, tokens = progress.per_minute()
    parts = [f"{progress.done:,} planned, {progress.failed:,} failed, {progress.left:,} left"]
    parts.append(f"{progress.in_flight} in flight, {progress.waiting} waiting")
    parts.append(f"{papers:.0f} papers/min, {tokens:,.0f} tokens/min, {cost(progress)}")
    if progress.seconds_left is not None and progress.left:
        parts.append(f"{duration(progress.seconds_left)} to go")
    if wait := pause(progress):
        parts.append(wait)
    if progress.batches:
        parts.append(batches(progress))
    return "; ".join(parts)


def duration(seconds: float) -> str:
    """Return a length of time in words: 40 s, 12 min, 3 h 05 min."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def cost(progress: Progress) -> str:
    """Return the cost so far, and the expected total if it is known."""
    if progress.cost is None:
        return "$? (no price is known; --price IN,OUT sets one)"
    expected = progress.expected_cost
    return f"${progress.cost:.2f}" + (f" of about ${expected:.2f}" if expected and progress.left else "")


def pause(progress: Progress) -> str:
    """Return the rest of the wait that the endpoint asked for, "" if there is none."""
    seconds = max((limits.paused_for for limits in progress.limits), default=0.0)
    return f"the endpoint asked to wait: {duration(seconds)} more" if seconds else ""


def batches(progress: Progress) -> str:
    """Return the number of requests at the batch service by state, "" if there are none."""
    states = ", ".join(f"{count:,} {state.replace('_', ' ')}" for state, count in sorted(progress.batches.items()))
    return f"at the batch service: {states}" if states else ""


def stopping(progress: Progress) -> str:
    """Return the reason why no more papers are begun, "" while they are."""
    return f"stopping: {progress.stopping}; requests in flight are finished" if progress.stopping else ""
