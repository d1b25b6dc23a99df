"""The lines of a table: CSV with any usual separator, or JSON Lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

from edge_runtime.errors import DataError
from edge_runtime.text import as_utf8

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
"""Suffixes of files that list images and labels."""

_CURE_CSV = "Write a header path,label or path,label,split and one image per line."
_CURE_JSON = 'Write one object per line, for example {"file_name": "a.jpg", "label": "daisy"}.'

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = frozenset(("", "nan", "-nan", "<na>", "nat", "#n/a", "n/a", "null"))
_MISSING_AS_WRITTEN = frozenset(("NA", "None"))
"""Missing values as R and Python write them; in lower case they may be names."""


class Line(NamedTuple):
    """One line of a table.

    Attributes:
        number: Line number in the file, from 1.
        cells: The cells, stripped of white space.
    """

    number: int
    cells: list[str]

    def cell(self, column: int) -> str:
        """A cell; empty if the line is too short.

        Args:
            column: Its index, from 0.
        """
        return self.cells[column] if column < len(self.cells) else ""


def is_missing(cell: str) -> bool:
    """Whether a cell is a missing value, as pandas, R or Excel write it.

    Args:
        cell: The cell.
    """
    return cell.lower() in _MISSING or cell in _MISSING_AS_WRITTEN


def cure_of(path: PurePath) -> str:
    """The required content of a table, for messages.

    Args:
        path: Path of the table.
    """
    return _CURE_JSON if path.suffix.lower() == ".jsonl" else _CURE_CSV


def read_lines(path: Path) -> list[Line]:
    """Reads the non-empty lines, including a header if there is one.

    Args:
        path: A CSV separated by comma, semicolon, tab or bar, or JSON Lines.

    Raises:
        DataError: It is not such a table, or empty.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"A table must be readable. Received: {path} ({error.strerror}). Check its permissions."
        ) from error
    return lines_of(data, path)


def lines_of(data: bytes, path: PurePath) -> list[Line]:
    """Parses the bytes of a table.

    Args:
        data: The bytes.
        path: The file, for its suffix and for messages.

    Raises:
        DataError: It is not such a table, or empty.
    """
    try:
        text = data.decode("utf-16" if data[:2] in _UTF16_MARKS else "utf-8-sig")
        lines = list(_of_json(text) if path.suffix.lower() == ".jsonl" else _of_csv(text))
    except UnicodeError as error:
        raise DataError(
            f"A table must be UTF-8 text. Received: {path} ({error}). Save it as UTF-8."
        ) from error
    except (csv.Error, ValueError, RecursionError) as error:
        rule = "be JSON, one object per line" if path.suffix.lower() == ".jsonl" else "be a readable CSV"
        raise DataError(f"A table must {rule}. Received: {path} ({error}). {cure_of(path)}") from error
    if not lines:
        raise DataError(f"A CSV must have lines. Received: an empty file, {path}. {cure_of(path)}")
    return lines


def _of_csv(text: str) -> Iterator[Line]:
    # Excel writes a first line sep=; for its own use.
    first, _, rest = text.partition("\n")
    told = first.strip().lower()
    hint = told[4:] if told.startswith("sep=") and len(told) == 5 else ""
    separator = hint or max(",;\t|", key=first.count)
    reader = csv.reader(
        io.StringIO(rest if hint else text, newline=""), delimiter=separator, skipinitialspace=True
    )
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield Line(reader.line_num + bool(hint), cells)


def _of_json(text: str) -> Iterator[Line]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            record = json.loads(line)
            if not isinstance(record, dict):
                raise ValueError(f"line {number} is not an object")
            records.append((number, record))
    head = list(dict.fromkeys(name for _, record in records for name in record))
    if head:
        yield Line(0, [_as_text(name) for name in head])
    for number, record in records:
        yield Line(number, [_as_text(record.get(name)) for name in head])


def _as_text(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    # JSON can encode a lone surrogate, UTF-8 cannot.
    return as_utf8(text.strip())
