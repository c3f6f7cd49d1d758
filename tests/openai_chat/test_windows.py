"""A prompt that an endpoint did not see whole is noticed."""

from hypothesis import given
from hypothesis import strategies as st

from planner.chat import Message, Prompt, Usage
from planner.models.openai_chat.chat import build_truncation_warnings


def prompt(*texts: str) -> Prompt:
    return Prompt.from_messages(tuple(Message("user", text) for text in texts), "")


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]) | st.sampled_from("\n\t \r"))))
def test_english_has_a_token_a_word_at_least(texts: list[str]) -> None:
    assert prompt(*texts).min_tokens == sum(len(text.split()) for text in texts)


@given(st.text(st.characters(categories=["L", "Zs", "P", "Cs"])))
def test_never_more_than_words_and_half_of_what_is_not_spaced(text: str) -> None:
    assert prompt(text).min_tokens <= len(text.split()) + sum(character >= "\u3000" for character in text) // 2


def test_chinese_has_a_token_in_two_characters() -> None:
    assert prompt("注意力机制" * 100).min_tokens == 1 + 250


def test_a_count_below_the_words_is_told() -> None:
    asked = prompt("word " * 600)
    (note,) = build_truncation_warnings(asked, Usage(prompt_tokens=599))
    assert "counted 599 prompt tokens instead of at least 600" in note
    assert not build_truncation_warnings(asked, Usage(prompt_tokens=600))
    assert not build_truncation_warnings(asked, Usage(prompt_tokens=100, cached_tokens=500))
    assert not build_truncation_warnings(asked, Usage())
    assert not build_truncation_warnings(prompt("word " * 400), Usage(prompt_tokens=1))
