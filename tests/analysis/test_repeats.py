"""An ablation is reported already if the program or the model sees it in the paper."""

import pytest

from planner.analysis.check import FindingKind, find_faults, merge_model_and_program_studies
from planner.analysis.repeats import RepeatSearch
from planner.details import ReportedStudy
from planner.schema import Ablation, Action, Plan
from tests.analysis.papers import PLAIN, P, T, index, paper, section

GATE = ReportedStudy(
    name="Without the spectral gating unit", quote="We remove the echo memory, and replace the log-mel"
)
OWLS = ReportedStudy(name="Number of owls", quote="We asked forty owls in the forest about this")


def test_a_study_that_both_find_stands_once() -> None:
    merged = merge_model_and_program_studies((GATE,), index(PLAIN))
    assert merged[0] == GATE.model_copy(update={"section": "4.2 Ablation Study", "by": "both"})
    assert "SGU" not in " ".join(study.name for study in merged[1:])


def test_a_study_that_the_model_names_in_fewer_words_than_it_quotes_stands_once() -> None:
    text = "Without the small number of echo filters it fails."
    source = paper(section("Method", (P, "It echoes.")), section("Ablation study", (P, text)))
    [found] = merge_model_and_program_studies((), index(source))
    assert found.name == "small number of echo filters"
    study = ReportedStudy(name="Echo filters", quote=text)
    assert [each.by for each in merge_model_and_program_studies((study,), index(source))] == ["both"]
    other = study.model_copy(update={"quote": "It echoes."})
    assert [each.by for each in merge_model_and_program_studies((other,), index(source))] == ["model", "program"]


def test_a_study_of_the_program_alone_comes_after_those_of_the_model() -> None:
    merged = merge_model_and_program_studies((OWLS,), index(PLAIN))
    assert [study.by for study in merged] == ["model", *["program"] * (len(merged) - 1)]
    memory = next(study for study in merged if study.name == "Echo Memory")
    assert memory.section == "4.2 Ablation Study"


def test_a_quote_that_the_paper_does_not_hold_is_left_out() -> None:
    assert merge_model_and_program_studies((OWLS,), index(PLAIN))[0] == ReportedStudy(name="Number of owls", by="model")


def test_a_part_is_told_once() -> None:
    names = [study.name.lower() for study in merge_model_and_program_studies((), index(PLAIN))]
    assert len(names) == len(set(names))


def test_of_the_names_of_the_program_those_that_say_less_than_another_are_left_out() -> None:
    text = (
        "Without the fusion it fails. Without multi-scale fusion it fails. Without information, respectively, it fails."
    )
    source = paper(section("Method", (P, "We use multi-scale fusion.")), section("Ablation study", (P, text)))
    assert [study.name for study in merge_model_and_program_studies((), index(source))] == ["multi-scale fusion"]
    fusion = ReportedStudy(name="Fusion", by="model")
    assert next(study.name for study in merge_model_and_program_studies((fusion,), index(source))) == "Fusion"


def test_what_is_no_part_is_not_listed() -> None:
    text = "Ablations. We study the effect of loud vs. soft owls. Without the hoot filter the hoot error rises."
    formula = "L = a + log b 0.1 0.2\n+ KL(p ∥ q) = 12 13 (17)\nThe divergence does the rest."
    source = paper(
        section("Method", (P, "A hoot filter hears.")),
        section("Experiments", (P, f"{text} The effect of the owl-call error is small."), (P, formula)),
    )
    assert [study.name for study in merge_model_and_program_studies((), index(source))] == ["hoot filter"]


def test_an_ablation_that_the_model_itself_says_is_reported_is_found() -> None:
    source = paper(section("Method", (P, "A tide clock drives the sampler.")), section("Experiments", (P, "It works.")))
    ablation = Ablation(name="No clock", ablated_part="tide clock", action=Action.REMOVE, metrics=("loss",))
    plan = Plan(ablations=(ablation,))
    assert not find_faults(plan, (), index(source))
    found = find_faults(plan, (), index(source), (ReportedStudy(name="without the tide clock", by="model"),))
    assert [finding.kind for finding in found] == [FindingKind.ALREADY_REPORTED]


def test_what_all_variants_share_is_no_ablation_of_it() -> None:
    source = paper(
        section("Method", (P, "A tide clock drives the moon sampler.")),
        section("Ablation study", (P, "All variants keep the tide clock. Without the moon sampler, nothing works.")),
    )
    kinds = [
        {f.kind for f in find_faults(Plan(ablations=(ablation,)), (), index(source))}
        for part in ("tide clock", "moon sampler")
        if (ablation := Ablation(name="n", ablated_part=part, action=Action.REMOVE, metrics=("loss",)))
    ]
    assert kinds == [set(), {FindingKind.ALREADY_REPORTED}]


def test_an_ablation_whose_replacement_an_ablation_sentence_names_is_reported() -> None:
    source = paper(
        section("Method", (P, "Nine owl towers hear the moon. Tower bells are tuned by ear.")),
        section("Experiments", (P, "As an ablation, we also show results with a single owl tower.")),
    )
    kinds = [
        {f.kind for f in find_faults(Plan(ablations=(ablation,)), (), index(source))}
        for part, item in (("number of owl towers", "a single owl tower"), ("tower bells", "a single tower horn"))
        if (
            ablation := Ablation(
                name="n", ablated_part=part, action=Action.REPLACE, replacement=(item,), metrics=("loss",)
            )
        )
    ]
    assert kinds == [{FindingKind.ALREADY_REPORTED}, set()]


def test_what_a_part_of_a_sentence_says_of_another_variant_does_not_hide_an_ablation() -> None:
    text = "One variant keeps the tide clock; another draws at random instead of by moon sampling."
    source = paper(section("Method", (P, "Moon sampling draws owls.")), section("Ablation study", (P, text)))
    ablation = Ablation(name="n", ablated_part="moon sampling", action=Action.REMOVE, metrics=("loss",))
    findings = find_faults(Plan(ablations=(ablation,)), (), index(source))
    assert [finding.kind for finding in findings] == [FindingKind.ALREADY_REPORTED]


COMPARED = paper(
    section(
        "Method", (P, "A tide clock drives the moon sampler. The herd of owls has 8 members. Without a map, owls err.")
    ),
    section(
        "Results",
        (P, "Table 1 holds the scores of the full method and of one without tide clocks, on both shores."),
        (P, "The size of the herd varies across 4, 8 and 16, and the scores with it."),
        (P, "We compare the moon sampler to two variants of it: star sampling (green) and dusk sampling (blue)."),
    ),
    section(
        "Results",
        (P, "We considered three options for the scale of hoots. The first is the mean of all nights. Then owls vote."),
        (P, "We use the mean of two moons for the call of larks."),
        (
            P,
            "With the true map of nests, which we compare with that drawn by owls, none errs. True positive owls sing.",
        ),
        (P, "We also experimented with flights to nests whose pace was random."),
        (P, "Choice of the perch\n\nWe compare our perches: OAK, FIR and ELM."),
        (
            P,
            "We show the pace of the wind clock by varying the number of clock turns.",
        ),
        (P, "The previous bells that we compared are TIN, BRASS and COPPER."),
        (P, "In several approaches, owls count leaves by hand or by a sieve."),
        (T, "oak 1 2 3\nfir 4 5 6\nTable 3: Effect of the number of branches on the nest of wrens."),
    ),
    section("Experimental setup", (P, "Baselines use a lake sampler in place of the moon sampler.")),
)


@pytest.mark.parametrize(
    ("part", "items", "is_reported"),
    [
        ("tide clock", (), True),
        ("map of owls", (), False),
        ("number of owls in the herd", ("4", "16"), True),
        ("number of owls in the herd", ("32", "64"), False),
        ("moon sampler", ("dusk sampling",), True),
        ("moon sampler", ("noon sampling",), False),
        ("moon sampler", ("dusk sampling only",), False),
        ("moon sampler", ("lake sampler",), False),
        ("scale of the hoots by sunrise", ("the mean over all nights",), True),
        ("flights to the nest", ("flights at a random pace",), True),
        ("scale of the hoots by sunrise", ("only the mean over all nights",), False),
        ("call of larks", ("mean of two moons",), False),
        ("map of nests drawn by owls", ("annotations of the ranger",), True),
        ("map of nests drawn by owls", ("a sketch of the ranger",), False),
        ("song of positive owls", ("true positive songs",), False),
        ("strategy of the perch", ("fir perch",), True),
        ("strategy of the flight", ("fir flight",), False),
        ("branches below the nest", ("2", "5"), True),
        ("eggs in the nest of robins", ("2", "5"), False),
        ("number of turns of the wind clock", ("3", "9"), True),
        ("number of owls on the wind clock", ("3", "9"), False),
        ("bells by the lake", ("TIN", "COPPER"), False),
        ("count of leaves by an owl", ("leaves through a sieve by hand",), True),
        ("version of the perch", ("fir version",), False),
    ],
)
def test_a_comparison_in_an_experiment_is_a_reported_ablation(
    part: str, items: tuple[str, ...], is_reported: bool
) -> None:
    action = Action.REPLACE if items else Action.REMOVE
    ablation = Ablation(name="n", ablated_part=part, action=action, replacement=items, metrics=("scores",))
    found = RepeatSearch(index(COMPARED)).find_repeated_study(ablation)
    assert (found is not None) is is_reported


ABLATED = paper(
    section(
        "Method",
        (P, "A tide clock drives the moon sampler, with weight λ. A dusk filter follows. A shore map too."),
    ),
    section(
        "Ablation study",
        (P, "Without the tide clock, scores fall. We compare the dusk filter versus a noon filter."),
        (P, "Impact of λ. We vary λ from 0 to 2. Without the shore map, owls use a star chart."),
        (P, "Owls that hear only the low hoots lose their way. Each tower fills layer 3 with sand."),
        (P, "The effect of wind on the number of larks is small."),
        (P, "Table 2 shows, for two different tide clocks, that owls profit. We vary the stride of tides from 3 to 9."),
    ),
)


@pytest.mark.parametrize(
    ("part", "items", "is_reported"),
    [
        ("tide clock", (), True),
        ("tide clock", ("removed: no clock at all", "a sand clock"), True),
        ("tide clock", ("a sand clock", "a sundial"), False),
        ("dusk filter", ("a filter of dawn",), True),
        ("shore map", ("a star chart",), True),
        ("shore map", ("a globe",), False),
        ("weight λ", ("0", "1", "2"), True),
        ("hyper-parameter λ of the dusk filter", ("0.5", "3"), True),
        ("three helpers of the owls", ("without a tide clock (TC)", "without the moon"), True),
        ("three helpers of the owls", ("without the moon",), False),
        ("number of helpers N", ("N = 0 (no tide clock)", "N = 2"), True),
        ("weight λ", ("a weight that each owl learns",), False),
        ("winding the tide clock by the moon", (), False),
        ("stride of tides", ("3x3", "9x9"), True),
        ("number of larks that the tide clock wakes", ("3", "9"), False),
        ("number of shores L = 3", ("9", "12"), False),
        ("low and high hoots together", ("the low hoots only",), True),
        ("low and high hoots together", ("the high hoots only",), False),
        ("low and high hoots together", ("the low hoots in turn",), False),
        ("tide clock", ("in layers 3 and 4 of the tower",), False),
    ],
)
def test_another_change_of_a_reported_part_is_another_ablation(
    part: str, items: tuple[str, ...], is_reported: bool
) -> None:
    action = Action.REPLACE if items else Action.REMOVE
    ablation = Ablation(name="n", ablated_part=part, action=action, replacement=items, metrics=("scores",))
    found = RepeatSearch(index(ABLATED)).find_repeated_study(ablation)
    assert (found is not None) is is_reported


@pytest.mark.parametrize(("part", "is_reported"), [("clock by the shore", True), ("updates of the tide clock", False)])
def test_the_name_of_an_ablation_may_name_only_the_owner_of_its_part(part: str, is_reported: bool) -> None:
    ablation = Ablation(
        name="Tide clock every 10 nights",
        ablated_part=part,
        action=Action.REPLACE,
        replacement=("removed",),
        metrics=("loss",),
    )
    assert (RepeatSearch(index(ABLATED)).find_repeated_study(ablation) is not None) is is_reported


@pytest.mark.parametrize("item", ["a brass bell", "a third clock with a pace of 150"])
def test_what_is_added_to_a_reported_part_is_another_ablation(item: str) -> None:
    ablation = Ablation(
        name="n", ablated_part="tide clock", action=Action.ADD, replacement=(item,), metrics=("scores",)
    )
    assert RepeatSearch(index(ABLATED)).find_repeated_study(ablation) is None


@pytest.mark.parametrize(
    ("study", "item", "is_reported"),
    [
        ("tide clock on and off", "a sand clock only for half of the owls", False),
        ("tide clock replaced by a sundial", "a brass sundial", True),
        ("tide clock replaced by a sundial", "a sand clock", False),
        ("different tide clocks", "a sand clock", True),
    ],
)
def test_a_study_of_the_model_covers_its_own_change_alone(study: str, item: str, is_reported: bool) -> None:
    source = paper(section("Method", (P, "A tide clock drives the sampler.")))
    ablation = Ablation(
        name="n", ablated_part="tide clock", action=Action.REPLACE, replacement=(item,), metrics=("scores",)
    )
    search = RepeatSearch(index(source), (ReportedStudy(name=study, by="model"),))
    assert (search.find_repeated_study(ablation) is not None) is is_reported
