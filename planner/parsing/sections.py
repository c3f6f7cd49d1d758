"""Find the reasoning and the predictions in a reply, even if its tags are misspelt or missing."""

import re
from dataclasses import dataclass
from typing import Final

from planner.parsing.records import ParseLog, PredictionsBlock, read_predictions

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
class ReplyParts:
    """The parts of a reply: its answer, the reasoning in it, and the block that holds the plan (None if there is none).

    `unfinished` is true if the text ends inside a part that it opened.
    """

    answer: str
    reasoning: str
    block: PredictionsBlock | None
    unfinished: bool


def split_reply(text: str, log: ParseLog) -> ReplyParts:
    """Split a reply into its reasoning and its last block of predictions that is not empty."""
    thoughts, answer = _split_thoughts(text, log)
    tagged = _read_tagged_blocks(answer)
    blocks = [block for block in tagged if block.has_content]
    if len(blocks) > 1:
        log.add_note(f"{len(blocks)} blocks of predictions were given, the last is read")
    block = blocks[-1] if blocks else _read_untagged_block(answer, log)
    if block is None:
        _explain_missing_block(tagged, log)
        return ReplyParts(answer, "", None, unfinished=_has_unclosed_tag(text))
    if blocks:
        _note_tag_errors(answer[block.start : block.end], block.has_closing_tag, log)
    before, after = _drop_draft(answer[: block.start], blocks), answer[block.end :]
    reasoning = (
        _find_discussion(before, after, log)
        or block.reasoning
        or _find_prose(before, log)
        or _use_thoughts(thoughts, log)
    )
    return ReplyParts(answer, reasoning, block, unfinished=block.unfinished)


def _drop_draft(before: str, blocks: list[PredictionsBlock]) -> str:
    """Drop the text up to the block before the last one, unless that block is quoted inside a discussion."""
    rest = before[blocks[-2].end :] if len(blocks) > 1 else before
    is_quoted = _DISCUSSION_END.search(rest) and not _DISCUSSION.search(rest)
    return before if is_quoted else rest


def _split_thoughts(text: str, log: ParseLog) -> tuple[str, str]:
    """Split a reply into the thoughts that a model wrote before its answer, and the answer."""
    opening = _THINK.match(text, len(text) - len(text.lstrip()))
    start = opening.end() if opening else 0
    end = _THINK_END.search(text, start)
    if end is None or not _has_answer(
        text[start : end.start()], text[end.end() :], has_opening_tag=opening is not None
    ):
        if opening:
            log.add_note("the answer stood inside the model's thoughts")
        return "", text[start:]
    log.add_note("the model's thoughts before the answer were left out")
    return text[start : end.start()].strip(), text[end.end() :]


def _has_answer(thoughts: str, rest: str, has_opening_tag: bool) -> bool:
    """Return whether `rest` holds the answer: a `</think>` that the answer itself mentions ends no thoughts."""
    if has_opening_tag:
        return bool(rest.strip())
    return _list_opening_tags(thoughts) <= _list_opening_tags(rest) and "{" in rest


def _list_opening_tags(text: str) -> set[str]:
    return {match[1].lower() for match in _OPENING.finditer(text)}


def _read_tagged_blocks(text: str) -> list[PredictionsBlock]:
    """Read a block after each opening tag. A tag inside an object of an earlier block is a value and is skipped."""
    blocks: list[PredictionsBlock] = []
    offset = 0
    while tag := _PREDICTIONS.search(text, offset):
        block = read_predictions(text, tag.start(), tag.end())
        blocks.append(block)
        offset = max(block.end, tag.end())
    return blocks


def _read_untagged_block(text: str, log: ParseLog) -> PredictionsBlock | None:
    """Read a block from the first JSON object that stands in the text without tags."""
    first = _BARE_JSON.search(text)
    if first is None:
        return None
    block = read_predictions(text, first.start(), first.start())
    log.add_note("the predictions stood outside <predictions> tags")
    return block if block.has_content else None


def _explain_missing_block(blocks: list[PredictionsBlock], log: ParseLog) -> None:
    for finding in blocks[-1].findings if blocks else ():
        log.add_finding(finding)
    if not log.findings:
        log.add_finding("the predictions hold no JSON object" if blocks else "there is no <predictions> block")


def _note_tag_errors(block: str, has_closing_tag: bool, log: ParseLog) -> None:
    if not has_closing_tag:
        log.add_note("the closing tag of the predictions was missing")
    if not block.startswith("<predictions>") or not block.endswith("</predictions>" if has_closing_tag else ""):
        log.add_note("the tags of the predictions were written otherwise")


def _has_unclosed_tag(text: str) -> bool:
    pairs = ((_THINK, _THINK_END), (_DISCUSSION, _DISCUSSION_END), (_PREDICTIONS, _PREDICTIONS_END))
    return any(opening.search(text) and not closing.search(text) for opening, closing in pairs)


def _find_discussion(before: str, after: str, log: ParseLog) -> str:
    """Return the text of the discussion, which stands before the predictions or, rarely, after them."""
    if discussion := _read_discussion(before, log):
        return discussion
    if _DISCUSSION.search(after) and (discussion := _read_discussion(after, log)):
        log.add_note("the discussion stood after the predictions")
        return discussion
    return ""


def _read_discussion(text: str, log: ParseLog) -> str:
    opening = _DISCUSSION_LINE.search(text) or _DISCUSSION.search(text)
    start = opening.end() if opening else 0
    closings = list(_DISCUSSION_END.finditer(text, start))
    if not opening and not closings:
        return ""
    if not opening or not closings:
        log.add_note("a tag of the discussion was missing")
    if (opening and text[: opening.start()].strip()) or (closings and text[closings[-1].end() :].strip()):
        log.add_note("text outside the tags was left out")
    return text[start : closings[-1].start() if closings else len(text)].strip()


def _find_prose(before: str, log: ParseLog) -> str:
    """Return the text before the predictions, which serves as the reasoning if there is no discussion."""
    for tag in (_DISCUSSION, _DISCUSSION_END, _FENCE_AT_END):
        before = tag.sub("", before)
    if prose := before.strip():
        log.add_note("there was no discussion; the text before the predictions is the reasoning")
    return prose


def _use_thoughts(thoughts: str, log: ParseLog) -> str:
    if thoughts:
        log.add_note("there was no discussion; the model's thoughts are the reasoning")
    return thoughts
