"""Read archives in memory, with limits on their members and size.

Nothing is unpacked to disk. Links, devices and names that lead out of the archive are skipped with a warning. Sizes
are counted while the archive is read, so an archive that states a false size is refused too.
"""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from planner.errors import PaperError
from planner.papers.characters import MAX_TEXT
from planner.papers.sniff import Kind, kind_of
from planner.papers.tree import Tree, inside

MAX_MEMBERS: Final = 10_000
MAX_DEPTH: Final = 20  # levels of nested folders
MAX_INSIDE: Final = 512_000_000  # bytes after unpacking, figures included
MAX_KEPT: Final = 64_000_000  # bytes of the members that a loader could read
MAX_RATIO: Final = 200  # unpacked to packed, over more than a few megabytes
_FREE: Final = 20_000_000  # unpacked bytes that are allowed whatever the ratio
MAX_DICTIONARY: Final = 100_000_000  # bytes of memory to unpack an xz file; `xz -9` needs 65 MB
_READABLE: Final = (
    *(".tex", ".ltx", ".latex", ".bbl", ".bib", ".sty", ".cls", ".def", ".clo", ".tikz", ".pgf"),
    *(".md", ".markdown", ".txt", ".text", ".html", ".htm", ".xhtml", ".yaml", ".yml", ".xxx", ".pdf", ".json"),
)
_ARCHIVES: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".xz", ".txz", ".7z", ".rar", ".zst")


def read_archive(data: bytes, kind: Kind, name: str) -> Tree | bytes:
    """Return the files of a zip or tar archive, or the bytes of a single compressed file.

    Raises:
        PaperError: if the archive is damaged, encrypted, or larger than any paper when unpacked.
    """
    try:
        if kind is Kind.ZIP:
            return _zip(data, name)
        if kind is Kind.TAR:
            return _tar(io.BytesIO(data), name, len(data))
        return _packed(data, kind, name)
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise PaperError(f"the archive {name!r} is damaged or cut short ({error}); download it again") from None
    except (NotImplementedError, RuntimeError, ValueError) as error:
        raise PaperError(f"the archive {name!r} cannot be read: {error}; create it again") from None


def _packed(data: bytes, kind: Kind, name: str) -> Tree | bytes:
    inner = kind_of(PACKED[kind](data).read(1024))
    if inner is Kind.ZIP or inner in PACKED:
        raise PaperError(f"the archive {name!r} holds another archive; unpack it and give its files")
    metered = _Metered(PACKED[kind](data), name, len(data))
    if inner is Kind.TAR:
        return _tar(metered, name, len(data))
    return metered.read()


class _Xz(io.RawIOBase):
    """A stream of the content of an xz file, with a memory limit, which `lzma.LZMAFile` lacks."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._rest, self._unpacking = data, lzma.LZMADecompressor(memlimit=MAX_DICTIONARY)

    def read(self, size: int = -1) -> bytes:
        if self._unpacking.eof:
            return b""
        data, self._rest = self._unpacking.decompress(self._rest, size), b""
        if size and not data and not self._unpacking.eof:
            raise EOFError("the data ends too early")
        return data


PACKED: Final[Mapping[Kind, Callable[[bytes], io.BufferedIOBase | io.RawIOBase]]] = {
    Kind.GZIP: lambda data: gzip.GzipFile(fileobj=io.BytesIO(data)),
    Kind.BZIP2: lambda data: bz2.BZ2File(io.BytesIO(data)),
    Kind.XZ: _Xz,
}
"""The function that opens a compressed file, for each kind of compression."""


class _Metered(io.RawIOBase):
    """A stream that raises `PaperError` when more bytes come out of it than a paper can have."""

    def __init__(self, stream: io.BufferedIOBase | io.RawIOBase, name: str, packed: int) -> None:
        super().__init__()
        self._stream, self._name, self._seen = stream, name, 0
        self._limit = min(MAX_INSIDE, max(_FREE, packed * MAX_RATIO))

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size if size >= 0 else self._limit + 1 - self._seen) or b""
        self._seen += len(data)
        if self._seen > self._limit:
            raise PaperError(_too_large(self._name))
        return data


def _tar(stream: io.RawIOBase | io.BytesIO, name: str, packed: int) -> Tree:
    keeper = _Keeper(name, packed)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isdir():
                keeper.count()
            elif not member.isreg():
                keeper.refuse(member.name, "a link or a device")
            elif keeper.wants(member.name, member.size):
                file = archive.extractfile(member)
                keeper.keep(member.name, file.read(member.size) if file else b"")
    return keeper.tree()


def _zip(data: bytes, name: str) -> Tree:
    keeper = _Keeper(name, len(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "[Content_Types].xml" in archive.NameToInfo:
            raise PaperError(f"{name!r} is an Office document, which cannot be read; save it as PDF and give the PDF")
        for member in archive.infolist():
            if member.is_dir():
                keeper.count()
            elif member.external_attr >> 28 not in (0, 0o10):
                keeper.refuse(member.filename, "a link or a device")
            elif member.flag_bits & 1:
                raise PaperError(f"the archive {name!r} is encrypted; unpack it and give the folder")
            elif keeper.wants(member.filename, member.file_size):
                with archive.open(member) as file:
                    keeper.keep(member.filename, file.read(member.file_size))
    return keeper.tree()


class _Keeper:
    """A collector of the archive members that are kept, which enforces the limits."""

    def __init__(self, name: str, packed: int) -> None:
        self._name = name
        self._files: dict[str, bytes] = {}
        self._skipped: list[str] = []
        self._members = self._inside = self._kept = 0
        self._limit = min(MAX_INSIDE, max(_FREE, packed * MAX_RATIO))

    def count(self) -> None:
        """Count one more member.

        Raises:
            PaperError: if the archive has too many members.
        """
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise PaperError(f"the archive {self._name!r} has over {MAX_MEMBERS:,} members; give the paper's files")

    def refuse(self, member: str, why: str) -> None:
        """Skip a member and note the reason."""
        self.count()
        self._skipped.append(f"{member[:200]!r} in the archive was not read: it is {why}")

    def wants(self, member: str, size: int) -> bool:
        """Return whether to read a regular file; note a path that is outside, too deep, repeated, or an archive."""
        path = inside(member)
        if not path or member.startswith(("/", "\\")) or path.count("/") > MAX_DEPTH:
            self.refuse(member, "named outside the archive" if not path else "nested too deeply")
            return False
        self.count()
        self._inside += size
        if self._inside > self._limit:
            raise PaperError(_too_large(self._name))
        if path in self._files:
            self._skipped.append(f"{member!r} is twice in the archive; the first was read")
            return False
        if path.lower().endswith(_ARCHIVES):
            self._skipped.append(f"{member!r} is an archive inside the archive and was not read")
            return False
        readable = path.lower().endswith(_READABLE) or "." not in path.rsplit("/", 1)[-1]
        return readable and (size <= MAX_TEXT or path.lower().endswith(".pdf"))

    def keep(self, member: str, data: bytes) -> None:
        """Store the bytes of a member."""
        self._kept += len(data)
        if self._kept > MAX_KEPT:
            raise PaperError(_too_large(self._name))
        self._files[inside(member)] = data

    def tree(self) -> Tree:
        """Return the kept files as a tree."""
        files = {name: partial(bytes, data) for name, data in sorted(self._files.items()) if _visible(name)}
        return Tree(self._name, files, tuple(self._skipped[:20]))


def _visible(name: str) -> bool:
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _too_large(name: str) -> str:
    return f"the archive {name!r} unpacks to more than any paper holds; unpack it and give only the paper's files"
