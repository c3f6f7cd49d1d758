"""A mask finds keys and passwords, and leaves other text alone."""

import base64
import json
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planner.masking import MASK_TEXT, SecretMask
from planner.sanitize import remove_unsafe_characters

SECRETS = st.text(st.characters(codec="utf-8"), min_size=4, max_size=30)
SPELLINGS = [
    str,
    quote,
    lambda secret: quote(secret, safe=""),
    lambda secret: quote(secret, safe="").lower() if secret.islower() else quote(secret, safe=""),
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    lambda secret: base64.b64encode(secret.encode()).decode(),
    lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
]


@given(SECRETS, st.sampled_from(SPELLINGS), st.text(), st.text())
@example("key\rkey", SPELLINGS[4], "", "")
def test_a_secret_is_found_in_every_spelling(secret: str, spelled: object, before: str, after: str) -> None:
    spelling = spelled(secret)  # type: ignore[operator]
    masked = SecretMask([secret]).mask_text(f"{before} {spelling} {after}")
    assert MASK_TEXT in masked
    if spelling not in MASK_TEXT:
        assert spelling not in masked.replace(before, "").replace(after, "") or spelling in f" {MASK_TEXT} "


@given(st.text(st.sampled_from("abc *"), max_size=40))
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    assert SecretMask(["sk-1234567"]).mask_text(text) == text


KEY = "sk-marker-0123456789_ABCDEF"
UNSEEN = [
    "\0",
    "\x1b",
    "\x1b[31m",
    "\x9b0m",
    "\u200b",
    "\u200d",
    "\u2060",
    "\u00ad",
    "\u202e",
    "\ufeff",
    "\ufe0f",
    "\U000e0041",
]
ESCAPED_UNSEEN = ["\\u200b", "\\u0000", "\\x00", "%00", "%E2%80%8B", "%2500", "&#8203;", "&#x200b;", "&#0;", "&zwj;"]
SPACES = [" ", "\n", "\r\n", "\t", "\u2028", "\u3000", "\\n", "%20"]


@given(st.lists(st.sampled_from([*UNSEEN, *ESCAPED_UNSEEN, *SPACES, "", ""]), min_size=len(KEY), max_size=len(KEY)))
def test_a_key_is_found_whatever_unseen_stands_in_it(between: list[str]) -> None:
    broken = "".join(letter + unseen for letter, unseen in zip(KEY, [*between[1:], ""], strict=True))
    masked = remove_unsafe_characters(SecretMask([KEY]).mask_text(f"<{broken}>"))
    assert masked in (f"<{MASK_TEXT}>", f"<{MASK_TEXT * 2}>"), "the halves of a key may be masked one by one"


@given(
    st.lists(
        st.sampled_from(["{}", "%{:02x}", "%25{:02X}", "&#{};", "&#x{:X};", "&amp;#{};", "\\u{:04x}", "\\x{:02x}"])
    )
)
def test_a_key_is_found_in_a_mixture_of_escapes(escapes: list[str]) -> None:
    formats = [*escapes, *["{}"] * len(KEY)]
    broken = "".join(
        letter if form == "{}" else form.format(ord(letter)) for letter, form in zip(KEY, formats, strict=False)
    )
    assert SecretMask([KEY]).mask_text(f"<{broken}>") == f"<{MASK_TEXT}>"


@given(st.binary(max_size=9), st.binary(max_size=9))
def test_a_key_is_found_in_the_base64_of_more(before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        masked = SecretMask([KEY]).mask_text(encode(before + KEY.encode() + after).decode())
        assert MASK_TEXT in masked
        assert encode(KEY.encode())[8:24].decode() not in masked


@pytest.mark.parametrize(
    "spelled", [str.upper, str.lower, lambda key: key.encode().hex(), lambda key: key.encode().hex(" ")]
)
def test_a_key_is_found_in_any_case_and_in_hexadecimal(spelled: Callable[[str], str]) -> None:
    assert SecretMask([KEY]).mask_text(f"<{spelled(KEY)}>") == f"<{MASK_TEXT}>"


@pytest.mark.parametrize("part", [KEY[:-1], KEY[1:], KEY[: len(KEY) // 2], KEY[len(KEY) // 2 :]])
def test_half_of_a_long_key_is_masked_too(part: str) -> None:
    masked = SecretMask([KEY]).mask_text(f"<{part}>")
    assert MASK_TEXT in masked
    assert KEY[: len(KEY) // 2] not in masked
    assert KEY[len(KEY) // 2 :] not in masked


@pytest.mark.parametrize(
    "unit",
    ["s", "s\u200b", "s ", "sk-", "\\", "%25", "s%25", "&amp;", "&#", "s\x9d", "s\x1b]", "\x90", KEY[:9], "s\\u200b"],
)
def test_masking_and_cleaning_take_linear_time(unit: str) -> None:
    text = (unit * (1_000_000 // len(unit) + 1))[:1_000_000]
    mask = SecretMask([KEY])
    mask.mask_text("%20")  # compiles the patterns
    started = time.process_time()
    mask.mask_text(text)
    remove_unsafe_characters(text)
    assert time.process_time() - started < 3


def test_text_that_only_resembles_a_key_stays() -> None:
    mask = SecretMask([KEY, "pass"])
    for text in ("sk-marker", "the marker 0123456789", "p a s s", "PASS", "100 % sure &amp; \\n", "\u200b"):
        assert mask.mask_text(text) == text


def test_json_is_masked_at_any_depth_keys_too() -> None:
    value = {"a": ["x secret-1 y", {"secret-1": None, "n": 1.5, "t": True}]}
    assert SecretMask(["secret-1"]).mask_json(value) == {
        "a": [f"x {MASK_TEXT} y", {MASK_TEXT: None, "n": 1.5, "t": True}]
    }


@pytest.mark.parametrize("text", ["user:pass word", "pass word", "pass%20word", "pass+word", "dXNlcjpwYXNzIHdvcmQ="])
def test_a_pair_is_masked_as_a_whole_and_its_password_alone(text: str) -> None:
    assert SecretMask(basic_credentials=["user:pass word"]).mask_text(f"<{text}>") == f"<{MASK_TEXT}>"


def test_a_user_without_a_password_is_a_token() -> None:
    assert SecretMask(basic_credentials=["token-1:"]).mask_text("token-1") == MASK_TEXT


def test_short_secrets_do_not_blot_out_ordinary_text() -> None:
    mask = SecretMask(["a", ""], basic_credentials=["me:ab"])
    assert mask.mask_text("about a tab") == "about a tab"
    assert mask.mask_text("me:ab bWU6YWI=") == f"{MASK_TEXT} {MASK_TEXT}"


def test_the_longest_spelling_is_masked_first() -> None:
    assert SecretMask(["secret", "secret-and-more"]).mask_text("secret-and-more") == MASK_TEXT


def test_in_what_a_model_wrote_an_ordinary_word_stays() -> None:
    mask = SecretMask(["sk-12345"], basic_credentials=["user:pass"])
    assert mask.mask_reply_json({"a": "it passes; sk-12345, user:pass"}) == {
        "a": f"it passes; {MASK_TEXT}, {MASK_TEXT}"
    }
    assert mask.mask_json("pass") == MASK_TEXT


def test_no_secrets_no_change() -> None:
    assert SecretMask().mask_text("sk-1") == "sk-1"
    assert SecretMask([""]).mask_json(["x"]) == ["x"]


def test_a_mask_shows_nothing() -> None:
    assert "secret" not in repr(SecretMask(["secret-1"]))
