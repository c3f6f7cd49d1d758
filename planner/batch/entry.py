"""What a corpus consists of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper of a corpus, before anybody has read it.

    `id` names it in the run and on disk, `source` is what `load` understands, `kind` what it was recognised as;
    `title` and `abstract` are those of a manifest, "" elsewhere. `stamp` changes when the paper does: a hash of the
    names, sizes and times of its files, and of what the manifest says.
    """

    id: str
    source: str
    kind: str
    title: str = ""
    abstract: str = ""
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of a corpus that is no paper, or no further paper, though it was meant as one."""

    source: str
    what: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """The papers in a stable order, what was wrong, and the files that were passed over as no papers."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...] = ()
    passed_over: tuple[str, ...] = ()
