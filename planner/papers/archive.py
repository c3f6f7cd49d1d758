"""Read zip and tar archives and compressed files in memory.

Nothing is unpacked to disk. Links, devices, and files with paths outside the archive are skipped with a warning. An
archive is refused if its content is too large, even if the archive states a smaller size.
"""

import bz2
import gzip
import io
import itertools
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, Final

from planner.errors import PaperError
from planner.files import describe_os_error
from planner.papers.characters import MAX_TEXT_BYTES
from planner.papers.sources import (
    ARCHIVE_ENDINGS,
    PAPER_ENDINGS,
    PART_ENDINGS,
    UNREADABLE_ARCHIVE_ENDINGS,
    FileFormat,
    SourceTree,
    detect_file_format,
    normalize_inner_path_or_empty,
)
from planner.sanitize import truncate_long_name

MAX_MEMBERS: Final = 10_000
MAX_PATH_CHARS: Final = 4_000  # characters of a member's path
MAX_DEPTH: Final = 20  # levels of nested folders
MAX_UNPACKED_BYTES: Final = 512_000_000  # bytes after unpacking, figures included
MAX_KEPT_BYTES: Final = 64_000_000  # bytes of the members that a loader could read
MAX_UNPACKED_RATIO: Final = 200  # unpacked bytes for each packed byte
_ALWAYS_ALLOWED_BYTES: Final = 20_000_000  # unpacked bytes that are allowed at any ratio
MAX_XZ_MEMORY: Final = 100_000_000  # bytes of memory to unpack an xz file; `xz -9` needs 65 MB
_READABLE_ENDINGS: Final = (*itertools.chain(*PAPER_ENDINGS.values()), *PART_ENDINGS)


def read_archive(data: bytes, file_format: FileFormat, name: str) -> SourceTree | None:
    """Return the files in a zip or tar archive; None if the bytes are a single compressed file.

    Raises:
        PaperError: if the archive is damaged or encrypted, holds another archive, or is larger than any paper.
    """
    with _name_archive_errors(name):
        if file_format is FileFormat.ZIP:
            return _read_zip(data, name)
        if file_format is FileFormat.TAR:
            return _read_tar(io.BytesIO(data), name, _compute_limit(data))
        inner = detect_file_format(_DECOMPRESSORS[file_format](data).read(1024))
        if inner is FileFormat.ZIP or inner in _DECOMPRESSORS:
            raise PaperError(f"the archive {name!r} holds another archive; unpack both and give the paper's files")
        is_tar = inner is FileFormat.TAR
        return _read_tar(_LimitedStream(data, file_format, name), name, _compute_limit(data)) if is_tar else None


def decompress_file(data: bytes, file_format: FileFormat, name: str) -> bytes:
    """Return the unpacked bytes of a file that gzip, bzip2 or xz compressed.

    Raises:
        PaperError: if the file is damaged, or is larger than any paper.
    """
    with _name_archive_errors(name):
        return _LimitedStream(data, file_format, name).read()


def _compute_limit(data: bytes) -> int:
    """Return the number of bytes to which an archive may unpack."""
    return min(MAX_UNPACKED_BYTES, max(_ALWAYS_ALLOWED_BYTES, len(data) * MAX_UNPACKED_RATIO))


@contextmanager
def _name_archive_errors(name: str) -> Iterator[None]:
    """Raise a `PaperError` that names the archive if the `with` block raises an error of a decompressor."""
    try:
        yield
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise PaperError(
            f"the archive {name!r} is damaged or incomplete ({describe_os_error(error)}); download it again"
        ) from None
    except (NotImplementedError, RuntimeError, ValueError) as error:
        raise PaperError(f"the archive {name!r} cannot be read: {error}; create it again") from None


class _XzStream(io.RawIOBase):
    """A stream that unpacks an xz file; unlike `lzma.LZMAFile`, it refuses a file that needs too much memory."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._rest, self._unpacking = data, lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)

    def read(self, size: int = -1) -> bytes:
        if self._unpacking.eof:
            return b""
        data, self._rest = self._unpacking.decompress(self._rest, size), b""
        if size and not data and not self._unpacking.eof:
            raise EOFError("the data ends too early")
        return data


# The function that opens a compressed file, by the kind of compression.
_DECOMPRESSORS: Final[Mapping[FileFormat, Callable[[bytes], io.BufferedIOBase | io.RawIOBase]]] = {
    FileFormat.GZIP: lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)),
    FileFormat.BZIP2: lambda data: bz2.BZ2File(io.BytesIO(data)),
    FileFormat.XZ: _XzStream,
}


class _LimitedStream(io.RawIOBase):
    """A stream that unpacks a compressed file; reading more bytes than any paper has raises `PaperError`."""

    def __init__(self, data: bytes, file_format: FileFormat, name: str) -> None:
        super().__init__()
        self._stream, self._name = _DECOMPRESSORS[file_format](data), name
        self._limit, self._seen = _compute_limit(data), 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else self._limit + 1 - self._seen) or b""
        self._seen += len(data)
        if self._seen > self._limit:
            raise PaperError(_describe_too_large(self._name))
        return data


def _read_tar(stream: io.RawIOBase | io.BytesIO, name: str, limit: int) -> SourceTree:
    collector = _FileCollector(name, limit)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            collector.count_member()
            if member.isreg():
                collector.add_file(member.name, member.size, partial(archive.extractfile, member))
            elif not member.isdir():
                collector.skip_member(member.name, "it is a link or a device")
    return collector.build_tree()


def _read_zip(data: bytes, name: str) -> SourceTree:
    collector = _FileCollector(name, _compute_limit(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "[Content_Types].xml" in archive.NameToInfo:
            raise PaperError(f"{name!r} is an Office document, which cannot be read; save it as PDF and give the PDF")
        for member in archive.infolist():
            collector.count_member()
            if not member.filename or member.is_dir():
                continue
            if member.external_attr >> 28 not in (0, 0o10):
                collector.skip_member(member.filename, "it is a link or a device")
            elif member.flag_bits & 1:
                raise PaperError(f"the archive {name!r} is encrypted; unpack it and give the folder")
            else:
                collector.add_file(member.filename, member.file_size, partial(archive.open, member))
    return collector.build_tree()


class _FileCollector:
    """A collector of an archive's readable files; it raises `PaperError` if there are too many members or bytes."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit = name, limit
        self._files: dict[str, bytes] = {}
        self._warnings: list[str] = []
        self._members = self._inside = self._kept = 0

    def count_member(self) -> None:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise PaperError(f"the archive {self._name!r} has over {MAX_MEMBERS:,} members; give the paper's files")

    def skip_member(self, member: str, reason: str) -> None:
        self._warnings.append(f"{truncate_long_name(member)!r} in the archive was not read: {reason}")

    def add_file(self, member: str, size: int, open_file: Callable[[], IO[bytes] | None]) -> None:
        """Keep a file of `size` bytes if a loader can read it.

        A file with an unsafe or repeated path is skipped with a warning, and so is an archive inside the archive.
        """
        path = normalize_inner_path_or_empty(member)
        if fault := _describe_path_fault(member, path):
            self.skip_member(member, fault)
            return
        self._inside += size
        if self._inside > self._limit:
            raise PaperError(_describe_too_large(self._name))
        if path in self._files:
            self._warnings.append(f"{truncate_long_name(member)!r} occurs twice in the archive; the first was read")
        elif path.lower().endswith((*ARCHIVE_ENDINGS, *UNREADABLE_ARCHIVE_ENDINGS)):
            self._warnings.append(f"{truncate_long_name(member)!r} is an archive inside the archive and was not read")
        elif _is_readable(path, size):
            self._kept += size
            if self._kept > MAX_KEPT_BYTES:
                raise PaperError(_describe_too_large(self._name))
            with open_file() or io.BytesIO() as file:
                self._files[path] = file.read(size)

    def build_tree(self) -> SourceTree:
        files = {
            name: partial(bytes, data)
            for name, data in sorted(self._files.items())
            if not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
        }
        return SourceTree(self._name, files, tuple(self._warnings[:20]))


def _describe_path_fault(member: str, path: str) -> str:
    if len(member) > MAX_PATH_CHARS:
        return f"its path has over {MAX_PATH_CHARS:,} characters"
    if not path:
        return "its path leads out of the archive"
    return "it is nested too deeply" if path.count("/") > MAX_DEPTH else ""


def _is_readable(path: str, size: int) -> bool:
    """Return whether a loader could read a file with this ending and this size in bytes."""
    path = path.lower()
    has_readable_name = path.endswith(_READABLE_ENDINGS) or "." not in path.rsplit("/", 1)[-1]
    return has_readable_name and (size <= MAX_TEXT_BYTES or path.endswith(".pdf"))


def _describe_too_large(name: str) -> str:
    return f"the archive {name!r} unpacks to more bytes than any paper has; unpack it and give only the paper's files"
