"""Whether an endpoint saw all of a prompt: some cut it to their window without a word (Ollama's is 4,096 tokens)."""

from typing import Final

from planner.chat import Prompt, Usage

_SHORT: Final = 500  # tokens of a prompt that no window cuts


def cut_notes(prompt: Prompt, usage: Usage) -> tuple[str, ...]:
    """A warning when the endpoint counted fewer tokens than were sent."""
    if usage.prompt_tokens is None:
        return ()
    least, counted = prompt.fewest_tokens, usage.prompt_tokens
    if least < _SHORT:
        return ()
    if usage.cached_tokens is not None and usage.cached_tokens > counted:  # counted apart by some gateways
        counted += usage.cached_tokens
    if counted >= least:
        return ()
    return (f"the endpoint counted {counted} tokens where at least {least} were sent: it may have cut the prompt",)
