"""Rows of a table in a local file: Parquet, JSONL, or one JSON array."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from planner.errors import PlannerError, UsageError

Row: TypeAlias = Mapping[str, Any]
SUFFIXES: Final = (".parquet", ".jsonl", ".json")

_HALF_PAIR: Final = re.compile(r"[\ud800-\udfff]")


class TableError(PlannerError):
    """A file is not the table that it should be; the text says which file and which row."""


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a table, in order; of a folder, those of each table in it, by name.

    Raises:
        TableError: the file cannot be read as a table.
        UsageError: the file does not exist, or pyarrow is needed and not installed.
    """
    return tuple(row for file in _files(path) for row in _read_file(file))


def read_text(path: Path) -> str:
    """The text of a file, with or without a byte order mark.

    Raises:
        OSError: it cannot be read.
        TableError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(f"{path}: is not UTF-8: {error}") from error


def is_text(value: Any) -> bool:
    """Whether it is text that can be written again; half a surrogate pair, "\\ud800" in JSON, cannot."""
    return isinstance(value, str) and not _HALF_PAIR.search(value)


def json_value(text: str) -> Any:
    """A JSON value that somebody else wrote.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def json_lines(text: str, source: str) -> Iterator[tuple[int, Any]]:
    """Each value of JSONL with the number of its line, from 1; blank lines are skipped.

    Raises:
        TableError: a line is not JSON.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, json_value(line)
            except ValueError as error:
                raise TableError(f"{source}: line {number} is not JSON: {error}") from error


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_file():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise UsageError(f"{path}: holds no {', '.join(SUFFIXES)} file")
    return found


def _read_file(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return _read_parquet(path)
    text = read_text(path)
    if path.suffix == ".json":
        return _read_json(text, path)
    return [_object(value, f"{path}: line {number}") for number, value in json_lines(text, str(path))]


def _read_json(text: str, path: Path) -> list[Row]:
    try:
        value = json_value(text)
    except ValueError as error:
        raise TableError(f"{path}: is not JSON: {error}") from error
    rows = value if isinstance(value, list) else [value]
    return [_object(row, f"{path}: row {number}") for number, row in enumerate(rows, start=1)]


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


def _object(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise TableError(f"{place}: should be an object, is {type(value).__name__}")
    return value
