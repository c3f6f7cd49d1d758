"""Write the reasoning of a combined plan: its members, the rule, and the votes for each study."""

from collections.abc import Iterator, Sequence

from planner.combining.studies import ChosenStudies, Study


def write_reasoning(names: Sequence[str], chosen: ChosenStudies) -> str:
    """Return the reasoning of a plan that combines the plans of the members with these names."""
    return "\n\n".join(filter(None, _list_paragraphs(names, chosen)))


def _list_paragraphs(names: Sequence[str], chosen: ChosenStudies) -> Iterator[str]:
    yield (
        f"This plan combines the plans of {len(names)} members: {', '.join(names)}. No model was asked for it. "
        "Ablations of different members are one study if they surely change the same part in the same way. "
        f"Each study has the words of the member that rates it highest. {_describe_rule(chosen)}"
    )
    yield "\n".join(f"{number}. {_describe_study(study)}" for number, study in enumerate(chosen.kept, start=1))
    if chosen.rejected:
        yield "Not in the plan:"
        yield "\n".join(f"- {_describe_study(study)}; {why}" for study, why in chosen.rejected)


def _describe_rule(chosen: ChosenStudies) -> str:
    if chosen.min_chance is None:
        return (
            "Not every member states chances, so studies are ranked by their votes, then by their mean rank; "
            f"at most {chosen.k} are in the plan."
        )
    return (
        "The chance of a study is the mean over all members, and a member without it counts as 0 %. "
        f"At most {chosen.k} studies with a chance of {chosen.min_chance} % or more are in the plan, the best always."
    )


def _describe_study(study: Study) -> str:
    chance = "" if study.chance is None else f", chance {study.chance} %"
    count = f"{len(study.proposals)} of {study.member_count} votes{chance}"
    votes = (proposal.vote for proposal in study.proposals)
    named = (f"{v.member} {f'{v.chance} %' if v.chance is not None else f'rank {v.rank}'}" for v in votes)
    return f"{study.best_proposal.ablation.name}: {count} ({', '.join(named)}); words of {study.best_proposal.member}"
