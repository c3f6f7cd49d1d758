"""What a mask finds, and what it leaves alone."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.secrets import MASKED, Mask

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
    masked = Mask([secret]).text(f"{before} {spelling} {after}")
    assert MASKED in masked
    if spelling not in MASKED:
        assert spelling not in masked.replace(before, "").replace(after, "") or spelling in f" {MASKED} "


@given(st.text(st.sampled_from("abc *"), max_size=40))
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    assert Mask(["sk-1234567"]).text(text) == text


def test_json_is_masked_at_any_depth_keys_too() -> None:
    value = {"a": ["x secret-1 y", {"secret-1": None, "n": 1.5, "t": True}]}
    assert Mask(["secret-1"]).json(value) == {"a": [f"x {MASKED} y", {MASKED: None, "n": 1.5, "t": True}]}


@pytest.mark.parametrize("text", ["user:pass word", "pass word", "pass%20word", "pass+word", "dXNlcjpwYXNzIHdvcmQ="])
def test_a_pair_is_masked_as_a_whole_and_its_password_alone(text: str) -> None:
    assert Mask(basic=["user:pass word"]).text(f"<{text}>") == f"<{MASKED}>"


def test_a_user_without_a_password_is_a_token() -> None:
    assert Mask(basic=["token-1:"]).text("token-1") == MASKED


def test_short_secrets_do_not_blot_out_ordinary_text() -> None:
    mask = Mask(["a", ""], basic=["me:ab"])
    assert mask.text("about a tab") == "about a tab"
    assert mask.text("me:ab bWU6YWI=") == f"{MASKED} {MASKED}"


def test_the_longest_spelling_is_masked_first() -> None:
    assert Mask(["secret", "secret-and-more"]).text("secret-and-more") == MASKED


def test_in_what_a_model_wrote_an_ordinary_word_stays() -> None:
    mask = Mask(["sk-12345"], basic=["user:pass"])
    assert mask.content({"a": "it passes; sk-12345, user:pass"}) == {"a": f"it passes; {MASKED}, {MASKED}"}
    assert mask.json("pass") == MASKED


def test_no_secrets_no_change() -> None:
    assert Mask().text("sk-1") == "sk-1"
    assert Mask([""]).json(["x"]) == ["x"]


def test_a_mask_shows_nothing() -> None:
    assert "secret" not in repr(Mask(["secret-1"]))
