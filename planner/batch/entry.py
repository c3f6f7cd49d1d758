"""What a corpus consists of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a corpus, before anybody has read it.

    `id` names it in the run and on disk, `source` is what `load` understands, `place` where that really lies, `kind`
    what it was recognised as; `title` and `abstract` are those of a manifest, "" elsewhere. `stamp` changes when the
    paper does: a hash of the names, sizes and times of its files, and of what the manifest says.
    """

    id: str
    source: str
    place: str
    kind: str
    title: str = ""
    abstract: str = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A paper that one model is to plan; `begun` when the ledger holds requests of an earlier call for it."""

    entry: Entry
    model: str
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of a corpus that is no paper, though it was meant as one, or no further paper (`harmless`)."""

    source: str
    what: str
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """The papers in a stable order, what was wrong, and how many files were passed over as no papers."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    passed_over: int = 0
