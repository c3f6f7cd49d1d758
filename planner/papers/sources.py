"""Find the format of a paper from its name and bytes, and list the files in a paper's folder.

Links to files outside the folder are not followed.
"""

import errno
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, partial
from itertools import chain
from pathlib import Path, PurePath
from typing import Final

from planner.errors import PaperError
from planner.files import MAX_FOLDER_DEPTH, read_bounded_file, walk_folders
from planner.names import build_paper_id, parse_arxiv_id
from planner.papers.characters import MAX_TEXT_BYTES, is_binary


class FileFormat(StrEnum):
    """The kind of a file: a format of papers (the first five), an archive or compressed file, other, or empty."""

    PDF = "pdf"
    LATEX = "latex"
    MARKDOWN = "markdown"
    HTML = "html"
    TEXT = "text"
    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZIP = "zip"
    TAR = "tar"
    OTHER = "other"
    EMPTY = "empty"


# The endings of the files of every format, in lower case. To add a format, add a kind, its row here, and its loader in
# `planner.papers.load`.
TEXT_ENDINGS: Final[Mapping[FileFormat, tuple[str, ...]]] = {
    FileFormat.LATEX: (".tex", ".ltx", ".latex"),
    FileFormat.MARKDOWN: (".md", ".markdown", ".mdown", ".mkd", ".qmd", ".rmd"),
    FileFormat.HTML: (".html", ".htm", ".xhtml"),
    FileFormat.TEXT: (".txt", ".text"),
}
PAPER_ENDINGS: Final[Mapping[FileFormat, tuple[str, ...]]] = {FileFormat.PDF: (".pdf",), **TEXT_ENDINGS}
ARCHIVE_ENDINGS: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz")
UNREADABLE_ARCHIVE_ENDINGS: Final = (".7z", ".rar", ".zst")
MANIFEST_ENDINGS: Final = (".jsonl", ".ndjson", ".csv", ".parquet")
LIST_ENDINGS: Final = (".txt", ".list", ".lst", "")
# Files that belong to a paper, and may hold a part of it.
PART_ENDINGS: Final = (
    *(".bbl", ".bib", ".sty", ".cls", ".def", ".clo", ".tikz", ".pgf"),
    *(".yaml", ".yml", ".xxx", ".json"),
)
_NON_PAPER_ENDINGS: Final = frozenset(
    {".json", ".yaml", ".yml", ".xml", ".bib", ".bbl", ".bst", ".sty", ".cls", ".log", ".sqlite", ".py", ".sh"}
    | {".png", ".jpg", ".jpeg", ".gif", ".svg", ".eps", ".webp"}
)
_NON_PAPER_NAME: Final = re.compile(
    r"(?:read.?me|00readme|_sidebar|licen[sc]e|copying|notice|authors|contributors?|contributing|changelog|changes"
    r"|history|citation|code_of_conduct|security|install|todo|requirements|robots|makefile|cmakelists|manifest|meta"
    r"|metadata)(?:[-_.][\w-]+)*$",
    re.I,
)
# Files that are often given and cannot be read, with their names for the error.
_UNSUPPORTED_TYPES: Final = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%!PS", "PostScript"),
    (b"\xd0\xcf\x11\xe0", "an old Word document"),
    (b"{\\rtf", "an RTF document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"AT&TFORM", "a DjVu document"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
)
_TEX: Final = re.compile(
    r"^[^%\n]*\\(?:documentclass|documentstyle|begin\s*\{document\}|(?:sub)*section\*?\s*\{|title\s*\{)", re.M
)
_HTML: Final = re.compile(
    r"\A\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html\b|head\b|body\b)", re.S | re.I
)
_MARKDOWN: Final = re.compile(r"^#{1,6} +\S|^```|^\|.*\|\s*$|^\[[^\]]+\]: ", re.M)
MAX_FILE_BYTES: Final = 300_000_000  # bytes of a PDF or an archive
MAX_FILES: Final = 20_000
IGNORED_FOLDERS: Final = frozenset({"__MACOSX", "node_modules", "__pycache__"})


_MAGIC: Final = (
    (b"\x1f\x8b", FileFormat.GZIP),
    *((b"BZh%d1AY&SY" % level, FileFormat.BZIP2) for level in range(1, 10)),
    (b"\xfd7zXZ\x00", FileFormat.XZ),
    (b"PK\x03\x04", FileFormat.ZIP),
    (b"PK\x05\x06", FileFormat.ZIP),
)
_STRIPPED_ENDINGS: Final = re.compile(
    rf"(?:{'|'.join(map(re.escape, chain(ARCHIVE_ENDINGS, *PAPER_ENDINGS.values())))})+$", re.I
)


def detect_file_format(data: bytes, name: str = "") -> FileFormat:
    """Return the kind of a file from its bytes; `name` only helps to choose between text formats."""
    if not data.strip(b"\x00\t\n\r \x0c\xef\xbb\xbf"):
        return FileFormat.EMPTY
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[257:262] == b"ustar":
        return FileFormat.TAR
    if b"%PDF-" in data[:1024]:  # after the archives, whose first member may be a PDF
        return FileFormat.PDF
    if describe_unsupported_type(data) or (is_binary(data) and not data.startswith((b"\xff\xfe", b"\xfe\xff"))):
        return FileFormat.OTHER
    return detect_text_format(data[:200_000].decode("utf-8", "replace"), name)


def find_format_or_other(name: str) -> FileFormat:
    """Return the format that belongs to the ending of a file's name; OTHER for an unknown ending."""
    ending = PurePath(name).suffix.lower()
    return next((kind for kind, endings in PAPER_ENDINGS.items() if ending in endings), FileFormat.OTHER)


def detect_text_format(text: str, name: str = "") -> FileFormat:
    """Return the format of a text, from its content and from the ending of `name`."""
    named = find_format_or_other(name)
    if _HTML.match(text):
        return FileFormat.HTML
    if named in TEXT_ENDINGS and named not in (FileFormat.HTML, FileFormat.TEXT):
        return named
    if "\\documentclass" in text[:20_000] and _TEX.search(text):
        return FileFormat.LATEX
    if named is FileFormat.HTML:
        return named
    if named is not FileFormat.TEXT:
        if len(_TEX.findall(text)) >= 2:
            return FileFormat.LATEX
        if len(re.findall(r"</(?:p|div|h[1-6])>", text)) >= 5:
            return FileFormat.HTML
    return FileFormat.MARKDOWN if len(_MARKDOWN.findall(text)) >= 2 else FileFormat.TEXT


def describe_unsupported_type(data: bytes) -> str:
    """Return the name of a known file type that cannot be read, such as "a PNG image"; "" for other bytes."""
    return next((words for magic, words in _UNSUPPORTED_TYPES if data.startswith(magic)), "")


def strip_folders_and_endings(name: str) -> str:
    """Return the name of a source without folders and endings: `x/2507.08038v2.tar.gz` gives `2507.08038v2`."""
    last = PurePath(name.replace("\\", "/")).name
    return _STRIPPED_ENDINGS.sub("", last) or last


def propose_paper_id(source: str, *, given_id: str = "", given_title: str = "", title: str = "") -> str:
    """Return an id for a paper: `given_id`, or an id made from the title, the arXiv id or the file's name.

    `given_title` and `given_id` come from the user, or are "". `title` is the title found in the paper; it is used for
    a paper from stdin or from an address other than arXiv's.
    """
    arxiv_id, stem = parse_arxiv_id(source), "stdin" if source == "-" else strip_folders_and_endings(source)
    has_name = bool(arxiv_id) or not (source == "-" or "://" in source)
    name = str(arxiv_id or stem) if has_name and not given_title.strip() else ""
    return build_paper_id(given_title or title, given_id=given_id or name, file_stem=stem)


def has_non_paper_name(name: str) -> bool:
    """Return whether a file's name shows that the file is no paper: a README, a licence, data or a figure."""
    path = PurePath(name)
    return bool(_NON_PAPER_NAME.match(path.stem)) or path.suffix.lower() in _NON_PAPER_ENDINGS


@dataclass(frozen=True, slots=True)
class SourceTree:
    """The files of a paper; `warnings` are about files that were skipped.

    `readers_by_path` maps each file's relative path to a function that reads the file. Paths use `/` and are sorted.
    """

    name: str
    readers_by_path: Mapping[str, Callable[[], bytes]]
    warnings: tuple[str, ...] = ()
    _paths_by_folded: dict[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        paths_by_folded = {path.casefold(): path for path in reversed(list(self.readers_by_path))}
        object.__setattr__(self, "_paths_by_folded", paths_by_folded)

    def list_paths(self, *endings: str) -> tuple[str, ...]:
        """Return the paths with one of the `endings`, such as ".tex" or ".TEX"; without `endings`, return all paths."""
        return tuple(path for path in self.readers_by_path if not endings or path.lower().endswith(endings))

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of the file at `path`.

        Raises:
            PaperError: if the file is too large, or cannot be read.
        """
        return self.readers_by_path[path]()

    def copy_with_missing_file(self, path: str, data: bytes) -> "SourceTree":
        """Return a copy of the tree with one more file; if the tree has a file at this path, that file stays."""
        inner = normalize_inner_path_or_empty(path)
        return replace(self, readers_by_path={inner: partial(bytes, data), **self.readers_by_path}) if inner else self

    def find_file(self, path: str, *folders: str) -> str:
        """Return the path of the file `path` in the first of `folders` that has it; "" if none has it.

        Nothing outside the tree is found. Case is ignored if no file has exactly this name.
        """
        paths = [normalize_inner_path_or_empty(posixpath.join(folder, path)) for folder in folders]
        exact = next((path for path in paths if path in self.readers_by_path), "")
        return exact or next(filter(None, (self._paths_by_folded.get(path.casefold()) for path in paths)), "")

    def find_file_in_any_folder(self, path: str) -> str:
        """Return the only file called `path` in any folder; "" if there is none, or if there are several."""
        fit = [inner for inner in self.readers_by_path if inner.endswith("/" + normalize_inner_path_or_empty(path))]
        return fit[0] if len(fit) == 1 else ""


def normalize_inner_path_or_empty(path: str) -> str:
    """Return a path without "." and ".."; "" if the path is absolute or leads out of the tree."""
    path = posixpath.normpath(path.replace("\\", "/")) if "\0" not in path else ".."
    return "" if path.startswith(("/", "../")) or path in ("..", ".") or path[1:2] == ":" else path


def build_source_tree(folder: Path) -> SourceTree:
    """Return the files of a folder; hidden files, and links to files outside the folder, are left out.

    Raises:
        PaperError: if the folder cannot be listed, or holds more than 20,000 files.
    """
    base = folder.resolve()
    try:
        paths = {path.relative_to(base).as_posix(): path for path in _walk_files(base)}
    except OSError as error:
        raise PaperError(f"the folder {str(folder)!r} cannot be read: {error.strerror}") from None
    files = {name: cache(partial(read_source_file, path)) for name, path in sorted(paths.items())}
    return SourceTree(base.name or str(base), files)


def read_source_file(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """Read a file of at most `limit` bytes.

    Raises:
        PaperError: if the file is larger, or cannot be read.
    """
    try:
        return read_bounded_file(path, limit)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise PaperError(
                f"{str(path)!r} has over {limit:,} bytes, more than any paper; give only the paper"
            ) from None
        raise PaperError(f"{str(path)!r} cannot be read: {error.strerror}") from None


def _walk_files(base: Path) -> Iterator[Path]:
    """Yield the files of a folder and its subfolders, except hidden files and links to files outside the folder."""

    def refuse_folder(error: OSError) -> None:
        if error.errno == errno.ELOOP:
            raise PaperError(
                f"the folder {str(base)!r} has folders nested over {MAX_FOLDER_DEPTH} deep; give the paper's own folder"
            )
        raise error

    count = 0
    for folder, folders, names in walk_folders(base, refuse_folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in IGNORED_FOLDERS]
        names[:] = [name for name in names if not name.startswith(".")]
        count += len(folders) + len(names)
        if count > MAX_FILES:
            raise PaperError(f"the folder {str(base)!r} holds over {MAX_FILES:,} files; give one paper's folder")
        for path in map(folder.joinpath, names):  # a circular link cannot be resolved, but is no file
            if path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(base)):
                yield path
