"""Results for other programs: JSON lines, CSV and Parquet.

The columns of CSV and Parquet::

    file        the image as it was named
    error       why it could not be used, else empty
    label       its best class, empty when it has an error or no class reached the threshold
    score       that class's score, 0..1
    known       whether the image shows something that the model knows; true or false
    answered    whether the label may be taken for the answer; true or false
    candidates  the labels that may be true, best first: a JSON list in CSV, a list in Parquet
    label_1     label and score again, then label_2, score_2 and so on up to --top-k
    score_1

Each of known, answered and candidates is there only if the artifact has a rule for it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, TextIO

import click

from edge_runtime.common.errors import EnvironmentMissingError, ImageError
from edge_runtime.common.terminal import printable
from edge_runtime.common.text import as_utf8
from edge_runtime.engines.result import Result

Value = str | float | bool | list[str] | None
"""A value of a row; a list is that of the candidates' labels."""

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""Characters that make a spreadsheet run a cell; source: OWASP, CSV injection."""

_GROUP_ROWS = 16_384
"""Rows per Parquet row group: a few MB."""


class Writer(ABC):
    """Writes one result after the other.

    Attributes:
        keeps_errors: Whether errors of images are part of its output.
        at_once: Whether each result is visible as soon as it is written.
    """

    keeps_errors = False
    at_once = True

    @abstractmethod
    def write(self, name: str, answer: Result | ImageError) -> None:
        """Writes one result or error."""

    def finish(self) -> None:  # noqa: B027
        """Writes what is still buffered."""


def columns(classes: int, ruled: Sequence[str] = ()) -> list[str]:
    """Column names of a table.

    Args:
        classes: How many classes per image it has room for.
        ruled: Those of ``known``, ``answered`` and ``candidates`` that the artifact has a rule for.
    """
    ranked = [name for place in range(1, classes + 1) for name in (f"label_{place}", f"score_{place}")]
    return ["file", "error", "label", "score", *ruled, *ranked]


def row(name: str, answer: Result | ImageError, classes: int, ruled: Sequence[str] = ()) -> list[Value]:
    """The values of one image in the order of :func:`columns`; None for missing ones.

    Args:
        name: The image as it was named.
        answer: Its result or error.
        classes: As for :func:`columns`.
        ruled: As for :func:`columns`.
    """
    if isinstance(answer, ImageError):
        return [name, str(answer), *[None] * (2 + len(ruled) + 2 * classes)]
    told: dict[str, Value] = {
        "known": answer.known,
        "answered": answer.answered,
        "candidates": None if answer.candidates is None else [entry.label for entry in answer.candidates],
    }
    ranked: list[Value] = []
    for entry in answer.predictions[:classes]:
        ranked += [entry.label, entry.score]
    best = ranked[:2] or [None, None]
    said = [told[field] for field in ruled]
    return [name, None, *best, *said, *ranked, *[None] * (2 * classes - len(ranked))]


class JsonLinesWriter(Writer):
    """One JSON object per line, at once: ``image`` and :meth:`Result.to_dict`, or ``image`` and ``error``."""

    keeps_errors = True

    def __init__(self, stream: TextIO) -> None:
        # Here, as in the other writers: each start would pay for every format.
        import json

        self._stream, self._dumps = stream, json.dumps

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Writes the line of one image."""
        record: dict[str, Any] = {"image": name}
        record |= {"error": str(answer)} if isinstance(answer, ImageError) else answer.to_dict()
        click.echo(self._dumps(record), file=self._stream)


class CsvWriter(Writer):
    """A header, then one line per image, at once."""

    keeps_errors = True

    def __init__(self, stream: TextIO, classes: int, ruled: Sequence[str] = ()) -> None:
        """Writes the column names.

        Args:
            stream: Where to write.
            classes: Classes per image.
            ruled: As for :func:`columns`.
        """
        import csv

        self._classes, self._ruled = classes, ruled
        self._escape = stream.isatty()
        self._lines = csv.writer(_Lines(stream))
        self._lines.writerow(columns(classes, ruled))

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Writes the line of one image."""
        first, *others = row(name, answer, self._classes, self._ruled)
        cells = [_safe_path(str(first)), *(_safe(_text(value)) for value in others)]
        if self._escape:
            cells = [printable(cell) if isinstance(cell, str) else cell for cell in cells]
        self._lines.writerow(cells)


class _Lines:
    """A stream that receives whole lines with Unix line ends, each flushed.

    The csv module must be set to CR LF, or it leaves a lone CR in a name unquoted.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        click.echo(line.removesuffix("\r\n"), file=self._stream)


def _text(value: Value) -> str | float | None:
    """A value as a cell: what both spreadsheets and pandas read as a truth value, and JSON for a list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        import json

        return json.dumps(value, ensure_ascii=False)
    return value


def _safe_path(name: str) -> str:
    """A path that no spreadsheet runs as a formula: ``./=1+1.png`` is the same file."""
    return f"./{name}" if name != "-" and name.startswith(_FORMULA_SIGNS) else name


def _safe(value: str | float | None) -> str | float | None:
    """Text that no spreadsheet runs as a formula: prefixed with an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_SIGNS) else value


class ParquetWriter(Writer):
    """Labels as strings, scores as 32-bit floats, candidates as lists of strings, nulls where there is none."""

    keeps_errors = True
    at_once = False

    def __init__(
        self,
        file: BinaryIO,
        classes: int,
        ruled: Sequence[str] = (),
        metadata: Mapping[bytes, bytes] | None = None,
    ) -> None:
        """Writes the schema.

        Args:
            file: Where to write.
            classes: Classes per image.
            ruled: As for :func:`columns`.
            metadata: More for the footer.

        Raises:
            EnvironmentMissingError: pyarrow is not installed.
        """
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("--format parquet", "pyarrow", "parquet") from error
        self._arrow: Any = pyarrow
        self._classes, self._ruled = classes, ruled
        number, text, truth = pyarrow.float32(), pyarrow.string(), pyarrow.bool_()
        special = {"known": truth, "answered": truth, "candidates": pyarrow.list_(text)}
        self._schema: Any = pyarrow.schema(
            [
                (name, number if name.startswith("score") else special.get(name, text))
                for name in columns(classes, ruled)
            ],
            metadata,
        )
        self._file: Any = pyarrow.parquet.ParquetWriter(file, self._schema)
        self._rows: list[list[Value]] = []

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Buffers the row of one image; writes full row groups."""
        self.write_row(row(name, answer, self._classes, self._ruled))

    def write_row(self, values: Sequence[Value]) -> None:
        """As :meth:`write`, of what :func:`row` returned."""
        self._rows.append([_as_utf8(value) for value in values])
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


def _as_utf8(value: Value) -> Value:
    """A value whose text, if it has any, is UTF-8."""
    if isinstance(value, list):
        return [as_utf8(label) for label in value]
    return as_utf8(value) if isinstance(value, str) else value
