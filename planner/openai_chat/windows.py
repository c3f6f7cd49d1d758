"""Whether an endpoint saw all of a prompt: some cut it to their window without a word (Ollama's is 4,096 tokens)."""

from typing import Final

from planner.chat import Prompt, Usage

_SHORT: Final = 500  # tokens of a prompt that no window cuts
_WIDE: Final = "\u2e80"  # from here on come the scripts that are written without spaces


def fewest_tokens(prompt: Prompt) -> int:
    """A lower bound of the tokens in a prompt.

    Tokenizers split at spaces first, so no token spans two words; English papers have 1.3 tokens a word or more.
    Where words are not spaced, one token in two characters is as safe.
    """
    texts = [message.content for message in prompt.messages]
    words = sum(len(text.split()) for text in texts)
    wide = sum(character >= _WIDE for text in texts if not text.isascii() for character in text)
    return words + wide // 2


def cut_notes(prompt: Prompt, usage: Usage) -> tuple[str, ...]:
    """A warning when the endpoint counted fewer tokens than were sent."""
    least = fewest_tokens(prompt)
    if usage.prompt_tokens is None or least < _SHORT:
        return ()
    counted = usage.prompt_tokens
    if usage.cached_tokens is not None and usage.cached_tokens > counted:  # counted apart by some gateways
        counted += usage.cached_tokens
    if counted >= least:
        return ()
    return (f"the endpoint counted {counted} tokens where at least {least} were sent: it may have cut the prompt",)
