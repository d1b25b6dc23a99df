"""Writes the results of ``predict`` in any format.

For people, a table on a terminal and aligned plain lines elsewhere; for programs, the formats of
:mod:`edge_runtime.output.records`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO, get_args

import click

from edge_runtime.classifier import Classifier
from edge_runtime.common.atomic_file import text_stream, written_aside
from edge_runtime.common.errors import ImageError, UsageError
from edge_runtime.common.terminal import Cell, Column, StepProgress, aligned, is_terminal, print_table
from edge_runtime.common.text import printable
from edge_runtime.engines.result import Result
from edge_runtime.output.records import CsvWriter, JsonLinesWriter, ParquetWriter, Writer
from edge_runtime.output.verdict_words import (
    VERDICT_STYLES,
    VERDICT_WIDTH,
    candidates,
    is_believed,
    sentences,
    verdict,
)

OutputFormat = Literal["table", "jsonl", "csv", "parquet"]
FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)

_BAR_IMAGES = 20
"""Fewer images are done before a progress bar would help."""

_BAR_CELLS = 12
_LABEL_CELLS = 40
"""Longer labels do not widen the column of plain lines."""

_NOTHING = "-"
"""Shown for an image in which no class reached the threshold."""


@contextmanager
def open_writer(
    format: OutputFormat,
    out: Path | None,
    used: Classifier,
    top_k: int,
    names: Sequence[str] | None = None,
) -> Iterator[Writer]:
    """Yields a writer; a file appears when the block succeeds.

    Args:
        format: Output format.
        out: The file; None for stdout.
        used: The classifier.
        top_k: Maximum classes per image.
        names: The images; None when they are not known in advance and each is printed at once.

    Raises:
        UsageError: The file cannot be written, or Parquet has no file.
        EnvironmentMissingError: pyarrow is not installed.
    """
    writer: Writer
    classes = min(top_k, len(used.labels))
    rules = used.artifact.rules
    ruled = rules.fields if rules is not None else ()
    if format == "parquet":
        if out is None:
            raise UsageError(
                "Parquet cannot go to stdout. Received: --format parquet without --out. Pass --out FILE."
            )
        with written_aside(out) as file:
            writer = ParquetWriter(file, classes, ruled)
            try:
                yield writer
                writer.finish()
            except BaseException:
                writer.abandon()
                raise
        return
    with text_stream(out) as stream:
        if format == "jsonl":
            writer = JsonLinesWriter(stream)
        elif format == "csv":
            writer = CsvWriter(stream, classes, ruled)
        elif names is not None and out is None and is_terminal():
            writer = TableWriter(f"{used.artifact.kind} on {used.engine}", ruled)
        else:
            writer = PlainWriter(stream, names or (), used.labels, ruled)
        yield writer
        writer.finish()


def write_results(
    names: Sequence[str], answers: Iterable[Result | ImageError], writer: Writer, *, to_stdout: bool
) -> int:
    """Writes results, with a progress bar for many; errors go to stderr unless the writer keeps them.

    Args:
        names: The images as the user named them.
        answers: One result per image, in the same order.
        writer: Writes them.
        to_stdout: Whether the writer writes to stdout.

    Returns:
        Number of images that could not be used.
    """
    # On a terminal the lines themselves show progress.
    shows_itself = writer.at_once and to_stdout and sys.stdout.isatty()
    bad = 0
    with StepProgress(bar=len(names) >= _BAR_IMAGES and not shows_itself, lines=False) as progress:
        for done, (name, answer) in enumerate(zip(names, answers, strict=True), start=1):
            progress("Classifying", done, len(names))
            if isinstance(answer, ImageError):
                bad += 1
                if not writer.keeps_errors:
                    progress.line(error_line(answer))
            writer.write(name, answer)
    return bad


def error_line(error: ImageError) -> str:
    """An image's error as one line for stderr."""
    return f"Error: {printable(' '.join(str(error).split()))}"


class PlainWriter(Writer):
    """One line per image, at once: what the rules say, if there are any, and the best classes, best first."""

    def __init__(
        self, stream: TextIO, names: Sequence[str], labels: Sequence[str], ruled: Sequence[str] = ()
    ) -> None:
        """Computes the column widths.

        Args:
            stream: Where to write.
            names: The images known in advance.
            labels: The model's labels.
            ruled: Those of ``known``, ``answered`` and ``candidates`` that the artifact has a rule for.
        """
        self._stream = stream
        self._judges = "answered" in ruled
        self._name_width = max((len(printable(name)) for name in names), default=0)
        self._label_width = min(_LABEL_CELLS, max(len(printable(label)) for label in labels))

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Writes the line of one image; errors are reported elsewhere."""
        if isinstance(answer, ImageError):
            return
        cells, widths = [printable(name)], [self._name_width]
        if self._judges:
            # First, where it cannot be overlooked beside a class that should not be believed.
            cells, widths = [*cells, verdict(answer)], [*widths, VERDICT_WIDTH]
        for entry in answer.predictions:
            cells += [printable(entry.label), f"{entry.score:.4f}"]
            widths += [self._label_width, 6]
        if not answer:
            cells, widths = [*cells, _NOTHING], [*widths, 1]
        if named := candidates(answer):
            cells, widths = [*cells, f"candidates: {named}"], [*widths, 1]
        click.echo(aligned(cells, widths, [False] * len(cells)), file=self._stream)


class TableWriter(Writer):
    """One table at the end: the classes of a single image, or a row per image."""

    at_once = False

    def __init__(self, caption: str, ruled: Sequence[str] = ()) -> None:
        """Starts the clock.

        Args:
            caption: Artifact and engine, for the line below the table.
            ruled: Those of ``known``, ``answered`` and ``candidates`` that the artifact has a rule for.
        """
        self._caption, self._ruled = caption, ruled
        self._started = time.perf_counter()
        self._good: list[tuple[str, Result]] = []
        self._images = 0

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Keeps the row of one image; errors are reported elsewhere."""
        self._images += 1
        if not isinstance(answer, ImageError):
            self._good.append((printable(name), answer))

    def finish(self) -> None:
        """Prints the table."""
        if len(self._good) == 1:
            _print_one(*self._good[0], self._caption)
        elif self._good:
            spent_ms = (time.perf_counter() - self._started) * 1000.0 / self._images
            columns: list[Column | str] = ["image", "label", Column("score", right=True), ""]
            columns.append("candidates" if "candidates" in self._ruled else "next")
            if "answered" in self._ruled:
                columns.insert(1, "answer")
            rows = [_image_row(name, result) for name, result in self._good]
            print_table(columns, rows, caption=f"{self._caption}, {spent_ms:.1f} ms per image")


def _print_one(name: str, result: Result, caption: str) -> None:
    columns: list[Column | str] = ["label", Column("score", right=True), ""]
    believed = is_believed(result)
    rows: list[list[Cell]] = [
        [(printable(entry.label), "bold" if place == 0 and believed else ""), *_score(entry.score, believed)]
        for place, entry in enumerate(result.predictions)
    ]
    title: list[Cell] = [(name, "bold"), *sentences(result)]
    print_table(columns, rows or [[_NOTHING, "", ""]], title=title, caption=caption)


def _image_row(name: str, result: Result) -> list[Cell]:
    word = verdict(result)
    judged: list[Cell] = [(word, VERDICT_STYLES[word])] if word else []
    second = result.predictions[1] if len(result.predictions) > 1 and result.candidates is None else None
    beside = f"{printable(second.label)} {second.score:.1%}" if second is not None else candidates(result)
    if not result:
        return [name, *judged, _NOTHING, "", "", (beside, "dim")]
    believed = is_believed(result)
    label = (printable(result.top.label), "bold" if believed else "dim")
    return [name, *judged, label, *_score(result.top.score, believed), (beside, "dim")]


def _score(score: float, believed: bool) -> list[Cell]:
    """The score and its bar: green when confident, yellow when ambiguous, dim when the rules speak against it."""
    sign, empty = ("█", "░") if (sys.stdout.encoding or "").lower().startswith("utf") else ("#", ".")
    # Full only when the number beside it says 100 %.
    filled = int(round(score, 3) * _BAR_CELLS)
    style = "dim" if not believed else "green" if score >= 0.8 else "yellow" if score >= 0.5 else "red"
    return [f"{score:.1%}", (sign * filled + empty * (_BAR_CELLS - filled), style)]
