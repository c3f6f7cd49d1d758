"""Define the papers of a corpus, and read lists that name papers (text, JSONL, CSV or Parquet)."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from planner.errors import UsageError
from planner.files import describe_os_error, read_bounded_file, require_regular_file

MAX_MANIFEST_BYTES: Final = 2_000_000_000  # bytes of a manifest file; a million papers with abstracts
MAX_STDIN_LIST_BYTES: Final = 100_000_000  # bytes of a list of papers on stdin
_COLUMN_NAMES: Final = {
    "id": ("id", "paper_id"),
    "title": ("title", "paper_title"),
    "abstract": ("abstract", "paper_abstract"),
    "source": ("path", "source", "paper_path", "arxiv_id", "arxiv"),
}
# A field of a CSV file may hold a whole abstract, or more.
_MAX_FIELD_CHARS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class CorpusEntry:
    """A paper of a corpus, before it is read.

    `id` names the paper in the run and in file names. `source` is a path or an arXiv id. `place` is the full path with
    links resolved, or the plain arXiv id. `kind` is the recognised format. `title` and `abstract` come from a manifest,
    else they are "". `change_mark` is a hash that changes with the paper's files, title or abstract.
    """

    id: str
    source: str
    place: str
    kind: str
    title: str = ""
    abstract: str = ""
    change_mark: str = ""


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A paper to plan with a model; `has_earlier_requests` is true if earlier commands recorded requests for it."""

    entry: CorpusEntry
    model_key: str
    has_earlier_requests: bool = True


@dataclass(frozen=True, slots=True)
class CorpusProblem:
    """An input that gave no paper, and the reason; `is_harmless` is true if probably no paper was missed."""

    source: str
    reason: str
    is_harmless: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """The papers of a run in a stable order, and the problems with the inputs.

    `skipped_file_count` is the number of files that are not papers; `first_skipped_names` holds the names of the first
    few.
    """

    entries: tuple[CorpusEntry, ...]
    problems: tuple[CorpusProblem, ...] = ()
    skipped_file_count: int = 0
    first_skipped_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A row of a list of papers; `location` is "list:line", and `source` may be a path relative to `base_folder`.

    If the row names no paper, `problem` is the reason.
    """

    location: str
    source: str
    base_folder: Path
    id: str = ""
    title: str = ""
    abstract: str = ""
    problem: str | None = None


def read_manifest_rows(path: Path) -> Iterator[ManifestRow]:
    """Yield each row of a manifest (a list of papers).

    Raises:
        UsageError: if the file cannot be read.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            rows = _read_parquet(path)
        else:
            text = read_bounded_file(path, MAX_MANIFEST_BYTES).decode("utf-8-sig")
            rows = _parse_csv(text) if ending == ".csv" else _parse_jsonl(text)
        for number, values in rows:
            yield _build_row(values, f"{path}:{number}", path.parent)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a list of papers: {describe_os_error(error)}") from error


def parse_paper_list(text: str, list_name: str, base_folder: Path) -> Iterator[ManifestRow]:
    """Yield the rows of a list of papers, which is JSONL or has a path or arXiv id on each line; # begins a comment."""
    if text.lstrip().startswith("{"):
        for number, values in _parse_jsonl(text):
            yield _build_row(values, f"{list_name}:{number}", base_folder)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if (source := line.partition(" #")[0].strip()) and not source.startswith("#"):
            yield ManifestRow(f"{list_name}:{number}", source, base_folder)


def _parse_jsonl(text: str) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) for each line that is not blank; if a line is not JSON, the value is the error."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, error


def _parse_csv(text: str) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_MAX_FIELD_CHARS)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for values in reader:
        yield reader.line_num, values


def _read_parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs an extra: pip install 'ablation-planner[parquet]'") from error
    try:
        require_regular_file(path)
        with ParquetFile(path) as file:
            wanted = {name for names in _COLUMN_NAMES.values() for name in names}
            columns = [name for name in file.schema_arrow.names if name in wanted]
            number = 0
            for batch in file.iter_batches(batch_size=1000, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
    except ArrowException as error:
        raise UsageError(f"{path}: cannot be read as a Parquet file: {describe_os_error(error)}") from error


def _build_row(values: Any, location: str, base_folder: Path) -> ManifestRow:
    if not isinstance(values, Mapping):
        reason = f"is not JSON: {values}" if isinstance(values, Exception) else "is not an object"
        return ManifestRow(location, "", base_folder, problem=reason)
    known = {field: _first_value(values, names) for field, names in _COLUMN_NAMES.items()}
    if not known["source"]:
        reason = f"names no paper; a row needs one of {', '.join(_COLUMN_NAMES['source'][:3])}"
        return ManifestRow(location, "", base_folder, problem=reason)
    return ManifestRow(location, known["source"], base_folder, known["id"], known["title"], known["abstract"])


def _first_value(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return, as text, the value of the first of the columns `names` that holds text or an integer; "" if none does."""
    given = (values.get(name) for name in names)
    said = next((str(value).strip() for value in given if isinstance(value, str | int) and str(value).strip()), "")
    return said.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file
