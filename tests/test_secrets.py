"""What a mask finds, and what it leaves alone."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.masking import MASK_TEXT, SecretMask

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
def test_a_secret_is_found_in_every_spelling(secret: str, spelled: object, before: str, after: str) -> None:
    spelling = spelled(secret)  # type: ignore[operator]
    masked = SecretMask([secret]).mask_text(f"{before} {spelling} {after}")
    assert MASK_TEXT in masked
    if spelling not in MASK_TEXT:
        assert spelling not in masked.replace(before, "").replace(after, "") or spelling in f" {MASK_TEXT} "


@given(st.text(st.sampled_from("abc *"), max_size=40))
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    assert SecretMask(["sk-1234567"]).mask_text(text) == text


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
    assert mask.mask_reply({"a": "it passes; sk-12345, user:pass"}) == {"a": f"it passes; {MASK_TEXT}, {MASK_TEXT}"}
    assert mask.mask_json("pass") == MASK_TEXT


def test_no_secrets_no_change() -> None:
    assert SecretMask().mask_text("sk-1") == "sk-1"
    assert SecretMask([""]).mask_json(["x"]) == ["x"]


def test_a_mask_shows_nothing() -> None:
    assert "secret" not in repr(SecretMask(["secret-1"]))
