"""Lists of photos: a text file with a path per line, or a CSV with a column of paths."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import BinaryIO

from edge_runtime.common.errors import DataError
from edge_runtime.common.text import shortened

LIST_SUFFIXES = (".txt", ".csv", ".tsv")

PATH_COLUMNS = (
    "file", "path", "filename", "file_name", "image", "image_path", "filepath", "img", "photo", "uri", "url",
)  # fmt: skip
"""Names of a column of paths, best first, ignoring case."""


def listed_paths(name: str, file: BinaryIO, column: str | None) -> Iterator[str]:
    """The photos that a list names.

    Args:
        name: The list's path or address; relative paths in it start in its folder.
        file: The open list, UTF-8 text; read line by line.
        column: The column of a CSV; None finds it.

    Yields:
        Paths or ``s3://`` addresses, in the order of the list.

    Raises:
        DataError: It is not text, is empty, or has no such column.
    """
    suffix = PurePosixPath(name.lower()).suffix
    found = 0
    try:
        lines = io.TextIOWrapper(file, "utf-8-sig", newline="" if suffix != ".txt" else None)
        paths = lines if suffix == ".txt" else _column(name, lines, "\t" if suffix == ".tsv" else ",", column)
        for path in paths:
            if path := path.strip():
                found += 1
                yield beside(name, path)
    except UnicodeDecodeError as error:
        raise DataError(
            f"A list must be UTF-8 text. Received: other bytes in {name}. Save it as UTF-8."
        ) from error
    if not found:
        raise DataError(f"A list must name at least one photo. Received: {name}, which names none. Fill it.")


def path_column(name: str, names: Sequence[str], wanted: str | None) -> str:
    """The column of paths of a table.

    Args:
        name: The table, for messages.
        names: Its columns.
        wanted: What ``--column`` says; None finds one of :data:`PATH_COLUMNS`, or takes the only one.

    Raises:
        DataError: There is no such column, or none that is found.
    """
    if wanted is not None:
        if wanted not in names:
            raise missing_column(name, wanted, names)
        return wanted
    known = {each.strip().lower(): each for each in reversed(names)}
    for each in PATH_COLUMNS:
        if each in known:
            return known[each]
    if len(names) == 1:
        return names[0]
    raise missing_column(name, None, names)


def missing_column(name: str, wanted: str | None, names: Sequence[str]) -> DataError:
    """The error for a table without the column.

    Args:
        name: The table.
        wanted: What ``--column`` says; None where none was found.
        names: The columns that it has.
    """
    what = f"the column {wanted}" if wanted is not None else "a column of photos"
    return DataError(
        f"A table must have {what}. Received: {name} with {shortened(', '.join(names), 200)}. "
        "Pass one of them as --column."
    )


def _column(name: str, lines: Iterable[str], delimiter: str, wanted: str | None) -> Iterator[str]:
    rows = csv.reader(lines, delimiter=delimiter)
    header = next(rows, [])
    at = header.index(path_column(name, header, wanted))
    for row in rows:
        if at < len(row):
            yield row[at]


def beside(name: str, path: str) -> str:
    """A path that a table names, as seen from here.

    Args:
        name: The table's path or address.
        path: An address, an absolute path, or one that starts in the table's folder.
    """
    if "://" in path or os.path.isabs(path):
        return path
    return f"{name.rpartition('/')[0]}/{path}" if "://" in name else os.path.join(os.path.dirname(name), path)
