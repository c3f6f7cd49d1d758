"""Encodings, and characters that print as nothing or as others."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import PaperError
from planner.papers.characters import MAX_TEXT_BYTES, decode_text_with_warnings, normalize_characters_with_warnings


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_in_every_form(encoding: str) -> None:
    assert decode_text_with_warnings("Größe ★".encode(encoding), "x") == ("Größe ★", ())


def test_latin_1_is_read_and_said_unless_the_source_declares_it() -> None:
    text = "Schrödinger und Poincaré über naïve Maße"
    assert decode_text_with_warnings(text.encode("cp1252"), "old.tex") == (
        text,
        ("'old.tex' is not UTF-8; it was read as Latin-1",),
    )
    declared = "\\usepackage[latin1]{inputenc} " + text
    assert decode_text_with_warnings(declared.encode("latin-1"), "old.tex") == (declared, ())


@pytest.mark.parametrize("encoding", ["gbk", "gb18030"])
def test_chinese_is_read_without_a_declaration(encoding: str) -> None:
    text = "\\title{蜜蜂如何找到花朵} 我们研究蜜蜂的记忆，并比较两种方法（见第3节）。"
    assert decode_text_with_warnings(text.encode(encoding), "a.tex") == (
        text,
        ("'a.tex' is not UTF-8; it was read as Chinese in GB 18030",),
    )


EAST_ASIAN = {
    "euc_kr": ("Korean in EUC-KR", "우리는 꿀벌의 기억을 연구하고 두 가지 방법을 비교한다. 표 1은 그 결과이다."),
    "euc_jp": ("Japanese in EUC-JP", "本論文では、蜜蜂の記憶を調べ、二つの方法を比べる。結果は表に示す。"),
    "shift_jis": ("Japanese in Shift-JIS", "本論文では、蜜蜂の記憶を調べ、二つの方法を比べる。結果は表に示す。"),
    "big5": ("Chinese in Big5", "我們研究蜜蜂的記憶，並比較兩種方法。結果列於表中，其中第一種較好。"),
}


@pytest.mark.parametrize("encoding", EAST_ASIAN)
@pytest.mark.parametrize("english", ["", "\\section{Method} We turn the gears, and \\emph{count} them. " * 5])
def test_east_asian_text_is_read_without_a_declaration(encoding: str, english: str) -> None:
    description, words = EAST_ASIAN[encoding]
    text = english + words
    assert decode_text_with_warnings(text.encode(encoding), "a.tex") == (
        text,
        (f"'a.tex' is not UTF-8; it was read as {description}",),
    )


@pytest.mark.parametrize(
    "text",
    [
        "at 25 °C with 3 µm, " * 9,
        "Ångström und Österreich, Ähre",
        "ÄÖÜ und ÀÉ",
        "déjà créée, où naît l'été",
        "«»",
        "Ünïcödé",
    ],
)
def test_latin_letters_are_not_taken_for_chinese(text: str) -> None:
    assert decode_text_with_warnings(text.encode("cp1252"), "a.tex")[0] == text


def test_a_few_broken_bytes_do_not_make_a_text_latin() -> None:
    data = ("größer " * 50).encode() + b"\xff"
    text, warnings = decode_text_with_warnings(data, "x")
    assert text.startswith("größer")
    assert "1 bytes that are not UTF-8" in warnings[0]


def test_what_is_too_large_or_no_text_is_refused_by_name() -> None:
    with pytest.raises(PaperError, match=r"'big\.txt' has 20,000,001 bytes"):
        decode_text_with_warnings(b"a" * (MAX_TEXT_BYTES + 1), "big.txt")
    with pytest.raises(PaperError, match="holds binary data, not text"):
        decode_text_with_warnings(b"\x00\x01\x02" * 100, "x")


@pytest.mark.parametrize(
    ("text", "cleaned", "said"),
    [
        ("no\u200bthing", "nothing", "zero-width"),
        ("pass\U000e0068\U000e0069word", "password", "spell 'hi'"),
        ("left\u202eright", "leftright", "bidirectional"),
        ("b\u0007ell", "bell", "control"),
        ("pаypаl", "paypal", "look-alike"),
        ("ΑUC and ΑΒΓ", "AUC and ΑΒΓ", "look-alike"),
        ("x_аbс2 and αtа, Аb", "x_abc2 and αtа, Ab", "2 words"),
        ("a\u200cb漢\u200d\u200d字\u200dc", "ab漢\u200d\u200d字c", "2 joiners"),
        ("a" + "\u0301" * 500, unicodedata.normalize("NFC", "a" + "\u0301" * 30), "piles"),
    ],
)
def test_unseen_and_disguised_characters_are_set_right_and_reported(text: str, cleaned: str, said: str) -> None:
    result, warnings = normalize_characters_with_warnings(text)
    assert result == cleaned
    assert any(said in warning for warning in warnings)


@pytest.mark.parametrize("text", ["plain\n\ttext", "Привет, мир", "β-VAE αβγ ± ✓", "क्ष", "日本語", "👩‍🔬 works"])
def test_ordinary_text_of_every_script_is_left_alone(text: str) -> None:
    assert normalize_characters_with_warnings(text) == (text, ())


@pytest.mark.parametrize(
    "text", ["\u200c\u200d漢" * 100_000, "漢" + "\u200d" * 300_000, "aα" * 200_000, "аb ж" * 100_000]
)
def test_odd_text_is_cleaned_in_linear_time(text: str) -> None:
    started = time.process_time()
    normalize_characters_with_warnings(text)
    assert time.process_time() - started < 5


@given(st.text())
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once, _ = normalize_characters_with_warnings(text)
    assert normalize_characters_with_warnings(once)[0] == once


@given(st.binary(max_size=400))
def test_any_bytes_are_text_or_a_named_error(data: bytes) -> None:
    try:
        text, _ = decode_text_with_warnings(data, "x")
    except PaperError:
        return
    assert isinstance(text, str)
