"""Writes the results of ``predict`` in any format."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, get_args

from edge_runtime.atomic_file import text_stream, written_aside
from edge_runtime.classifier import Classifier
from edge_runtime.errors import ImageError, UsageError
from edge_runtime.output_records import CsvWriter, JsonLinesWriter
from edge_runtime.output_text import PlainWriter, TableWriter
from edge_runtime.result import Result
from edge_runtime.terminal import StepProgress, is_terminal, printable

OutputFormat = Literal["table", "jsonl", "csv", "parquet"]
FORMATS: tuple[OutputFormat, ...] = get_args(OutputFormat)

_BAR_IMAGES = 20
"""Fewer images are done before a progress bar would help."""


class Writer(Protocol):
    """Writes one result after the other.

    Attributes:
        keeps_errors: Whether errors of images are part of its output.
        at_once: Whether each result is visible as soon as it is written.
    """

    keeps_errors: bool
    at_once: bool

    def write(self, name: str, answer: Result | ImageError) -> None:
        """Writes one result or error."""
        ...

    def finish(self) -> None:
        """Writes what is still buffered."""
        ...


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
    if format == "parquet":
        if out is None:
            raise UsageError(
                "Parquet cannot go to stdout. Received: --format parquet without --out. Pass --out FILE."
            )
        from edge_runtime.output_parquet import ParquetWriter

        with written_aside(out) as file:
            writer = ParquetWriter(file, classes)
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
            writer = CsvWriter(stream, classes)
        elif names is not None and out is None and is_terminal():
            writer = TableWriter(f"{used.artifact.kind} on {used.engine}")
        else:
            writer = PlainWriter(stream, names or (), used.labels)
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
