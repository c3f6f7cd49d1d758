"""Find the reasoning and the predictions in a reply, even if its tags are misspelt or missing."""

import re
from dataclasses import dataclass, replace
from typing import Final

from planner.parsing.json_objects import LimitedJsonRepairer
from planner.parsing.predictions import DISCUSSION_START, ParseLog, PlanBlock, read_plan_block
from planner.parsing.wrappers import Answer, split_thoughts

_PREDICTIONS: Final = re.compile(r"<\s?predictions\b[^<>]*>", re.IGNORECASE)
_PREDICTIONS_END: Final = re.compile(r"<\s?/\s?predictions\s?>", re.IGNORECASE)
_DISCUSSION_LINE: Final = re.compile(r"^[^\S\n]*<\s?discussion\b[^<>]*>", re.IGNORECASE | re.MULTILINE)
_DISCUSSION_END: Final = re.compile(r"<\s?/\s?discussion\s?>", re.IGNORECASE)
_REPORTED: Final = re.compile(r"^[^\S\n]*<\s?reported\s?>", re.IGNORECASE | re.MULTILINE)
_REPORTED_END: Final = re.compile(r"<\s?/\s?reported\s?>|(?=^[^\S\n]*<\s?predictions\b)", re.IGNORECASE | re.MULTILINE)
_CLOSING: Final = re.compile(r"<\s?/\s?(?:discussion|predictions)\s?>", re.IGNORECASE)
_BARE_JSON: Final = re.compile(
    r"""^[^\S\n]*(?P<token>[<\[]\|?\w[\w :]{0,30}\|?[>\]][^\S\n]*)?"""
    r"""(?:\(?\d{1,3}[.):][^\S\n]+|[-*][^\S\n]+)?(?=[\[{]\s*["'{\[])"""
    r"""|\[?(?=\{\s*["'](?:name|ablated_part)["']\s*:)""",  # after words in a line, so that no object is skipped
    re.MULTILINE,
)
_OPENER_AT_END: Final = re.compile(r"(?:```\w*|[<\[]\|?\w[\w :]{0,30}\|?[>\]])\s*$")


@dataclass(frozen=True, slots=True)
class ReplyParts:
    """The parts of a model's reply; `plan_block` holds the plan, and is None if there is none.

    `is_unfinished` is true if the text ends too early: inside the plan, or before a tag such as <discussion> is closed.
    `is_untagged` is true if the plan has no tags around it. `reported_text` is the content of the <reported> block: the
    studies in the paper.
    """

    answer: str
    reasoning: str
    plan_block: PlanBlock | None
    is_unfinished: bool
    is_untagged: bool = False
    reported_text: str = ""


def find_reply_parts(text: str, log: ParseLog) -> ReplyParts:
    """Find the reasoning and the last block of predictions in a reply; log errors in its layout."""
    answer = split_thoughts(text)
    reported = ""
    if log.reads_details:
        rest, reported = _take_reported_block(answer.text)
        answer = replace(answer, text=rest)
    if answer.is_in_thoughts:
        log.add_repair("the answer was inside the model's thoughts")
    elif answer.thoughts:
        log.add_repair("the model's thoughts before the answer were left out")
    repairer = LimitedJsonRepairer()
    tagged = _read_tagged_blocks(answer.text, repairer)
    chosen = _choose_block(tagged, log)
    block = chosen or _read_untagged_block(answer.text, log, repairer) or next(reversed(tagged), None)
    if block:
        log.lines_before = _count_lines_before(text, answer.text, block)
    if block is None or not block.has_content:
        _explain_missing_block(block, log)
        is_unfinished = answer.has_open_thoughts or _has_unclosed_tag(answer.text)
        return ReplyParts(answer.text, "", None, is_unfinished)
    if answer.is_in_thoughts and not _is_last(block, answer):
        log.add_invalidating_fault("the reply ends with its thoughts, and the predictions in them are a draft")
        return ReplyParts(answer.text, "", None, is_unfinished=answer.has_open_thoughts)
    if chosen:
        _note_tag_errors(answer.text[block.start : block.end], block.has_closing_tag, log)
    before, after = _select_before(answer.text, block, tagged), answer.text[block.end :]
    reasoning = _find_discussion(before, after, log) or block.reasoning or _find_prose(before, log)
    if answer.thoughts and not reasoning:
        log.add_repair("there was no discussion; the model's thoughts were used instead")
        reasoning = answer.thoughts
    return ReplyParts(answer.text, reasoning, block, block.is_unfinished, chosen is None, reported)


def _count_lines_before(reply: str, answer: str, block: PlanBlock) -> int | None:
    """Return the number of lines in `reply` before line 1 of `block`, None if the block is not found."""
    start = reply.rfind(answer[block.start : block.end])
    lines_in_block = answer.count("\n", block.start, block.first_line_start)
    return None if start < 0 else reply.count("\n", 0, start) + lines_in_block


def _take_reported_block(text: str) -> tuple[str, str]:
    """Return (text without the last <reported> block, content of this block or "")."""
    start = next(reversed(list(_REPORTED.finditer(text))), None)
    end = _REPORTED_END.search(text, start.end()) if start else None
    if start is None or end is None:
        return text, ""
    return text[: start.start()] + text[end.end() :], text[start.end() : end.start()]


def _choose_block(tagged: list[PlanBlock], log: ParseLog) -> PlanBlock | None:
    """Return the last block with a plan, else the last block with content, else None."""
    filled = [block for block in tagged if block.has_content]
    plans = [block for block in filled if not block.is_mention] or filled
    if len(plans) > 1:
        log.add_repair(f"{len(plans)} blocks of predictions were given; only the last is read")
    return plans[-1] if plans else None


def _is_last(block: PlanBlock, answer: Answer) -> bool:
    """Return whether a block in the model's thoughts is their result: at most a discussion follows the block."""
    rest = answer.text[block.end if block.has_closing_tag else block.plan_end :].lstrip()
    if DISCUSSION_START.match(rest) and (end := _DISCUSSION_END.search(rest)):
        rest = rest[end.end() :]
    return (block.has_closing_tag or not answer.has_open_thoughts) and not any(map(str.isalnum, rest))


def _select_before(text: str, block: PlanBlock, tagged: list[PlanBlock]) -> str:
    """Return the text before `block`; if an earlier draft of the plan is in this text, begin after the draft."""
    earlier = [other.end for other in tagged if other.end <= block.start and not other.is_mention]
    start = earlier[-1] if earlier else 0
    rest = text[start : block.start]
    if start and _DISCUSSION_END.search(rest) and not DISCUSSION_START.search(rest):  # the discussion quotes the tags
        return text[: block.start]
    if not tagged and block.draft_end < block.plan_start:
        return text[block.draft_end : block.plan_start].strip() or rest
    return rest


def _read_tagged_blocks(text: str, repairer: LimitedJsonRepairer) -> list[PlanBlock]:
    """Read the block after each opening tag; skip a tag inside an object of an earlier block."""
    blocks: list[PlanBlock] = []
    offset = 0
    while tag := _PREDICTIONS.search(text, offset):
        block = read_plan_block(text, tag.start(), tag.end(), repairer)
        blocks.append(block)
        offset = max(block.end, tag.end())
    return blocks


def _read_untagged_block(text: str, log: ParseLog, repairer: LimitedJsonRepairer) -> PlanBlock | None:
    """Read the predictions of a reply that has no <predictions> tag; return None if it holds no JSON object.

    They begin at the first JSON object after the last closing tag of any other block, or else in the whole text.
    """
    last_end = max((match.end() for match in _CLOSING.finditer(text)), default=0)
    first = _BARE_JSON.search(text, last_end) or _BARE_JSON.search(text)
    if first is None:
        return None
    log.add_repair("the predictions were outside <predictions> tags")
    start = first.end("token") if first["token"] else first.start()
    return read_plan_block(text, start, start, repairer)


def _explain_missing_block(last: PlanBlock | None, log: ParseLog) -> None:
    if last:
        log.add_invalidating_fault(*last.log.invalidating_faults)
    if not log.invalidating_faults:
        log.add_invalidating_fault("the predictions hold no JSON object" if last else "there is no <predictions> block")


def _note_tag_errors(block: str, has_closing_tag: bool, log: ParseLog) -> None:
    if not has_closing_tag:
        log.add_repair("the closing tag of the predictions was missing")
    if not block.startswith("<predictions>") or not block.endswith("</predictions>" if has_closing_tag else ""):
        log.add_repair("the tags of the predictions were not <predictions> and </predictions>")


def _has_unclosed_tag(text: str) -> bool:
    pairs = ((DISCUSSION_START, _DISCUSSION_END), (_PREDICTIONS, _PREDICTIONS_END))
    return any(opening.search(text) and not closing.search(text) for opening, closing in pairs)


def _find_discussion(before: str, after: str, log: ParseLog) -> str:
    """Return the discussion from the text before or after the predictions, "" if there is none."""
    if discussion := _read_discussion(before, log):
        return discussion
    if DISCUSSION_START.search(after) and (discussion := _read_discussion(after, log)):
        log.add_repair("the discussion came after the predictions")
        return discussion
    return ""


def _read_discussion(text: str, log: ParseLog) -> str:
    opening = _DISCUSSION_LINE.search(text) or DISCUSSION_START.search(text)
    start = opening.end() if opening else 0
    closings = list(_DISCUSSION_END.finditer(text, start))
    if not opening and not closings:
        return ""
    if not opening or not closings:
        log.add_repair("a tag of the discussion was missing")
    if (opening and text[: opening.start()].strip()) or (closings and text[closings[-1].end() :].strip()):
        log.add_repair("text outside the tags was left out")
    return text[start : closings[-1].start() if closings else len(text)].strip()


def _find_prose(before: str, log: ParseLog) -> str:
    """Return the text before the predictions; it serves as the reasoning if there is no discussion."""
    for tag in (DISCUSSION_START, _DISCUSSION_END, _OPENER_AT_END):
        before = tag.sub("", before)
    if prose := before.strip():
        log.add_repair("there was no discussion; the text before the predictions was used instead")
    return prose
