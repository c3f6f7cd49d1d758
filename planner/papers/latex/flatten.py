"""Flatten a paper's files to one LaTeX text: follow inputs inside its root, drop comments and dead branches."""

import posixpath
import re
from dataclasses import dataclass, field
from itertools import chain
from operator import eq, gt, lt
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import clean, decode
from planner.papers.latex.scan import Groups, Mark, Marks, mark_pattern
from planner.papers.tree import Tree

MAX_DEPTH: Final = 40
MAX_INPUTS: Final = 3_000
MAX_CHARS: Final = 20_000_000

_INPUTS: Final = frozenset({"input", "include", "subfile", "subfileinclude", "InputIfFileExists", "loadgeometry"})
_IMPORTS: Final = frozenset(
    {"import", "subimport", "inputfrom", "subinputfrom", "includefrom", "subincludefrom", "import*", "subimport*"}
)
_LISTINGS: Final = frozenset({"lstinputlisting", "verbatiminput", "VerbatimInput", "inputminted"})
_ENVIRONMENTS: Final = frozenset(
    {"excludecomment", "lstnewenvironment", "DefineVerbatimEnvironment", "newtcblisting", "newminted"}
)
_OTHERS: Final = frozenset({"newif", "let", "fi", "else", "or", "endinput", "begin"})
_ETOOLBOX: Final = """
    iff ifthenelse ifblank ifstrempty ifstrequal ifdef ifcsdef ifundef ifcsundef ifbool ifboolexpr ifboolexpe
    iftoggle ifdefempty ifdefvoid ifdefstring ifdefequal ifnumcomp ifnumequal ifnumgreater ifnumless ifdimcomp
    ifinlist ifpackageloaded ifcsstring ifdefmacro ifnotblank ifempty
"""
_NOT_CONDITIONALS: Final = frozenset(_ETOOLBOX.split())
_FOLLOWED: Final = "|".join(map(re.escape, sorted(_INPUTS | _IMPORTS | _LISTINGS | _ENVIRONMENTS | _OTHERS)))
_MARK: Final = mark_pattern(  # commands, conditionals, and flag setters such as \draftfalse
    rf"(?:{_FOLLOWED})(?:(?<=\*)|(?![A-Za-z@*]))|end(?=\{{document\}})"
    r"|if[A-Za-z@]*\*?|[A-Za-z@]++(?:(?<=true)|(?<=false))(?!\*)",
    r"[\\%]",
)
_BARE_NAME: Final = re.compile(r"[ \t]+([^\s{}\\%$]+)")
_IF_DIGITS: Final = re.compile(r"\s*(\d)\s*(\d?)")
_IF_NUMBERS: Final = re.compile(r"\s*(\d{1,9})\s*([<=>])\s*(\d{1,9})(?!\d)\s?")
_RELATIONS: Final = {"<": lt, "=": eq, ">": gt}
_LET_FLAG: Final = re.compile(r"\s*\\if([A-Za-z@]+)\s*=?\s*\\if(true|false)\b")
_NEWIF: Final = re.compile(r"\s*\{?\s*\\if([A-Za-z@]+)\s*\}?")
_OWN_VERBATIM: Final = re.compile(r"\s*(?:\[[^\]]*\]\s*)?\{\\?(\w+\*?)\}")
_INDENT: Final = re.compile(r"\n?[ \t]*")


@dataclass(frozen=True, slots=True)
class Flat:
    """A paper's LaTeX source as one text, preamble included; `files` are the files in it, in order."""

    text: str
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def flatten(tree: Tree, main: str) -> Flat:
    """Return the text of the main file with every input in its place.

    Raises:
        PaperError: if the inputs are over 3,000 files or 20 million characters, or a file cannot be read.
    """
    flattener = _Flattener(tree, posixpath.dirname(main))
    flattener.file(main)
    return Flat("".join(flattener.out), tuple(flattener.read), tuple(dict.fromkeys(flattener.warnings)))


@dataclass(slots=True)
class _Branch:
    """An open conditional: whether its current branch is read (None if unknown), and whether all of it is skipped."""

    live: bool | None
    outer_dead: bool


@dataclass(slots=True)
class _Flattener:
    tree: Tree
    folder: str
    out: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _flags: dict[str, bool] = field(default_factory=dict)
    _branches: list[_Branch] = field(default_factory=list)
    _verbatim: set[str] = field(default_factory=lambda: {"comment"})  # the paper's own, comments included
    _comments: set[str] = field(default_factory=lambda: {"comment"})
    _folders: list[str] = field(default_factory=list)
    _size: int = 0
    _over: bool = False

    def file(self, name: str) -> None:
        """Add one file of the tree to the text."""
        text, warnings = decode(self.tree.read(name), name)
        text, more = clean(text)
        self.warnings += [f"{name}: {warning}" for warning in (*warnings, *more)]
        self.read.append(name)
        self._open.append(name)
        self._scan(text, nested=len(self._open) > 1)
        self._open.pop()

    def _scan(self, text: str, *, nested: bool) -> None:
        groups = Groups(text)
        start = text.find("\\begin{document}") if nested else -1
        place = start + len("\\begin{document}") if start >= 0 and "\\documentclass" in text[:start] else 0
        scan = Marks(text, place, self._verbatim, _MARK)
        for mark in scan:
            if self._stands(mark):
                continue
            self._emit(text[place : mark.start])
            place = self._mark(text, groups, mark, nested=nested)
            if place < 0 or self._over:
                return
            scan.place = place
        self._emit(text[place:])

    def _stands(self, mark: Mark) -> bool:
        """Return whether a token stays in the text as it is."""
        if mark.kind == "command":
            return mark.name == "begin"
        return mark.kind == "escape" or (mark.kind == "verbatim" and mark.name not in self._comments)

    def _mark(self, text: str, groups: Groups, mark: Mark, *, nested: bool) -> int:
        """Handle one token and return the place to continue from, -1 to leave the file."""
        if mark.kind == "comment":
            return self._comment(text, mark)
        if mark.kind == "verbatim":
            return _INDENT.match(text, mark.end).end()  # type: ignore[union-attr]
        if (after := self._conditional(text, mark)) is not None:
            return after
        if not self._dead and (after := self._command(text, groups, mark, nested=nested)) is not None:
            return after
        self._emit(text[mark.start : mark.end])
        return mark.end

    def _comment(self, text: str, mark: Mark) -> int:
        """Return the place behind a comment and its line's end; that end stays after a space or a row's end."""
        line_start = text.rfind("\n", 0, mark.start) + 1
        end = mark.end
        if not text[line_start : mark.start].strip():
            return min(end + 1, len(text))
        glued = not text[mark.start - 1].isspace() and text[mark.start - 2 : mark.start] != "\\\\"
        following = text.find("\n", end + 1)
        blank_next = not text[end + 1 : following if following >= 0 else len(text)].strip()
        return _INDENT.match(text, end).end() if glued and not blank_next else end  # type: ignore[union-attr]

    @property
    def _dead(self) -> bool:
        return bool(self._branches) and (self._branches[-1].outer_dead or self._branches[-1].live is False)

    def _conditional(self, text: str, mark: Mark) -> int | None:
        """Follow `\\if…`, `\\else`, `\\fi` and flags, and return the place behind; None for any other token."""
        name = mark.name
        if name == "newif" and (flag := _NEWIF.match(text, mark.end)):
            self._flags.setdefault(flag[1], False)
            return flag.end()
        if name == "let" and (flag := _LET_FLAG.match(text, mark.end)):
            self._set(flag[1], flag[2] == "true")
            return flag.end()
        if name.endswith(("true", "false")) and (stem := re.sub(r"(?:true|false)$", "", name)) in self._flags:
            self._set(stem, name.endswith("true"))
            return mark.end
        if name == "fi" and self._branches:
            return self._close(mark)
        if name in ("else", "or") and self._branches:
            return self._turn(mark)
        if name.startswith("if") and name not in _NOT_CONDITIONALS and not text.startswith("{", mark.end):
            return self._if(text, mark)
        return None

    def _set(self, flag: str, value: bool) -> None:
        if not self._dead:
            self._flags[flag] = value

    def _if(self, text: str, mark: Mark) -> int:
        live, end = self._flags.get(mark.name[2:]), mark.end
        if mark.name in ("iffalse", "iftrue"):
            live = mark.name == "iftrue"
        elif mark.name == "if" and (digits := _IF_DIGITS.match(text, end)):
            live, end = digits[1] == digits[2], digits.end()
        elif mark.name == "ifnum" and (numbers := _IF_NUMBERS.match(text, end)):
            live, end = _RELATIONS[numbers[2]](int(numbers[1]), int(numbers[3])), numbers.end()
        dead = self._dead
        self._branches.append(_Branch(live, dead))
        if live is None and not dead:
            self._emit(text[mark.start : end])
        return end

    def _turn(self, mark: Mark) -> int:
        branch = self._branches[-1]
        if branch.live is not None:
            branch.live = not branch.live
        else:
            self._emit("\\" + mark.name)
        return mark.end

    def _close(self, mark: Mark) -> int:
        branch = self._branches.pop()
        if branch.live is None and not branch.outer_dead:
            self._emit("\\fi")
        return mark.end

    def _command(self, text: str, groups: Groups, mark: Mark, *, nested: bool) -> int | None:
        """Handle a command that adds text, ends a file or changes the reading; return the place behind, else None."""
        name = mark.name
        if name in ("end", "endinput"):
            self._over = name == "end" and not nested
            self._emit("\\end{document}" if self._over else "")
            return -1
        if name in _INPUTS or name in _IMPORTS:
            return self._input(text, groups, mark)
        if name in _LISTINGS:
            return self._listing(groups, mark)
        if name in _ENVIRONMENTS:
            self._environment(text, mark)
        return None

    def _environment(self, text: str, mark: Mark) -> None:
        """Remember an environment that the paper defines as verbatim or as a comment."""
        if found := _OWN_VERBATIM.match(text, mark.end):
            name = found[1] + ("code" if mark.name == "newminted" else "")
            self._verbatim.add(name)
            if mark.name == "excludecomment":
                self._comments.add(name)

    def _input(self, text: str, groups: Groups, mark: Mark) -> int | None:
        folder, end = "", mark.end
        if mark.name in _IMPORTS:
            first = groups.group(end)
            if first is None:
                return None
            folder, end = first[0].strip(), first[1]
        found = groups.group(end)
        if found is None:
            bare = _BARE_NAME.match(text, end)
            if bare is None or mark.name not in _INPUTS:
                return None
            found = bare[1], bare.end()
        if "#" in found[0] or "\\" in found[0]:
            return None
        self._follow(posixpath.join(folder, found[0].strip().strip('"')), enter=folder)
        return found[1]

    def _follow(self, path: str, *, enter: str) -> None:
        if path.startswith(("/", "~", "|")) or path[1:2] == ":":
            self.warnings.append(f"\\input{{{path[:100]}}} was not followed: it points outside the paper's folder")
            return
        name = self._find(path)
        if not name:
            self.warnings.append(f"\\input{{{path[:100]}}} was not followed: the paper has no such file")
        elif name in self._open or len(self._open) >= MAX_DEPTH:
            self.warnings.append(f"\\input{{{path[:100]}}} was not followed: it includes itself or is nested too deep")
        elif len(self.read) >= MAX_INPUTS:
            raise PaperError(f"the paper in {self.tree.name!r} has over {MAX_INPUTS:,} inputs; give one paper alone")
        else:
            if enter:
                self._folders.append(posixpath.join(self._folders[-1] if self._folders else self.folder, enter))
            self.file(name)
            if enter:
                self._folders.pop()

    def _find(self, path: str) -> str:
        own = posixpath.dirname(self._open[-1]) if self._open else self.folder
        folders = (*self._folders[-1:], self.folder, own, "")
        parent = posixpath.dirname(self._folders[-1]) if self._folders else ""
        endings = ("",) if path.lower().endswith((".tex", ".ltx")) else (".tex", "", ".ltx")
        near = (self.tree.find(path + ending, *folders, parent) for ending in endings)
        far = (self.tree.only(path + ending) for ending in endings)  # a path of the author's own machine
        return next((name for name in chain(near, far) if name), "")

    def _listing(self, groups: Groups, mark: Mark) -> int | None:
        option = groups.option(mark.end)
        place = option[1] if option else mark.end
        if mark.name == "inputminted" and (language := groups.group(place)):
            place = language[1]
        found = groups.group(place)
        name = self._find(found[0].strip()) if found else ""
        if found is None or not name:
            return None
        code, _ = decode(self.tree.read(name), name)
        self._emit(f"\\begin{{verbatim}}\n{clean(code)[0].strip()}\n\\end{{verbatim}}")
        return found[1]

    def _emit(self, text: str) -> None:
        if text and not self._dead:
            self._size += len(text)
            if self._size > MAX_CHARS:
                raise PaperError(
                    f"the inputs of {self.tree.name!r} add up to over {MAX_CHARS:,} characters; give one paper alone"
                )
            self.out.append(text)
