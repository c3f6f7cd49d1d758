"""Combined plans against plans that were worked out by hand."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from planner.combining.combine import SingleMemberPaper, combine_plans_by_paper
from planner.details import RejectedAblation, RejectionReason
from planner.errors import Outcome, UsageError
from planner.planning.output import PlanOutput
from planner.planning.record import PlanRecord
from planner.schema import Action, Task
from planner.site.entries import UnreadFile
from planner.trajectory.reader import read_trajectory
from tests.combining.made import CODEBOOK, build_details, write_plan, write_plans
from tests.site.made import LOSS, ROUTER, STARTED, failed, plan_record, trajectory, write_entry


def combine(*folders: Path, k: int | None = None, min_chance: int | None = None) -> PlanOutput:
    """Combine the plans of the one paper in the folders."""
    [output] = combine_plans_by_paper(folders, folders[0].parent / "out", k=k, min_chance=min_chance)
    assert isinstance(output, PlanOutput)
    return output


def list_names(output: PlanOutput) -> list[str]:
    assert output.trajectory is not None
    return [ablation.name for ablation in output.trajectory.plan.ablations]


def read_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_three_plans_give_the_plan_that_was_worked_out_by_hand(tmp_path: Path) -> None:
    """Chances in percent, those of what was only considered in brackets; a member without a study counts as 0.

    | study    |    a |   b |    c | mean            | words of          |
    |----------|-----:|----:|-----:|-----------------|-------------------|
    | gate     |   90 |  60 |   75 | 225 / 3 = 75    | a, "No gate"      |
    | router   |   80 |  70 | [30] | 180 / 3 = 60    | a, "Plain routing"|
    | loss     |   50 |     |   85 | 135 / 3 = 45    | c, "Loss removed" |
    | codebook |      |  95 |      |  95 / 3 = 31.7  | below 45          |
    | warm-up  | [40] |     |   45 |  85 / 3 = 28.3  | below 45, of c    |
    """
    output = combine(*write_plans(tmp_path))
    assert list_names(output) == ["No gate", "Plain routing", "Loss removed"]
    record = output.record
    assert [(each.chance, each.reason) for each in record.details] == [
        (75, "a: No gate"),
        (60, "a: Plain routing"),
        (45, "c: Loss removed"),
    ]
    assert [[(vote.member, vote.name, vote.rank, vote.chance) for vote in votes] for votes in record.votes] == [
        [("a", "No gate", 1, 90), ("b", "Without the gate", 2, 60), ("c", "Gate taken out", 1, 75)],
        [("a", "Plain routing", 2, 80), ("b", "Random routing", 1, 70), ("c", "Simpler routing", 4, 30)],
        [("a", "No consistency", 3, 50), ("c", "Loss removed", 2, 85)],
    ]
    assert [(each.name, each.details.chance, each.why.value) for each in record.considered] == [
        ("Plain codebook", 32, "below min-chance"),
        ("Shorter warm-up", 28, "below min-chance"),
    ]
    assert (record.k, record.min_chance, record.order, record.cost) == (5, 45, (0, 1, 2), 0.0)


def test_votes_and_ranks_count_where_there_are_no_chances(tmp_path: Path) -> None:
    """Ranks in the plans; what was only considered is not known from trajectories.

    | study    | a | b | c | votes | mean rank | words of                          |
    |----------|--:|--:|--:|------:|----------:|-----------------------------------|
    | gate     | 1 | 2 | 1 |     3 |       4/3 | a (first rank, before c by name)  |
    | router   | 2 | 1 |   |     2 |       3/2 | b                                 |
    | loss     | 3 |   | 2 |     2 |       5/2 | c                                 |
    | codebook |   | 3 |   |     1 |         3 | b, before warm-up by name         |
    | warm-up  |   |   | 3 |     1 |         3 | c                                 |
    """
    output = combine(*write_plans(tmp_path, with_chances=False), k=4, min_chance=90)
    assert list_names(output) == ["No gate", "Random routing", "Loss removed", "Plain codebook"]
    record = output.record
    assert [(each.name, each.why.value) for each in record.considered] == [("Shorter warm-up", "beyond k")]
    assert (record.min_chance, record.details, record.order) == (None, (), ())
    assert [len(votes) for votes in record.votes] == [3, 2, 2, 1]


def test_one_plan_without_chances_makes_votes_count(tmp_path: Path) -> None:
    folders = [*write_plans(tmp_path, names="ab"), tmp_path / "c"]
    write_plan(tmp_path / "c", "c", with_chances=False)
    record = combine(*folders).record
    assert [len(votes) for votes in record.votes] == [3, 2, 2, 1, 1]
    assert [each.chance for each in record.details] == [None] * 5
    assert [vote.chance for vote in record.votes[0]] == [90, 60, None]


def test_a_chance_that_a_member_left_out_counts_as_0(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    path = tmp_path / "b" / "lm-planner" / "b" / "A_Paper.json"
    record = PlanRecord.read(path)
    details = (record.details[0].model_copy(update={"chance": None}), *record.details[1:])
    record.model_copy(update={"details": details}).write(path)
    chances = {each.reason: each.chance for each in combine(*folders, min_chance=0).record.details}
    assert (chances["a: No gate"], chances["a: Plain routing"]) == (75, 37)


def test_the_best_study_stays_and_k_cuts(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    assert list_names(combine(*folders, min_chance=100)) == ["No gate"]
    output = combine(*folders, k=2)
    assert list_names(output) == ["No gate", "Plain routing"]
    assert [each.why for each in output.record.considered] == [
        RejectionReason.BEYOND_K,
        RejectionReason.BELOW_MIN_CHANCE,
        RejectionReason.BELOW_MIN_CHANCE,
    ]


def test_each_task_has_its_own_k(tmp_path: Path) -> None:
    assert len(list_names(combine(*write_plans(tmp_path, task=Task.REVIEWER)))) == 2


def test_what_a_member_withdrew_does_not_count(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    path = tmp_path / "c" / "lm-planner" / "c" / "A_Paper.json"
    withdrawn = RejectedAblation(**dict(CODEBOOK), details=build_details("", 99), why=RejectionReason.WITHDRAWN)
    PlanRecord.read(path).model_copy(update={"considered": (withdrawn,)}).write(path)
    considered = combine(*folders).record.considered
    assert [(each.name, each.details.chance) for each in considered[:1]] == [("Plain codebook", 32)]


def test_the_same_sources_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    combine(*folders)
    first = read_files(tmp_path / "out")
    for order in permutations(folders):
        combine(*order)
        assert read_files(tmp_path / "out") == first
    assert len(first) == 2


def test_a_combined_plan_and_a_copy_are_no_members(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    combine(*folders)
    first = read_files(tmp_path / "out")
    write_plan(tmp_path / "published", "a", with_chances=False)
    combine(*folders, tmp_path / "out", tmp_path / "published")
    assert read_files(tmp_path / "out") == first


def test_other_members_for_a_paper_get_a_file_of_their_own(tmp_path: Path) -> None:
    a, b, c = write_plans(tmp_path)
    paths = {combine(*folders).trajectory_path for folders in ((a, b), (a, c), (a, b, c))}
    assert len({path.parent.name for path in paths}) == 3
    for name in "abc":
        write_entry(tmp_path / name, trajectory("Other", model=name, task=Task.AUTHOR))
    (b / "lm-planner" / "b" / "A_Paper.md").unlink()
    (b / "lm-planner" / "b" / "A_Paper.json").unlink()
    outputs = [each for each in combine_plans_by_paper([a, b, c], tmp_path / "out") if isinstance(each, PlanOutput)]
    new_path = next(each.trajectory_path for each in outputs if each.record.paper.id == "A_Paper")
    assert new_path not in paths
    assert new_path.parent in {path.parent for path in paths}


def test_the_model_segment_is_stable(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    assert combine(*folders).record.model == "3-members-ea7fb08b"
    assert combine(*reversed(folders)).record.model == "3-members-ea7fb08b"


def test_samples_and_runs_of_one_model_are_members(tmp_path: Path) -> None:
    for run in ("one", "two"):
        write_entry(tmp_path / run, trajectory(ablations=(ROUTER, LOSS), reasoning=f"In run {run}."))
    write_entry(tmp_path / "one" / "more", trajectory(ablations=(LOSS,), reasoning="A further sample."))
    output = combine(tmp_path / "one", tmp_path / "two")
    assert output.record.parameters == {"members": ["gpt-4o (one)", "gpt-4o (one) #2", "gpt-4o (two)"]}
    assert [len(votes) for votes in output.record.votes] == [3, 2]


def test_studies_of_one_name_are_numbered(tmp_path: Path) -> None:
    for model, ablation in (("a", ROUTER), ("b", LOSS)):
        write_entry(
            tmp_path / model, trajectory(model=model, ablations=[ablation.model_copy(update={"name": "Study"})])
        )
    assert list_names(combine(tmp_path / "a", tmp_path / "b")) == ["Study", "Study (2)"]


def test_an_ablation_that_breaks_a_rule_is_left_out(tmp_path: Path) -> None:
    broken = ROUTER.model_copy(update={"replacement": (), "action": Action.REPLACE})
    write_entry(tmp_path / "a", trajectory(model="a", ablations=(broken, LOSS)))
    write_entry(tmp_path / "b", trajectory(model="b", ablations=(broken,)))
    assert list_names(combine(tmp_path / "a", tmp_path / "b")) == [LOSS.name]
    (tmp_path / "a" / "lm-planner" / "a" / "A_Paper.md").unlink()
    write_entry(tmp_path / "a", trajectory(model="a", ablations=(broken,)))
    [unread] = combine_plans_by_paper([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    assert unread == UnreadFile("A_Paper", "no member has a valid ablation for the reviewer task")


def test_the_record_and_the_trajectory_can_be_read_again(tmp_path: Path) -> None:
    output = combine(*write_plans(tmp_path))
    assert PlanRecord.read(output.record_path) == output.record
    assert read_trajectory(output.trajectory_path) == output.trajectory
    assert output.record.started == STARTED
    assert json.loads(output.record_path.read_bytes())["strategy"] == "combine"


def test_the_reasoning_says_who_votes_for_what(tmp_path: Path) -> None:
    trajectory = combine(*write_plans(tmp_path)).trajectory
    assert trajectory is not None
    assert trajectory.reasoning.startswith("This plan combines the plans of 3 members: a, b, c. No model was asked")
    assert "\n1. No gate: 3 of 3 votes, chance 75 % (a 90 %, b 60 %, c 75 %); words of a\n" in trajectory.reasoning
    assert (
        "\n- Plain codebook: 1 of 3 votes, chance 32 % (b 95 %); words of b; below min-chance\n" in trajectory.reasoning
    )


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    write_entry(tmp_path / "a", trajectory("Lonely", model="a"))
    broken = tmp_path / "a" / "lm-planner" / "a" / "Broken.md"
    broken.write_text("no trajectory", encoding="utf-8")
    sidecar = tmp_path / "c" / "lm-planner" / "c" / "A_Paper.json"
    plan_record(trajectory(model="other")).write(sidecar)
    *unread, output, single = combine_plans_by_paper(folders, tmp_path / "out")
    assert [each.reason.split(";")[0] for each in unread if isinstance(each, UnreadFile)] == [
        "not a trajectory",
        "its record belongs to another plan",
    ]
    assert isinstance(output, PlanOutput)
    assert [len(votes) for votes in output.record.votes] == [3, 2, 2, 1, 1], "the plan with the wrong sidecar counts"
    assert single == SingleMemberPaper("Lonely", Task.REVIEWER, "a")


def test_a_missing_plan_is_named_and_a_failed_one_is_not(tmp_path: Path) -> None:
    folders = write_plans(tmp_path)
    (tmp_path / "a" / "lm-planner" / "a" / "A_Paper.md").unlink()
    (tmp_path / "b" / "lm-planner" / "b" / "A_Paper.json").write_text("{", encoding="utf-8")
    refused = trajectory(model="d", task=Task.AUTHOR)
    write_entry(tmp_path / "d", refused, failed(plan_record(refused), Outcome.REFUSED, "no"), planned=False)
    *unread, output = combine_plans_by_paper([*folders, tmp_path / "d"], tmp_path / "out")
    assert [each.reason.split(":")[0] for each in unread if isinstance(each, UnreadFile)] == [
        "the trajectory file is missing",
        "the record could not be read",
    ]
    assert isinstance(output, PlanOutput)
    assert output.record.parameters == {"members": ["b", "c"]}


def test_a_folder_without_plans_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no plan was found"):
        list(combine_plans_by_paper([tmp_path], tmp_path / "out"))


@pytest.mark.shared
def test_published_plans_of_five_models_are_combined_to_the_same_bytes_again(tmp_path: Path, shared: Path) -> None:
    models = [folder for folder in (shared / "trajectories" / "lm-planner").iterdir() if folder.is_dir()]
    papers = set.intersection(*({path.name for path in folder.glob("*.md")} for folder in models))
    for folder in models:
        for name in papers:
            link = tmp_path / "five" / folder.name / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_bytes((folder / name).read_bytes())
    first = list(combine_plans_by_paper([tmp_path / "five"], tmp_path / "out"))
    files = read_files(tmp_path / "out")
    assert list(combine_plans_by_paper([tmp_path / "five"], tmp_path / "out")) == first
    assert read_files(tmp_path / "out") == files
    assert len(files) == 2 * len(papers) == 2 * len(first) == 100
    assert all(isinstance(each, PlanOutput) and len(each.record.parameters["members"]) == 5 for each in first)  # type: ignore[arg-type]


def test_the_faults_of_the_ablations_whose_words_are_kept_are_warnings_of_the_combined_plan(tmp_path: Path) -> None:
    """The plan has the words of a for its first two ablations, and those of c's second for its third."""
    for name, warnings in {
        "a": ("ablation 1 ('No gate'): the ablated part 'x' is not found in the paper", "the prompt may have been cut"),
        "b": ("ablation 1 ('Random routing'): the quote 'y' is not in the text that was sent",),
        "c": (
            "ablation 1 ('Gate taken out'): there is nothing to run",
            "ablation 2 ('Loss removed'): the quote 'z' is not in the text that was sent",
            "ablation 2 ('Loss removed'): it concerns the same part as the ablation 'Gate taken out'",
        ),
    }.items():
        write_plan(tmp_path / name, name, with_chances=True)
        [path] = (tmp_path / name).rglob("*.json")
        record = PlanRecord.model_validate_json(path.read_text(encoding="utf-8"))
        path.write_text(record.model_copy(update={"warnings": warnings}).model_dump_json(), encoding="utf-8")
    output = combine(*(tmp_path / name for name in "abc"))
    assert output.record.warnings == (
        "ablation 1 ('No gate'): the ablated part 'x' is not found in the paper",
        "ablation 3 ('Loss removed'): the quote 'z' is not in the text that was sent",
    )
