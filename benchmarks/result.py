"""The result of a benchmark: one strict JSON file, from which the page is made."""

from __future__ import annotations

import datetime
import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

RESULTS = Path(__file__).resolve().parent / "results"

Cell = str | float | int | None
Kind = Literal["text", "percent", "seconds", "rate", "count", "points", "spread", "ratio", "nats"]


class Column(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column of a table.

    Attributes:
        name: Its heading.
        kind: How its cells are shown; ``percent`` takes 0..1, ``points`` and ``spread`` hundredths of top-1, the
            first with a sign, all others plain numbers.
    """

    name: str
    kind: Kind = "text"


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A headline figure: mostly a ratio of two measurements of the same run.

    Attributes:
        name: What is measured, and relative to what.
        value: The number.
        least: Lower limit, if there is one. Limits are recorded and not shown on the page.
        most: Upper limit, if there is one.
    """

    name: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def limited(self) -> bool:
        """Whether it has a limit."""
        return self.least is not None or self.most is not None

    @property
    def missed(self) -> bool:
        """Whether it is outside its limits."""
        return (self.least is not None and self.value < self.least) or (
            self.most is not None and self.value > self.most
        )


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of one benchmark.

    Attributes:
        name: The file's name.
        group: Results of one group share a table.
        title: Its heading.
        method: How it was measured, in Markdown.
        command: The command that made it.
        created: UTC time, ISO 8601.
        quick: Whether it only shows that the script runs.
        machine: See :func:`benchmarks.machine.machine`.
        settings: Every setting of the run.
        columns: Columns of the table.
        rows: Its cells.
        figures: Headline figures.
    """

    name: str
    group: str
    title: str
    method: str
    command: str
    created: str
    quick: bool
    machine: dict[str, str]
    settings: dict[str, Any]
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    figures: tuple[Figure, ...]


def command_line(module: str, arguments: Sequence[str] | None = None) -> str:
    """The command to repeat this, as in ``benchmarks/README.md``: inputs lie in ``data/`` and ``weights/``.

    Args:
        module: Such as ``benchmarks.feeding``.
        arguments: Its words; None for those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    shown = [_shown(word) for word in words]
    backend = os.environ.get("KERAS_BACKEND", "")
    prefix = f"KERAS_BACKEND={backend} " if backend not in ("", "tensorflow") else ""
    return prefix + shlex.join(["python", "-m", module, *shown])


def _shown(word: str) -> str:
    """A word of a command; a path from outside the checkout by the place that the README gives it."""
    name, given, value = word.partition("=") if word.startswith("-") else ("", "", word)
    path = Path(os.path.relpath(value) if os.path.isabs(value) else value)
    if path.is_absolute() or path.parts[:1] == ("..",):
        known = [place for place, part in enumerate(path.parts) if part in ("data", "weights")]
        value = Path(*path.parts[known[-1] if known else -1 :]).as_posix()
    elif os.path.isabs(value):
        value = path.as_posix()
    return f"{name}{given}{value}"


def now() -> str:
    """UTC time, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def write_result(result: Result, folder: Path = RESULTS) -> Path:
    """Writes ``NAME.json``, whole or not at all.

    Args:
        result: The result.
        folder: Where to.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")
    os.replace(temporary, path)
    return path


def as_text(result: Result) -> str:
    """A result for the terminal: its title, its columns, a line per row, and its figures.

    Args:
        result: The result.
    """
    lines = [result.title, " | ".join(column.name for column in result.columns)]
    for cells in result.rows:
        lines.append(" | ".join(f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in cells))
    for figure in result.figures:
        lines.append(f"{figure.name}: {figure.value:.5f}{' (missed)' if figure.missed else ''}")
    return "\n".join(lines)


def read_results(folder: Path = RESULTS) -> list[Result]:
    """All results of a folder, in the order of their names, numbers in them by value.

    Args:
        folder: Where they lie.

    Raises:
        msgspec.ValidationError: A file does not follow the schema.
    """
    found = [msgspec.json.decode(path.read_bytes(), type=Result) for path in folder.glob("*.json")]
    return sorted(found, key=lambda result: _natural(result.name))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
