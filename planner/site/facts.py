"""Facts that pages show: the title and source of a paper, and the labels, costs and replies of its plans."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from planner.chat import Completion
from planner.details import format_count
from planner.matching import split_into_word_set
from planner.models.pricing import format_usd
from planner.names import ArxivId, parse_arxiv_id
from planner.papers.sources import strip_folders_and_endings
from planner.planning.record import MAX_ABSTRACT_CHARS, PlanRecord
from planner.sanitize import remove_unsafe_characters, truncate_long_name
from planner.site.entries import PlanEntry

_SMALL_WORDS: Final = split_into_word_set(
    "a an and as at but by for from in into is its nor of on onto or over per than the to under via vs with"
)
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FORMULA_OR_COMMAND: Final = re.compile(r"\$[^$]*\$|\\\w+")
_SENTENCE_START: Final = re.compile(r"(?:^|[:.?!–—]\s)\W*$")
_NO_WORD: Final = re.compile(r"[^AEIOUY]+|.*\d.*|[IVX]{2,}")  # an acronym, a name with a number, or a Roman number
_MIN_CAPITALS: Final = 8
_MIN_WORDS: Final = 3


def choose_shown_title(entries: Sequence[PlanEntry]) -> str:
    """Return the title to show for the paper of the entries. If it is unknown, make a title from the paper's id.

    A title in capitals is changed to title case.
    """
    paper_id = entries[0].paper_id
    on_record = ((entry.title, entry.record.paper.abstract if entry.record else "") for entry in entries)
    candidates = (*on_record, (re.sub(r"[_\s]+", " ", paper_id), ""), (paper_id, ""))
    titles = ((remove_unsafe_characters(title).strip(), abstract) for title, abstract in candidates)
    title, abstract = next((found for found in titles if found[0]), ("?", ""))
    return fix_title_case(truncate_long_name(title), abstract)


def choose_unique_labels(entries: Sequence[PlanEntry]) -> list[str]:
    """Return a label for each entry of a paper, such as the model's name. All labels are different."""
    candidates = [_list_labels(entry) for entry in entries]
    counts = list(map(Counter, zip(*candidates, strict=True)))
    labels: dict[str, None] = {}
    for names in candidates:
        unique = (name for name, count in zip(names, counts, strict=True) if count[name] == 1)
        numbered = (f"{names[-1]} #{number}" for number in itertools.count(2))
        labels[next(label for label in itertools.chain(unique, names[-1:], numbered) if label not in labels)] = None
    return list(labels)


def _list_labels(entry: PlanEntry) -> list[str]:
    """Return possible labels for an entry, from the shortest to the most precise."""
    name, facts = f"{entry.planner}/{entry.model}", (entry.task, entry.run, _format_k(entry))
    return [entry.model_name, name, *(f"{name} ({', '.join(filter(None, facts[:n]))})" for n in (1, 2, 3))]


def fix_title_case(title: str, abstract: str) -> str:
    """Change a title in capitals to title case. Return any other title as it is.

    Acronyms and names are spelled as in the abstract.
    """
    if not _is_in_capitals(title):
        return title
    spellings = _find_spellings(abstract if len(abstract) <= MAX_ABSTRACT_CHARS else "")  # as in a record
    pieces = re.compile(f"{_FORMULA_OR_COMMAND.pattern}|{_WORD.pattern}")
    return pieces.sub(lambda piece: _lower_word(piece, spellings), title)


def find_arxiv_id(source: str, paper_id: str) -> ArxivId | None:
    """Return the arXiv id in the source or the id of a paper, or None if there is none."""
    found = (parse_arxiv_id(name) for name in (source, strip_folders_and_endings(source), paper_id))
    return next(filter(None, found), None)


def _is_in_capitals(title: str) -> bool:
    """Return whether a title is in capitals. A few small letters, as in "LLMs", are allowed."""
    text = _FORMULA_OR_COMMAND.sub(" ", title)
    upper, lower = sum(map(str.isupper, text)), sum(map(str.islower, text))
    return upper >= max(_MIN_CAPITALS, 10 * lower) and len(_WORD.findall(text)) >= _MIN_WORDS


def _find_spellings(text: str) -> dict[str, str]:
    """Return a mapping from each lower-case word to its most frequent spelling in the text."""
    counts = Counter(_WORD.findall(text))
    return {word.casefold(): word for word, _ in reversed(counts.most_common())}


def _lower_word(match: re.Match[str], spellings: Mapping[str, str]) -> str:
    word, before = match[0], match.string[: match.start()]
    if word[0] in "$\\" or not word.isupper():
        return word
    spelling = spellings.get(word.casefold(), word if _NO_WORD.fullmatch(word) else "")
    if len(spelling) > 1 and not spelling[1:].islower():
        return spelling
    is_small = word.lower() in _SMALL_WORDS and not _SENTENCE_START.search(before)
    return word.lower() if is_small else word.capitalize()


@dataclass(frozen=True, slots=True)
class AttemptView:
    """A request for a plan and its reply, as a page shows them."""

    heading: str
    findings: tuple[str, ...]
    text: str
    reasoning: str
    refusal: str


def format_key_figures(entry: PlanEntry) -> str:
    """Return the known key figures of an entry in one line: task, number of ablations, cost and time."""
    figures = (
        f"{entry.task} task",
        format_count(len(entry.ablations), "ablation") if entry.ablations else "",
        "" if entry.cost is None else format_usd(entry.cost),
        _format_seconds(entry.record.seconds) if entry.record else "",
    )
    return " · ".join(filter(None, figures))


def list_plan_facts(entry: PlanEntry) -> tuple[tuple[str, str], ...]:
    """Return (label, text) for each known fact about how a plan was made."""
    name = f"{entry.planner}/{entry.model}/{entry.paper_id}"
    of_record = _list_record_facts(entry, entry.record) if entry.record else ()
    facts = (("Trajectory", name), ("Task", entry.task), ("Run", entry.run), *of_record)
    return tuple((label, text) for label, text in facts if text)


def _list_record_facts(entry: PlanEntry, record: PlanRecord) -> Iterator[tuple[str, str]]:
    yield "Model asked", record.model_asked
    yield "Model that answered", record.model_answered
    yield "Endpoint", record.endpoint
    yield "Parameters", json.dumps(record.parameters, ensure_ascii=False) if record.parameters else ""
    yield "Ablations asked for", _format_k(entry)
    yield "Cost", "" if entry.cost is None else format_usd(entry.cost)
    yield "Tokens", _format_tokens(record)
    yield "Time", _format_seconds(record.seconds)
    yield "Started", record.started.isoformat(sep=" ", timespec="seconds")
    yield "Prompt SHA-256", record.prompt_sha256
    yield "Templates SHA-256", record.template_sha256
    read = f"{record.paper.format} of {record.paper.chars:,} characters, SHA-256 {record.paper.sha256}"
    yield "Paper", read if record.paper.sha256 else ""
    yield "Source", record.paper.source
    yield "Not sent", "; ".join(f"{o.heading} ({o.chars:,} characters: {o.why})" for o in record.paper.left_out)
    yield "Program", f"{record.program_version}, format {record.format_version}"


def _format_k(entry: PlanEntry) -> str:
    return f"up to {entry.record.k}" if entry.record else ""


def _format_tokens(record: PlanRecord) -> str:
    usage = record.usage
    counts = (
        (usage.prompt_tokens, "in"),
        (usage.cached_tokens, "of them cached"),
        (usage.completion_tokens, "out"),
        (usage.reasoning_tokens, "of them reasoning"),
    )
    return ", ".join(f"{count:,} {kind}" for count, kind in counts if count is not None)


def _format_seconds(seconds: float) -> str:
    """Return a time as text. A time under 0.1 s becomes "", since it means that no model was asked."""
    return f"{seconds:.1f} s" if seconds >= 0.1 else ""


def iterate_attempt_views(entry: PlanEntry) -> Iterator[AttemptView]:
    """Yield the requests for a plan, each with its reply, in the order in which they were sent."""
    for number, attempt in enumerate(entry.record.attempts if entry.record else (), start=1):
        outcome = attempt.outcome.value.replace("_", " ") if attempt.outcome else "not judged"
        cost = "" if attempt.cost is None else format_usd(attempt.cost)
        facts = (cost, _format_seconds(attempt.completion.seconds)) if attempt.completion else ("no reply",)
        completion = attempt.completion or Completion("")
        yield AttemptView(
            heading=", ".join(filter(None, (f"Attempt {number}: {outcome}", *facts))),
            findings=(*attempt.findings, *completion.notes),
            text=completion.text,
            reasoning=completion.reasoning,
            refusal=completion.refusal,
        )
