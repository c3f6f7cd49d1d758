"""Detect endpoints that truncate a prompt to their window without an error (Ollama's window is 4,096 tokens)."""

from typing import Final

from planner.chat import Prompt, Usage

_SHORT: Final = 500  # tokens; no endpoint truncates a shorter prompt


def cut_notes(prompt: Prompt, usage: Usage) -> tuple[str, ...]:
    """Return a warning if the endpoint counted fewer tokens than were sent, else nothing."""
    if usage.prompt_tokens is None:
        return ()
    least, counted = prompt.fewest_tokens, usage.prompt_tokens
    if least < _SHORT:
        return ()
    if usage.cached_tokens is not None and usage.cached_tokens > counted:  # some gateways count them separately
        counted += usage.cached_tokens
    if counted >= least:
        return ()
    return (f"the endpoint counted {counted} tokens where at least {least} were sent: it may have cut the prompt",)
