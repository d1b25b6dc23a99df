"""What commands print: coloured tables on a terminal, aligned plain lines elsewhere.

Needs click and, on a terminal, rich; only the commands import it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import click

from edge_runtime.quoting import printable as printable

Cell: TypeAlias = str | tuple[str, str]
"""Text, or text and its rich style; the style is for terminals only."""

_MANY = 20
"""From so many steps on, a progress bar is worth a line."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        right: Whether its cells are numbers, aligned right.
    """

    name: str
    right: bool = False


def is_terminal() -> bool:
    """Whether stdout shows colours and boxes to a person."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """One plain line; the last column is not padded.

    Args:
        cells: The texts.
        widths: Width of each column.
        right: Whether each column is aligned right.
    """
    parts = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(parts).rstrip()


def print_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, title: str = "", caption: str = ""
) -> None:
    """Prints a table with headings.

    Args:
        columns: Its columns.
        rows: Its cells.
        title: A line above it, on terminals only.
        caption: A line below it, on terminals only.
    """
    if is_terminal():
        _rich_table(columns, rows, title, caption)
        return
    lines = [[column.name for column in columns], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        click.echo(aligned(line, widths, [column.right for column in columns]))


@dataclass(frozen=True)
class Steps:
    """What to call while many steps are done.

    Attributes:
        advance: After each step.
        complain: Prints a line on stderr, above the bar if there is one.
    """

    advance: Callable[[], None]
    complain: Callable[[str], None]


@contextmanager
def progress(label: str, total: int) -> Iterator[Steps]:
    """Shows a bar on stderr while many steps are done; no bar when stderr is no terminal.

    Args:
        label: What is being done.
        total: How many steps.

    Yields:
        What to call meanwhile.
    """
    if total < _MANY or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Steps(lambda: None, lambda line: click.echo(line, err=True))
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    # rich would send what is printed to stdout through this console, that is to stderr.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(label, total=total)
        yield Steps(lambda: bar.advance(task), lambda line: console.print(Text(line), soft_wrap=True))


def _rich_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], title: str, caption: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.ROUNDED,
        header_style="bold",
    )
    for column in columns:
        table.add_column(column.name, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        # Text and not a string, so that "[x]" in a file name is no markup.
        table.add_row(*(Text(*((cell,) if isinstance(cell, str) else cell)) for cell in row))
    console = Console()
    # Not the table's own title and caption, which wrap at the table's width.
    if title:
        console.print(Text(title, style="bold"))
    console.print(table)
    if caption:
        console.print(Text(caption, style="dim"))


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]
