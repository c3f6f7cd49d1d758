"""The entries of a corpus, the tasks made of them, and the problems met."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a corpus, not read yet.

    `id` names it in the run and on disk. `source` is a path or an arXiv id, `place` its real path or plain arXiv id,
    `kind` its recognised format. `title` and `abstract` come from a manifest, else they are "". `stamp` changes with
    the paper: it is a hash of the names, sizes and times of its files, its title and its abstract.
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
    """The task of planning a paper with a model; `begun` if the ledger holds requests of an earlier call for it."""

    entry: Entry
    model: str
    begun: bool = True


@dataclass(frozen=True, slots=True)
class Problem:
    """An input that gave no paper, and the reason; `harmless` if no paper is likely to be missing."""

    source: str
    what: str
    harmless: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """The papers in a stable order, the problems met, and the number of files passed over as not being papers."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    passed_over: int = 0
