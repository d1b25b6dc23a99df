"""Photos of a Parquet file: a column of encoded images, or of their paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edge_runtime.common.errors import DataError, first_line
from edge_runtime.score.arrow import parquet
from edge_runtime.score.lists import PATH_COLUMNS, beside, missing_column
from edge_runtime.score.photos import Photo
from edge_runtime.score.storage import Storage

_BATCH_ROWS = 64
"""Encoded photos in memory at once; at 5 MB each, 320 MB."""

_PATHS_AT_ONCE = 16_384


def parquet_photos(name: str, storage: Storage, column: str | None) -> Iterator[Photo]:
    """Lists the photos of a Parquet file.

    Args:
        name: Its path or address.
        storage: Opens it.
        column: The column; None finds it: one of bytes, Hugging Face's struct with ``bytes``, or a known name
            of paths.

    Raises:
        DataError: It is not Parquet, has no such column, or no rows.
    """
    with storage.opened(name) as file, _reading(name):
        table = parquet().ParquetFile(file)
        found = _column(name, table.schema_arrow, column)
        rows = table.metadata.num_rows
        if not rows:
            raise DataError(f"A table must have rows. Received: {name} with none. Check the file.")
        if found.holds_bytes:
            size = storage.size(name)
            for row in range(rows):
                yield Photo(name, size, row=row, column=found.name)
            return
        for batch in table.iter_batches(_PATHS_AT_ONCE, columns=[found.name]):
            for path in batch.column(0).to_pylist():
                yield Photo(beside(name, str(path or "")))


def encoded_rows(file: Any, name: str, column: str, rows: range) -> Iterator[bytes | None]:
    """Reads encoded images, a few rows at a time.

    Args:
        file: The open Parquet file, seekable.
        name: Its name, for messages.
        column: The column of bytes, as in :attr:`Photo.column`.
        rows: Consecutive row numbers.

    Yields:
        The bytes of each row; None where the table has none.

    Raises:
        DataError: The file has changed or cannot be read.
    """
    with _reading(name):
        table = parquet().ParquetFile(file)
        groups, first = _groups(table.metadata, rows)
        skip, left = rows.start - first, len(rows)
        for batch in table.iter_batches(_BATCH_ROWS, row_groups=groups, columns=[column]):
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            values = batch.column(0)
            if column.endswith(".bytes") and values.type.num_fields:
                values = values.field("bytes")
            taken = values.slice(skip, left)
            skip = 0
            left -= len(taken)
            for value in taken:
                yield value.as_py()
            if not left:
                return
    raise DataError(
        f"A table must not change while it is scored. Received: {name} with fewer rows. Start again with another --out."
    )


class _Column:
    def __init__(self, name: str, holds_bytes: bool) -> None:
        self.name, self.holds_bytes = name, holds_bytes


def _column(name: str, schema: Any, wanted: str | None) -> _Column:
    fields = {field.name: field.type for field in schema}
    if wanted is not None and wanted not in fields:
        raise missing_column(name, wanted, list(fields))
    if wanted is not None:
        found = _as_photos(wanted, fields[wanted])
        if found is None:
            raise DataError(
                f"A column of photos must hold bytes or text. Received: --column {wanted} of {name}, "
                f"{fields[wanted]}. Pass another --column."
            )
        return found
    known = {column: _as_photos(column, kind) for column, kind in fields.items()}
    encoded = [column for column in known.values() if column is not None and column.holds_bytes]
    if len(encoded) == 1:
        return encoded[0]
    texts = {column.lower(): found for column, found in known.items() if found and not found.holds_bytes}
    for each in PATH_COLUMNS:
        if not encoded and each in texts:
            return texts[each]
    raise missing_column(name, None, list(fields))


def _as_photos(name: str, kind: Any) -> _Column | None:
    words = str(kind)
    if words in ("binary", "large_binary", "binary_view") or words.startswith("fixed_size_binary"):
        return _Column(name, holds_bytes=True)
    if words in ("string", "large_string", "string_view"):
        return _Column(name, holds_bytes=False)
    # Hugging Face's images: struct<bytes: binary, path: string>.
    if words.startswith("struct<") and "bytes: binary" in words:
        return _Column(f"{name}.bytes", holds_bytes=True)
    return None


def _groups(metadata: Any, rows: range) -> tuple[list[int], int]:
    """The row groups that hold some rows, and the number of the first row in them."""
    found: list[int] = []
    first = begin = 0
    for index in range(metadata.num_row_groups):
        end = begin + metadata.row_group(index).num_rows
        if begin < rows.stop and end > rows.start:
            if not found:
                first = begin
            found.append(index)
        begin = end
    return found, first


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turns pyarrow's errors into one line."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(
            f"A .parquet must be intact. Received: {name} ({first_line(error)}). Write it again."
        ) from error
