"""Read rows of tables from local files: Parquet, JSONL, or a JSON array."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from planner.errors import PlannerError, UsageError
from planner.files import read_bounded_file

Row: TypeAlias = Mapping[str, Any]
SUFFIXES: Final = (".parquet", ".jsonl", ".json")
MAX_TABLE_BYTES: Final = 500_000_000  # bytes of a file that is read whole

_HALF_PAIR: Final = re.compile(r"[\ud800-\udfff]")


class TableError(PlannerError):
    """An error in the contents of a file; the text names the file and the row or line."""


def read_table_rows(path: Path) -> tuple[Row, ...]:
    """Read the rows of a table in order; for a folder, those of all its tables, sorted by file name.

    Raises:
        TableError: if a file cannot be read as a table.
        UsageError: if the path does not exist, or if pyarrow is needed and not installed.
    """
    return tuple(row for file in _table_files(path) for row in _read_table(file))


def read_text(path: Path) -> str:
    """Read the text of a file, without its byte order mark if there is one.

    Raises:
        OSError: if the file cannot be read.
        TableError: if the file is not UTF-8.
    """
    try:
        return read_bounded_file(path, MAX_TABLE_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8: {error}") from error


def is_utf8_text(value: Any) -> bool:
    """Return True if a value is text that UTF-8 can hold, without half surrogate pairs such as "\\ud800" in JSON."""
    return isinstance(value, str) and not _HALF_PAIR.search(value)


def parse_json(text: str) -> Any:
    """Parse JSON from an untrusted source.

    Raises:
        ValueError: if the text is not JSON or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def read_json(path: Path) -> Any:
    """Read the value of a JSON file from an untrusted source.

    Raises:
        OSError: if the file cannot be read.
        TableError: if the file is not JSON.
    """
    try:
        return parse_json(read_text(path))
    except ValueError as error:
        raise TableError(f"{path}: is not JSON: {error}") from error


def parse_json_lines(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Yield each value of JSONL with its line number, from 1; skip blank lines.

    Raises:
        TableError: if a line is not JSON.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, parse_json(line)
            except ValueError as error:
                raise TableError(f"{source}: line {number} is not JSON: {error}") from error


def _table_files(path: Path) -> list[Path]:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_file():
        return [path]
    tables = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not tables:
        raise UsageError(f"{path}: holds no file that ends in {', '.join(SUFFIXES)}")
    return tables


def _read_table(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return _read_parquet(path)
    if path.suffix == ".json":
        value = read_json(path)
        rows = value if isinstance(value, list) else [value]
        return [_check_object(row, f"{path}: row {number}") for number, row in enumerate(rows, start=1)]
    lines = parse_json_lines(read_text(path), str(path))
    return [_check_object(value, f"{path}: line {number}") for number, value in lines]


def _read_parquet(path: Path) -> list[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UsageError(f"{path}: reading Parquet needs pyarrow: pip install 'ablation-planner[parquet]'") from error
    try:
        rows: list[Row] = parquet.read_table(path).to_pylist()
    except (ArrowException, OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: is not Parquet: {error}") from error
    return rows


def _check_object(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise TableError(f"{place}: should be an object, is {type(value).__name__}")
    return value
