"""Join the LaTeX files of a paper to one text, without comments and without branches that are never read."""

import posixpath
import re
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import decode_text_with_warnings, normalize_characters_with_warnings
from planner.papers.latex.conditions import (
    COUNTER_SETTERS,
    FLAG_SETTERS,
    GROUP_CONDITIONALS,
    NOT_CONDITIONALS,
    Conditions,
    OpenConditionals,
)
from planner.papers.latex.scan import (
    BraceGroups,
    GroupContent,
    LatexScanner,
    LatexToken,
    blank_comments,
    compile_pattern_with_verbatim,
    find_document_start,
)
from planner.papers.sources import SourceTree

_MAX_INPUT_DEPTH: Final = 40
_MAX_INPUTS: Final = 3_000
_MAX_CHARS: Final = 20_000_000
_INPUT_COMMANDS: Final = frozenset(
    {"input", "include", "subfile", "subfileinclude", "InputIfFileExists", "loadgeometry"}
)
_IMPORT_COMMANDS: Final = frozenset(
    {"import", "subimport", "inputfrom", "subinputfrom", "includefrom", "subincludefrom", "import*", "subimport*"}
)
_LISTING_COMMANDS: Final = frozenset({"lstinputlisting", "verbatiminput", "VerbatimInput", "inputminted"})
_ENVIRONMENT_DEFINERS: Final = frozenset(
    {"excludecomment", "excludeversion", "lstnewenvironment", "DefineVerbatimEnvironment", "newtcblisting", "newminted"}
)
_BODY_DEFINERS: Final = frozenset({"NewEnviron", "RenewEnviron", "newenvironment", "renewenvironment"})
_DEFINERS: Final = frozenset(
    {"def", "gdef", "edef", "xdef", "newcommand", "renewcommand", "providecommand", "newcommand*", "renewcommand*"}
)
_OTHER_COMMANDS: Final = frozenset(
    {"newif", "let", "fi", "else", "or", "endinput", "begin", "includeonly", "nottoggle", "notbool", "notblank"}
)
_COMMANDS: Final = _OTHER_COMMANDS.union(
    *(_INPUT_COMMANDS, _IMPORT_COMMANDS, _LISTING_COMMANDS, _ENVIRONMENT_DEFINERS, _BODY_DEFINERS, _DEFINERS),
    *(FLAG_SETTERS, COUNTER_SETTERS),
)
_TOKEN_PATTERN: Final = compile_pattern_with_verbatim(  # commands, conditionals, and flag setters such as \draftfalse
    rf"(?:{'|'.join(map(re.escape, sorted(_COMMANDS)))})(?:(?<=\*)|(?![A-Za-z@*]))|end(?=\{{document\}})"
    r"|if[A-Za-z@]*\*?|[A-Za-z@]++(?:(?<=true)|(?<=false))(?!\*)",
    r"[\\%]",
)
_BARE_NAME: Final = re.compile(r"[ \t]+([^\s{}\\%$]+)")
_LET_FLAG: Final = re.compile(r"\s*\\if([A-Za-z@]+)\s*=?\s*\\if(true|false)\b")
_CASE: Final = re.compile(r"\s*(\d{1,3})(?!\d)\s?")
_LET: Final = re.compile(r"\s*\\([A-Za-z@]+)\s*=?\s*\\([A-Za-z@]+)")
_NEWIF: Final = re.compile(r"\s*\{?\s*\\if([A-Za-z@]+)\s*\}?")
_VERBATIM_DEFINITION: Final = re.compile(r"\s*(?:\[[^\]]*\]\s*)?\{\\?(\w+\*?)\}")
_DEFINITION: Final = re.compile(r"\s*\{?\s*\\([A-Za-z@]+)\s*\}?(?=\s*(?:([\[#])|\{([^{}]{0,200})\}|))")
_ENVIRONMENT_BODY: Final = re.compile(r"\s*\{(\w+\*?)\}\s*(?:\[[^\]]*\]\s*){0,2}\{((?:[^{}]|\{[^{}]*\}){0,2000})\}")
_HIDING_BODY: Final = re.compile(r"\\comment\b|\\begin\s*\{comment\}")
_GROUP_CONDITIONAL: Final = re.compile(rf"\\(?:{'|'.join(GROUP_CONDITIONALS)})(?![A-Za-z@])")
_FILE_CONTENTS: Final = re.compile(
    r"\\begin\s*\{filecontents\*?\}\s*(?:\[[^\]]*\]\s*)?\{([^{}]*)\}[^\n]*\n(.*)\\end\{filecontents\*?\}", re.S
)
_INDENT: Final = re.compile(r"\n?[ \t]*")


@dataclass(frozen=True, slots=True)
class FlattenedSource:
    """The LaTeX source of a paper in one text, including the preamble; `files` are the names of its files, in order."""

    text: str
    files: tuple[str, ...]
    warnings: tuple[str, ...]


def flatten_source(tree: SourceTree, main_name: str) -> FlattenedSource:
    """Return the text of the main file, with the text of each input file in place of its command.

    Raises:
        PaperError: if the source has over 3,000 files or 20 million characters, or if a file cannot be read.
    """
    flattener = _Flattener(tree, posixpath.dirname(main_name))
    flattener.add_file(main_name)
    warnings = tuple(dict.fromkeys(flattener.warnings))
    return FlattenedSource("".join(flattener.chunks), tuple(flattener.file_names), warnings)


@dataclass(slots=True)
class _Flattener:
    tree: SourceTree
    main_folder: str
    chunks: list[str] = field(default_factory=list)
    file_names: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _open_files: list[str] = field(default_factory=list)
    _conditions: Conditions = field(default_factory=Conditions)
    _open_conditionals: OpenConditionals = field(default_factory=OpenConditionals)
    _verbatim_environments: set[str] = field(default_factory=lambda: {"comment"})  # the paper's own, and comments
    _comment_environments: set[str] = field(default_factory=lambda: {"comment", "filecontents", "filecontents*"})
    _included_files: frozenset[str] | None = None  # those that `\includeonly` names
    _dead_spans: list[tuple[int, int]] = field(default_factory=list)  # dead parts of the open file, the innermost last
    _import_folder: str = ""  # that of the innermost `\import`
    _text_length: int = 0
    _is_finished: bool = False

    def add_file(self, name: str) -> None:
        """Add the text of one file of the tree."""
        text, encoding_warnings = decode_text_with_warnings(self.tree.read_bytes(name), name)
        text, character_warnings = normalize_characters_with_warnings(text)
        self.warnings += [f"{name}: {warning}" for warning in (*encoding_warnings, *character_warnings)]
        self.file_names.append(name)
        self._open_files.append(name)
        self._add_scanned_text(text)
        self._open_files.pop()

    def _add_scanned_text(self, text: str) -> None:
        groups = BraceGroups(blank_comments(text) if _GROUP_CONDITIONAL.search(text) else text)
        start = find_document_start(text) if len(self._open_files) > 1 else None
        position = start + len("\\begin{document}") if start and "\\documentclass" in text[:start] else 0
        scanner = LatexScanner(text, position, self._verbatim_environments, _TOKEN_PATTERN)
        spans, self._dead_spans = self._dead_spans, []
        for token in scanner:
            if self._dead_spans and token.start >= self._dead_spans[-1][0]:
                position = scanner.position = self._skip_dead_span(text, position)
                continue
            if self._is_plain_token(token):
                continue
            self._add_text(text[position : token.start])
            position = self._handle_token(text, groups, token)
            if position < 0 or self._is_finished:
                break
            scanner.position = position
        else:
            while self._dead_spans:
                position = self._skip_dead_span(text, position)
            self._add_text(text[position:])
        self._dead_spans = spans

    def _skip_dead_span(self, text: str, position: int) -> int:
        """Copy the text up to the next dead span, which LaTeX never reads, and return where the span ends."""
        start, end = self._dead_spans.pop()
        self._add_text(text[position:start])
        return max(position, end)

    def _is_plain_token(self, token: LatexToken) -> bool:
        is_shown_verbatim = token.kind == "verbatim" and token.name not in self._comment_environments
        return is_shown_verbatim or token.kind == "escape" or (token.kind, token.name) == ("command", "begin")

    def _handle_token(self, text: str, groups: BraceGroups, token: LatexToken) -> int:
        """Handle a token, and return the position from which to continue; -1 if the file ends here."""
        if token.kind == "comment":
            return self._skip_comment(text, token)
        if token.kind == "verbatim":
            self._keep_file_contents(text, token)
            return _INDENT.match(text, token.end).end()  # type: ignore[union-attr]
        if (position := self._handle_conditional(text, token)) is not None:
            return position
        if not self._open_conditionals.is_in_skipped_branch:
            if (position := self._handle_setting(text, groups, token)) is None:
                position = self._handle_command(text, groups, token)
            if position is not None:
                return position
        self._add_text(text[token.start : token.end])
        return token.end

    def _skip_comment(self, text: str, token: LatexToken) -> int:
        """Return the position after a comment; its line break is skipped too, unless it must stay in the text."""
        line_start = text.rfind("\n", 0, token.start) + 1
        end = token.end
        if not text[line_start : token.start].strip():
            return min(end + 1, len(text))
        joins_lines = not text[token.start - 1].isspace() and text[token.start - 2 : token.start] != "\\\\"
        next_end = text.find("\n", end + 1)
        next_line = text[end + 1 : next_end if next_end >= 0 else len(text)]
        return _INDENT.match(text, end).end() if joins_lines and next_line.strip() else end  # type: ignore[union-attr]

    def _keep_file_contents(self, text: str, token: LatexToken) -> None:
        """Add the file in a `filecontents` environment to the tree, since the paper may input this file later."""
        contents = _FILE_CONTENTS.fullmatch(text, token.start, token.end)
        if contents and not self._open_conditionals.is_in_skipped_branch:
            self.tree = self.tree.copy_with_missing_file(contents[1].strip(), contents[2].encode())

    def _handle_conditional(self, text: str, token: LatexToken) -> int | None:
        """Handle `\\if…`, `\\else`, `\\fi` or a setting of a flag; return its end, or None for other commands."""
        name = token.name
        if name == "newif" and (flag := _NEWIF.match(text, token.end)):
            self._conditions.flags.setdefault(flag[1], False)
            return flag.end()
        if name == "let" and (flag := _LET_FLAG.match(text, token.end)):
            self._set_flag(flag[1], flag[2] == "true")
            return flag.end()
        stem = re.sub(r"(?:true|false)$", "", name)
        if stem != name and stem in self._conditions.flags:
            self._set_flag(stem, name.endswith("true"))
            return token.end
        if self._open_conditionals.is_branch_end(name):
            is_kept = self._open_conditionals.is_condition_unknown
            self._open_conditionals.end_branch(name)
            self._add_text(f"\\{name}" if is_kept else "")
            return token.end
        if name.startswith("if") and name not in NOT_CONDITIONALS and not text.startswith("{", token.end):
            return self._open_branch(text, token)
        return None

    def _set_flag(self, flag: str, value: bool) -> None:
        if not self._open_conditionals.is_in_skipped_branch:
            self._conditions.flags[flag] = value

    def _open_branch(self, text: str, token: LatexToken) -> int:
        is_live, end = self._conditions.decide_if_command(text, token.name, token.end)
        if text.endswith("\\unless", 0, token.start) and is_live is not None:
            is_live = not is_live
        branches_before = None if is_live is None else int(not is_live)
        if token.name == "ifcase" and (case := _CASE.match(text, end)):
            branches_before, end = int(case[1]), case.end()
        if branches_before is None:
            self._add_text(text[token.start : end])
        self._open_conditionals.open_conditional(branches_before, is_case=token.name == "ifcase")
        return end

    def _handle_setting(self, text: str, groups: BraceGroups, token: LatexToken) -> int | None:
        """Handle a definition, setting or braced conditional; return where to continue, or None to keep the command."""
        name = token.name
        if name in GROUP_CONDITIONALS:
            return self._open_group_branch(groups, token)
        if name in FLAG_SETTERS:
            self._conditions.apply_flag_command(text, name, token.end)
        elif name in COUNTER_SETTERS:
            self._conditions.apply_counter_command(text, name, token.end)
        elif name in _BODY_DEFINERS and (match := _ENVIRONMENT_BODY.match(text, token.end)):
            is_unused = name.endswith("Environ") and "\\BODY" not in match[2]
            if is_unused or _HIDING_BODY.search(match[2]):
                self._verbatim_environments.add(match[1])
                self._comment_environments.add(match[1])
        elif name in _ENVIRONMENT_DEFINERS and (match := _VERBATIM_DEFINITION.match(text, token.end)):
            self._verbatim_environments.add(match[1] + ("code" if name == "newminted" else ""))
            self._comment_environments |= {match[1]} if name.startswith("exclude") else set()
        elif name == "includeonly" and (group := groups.read_group(token.end)):
            self._included_files = frozenset(map(_normalize_path, group.text.split(",")))
        elif name == "let" and (match := _LET.match(text, token.end)):
            self._conditions.copy_definition(match[1], match[2])
        elif name in _DEFINERS and (match := _DEFINITION.match(text, token.end)):
            self._conditions.definitions[match[1]] = "#" if match[2] or match[3] is None else match[3].strip()
            self._add_text(text[token.start : match.end()])
            return match.end()
        return None

    def _open_group_branch(self, groups: BraceGroups, token: LatexToken) -> int | None:
        """Return the start of the branch to read, and skip the other branch; None if the condition is unknown."""
        conditions, end = groups.read_arguments(token.end, GROUP_CONDITIONALS[token.name])
        first = groups.read_group(end)
        second = groups.read_group(first.end) if first else None
        if first is None or second is None:
            return None
        holds = self._conditions.decide_braced_conditional(token.name, [condition or "" for condition in conditions])
        if holds is None:
            return None
        content, end = first if holds else second
        self._dead_spans.append((end - 1, second.end))
        return end - 1 - len(content)

    def _handle_command(self, text: str, groups: BraceGroups, token: LatexToken) -> int | None:
        """Handle a command that inputs a file (return its end) or ends the file (return -1); return None for others."""
        name = token.name
        if name in ("end", "endinput"):
            self._is_finished = name == "end" and len(self._open_files) == 1
            self._add_text("\\end{document}" if self._is_finished else "")
            return -1
        if name in _INPUT_COMMANDS or name in _IMPORT_COMMANDS:
            return self._handle_input(text, groups, token)
        return self._add_listing(groups, token) if name in _LISTING_COMMANDS else None

    def _handle_input(self, text: str, groups: BraceGroups, token: LatexToken) -> int | None:
        folder, end = "", token.end
        if token.name in _IMPORT_COMMANDS and (folder_group := groups.read_group(end)):
            folder, end = folder_group.text.strip(), folder_group.end
        group = groups.read_group(end)
        if group is None and token.name in _INPUT_COMMANDS and (bare := _BARE_NAME.match(text, end)):
            group = GroupContent(bare[1], bare.end())
        if group is None or "#" in group.text or "\\" in group.text:
            return None
        included_files = self._included_files if token.name == "include" else None
        if included_files is not None and _normalize_path(group.text) not in included_files:
            return group.end
        self._follow_input(posixpath.join(folder, group.text.strip().strip('"')), import_folder=folder)
        return group.end

    def _follow_input(self, path: str, *, import_folder: str) -> None:
        problem = name = ""
        if path.startswith(("/", "~", "|")) or path[1:2] == ":":
            problem = "it points outside the paper's folder"
        elif not (name := self._find_file(path)):
            problem = "the paper has no such file"
        elif name in self._open_files or len(self._open_files) >= _MAX_INPUT_DEPTH:
            problem = "it includes itself or is nested too deep"
        elif len(self.file_names) >= _MAX_INPUTS:
            raise PaperError(
                f"the paper {self.tree.name!r} includes over {_MAX_INPUTS:,} files; pass the files of only one paper"
            )
        if problem:
            self.warnings.append(f"\\input{{{path[:100]}}} was not followed: {problem}")
            return
        outer_folder = self._import_folder
        if import_folder:
            self._import_folder = posixpath.join(outer_folder or self.main_folder, import_folder)
        self.add_file(name)
        self._import_folder = outer_folder

    def _find_file(self, path: str) -> str:
        parent, current_folder = posixpath.dirname(self._import_folder), posixpath.dirname(self._open_files[-1])
        folders = (self._import_folder or self.main_folder, self.main_folder, current_folder, "", parent)
        endings = ("",) if path.lower().endswith((".tex", ".ltx")) else (".tex", "", ".ltx")
        in_folders = (self.tree.find_file(path + ending, *folders) for ending in endings)
        anywhere = (self.tree.find_file_in_any_folder(path + ending) for ending in endings)  # on the author's machine
        return next(filter(None, chain(in_folders, anywhere)), "")

    def _add_listing(self, groups: BraceGroups, token: LatexToken) -> int | None:
        position = groups.find_option_end(token.end)
        if token.name == "inputminted" and (language := groups.read_group(position)):
            position = language.end
        group = groups.read_group(position)
        name = self._find_file(group.text.strip()) if group else ""
        if group is None or not name:
            return None
        code, _ = decode_text_with_warnings(self.tree.read_bytes(name), name)
        code = normalize_characters_with_warnings(code)[0].strip()
        self._add_text(f"\\begin{{verbatim}}\n{code}\n\\end{{verbatim}}")
        return group.end

    def _add_text(self, text: str) -> None:
        if text and not self._open_conditionals.is_in_skipped_branch:
            self._text_length += len(text)
            if self._text_length > _MAX_CHARS:
                raise PaperError(
                    f"the paper {self.tree.name!r} has over {_MAX_CHARS:,} characters; pass the files of only one paper"
                )
            self.chunks.append(text)


def _normalize_path(path: str) -> str:
    return posixpath.normpath(path.strip().strip('"').removesuffix(".tex"))
