"""Find the reasoning and the predictions in a reply, even if its tags are misspelt or missing."""

import re
from dataclasses import dataclass
from typing import Final

from planner.parsing.records import Block, read_block
from planner.parsing.remarks import Remarks

_THINK: Final = re.compile(r"<\s?think(?:ing)?\s?>", re.IGNORECASE)
_THINK_END: Final = re.compile(r"<\s?/\s?think(?:ing)?\s?>", re.IGNORECASE)
_PREDICTIONS: Final = re.compile(r"<\s?predictions\b[^<>]*>", re.IGNORECASE)
_PREDICTIONS_END: Final = re.compile(r"<\s?/\s?predictions\s?>", re.IGNORECASE)
_DISCUSSION: Final = re.compile(r"<\s?discussion\b[^<>]*>", re.IGNORECASE)
_DISCUSSION_LINE: Final = re.compile(r"^[^\S\n]*<\s?discussion\b[^<>]*>", re.IGNORECASE | re.MULTILINE)
_DISCUSSION_END: Final = re.compile(r"<\s?/\s?discussion\s?>", re.IGNORECASE)
_OPENING: Final = re.compile(r"<\s?(discussion|predictions)\b", re.IGNORECASE)
_BARE_JSON: Final = re.compile(
    r"""^[^\S\n]*(?:\(?\d{1,3}[.):][^\S\n]+|[-*][^\S\n]+)?(?=[\[{]\s*["'{\[])"""
    r"""|\[?(?=\{\s*["'](?:name|ablated_part)["']\s*:)""",  # after words in a line: no object may be passed over
    re.MULTILINE,
)
_FENCE_AT_END: Final = re.compile(r"```\w*\s*$")


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a reply: its answer, the reasoning in it, and the block that holds the plan (None if there is none).

    `unfinished` is true if the text ends inside a part that it opened.
    """

    answer: str
    reasoning: str
    block: Block | None
    unfinished: bool


def take_apart(text: str, said: Remarks) -> Parts:
    """Split a reply into its reasoning and its last block of predictions that is not empty."""
    thoughts, answer = _without_thoughts(text, said)
    tagged = _tagged_blocks(answer)
    blocks = [block for block in tagged if block.holds_something]
    if len(blocks) > 1:
        said.note(f"{len(blocks)} blocks of predictions were given, the last is read")
    block = blocks[-1] if blocks else _bare_block(answer, said)
    if block is None:
        _say_why_none(tagged, said)
        return Parts(answer, "", None, unfinished=_ends_inside(text))
    if blocks:
        _compare_tags(answer[block.start : block.end], block.closed, said)
    before, after = _since_draft(answer[: block.start], blocks), answer[block.end :]
    reasoning = _discussion(before, after, said) or block.reasoning or _prose(before, said) or _thoughts(thoughts, said)
    return Parts(answer, reasoning, block, unfinished=block.cut)


def _since_draft(before: str, blocks: list[Block]) -> str:
    """Drop the text up to the block before the last one, unless that block is quoted inside a discussion."""
    since = before[blocks[-2].end :] if len(blocks) > 1 else before
    quoted = _DISCUSSION_END.search(since) and not _DISCUSSION.search(since)
    return before if quoted else since


def _without_thoughts(text: str, said: Remarks) -> tuple[str, str]:
    """Split a reply into the thoughts that a model wrote before its answer, and the answer."""
    opening = _THINK.match(text, len(text) - len(text.lstrip()))
    start = opening.end() if opening else 0
    end = _THINK_END.search(text, start)
    if end is None or not _answers(text[start : end.start()], text[end.end() :], opened=opening is not None):
        if opening:
            said.note("the answer stood inside the model's thoughts")
        return "", text[start:]
    said.note("the model's thoughts before the answer were left out")
    return text[start : end.start()].strip(), text[end.end() :]


def _answers(thoughts: str, rest: str, opened: bool) -> bool:
    """Tell if the answer is in `rest`: a `</think>` that the answer itself mentions does not end any thoughts."""
    if opened:
        return bool(rest.strip())
    return _tags_opened(thoughts) <= _tags_opened(rest) and "{" in rest


def _tags_opened(text: str) -> set[str]:
    return {match[1].lower() for match in _OPENING.finditer(text)}


def _tagged_blocks(text: str) -> list[Block]:
    """Read a block after each opening tag. A tag inside an object of an earlier block is a value and is skipped."""
    blocks: list[Block] = []
    at = 0
    while tag := _PREDICTIONS.search(text, at):
        block = read_block(text, tag.start(), tag.end())
        blocks.append(block)
        at = max(block.end, tag.end())
    return blocks


def _bare_block(text: str, said: Remarks) -> Block | None:
    """Read a block from the first JSON object that stands in the text without tags."""
    first = _BARE_JSON.search(text)
    if first is None:
        return None
    block = read_block(text, first.start(), first.start())
    said.note("the predictions stood outside <predictions> tags")
    return block if block.holds_something else None


def _say_why_none(tagged: list[Block], said: Remarks) -> None:
    for finding in tagged[-1].findings if tagged else ():
        said.find(finding)
    if not said.findings:
        said.find("the predictions hold no JSON object" if tagged else "there is no <predictions> block")


def _compare_tags(block: str, closed: bool, said: Remarks) -> None:
    if not closed:
        said.note("the closing tag of the predictions was missing")
    if not block.startswith("<predictions>") or not block.endswith("</predictions>" if closed else ""):
        said.note("the tags of the predictions were written otherwise")


def _ends_inside(text: str) -> bool:
    pairs = ((_THINK, _THINK_END), (_DISCUSSION, _DISCUSSION_END), (_PREDICTIONS, _PREDICTIONS_END))
    return any(opening.search(text) and not closing.search(text) for opening, closing in pairs)


def _discussion(before: str, after: str, said: Remarks) -> str:
    """Return the text of the discussion, which stands before the predictions or, rarely, after them."""
    if found := _between_tags(before, said):
        return found
    if _DISCUSSION.search(after) and (found := _between_tags(after, said)):
        said.note("the discussion stood after the predictions")
        return found
    return ""


def _between_tags(text: str, said: Remarks) -> str:
    opening = _DISCUSSION_LINE.search(text) or _DISCUSSION.search(text)
    start = opening.end() if opening else 0
    closings = list(_DISCUSSION_END.finditer(text, start))
    if not opening and not closings:
        return ""
    if not opening or not closings:
        said.note("a tag of the discussion was missing")
    if (opening and text[: opening.start()].strip()) or (closings and text[closings[-1].end() :].strip()):
        said.note("text outside the tags was left out")
    return text[start : closings[-1].start() if closings else len(text)].strip()


def _prose(before: str, said: Remarks) -> str:
    """Return the text before the predictions, which serves as the reasoning if there is no discussion."""
    for tag in (_DISCUSSION, _DISCUSSION_END, _FENCE_AT_END):
        before = tag.sub("", before)
    if prose := before.strip():
        said.note("there was no discussion; the text before the predictions is the reasoning")
    return prose


def _thoughts(thoughts: str, said: Remarks) -> str:
    if thoughts:
        said.note("there was no discussion; the model's thoughts are the reasoning")
    return thoughts
