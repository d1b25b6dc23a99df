"""The lines of a table, CSV with any usual separator or JSON Lines, and the files that its cells name.

A cell is resolved as it is written, or in the spelling of another system.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from edge_runtime.common.errors import DataError
from edge_runtime.common.text import as_utf8
from edge_runtime.dataset.files import DiskFiles
from edge_runtime.dataset.layout import IMAGE_SUFFIXES

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
"""Suffixes of files that list images and labels."""

_CURE_CSV = "Write a header path,label or path,label,split and one image per line."
_CURE_JSON = 'Write one object per line, for example {"file_name": "a.jpg", "label": "daisy"}.'

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MISSING = frozenset(("", "nan", "-nan", "<na>", "nat", "#n/a", "n/a", "null"))
_MISSING_AS_WRITTEN = frozenset(("NA", "None"))
"""Missing values as R and Python write them; in lower case they may be names."""

_FILE = "file://"


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


class _Listed(NamedTuple):
    """A file and its normalized path, with and without suffix."""

    ref: str
    folded: str
    stem: str


class ImageFinder:
    """Files beside and below a table.

    A cell may use Windows separators, another Unicode normal form or case, omit the suffix, start at
    a folder above the table, or give only the name of a file in a sub-folder. A file is found only if
    it is the only match.
    """

    def __init__(self, table: Path) -> None:
        """Keeps the table.

        Args:
            table: Its path.
        """
        self.files = DiskFiles(table.parent)
        self._table = table
        self._above: str | None = None

    def find(self, cell: str) -> str | None:
        """The file that a cell names, relative to the table or absolute.

        Args:
            cell: The path as written.

        Returns:
            None if no file matches.

        Raises:
            DataError: Several files match.
        """
        path = unquote(cell[len(_FILE) :]) if cell.lower().startswith(_FILE) else cell
        path = str(PurePosixPath(path.replace("\\", "/")))
        if self._is_file(path):
            return path
        for shorter in self._from_above(path):
            found = shorter if self._is_file(shorter) else self._only(self._whole(shorter), shorter, cell)
            if found is not None:
                self._above = path.removesuffix(shorter)
                return found
        return self._only(self._whole(path) or self._below(path), path, cell)

    def _is_file(self, path: str) -> bool:
        try:
            return (self.files.root / path).is_file()
        except OSError:
            return False

    def _from_above(self, path: str) -> list[str]:
        """The path without the folders that lead to the table; once found, the same for all lines.

        An absolute path may come from another machine, so any of its folders may be that of the table.
        """
        if self._above is not None:
            return [path.removeprefix(self._above)] if path.startswith(self._above) else []
        parts = [part for part in PurePosixPath(path).parts if part != "/"]
        above = self.files.root.parts
        absolute = path.startswith("/") or path[1:3] == ":/"
        counts = [n for n in range(len(parts)) if absolute or (n and tuple(parts[:n]) == above[-n:])]
        return ["/".join(parts[count:]) for count in counts]

    def _whole(self, path: str) -> list[_Listed]:
        """Files at that path, in any spelling."""
        wanted = _folded(path)
        return [file for file in self._candidates(wanted) if wanted in (file.folded, file.stem)]

    def _below(self, path: str) -> list[_Listed]:
        """Files in a sub-folder whose path ends with it."""
        end = f"/{_folded(path)}"
        return [
            file for file in self._candidates(end) if file.folded.endswith(end) or file.stem.endswith(end)
        ]

    def _candidates(self, folded: str) -> list[_Listed]:
        return self._by_end.get(_end(folded), [])

    def _only(self, found: list[_Listed], path: str, cell: str) -> str | None:
        exact = _normal(path)
        for fits in (
            lambda file: _normal(file.ref).endswith(exact),
            lambda file: file.folded.endswith(_folded(path)),
            self._is_of_the_table,
        ):
            if len(found) > 1:
                found = [file for file in found if fits(file)] or found
        if len(found) > 1:
            raise DataError(
                f"A path must match one file. Received: {cell[:120]!r} in {self._table}, which may be "
                f"{' or '.join(file.ref for file in found[:3])}. Write the full path."
            )
        return found[0].ref if found else None

    def _is_of_the_table(self, file: _Listed) -> bool:
        """Whether it lies in a folder named like the table: ``train.csv`` and ``train_images``."""
        table, folder = self._table.stem.casefold(), file.folded.partition("/")[0]
        return table.startswith(folder) or folder.startswith(table)

    @cached_property
    def _by_end(self) -> dict[str, list[_Listed]]:
        """All files by name, with and without their folder's name; images also without suffix.

        Names alone are not enough: a set may hold ``image.png`` in each of 100,000 folders.
        """
        found: dict[str, list[_Listed]] = defaultdict(list)
        for ref in self.files.listing()[0]:
            folded = _folded(ref)
            path = PurePosixPath(folded)
            stem = str(path.with_suffix("")) if path.suffix in IMAGE_SUFFIXES else folded
            file = _Listed(ref, folded, stem)
            for name in {path.name, PurePosixPath(stem).name, _end(folded), _end(stem)}:
                found[name].append(file)
        return dict(found)


def _normal(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _end(path: str) -> str:
    """The name and, if there is a folder, its name."""
    return "/".join(path.removeprefix("/").rsplit("/", 2)[-2:])


def _folded(path: str) -> str:
    return _normal(path).casefold()
