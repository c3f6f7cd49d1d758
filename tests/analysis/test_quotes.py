"""Quotes are found in what was sent, letter for letter or nearly, and invented ones are not."""

import random
import time

import pytest

from planner.analysis.passages import IndexedSection
from planner.analysis.quotes import QuoteSearch
from planner.details import QuoteMatch

SENTENCES = (
    "The memory bank lets the decoder recover rare phonemes that the encoder has lost.",
    "We minimise $\\mathcal{L}_{adv} = \\lambda \\sum_i \\log D(x_i)$ as \\citet{doe} do, for all \\cite{a,b}.",
    "Eﬃcient “naïve” state-of-the-art trans-\nformers [3, 7–9] (Roe et al., 2020) cost 0.5 s – or 10 % more – a day.",
    "Negatives are drawn from the same aisle, because negatives from other aisles are too easy for the model.",
    "Each pixel predicts an offset to the nearest bank, and the votes are collected in a histogram of two axes.",
)
UNSENT = "Removing the gust curriculum lowers the return to 240 in all of our simulations."


def search(*sentences: str) -> QuoteSearch:
    return QuoteSearch(
        [
            IndexedSection("3 Method", sentences or SENTENCES, pages=tuple(range(4, 4 + len(sentences or SENTENCES)))),
            IndexedSection("4 Experiments", (UNSENT,), is_sent=False),
        ]
    )


@pytest.mark.parametrize(
    "quote",
    [
        SENTENCES[0],
        f"“{SENTENCES[0]}”",
        "the memory  bank lets\nthe decoder recover rare phonemes",
        "… the memory bank lets the decoder recover rare phonemes ...",
        "We minimise ℒ_adv = λ ∑ᵢ log D(xᵢ)",
        "We minimise \\(L_{adv} = \\lambda \\sum_i \\log D(x_i)\\)",
        "Efficient \"naive\" state-of-the-art transformers cost 0.5 s - or 10% more - a day",
        "efficient ‘naïve’ state-of-the-art trans-formers [3,7-9] cost 0.5 s",
        "rare phonemes that the encoder has lost. We minimise",
    ],
)  # fmt: skip
def test_writing_makes_no_difference(quote: str) -> None:
    evidence = search().locate_quote(quote)
    assert evidence.found is QuoteMatch.EXACT
    assert evidence.section == "3 Method"
    assert evidence.quote == quote


@pytest.mark.parametrize("number", range(len(SENTENCES)))
def test_a_quote_is_located_on_its_page(number: int) -> None:
    assert search().locate_quote(SENTENCES[number]).page == 4 + number


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_sentence_with_a_few_other_words_is_close(count: int, seed: int) -> None:
    numbers = random.Random(seed)
    words = SENTENCES[3 + seed % 2].split()
    for at in numbers.sample(range(len(words)), count):
        words[at] = numbers.choice(("harbour", "often", "sampled", "moreover", "kite", "seven"))
    evidence = search().locate_quote(" ".join(words))
    assert evidence.found is QuoteMatch.CLOSE
    assert evidence.page == 7 + seed % 2


@pytest.mark.parametrize(
    "quote",
    [
        "The encoder loses rare phonemes, and a bank of memories restores them for decoding.",
        "Since easy negatives teach little, we only draw those that share an aisle.",
        "We collect votes of pixels in histograms, where each one points at its river bank.",
        "the memory bank is trained on a corpus of ten thousand hours of children's speech",
        "Efficient transformers cost 5 s",
        UNSENT,
        "",
        "…",
        "of the and to",
        "that it is as it was in all of our",
        "emory bank lets",
    ],
)
def test_paraphrases_inventions_and_unsent_sentences_are_absent(quote: str) -> None:
    evidence = search().locate_quote(quote)
    assert (evidence.found, evidence.section, evidence.page) == (QuoteMatch.ABSENT, "", None)


@pytest.mark.parametrize("quote", ["memory bank", "the memory bank", "Histogram of", "0.5 s"])
def test_a_quote_of_few_words_is_never_exact(quote: str) -> None:
    assert search().locate_quote(quote).found in {QuoteMatch.CLOSE, QuoteMatch.ABSENT}


def test_a_number_that_was_changed_is_not_exact() -> None:
    evidence = search().locate_quote("state-of-the-art transformers cost 5 s – or 10 % more – a day")
    assert evidence.found is QuoteMatch.CLOSE


def test_a_quote_that_leaves_words_out_in_its_middle_is_close_at_best() -> None:
    assert search().locate_quote("The memory bank … that the encoder has lost").found is QuoteMatch.CLOSE
    assert search().locate_quote("The memory bank … that nobody ever heard of").found is QuoteMatch.ABSENT


@pytest.mark.parametrize("paper", ["word ", "a b ", "(1999 ", "\\cite[", "<a", "[1,", ". ", "é́́", "aa bb ", "\\alpha"])
@pytest.mark.parametrize("quote", ["word ", "a ... ", "gate of the memory "])
def test_hostile_quotes_and_papers_take_little_time(paper: str, quote: str) -> None:
    text = (paper * 2_000_000)[:2_000_000]
    begin = time.process_time()
    search(text).locate_quote((quote * 10_000)[:10_000])
    assert time.process_time() - begin < 10
