"""Results as a Parquet file, with the columns of :mod:`edge_runtime.output_records`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, BinaryIO

from edge_runtime.errors import EnvironmentMissingError, ImageError
from edge_runtime.output_records import Value, as_text, columns, row
from edge_runtime.result import Result

_GROUP_ROWS = 16_384
"""Rows per row group: a few MB."""


class ParquetWriter:
    """Labels as strings, scores as 32-bit floats, nulls where there is none."""

    keeps_errors = True
    at_once = False

    def __init__(self, file: BinaryIO, classes: int) -> None:
        """Writes the schema.

        Args:
            file: Where to write.
            classes: Classes per image.

        Raises:
            EnvironmentMissingError: pyarrow is not installed.
        """
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("--format parquet", "pyarrow", "parquet") from error
        self._arrow: Any = pyarrow
        self._classes = classes
        self._schema: Any = pyarrow.schema(
            [
                (name, pyarrow.float32() if name.startswith("score") else pyarrow.string())
                for name in columns(classes)
            ]
        )
        self._file: Any = pyarrow.parquet.ParquetWriter(file, self._schema)
        self._rows: list[list[Value]] = []

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Buffers the row of one image; writes full row groups."""
        self._rows.append(as_text(row(name, answer, self._classes)))
        if len(self._rows) == _GROUP_ROWS:
            self._flush()

    def finish(self) -> None:
        """Writes the last row group and the footer."""
        if self._rows:
            self._flush()
        self._file.close()

    def abandon(self) -> None:
        """Closes an unfinished file before pyarrow does so on a closed stream."""
        with suppress(Exception):
            self._file.close()
        self._file.is_open = False

    def _flush(self) -> None:
        arrays = [
            self._arrow.array(values, field.type)
            for values, field in zip(zip(*self._rows, strict=True), self._schema, strict=True)
        ]
        self._file.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
