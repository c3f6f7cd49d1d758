"""Read lists of papers: JSONL, CSV and Parquet with AblationBench's columns or shorter ones, and plain lists."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from planner.batch.entry import Problem
from planner.errors import UsageError

MANIFESTS: Final = (".jsonl", ".ndjson", ".csv", ".parquet")

_COLUMNS: Final = {
    "id": ("id", "paper_id"),
    "title": ("title", "paper_title"),
    "abstract": ("abstract", "paper_abstract"),
    "source": ("path", "source", "paper_path", "arxiv_id", "arxiv"),
}
# A field of a CSV file may hold a whole abstract, or more.
_LONGEST_FIELD: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A paper in a list; `where` is its place in the list, `base` the folder that its path is relative to."""

    where: str
    source: str
    base: Path
    id: str = ""
    title: str = ""
    abstract: str = ""


def read_manifest(path: Path) -> Iterator[Row | Problem]:
    """Yield the rows of a manifest, and a problem for each row that is invalid or names no paper.

    Raises:
        UsageError: if the file cannot be read.
    """
    ending = path.suffix.lower()
    try:
        if ending == ".parquet":
            rows = _parquet(path)
        else:
            text = path.read_text(encoding="utf-8-sig")
            rows = _csv(text) if ending == ".csv" else _jsonl(text)
        for number, values in rows:
            yield _row(values, f"{path}:{number}", path.parent)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as a list of papers: {error}") from error


def read_list(text: str, where: str, base: Path) -> Iterator[Row | Problem]:
    """Yield the papers of a list from stdin or a text file: JSONL, or a path or arXiv id a line, # before a comment."""
    if text.lstrip().startswith("{"):
        for number, values in _jsonl(text):
            yield _row(values, f"{where}:{number}", base)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if (source := line.partition(" #")[0].strip()) and not source.startswith("#"):
            yield Row(f"{where}:{number}", source, base)


def _jsonl(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, f"is not JSON: {error}"


def _csv(text: str) -> Iterator[tuple[int, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""))
    for values in reader:
        yield reader.line_num, values


def _parquet(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs an extra: pip install 'ablation-planner[parquet]'") from error
    try:
        with ParquetFile(path) as file:
            wanted = {name for names in _COLUMNS.values() for name in names}
            columns = [name for name in file.schema_arrow.names if name in wanted]
            number = 0
            for batch in file.iter_batches(batch_size=1000, columns=columns):
                for values in batch.to_pylist():
                    number += 1
                    yield number, values
    except ArrowException as error:
        raise UsageError(f"{path}: is not a Parquet file that can be read: {error}") from error


def _row(values: Any, where: str, base: Path) -> Row | Problem:
    if not isinstance(values, Mapping):
        return Problem(where, values if isinstance(values, str) and values.startswith("is not") else "is not an object")
    known = {field: _first(values, names) for field, names in _COLUMNS.items()}
    if not known["source"]:
        return Problem(where, f"names no paper; a row needs one of {', '.join(_COLUMNS['source'][:3])}")
    return Row(where, known["source"], base, known["id"], known["title"], known["abstract"])


def _first(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first column that is not empty, as text; a number, as ids sometimes are, is kept as it is written."""
    given = (values.get(name) for name in names)
    said = next((str(value).strip() for value in given if isinstance(value, str | int) and str(value).strip()), "")
    return said.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate cannot be written to a file
