"""Whether an endpoint saw all of a prompt: some cut it to their window without a word (Ollama's is 4,096 tokens)."""

from typing import Final

from planner.chat import Prompt, Usage

_SHORT: Final = 500  # tokens of a prompt that no window cuts
# Each byte of UTF-8 as what it is for the count: a blank, the first of a character of a script that is written without
# spaces (from U+3000 on), or any other. A loop over the characters of a paper takes twenty times as long.
_SHAPE: Final = bytes(ord(" ") if byte in b" \t\n\r\v\f" else ord("w" if byte >= 0xE3 else "x") for byte in range(256))


def fewest_tokens(prompt: Prompt) -> int:
    """A lower bound of the tokens in a prompt.

    Tokenizers split at spaces first, so no token spans two words; English papers have 1.3 tokens a word or more.
    Where words are not spaced, one token in two characters is as safe.
    """
    texts = (f" {message.content}".encode("utf-8", "surrogatepass") for message in prompt.messages)
    shapes = [text.translate(_SHAPE) for text in texts]
    words = sum(shape.count(b" x") + shape.count(b" w") for shape in shapes)
    return words + sum(shape.count(b"w") for shape in shapes) // 2


def cut_notes(prompt: Prompt, usage: Usage) -> tuple[str, ...]:
    """A warning when the endpoint counted fewer tokens than were sent."""
    if usage.prompt_tokens is None:
        return ()
    least, counted = fewest_tokens(prompt), usage.prompt_tokens
    if least < _SHORT:
        return ()
    if usage.cached_tokens is not None and usage.cached_tokens > counted:  # counted apart by some gateways
        counted += usage.cached_tokens
    if counted >= least:
        return ()
    return (f"the endpoint counted {counted} tokens where at least {least} were sent: it may have cut the prompt",)
