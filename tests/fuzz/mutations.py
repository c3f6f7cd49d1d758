"""Change bytes, texts and JSON values at random; the same dice make the same changes."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any

KEY = "sk-marker-0123456789"  # the key of the client, which must not appear anywhere
MAX_SIZE = 200_000  # characters or bytes of an input
DEEPEST = 600  # levels; deeper JSON is no reply

ODD_TEXTS: Sequence[str] = (
    *("\x00", "\ud800", "\udc00\ud83d", "\u202e", "\u2066", "\u200b", "\ufeff", "\x1b[31m", "\x1b]0;x\x07", "\x9b1m"),
    *("\r", "\r\n", "\n", "\n\n", "\t", " ", "\u2028", "\x85", "\u00a0", "é", "e\u0301", "漢字", "😀", "\ufffd"),
    *("<", ">", "</", "<!--", "<script>", "</div>", "<b>", "&lt;", "&#0;", "&#x1F600;", "`", "```", "~~~", "***"),
    *("[", "]", "{", "}", "(", ")", "[a](javascript:x)", "![", '"', "'", "\\", "\\n", "\\u0000", "\\ud800", ",", ":"),
    *("null", "true", "NaN", "Infinity", "-0", "1e999", "-1", "0", "1.5", "9" * 400, "%00", "%n", "../../x", "con"),
    *("=1+1", "@x", "#", "# ", "---", "===", "- ", "> ", "1. ", "|", "$", "$$", "\\(", "x" * 300, "word " * 60),
)
Change = Callable[[str, Random, Sequence[str]], str]


def list_tokens(words: str, *others: str) -> Sequence[str]:
    """Return texts to insert: odd ones, and those of a format."""
    return (*ODD_TEXTS, *words.split(), *others)


def change_text(text: str, dice: Random, tokens: Sequence[str] = ODD_TEXTS) -> str:
    """Return the text after one to eight changes; `tokens` are what is inserted."""
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        text = dice.choice(_TEXT_CHANGES)(text, dice, tokens)[:MAX_SIZE]
    return text


def _insert(text: str, dice: Random, tokens: Sequence[str]) -> str:
    at = dice.randint(0, len(text))
    return text[:at] + dice.choice(tokens) + text[at:]


def _insert_often(text: str, dice: Random, tokens: Sequence[str]) -> str:
    at, count = dice.randint(0, len(text)), dice.choice((3, 50, 1000, 20_000))
    unit = "".join(dice.choices(tokens, k=dice.choice((1, 1, 2, 3))))
    return text[:at] + unit * min(count, MAX_SIZE // (2 * len(unit) or 1)) + text[at:]


def _scatter(text: str, dice: Random, tokens: Sequence[str]) -> str:
    """Put one token between all characters of a span."""
    start, end = _choose_span(text, dice)
    return text[:start] + dice.choice(tokens).join(text[start:end]) + text[end:]


def _delete(text: str, dice: Random, _: Sequence[str]) -> str:
    start, end = _choose_span(text, dice)
    return text[:start] + text[end:]


def _duplicate(text: str, dice: Random, _: Sequence[str]) -> str:
    start, end = _choose_span(text, dice)
    return text[:end] + text[start:end] * dice.choice((1, 2, 10, 200)) + text[end:]


def _move(text: str, dice: Random, _: Sequence[str]) -> str:
    start, end = _choose_span(text, dice)
    rest = text[:start] + text[end:]
    at = dice.randint(0, len(rest))
    return rest[:at] + text[start:end] + rest[at:]


def _replace_token(text: str, dice: Random, tokens: Sequence[str]) -> str:
    start, end = _choose_span(text, dice, longest=12)
    return text[:start] + dice.choice(tokens) + text[end:]


def _cut(text: str, dice: Random, _: Sequence[str]) -> str:
    return text[: dice.randint(0, len(text))]


def _shuffle_lines(text: str, dice: Random, _: Sequence[str]) -> str:
    lines = text.split("\n")
    start, end = sorted((dice.randint(0, len(lines)), dice.randint(0, len(lines))))
    part = lines[start:end]
    dice.shuffle(part)
    return "\n".join([*lines[:start], *part, *lines[end:]])


_TEXT_CHANGES: Sequence[Change] = (
    *(_insert, _insert, _insert_often, _scatter, _delete, _duplicate),
    *(_move, _replace_token, _replace_token, _cut, _shuffle_lines),
)


def _choose_span(text: str, dice: Random, longest: int = 2000) -> tuple[int, int]:
    start = dice.randint(0, len(text))
    return start, min(len(text), start + dice.randint(0, dice.choice((1, 10, 100, longest))))


def change_bytes(data: bytes, dice: Random) -> bytes:
    """Return the bytes with one to twenty places flipped, overwritten, cut out, repeated or moved."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4, 20))):
        at = dice.randint(0, len(changed))
        end = min(len(changed), at + dice.choice((1, 4, 16, 256, 4096)))
        match dice.randrange(8):
            case 0 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 1:
                changed[at:end] = bytes(end - at)
            case 2:
                changed[at:end] = dice.randbytes(end - at)
            case 3:
                changed[at:at] = dice.choice(ODD_TEXTS).encode("utf-8", "surrogatepass")
            case 4:
                del changed[at:end]
            case 5:
                changed[at:at] = bytes(changed[at:end]) * dice.choice((1, 3, 40))
            case 6:
                changed[at : at + 4] = dice.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x00\x00\x00\x01", b"9999"))
            case _:
                if not dice.randrange(4):
                    del changed[at:]
    return bytes(changed[:MAX_SIZE])


def change_json(value: Any, dice: Random) -> Any:
    """Return a JSON value with one to four of its parts replaced, left out, renamed, repeated or nested."""
    for _ in range(dice.choice((1, 1, 2, 4))):
        changed = _change_part(_copy_json(value), dice)
        if len(encode_json(changed)) > MAX_SIZE:
            break
        value = changed
    return value


def _change_part(value: Any, dice: Random) -> Any:
    if not isinstance(value, dict | list) or not value or not dice.randrange(12):
        return make_odd_value(dice, value)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = dice.choice(keys)
    if dice.random() < 0.7:
        value[key] = _change_part(value[key], dice)
    elif isinstance(value, list):
        _change_list(value, key, dice)
    else:
        _change_object(value, str(key), dice)
    return value


def _change_list(value: list[Any], key: int, dice: Random) -> None:
    match dice.randrange(4):
        case 0:
            del value[key]
        case 1:
            value[key:key] = [value[key]] * dice.choice((1, 5, 300))
        case 2:
            value.insert(key, make_odd_value(dice))
        case _:
            value.reverse()


def _change_object(value: dict[str, Any], key: str, dice: Random) -> None:
    match dice.randrange(4):
        case 0:
            del value[key]
        case 1:
            value[change_text(key, dice)[:5000]] = value.pop(key)
        case 2:
            value[dice.choice(ODD_TEXTS)] = make_odd_value(dice)
        case _:
            other = dice.choice(list(value))
            value[key], value[other] = value[other], value[key]


def make_odd_value(dice: Random, value: Any = None) -> Any:
    """Return a value that hardly any reader expects, perhaps made from another."""
    match dice.randrange(9):
        case 0:
            return dice.choice((None, True, False, "", 0, -1, [], {}, [[]], [None], {"": None}))
        case 1:
            return dice.choice((10**400, -(10**4000), 2**63, 1e308, float("inf"), float("nan"), 0.1, 2**31))
        case 2:
            return change_text(value if isinstance(value, str) else "text", dice)
        case 3:
            return nest_value(value, dice.choice((1, 3, 70, 250, DEEPEST)), dice.choice(("", "a")))
        case 4:
            return [value] * dice.choice((0, 2, 500))
        case 5:
            return {str(number): value for number in range(dice.choice((1, 200)))}
        case 6:
            return str(value)
        case 7:
            return dice.choice(ODD_TEXTS)
        case _:
            return dice.choice(ODD_TEXTS) * dice.choice((1, 30, 2000))


def nest_value(value: Any, depth: int, name: str) -> Any:
    """Return the value in so many lists, or objects with this field."""
    for _ in range(depth):
        value = {name: value} if name else [value]
    return value


def write_json(value: Any, dice: Random) -> str:
    """Return the value as JSON, in one of the ways in which it is written."""
    return encode_json(value, ensure_ascii=dice.random() < 0.7, indent=dice.choice((None, None, 1)))


def encode_json(value: Any, **options: Any) -> str:
    """Return a value of any depth as JSON."""
    with _allow_depth():
        return json.dumps(value, **options)


def _copy_json(value: Any) -> Any:
    with _allow_depth():
        return json.loads(json.dumps(value))


@contextmanager
def _allow_depth() -> Iterator[None]:
    """Raise the limit of recursion within the block, and only there, since the program is to meet its own limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(10 * limit)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)
