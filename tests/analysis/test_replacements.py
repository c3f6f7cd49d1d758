"""Replacements that name nothing to run, and those that the paper uses already."""

import pytest

from planner.analysis.passages import IndexedSection, PassageSearch
from planner.analysis.replacements import find_replacements_in_use, find_vague_replacements
from planner.schema import Ablation, Action

SENTENCES = {
    "mean pooling": "We use mean pooling over the token states.",
    "max pooling": "Unlike earlier work, which uses max pooling over token states, we do not.",
    "0.1": "The weight of the loss is set to 0.1.",
    "0.5": "We try 0.1, 0.5 and 0.9 as the weight of the loss.",
    "0.3": "We used 9 springs, a cycle of 40 owls, a replacement ratio of 0.3, and a clock of 7 tides.",
    "1, 2 and 4": "We use windows of 1, 2 and 4 tides.",
    "TideVec": "We use TideVec (Heron et al., 2014) as the embedding of words.",
    "8": "clock & 8 \\\\\nowls & 9 \\\\\nheads & 7 \\\\\nsprings & 2 \\\\\n",
    "15% of waves": "As [Heron](#page-2) [(2014)](#page-2) found better than others, we drop 15% of waves.",
    "a = 1 and b = 0.8": "And a and b are set to 1 and 0.8 respectively.",
    "a tide of sea salt": "We simulate the shore using a tide of sea salt.",
    "tide loss": "The network is optimized by minimizing the tide loss between owls.",
    "uniform noise": "A call is sampled from uniform noise.",
    "pair pooling": "Figure 3: Accuracy when using pair pooling over token states.",
}


def replace(part: str, *items: str) -> Ablation:
    return Ablation(name="n", ablated_part=part, action=Action.REPLACE, replacement=items, metrics=("loss",))


def find_used(ablation: Ablation, *sentences: str, heading: str = "3 Method", quote: str = "") -> tuple[str, ...]:
    """Return the replacements that a paper with these sentences uses already."""
    return find_replacements_in_use(ablation, quote, PassageSearch([IndexedSection(heading, sentences)]))


@pytest.mark.parametrize(
    "item",
    [
        "another method",
        "different values",
        "various settings",
        "other alternatives",
        "alternative pooling strategies",
        "some other fusion",
        "a suitable baseline",
        "a simpler gated fusion",
    ],
)
def test_vague_replacements_name_nothing(item: str) -> None:
    assert find_vague_replacements(replace("gated fusion", item)) == (item,)


@pytest.mark.parametrize(
    "item",
    [
        "removed: no fusion",
        "mean pooling",
        "standard attention",
        "random choice",
        "4 different values: 1, 2, 4 and 8",
        "another random seed",
    ],
)
def test_replacements_that_can_be_run_are_not_vague(item: str) -> None:
    assert find_vague_replacements(replace("gated fusion", item)) == ()


@pytest.mark.parametrize(
    ("part", "item"),
    [
        ("learned gate", "learned gate"),
        ("learned gate (LG) in the decoder", "the learned gate"),
        ("spectral gating unit (SGU)", "SGU"),
        ("learned gate", "the proposed gate"),
        ("learned gate", "a sigmoid unit as described in the paper"),
        ("temperature of 0.07", "0.07"),
        ("step of 1 × 10^-3", "0.001"),
        ("windows of 16k tides", "16,000 tides"),
        ("pooling of token states", "mean pooling"),
        ("weight of the loss", "0.1"),
        ("replacement ratio of the springs", "0.3"),
        ("windows of tides", "1, 2 and 4"),
        ("embedding of words", "TideVec"),
        ("share of waves to drop", "15% of waves"),
        ("weights a and b", "a = 1 and b = 0.8"),
        ("source of foam", "a tide of sea salt"),
        ("loss of the network", "tide loss"),
        ("source of a call", "uniform noise"),
    ],
)
def test_what_the_paper_does_is_no_replacement(part: str, item: str) -> None:
    assert find_used(replace(part, item), *([SENTENCES[item]] if item in SENTENCES else [])) == (item,)


@pytest.mark.parametrize(
    ("part", "items"),
    [
        ("learned gate", ("removed: without the learned gate",)),
        ("learned gate", ("fixed gate", "gate")),
        ("norm before attention", ("attention before norm",)),
        ("gates at every other layer", ("gates at every layer",)),
        ("full attention", ("the full attention matrix with a causal mask",)),
        ("pooling of token states", ("max pooling",)),
        ("pooling of token states", ("pair pooling",)),
        ("clock", ("8",)),
        ("weight of the loss", ("0.5",)),
        ("weight of the loss", ("0.1", "0.5", "1.0")),
        ("weights a and b", ("a = 1 and b = 0.8", "a = 0.5 and b = 0.8", "a = 0.1 and b = 0.8")),
        ("sampling with replacement", ("sampling without replacement",)),
        ("only the mean over token states", ("mean pooling",)),
        ("frozen weight of the loss", ("0.1",)),
    ],
)
def test_other_settings_are_replacements(part: str, items: tuple[str, ...]) -> None:
    sentences = [SENTENCES[item] for item in items if item in SENTENCES]
    assert find_used(replace(part, *items), *sentences) == ()


def test_the_papers_value_beside_a_single_other_is_no_sweep() -> None:
    assert find_used(replace("weight of the loss", "0.1", "0.7"), SENTENCES["0.1"]) == ("0.1",)


@pytest.mark.parametrize(
    ("part", "item", "sentence"),
    [
        ("step of the tide solver", "0.001", "The step of the tide solver is 1 × 10−3."),
        ("step of the tide solver", "5e-4", "The step of the tide solver is $5 \\times 10^{-4}$."),
        ("number of tide steps", "16,000 steps", "We run the tides for 16k steps."),
        ("step of 1 × 10−3 of the tide solver", "0.001", "The step of the tide solver is 0.001."),
        ("heat of the tide", "heat 0", "We run with a tide heat of 0.0 throughout."),
        ("solver of the second phase", "Tidal", "The solver used throughout is Tidal."),
        ("sea of the net", "foam of waves", "The sea of the net (Roe et al. (2020)) is the foam of waves."),
    ],
)
def test_a_setting_may_be_written_in_another_way(part: str, item: str, sentence: str) -> None:
    assert find_used(replace(part, item), sentence) == (item,)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("0.001", "The step of the solver is 10−4."),
        ("10", "The step of the solver is 10−3."),
        ("16", "Steps of 16k."),
        ("3.5.1", "The step of the solver is 2."),
    ],
)
def test_another_power_is_another_setting(item: str, sentence: str) -> None:
    assert find_used(replace("step of the solver", item), sentence) == ()


@pytest.mark.parametrize(
    ("part", "item", "sentence"),
    [
        ("number of herds M", "1 (H1)", "The herds are {H} i=1 where M = 5."),
        ("number of layers L", "L = 4", "The number of layers L is set to 3, and the stride of layers is s = 4."),
        ("number of herds G", "G = 1", "Algorithm 1 finds the best number of herds."),
        ("base loss of the owls", "tide loss (Eq. 8)", "Eq. 8 is the base loss of owls in a general form."),
        ("kernels of the sampler", "moon and tide", "For the kernels of the sampler, we use moon, tide and dusk."),
        (
            "wing matrices",
            "one wing matrix for each owl of the herd",
            "At first, one wing and each owl were in a herd.",
        ),
        ("norm of the tides", "moon norm", "Current work on tides always uses a moon norm."),
        ("norm of the tides", "moon norm", "Most tide methods use a moon norm for tides."),
        ("3 × 1 tide filter", "1 × 1 filter", "The tide network has a 3 × 1 filter and a 1 × 1 filter."),
        ("shallow tide net", "deep 3D tide net", "Shallow 3D tides are often deeper along the shore than the net."),
        (
            "number of tide clocks",
            "2",
            "A tide clock wakes all the owls of the shore, who sing 2 songs.",
        ),
    ],
)
def test_words_that_state_something_else_state_no_setting(part: str, item: str, sentence: str) -> None:
    assert find_used(replace(part, item), sentence) == ()


@pytest.mark.parametrize(
    ("part", "item", "sentence"),
    [
        (
            "epochs of tide training",
            "90 epochs",
            "We train it for N = 1000 epochs or for 90 epochs with the tide training.",
        ),
        (
            "kernels of the sampler",
            "moon, tide and dusk",
            "For the kernels of the sampler, we use moon, tide and dusk.",
        ),
        (
            "schedule of noise",
            "linear slow rise from 0.1 to 0.9",
            "We let the noise rise slowly, linearly from b = 0.1 to e = 0.9.",
        ),
        (
            "choice of springs",
            "search with the heron tool for the task of tides",
            "We search all springs, a choice made with the heron tool, for the downstream task of tides.",
        ),
        ("number of epochs", "80", "From preliminary runs we see that 80 epochs are enough."),
        ("heat of the lamp for tides", "heat 0", "The lamp for tides holds 8 candles and 2 wicks, and heat 0."),
    ],
)
def test_values_lists_and_phrases_state_a_setting(part: str, item: str, sentence: str) -> None:
    assert find_used(replace(part, item), sentence) == (item,)


@pytest.mark.parametrize(
    ("item", "is_vague"),
    [
        ("other tide schedules", True),
        ("various call lengths", True),
        ("different weights for both losses", False),
        ("other SGD learning schedules", False),
        ("every layer", False),
    ],
)
def test_others_without_a_name_are_nothing_to_run(item: str, is_vague: bool) -> None:
    assert bool(find_vague_replacements(replace("gate of the owls", item))) is is_vague


@pytest.mark.parametrize(
    ("part", "item", "quote"),
    [
        ("choice of the owls", "a random subset of the available owls", "Each night a random subset of owls is heard"),
        (
            "classes of calls",
            "mixed calls as a separate class",
            "We keep mixed calls as a separate class, not as noise",
        ),
        ("solver of the tides", "Tidal with a constant step of 0.001", "The net uses Tidal (constant step of $0.001$)"),
        (
            "loss of the net",
            "negative log-likelihood",
            "we define the loss as the negative log-likelihood instead of hoots",
        ),
        ("scale of hoots", "zero mean and unit deviation", "We scale the hoots to zero mean and unit deviation"),
        ("layer of the probe", "layer 53", "we probe a deeper layer~($53$) than their default~($36$)"),
        ("heat of the tide", "heat 0", "with 8192 tokens of context and heat 0.0 throughout"),
        ("encoder of the calls", "TideNet", "TideNet is then used to encode calls"),
        ("measure of owls", "tide score", "Tide score serves as the measure"),
        ("activation function of a hoot", "HoLU", "The HoLU activation function was applied after each hoot"),
        ("training of the owls", "tide reversal", "The learning of owls is done at night based on a tide reversal"),
        ("size of the herd", "128", "For large herds, we set the size to 128 following Heron et al. (2021)"),
        (
            "solver of M and I",
            "Tidal with a step rate of 1e-4",
            "M uses Tidal for 200 days with a step rate of 1.0 × 10−4",
        ),
        ("goal at dusk", "the goal that OWL was pretrained with", "we use the same goal as during pre-training of OWL"),
    ],
)
def test_what_the_quote_of_an_ablation_says_is_no_replacement(part: str, item: str, quote: str) -> None:
    assert find_used(replace(part, item), quote=quote) == (item,)


@pytest.mark.parametrize(
    ("part", "item", "quote"),
    [
        ("tide vectors", "spectra made by hand", "we use tide vectors as replacements for the spectra made by hand"),
        (
            "random herds",
            "a test of tides on owls",
            "One can also apply a test of tides on owls instead of herds at random",
        ),
        ("place keys of owls", "a linear map of the owl's call", "The key can be a linear map of the owl's call"),
        ("similarity of calls", "moon distance", "we choose the tide similarity rather than using the moon distance"),
        ("number of layers", "8", "It has 6 layers, each with 8 heads"),
        ("two clocks", "a clock for each owl at dusk", "even setting a clock for each owl at dusk works well"),
        ("tides, gates and moons", "gates and moons", "It has three blocks, i.e., tides, gates and moons"),
        ("sampling of owls", "sampling without weights", "We use sampling with weights of owls"),
        (
            "mean of owl vectors",
            "the single nearest owl vector",
            "It averages owl vectors that are nearest to the third hoot of a night into a single one",
        ),
    ],
)
def test_a_quote_may_name_what_the_paper_does_not_do(part: str, item: str, quote: str) -> None:
    assert find_used(replace(part, item), quote=quote) == ()


def test_a_row_of_a_table_states_the_setting_of_a_part_with_a_name() -> None:
    rows = "owl heat & 1.0 \\\\\nheads & 8 \\\\\nowl food & 2 3 \\\\\nshores & 7 \\\\\nmoons & 4"

    def find(part: str, item: str) -> tuple[str, ...]:
        return find_used(replace(part, item), rows, heading="A Settings")

    assert [find("owl heat", "1"), find("owl heat", "8"), find("owl food", "2")] == [("1",), (), ()]


def test_a_cell_of_a_table_states_what_is_used_for_the_part_of_its_row() -> None:
    rows = "| Task | Clock | Lamp |\n|---|---|---|\n| owl calls | TideNet | Wick |\n| larks | MoonNet | Wick |\n"

    def find(part: str, item: str) -> tuple[str, ...]:
        return find_used(replace(part, item), rows, heading="A Settings")

    found = [find("clock of owl calls", "TideNet"), find("clock of owl calls", "MoonNet"), find("bell of owls", "Wick")]
    assert found == [("TideNet",), (), ()]


@pytest.mark.parametrize(
    ("item", "is_found"),
    [
        ("lunar clock with a pace of 0.7 and a lag of 0.9", True),
        ("lunar clock with a pace of 0.7 and a lag of 0.5", False),
        ("solar clock with a pace of 0.7 and a lag of 0.9", False),
        ("lunar clock with copper, brass and tin wheels", False),
    ],
)
def test_the_text_around_a_quote_completes_what_the_quote_says(item: str, is_found: bool) -> None:
    quote = "we wind a lunar clock at dusk"
    text = f"In all tides, {quote}. It has a pace of 0.7 and a lag of 0.9, instead of copper, brass and tin wheels."
    found = find_used(replace("winding at dusk", item), "A solar day.", text, quote=quote)
    assert found == ((item,) if is_found else ())


@pytest.mark.parametrize("quote", ["", "we wind no clock"])
def test_a_quote_that_stands_nowhere_has_no_surroundings(quote: str) -> None:
    assert PassageSearch([IndexedSection("Method", ("We wind a clock.",))]).find_text_around_quote(quote) == ""


def test_a_number_of_something_else_is_no_setting() -> None:
    sentence = "The number of heads is 8."
    assert find_used(replace("number of layers", "8"), sentence) == ()


def test_a_clause_may_name_the_part_by_the_words_of_the_replacement() -> None:
    sentence = "The lamp for tides holds 80 candles and 20 wicks, and heat 0."
    assert find_used(replace("heat of the lamp for tides", "heat 0"), sentence) == ("heat 0",)
