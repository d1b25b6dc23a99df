"""Output of commands: tables and progress on a terminal, plain lines elsewhere, and grouped ``--help``.

Needs click and, on a terminal, rich; only commands import it.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO, TypeAlias

import click

from edge_runtime.common.text import printable as printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Cell: TypeAlias = str | tuple[str, str]
"""Text, or text and its rich style, which applies on terminals only."""

OTHER = "Other options"
"""The last heading of a ``--help``: options in no group, e.g. ``--help`` itself."""

_WIDEST = 30
"""Characters; click writes the help of a longer option below it."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: The heading.
        right: Whether to align the cells right, as for numbers.
    """

    name: str
    right: bool = False


def is_terminal() -> bool:
    """Whether stdout is a terminal that shows colours and boxes."""
    return _can_redraw(sys.stdout)


def aligned(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    """Formats one plain line; the last column is not padded.

    Args:
        cells: The texts.
        widths: Width per column.
        right: Whether to align each column right.
    """
    parts = [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]
    return "  ".join(parts).rstrip()


def print_table(
    columns: Sequence[Column | str],
    rows: Sequence[Sequence[Cell]],
    *,
    title: Sequence[Cell] = (),
    caption: str = "",
) -> None:
    """Prints a table with headings.

    Args:
        columns: The columns; a name alone is aligned left.
        rows: The cells.
        title: Lines above the table, on terminals only.
        caption: A line below the table, on terminals only.
    """
    full = [Column(column) if isinstance(column, str) else column for column in columns]
    if is_terminal():
        _rich_table(full, rows, title, caption)
        return
    lines = [[column.name for column in full], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(full))]
    for line in lines:
        click.echo(aligned(line, widths, [column.right for column in full]))


@contextmanager
def live_console() -> Iterator[Console | None]:
    """Yields a rich console on stderr; None where stderr is no terminal that can redraw a line.

    It has a descriptor of its own, so it keeps writing while
    :func:`~edge_runtime.common.native_output.quiet` has redirected descriptor 2.
    """
    if not _can_redraw(sys.stderr):
        yield None
        return
    from rich.console import Console

    with os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace") as own:
        yield Console(file=own, highlight=False)


_LINE_S = 60.0
"""Seconds between the lines of long work."""


class StepProgress(AbstractContextManager["StepProgress"]):
    """Shows a :class:`~edge_runtime.common.progress.Progress` on stderr: a bar on a terminal, lines elsewhere."""

    def __init__(self, *, bar: bool = True, lines: bool = True, rate: str = "") -> None:
        """Chooses what to show.

        Args:
            bar: Whether a terminal gets a bar.
            lines: Whether the name of each step is printed where there is no bar.
            rate: For work of hours, what is counted per second, such as ``images/s``: shown beside the count,
                and without a bar in a line every minute, with the time left.
        """
        self._wants_bar, self._lines, self._rate = bar, lines, rate
        # When the step was first reported, with how many done, and when a line was last printed.
        self._began, self._from, self._told = 0.0, 0, 0.0
        self._stack = ExitStack()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None
        self._step = ""

    def __enter__(self) -> StepProgress:
        console = self._stack.enter_context(live_console()) if self._wants_bar else None
        if console is not None:
            from rich import progress, table

            self._bar = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn(
                    "{task.description}", markup=False, table_column=table.Column(no_wrap=True)
                ),
                progress.BarColumn(bar_width=24),
                progress.TextColumn("{task.fields[count]}"),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                console=console,
                transient=True,
                # rich would send what is printed to stdout through this console, that is to stderr.
                redirect_stdout=False,
            )
            self._bar.start()
            self._stack.callback(self._bar.stop)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()
        self._bar = None

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows a step.

        Args:
            step: What is being done.
            done: Units finished.
            total: Units in all; 0 where it is unknown.
        """
        # It may name a file, whose name may be anything.
        step = printable(step)
        changed, self._step = step != self._step, step
        if changed:
            self._began = self._told = time.monotonic()
            self._from = done
        if self._bar is None:
            if changed and self._lines:
                click.echo(step, err=True)
            elif self._rate and self._lines and total and time.monotonic() - self._told >= _LINE_S:
                self._told = time.monotonic()
                click.echo(f"{step}: {self._count(done, total, left=True)}", err=True)
            return
        if changed or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            # A new task: rich has no way to make a total unknown again.
            self._task = self._bar.add_task(step, total=total or None, count="")
        self._bar.update(self._task, completed=done, count=self._count(done, total))

    def _count(self, done: int, total: int, *, left: bool = False) -> str:
        if not total:
            return ""
        spent, count = time.monotonic() - self._began, f"{done}/{total}"
        if not self._rate or done <= self._from or spent <= 0.0:
            return count
        pace = (done - self._from) / spent
        told = f"{count}, {pace:,.0f} {self._rate}" if pace >= 10 else f"{count}, {pace:.1f} {self._rate}"
        return f"{told}, {round((total - done) / pace / 60.0):,} min left" if left else told

    def line(self, text: str) -> None:
        """Prints a line on stderr, above the bar if there is one."""
        if self._bar is None:
            click.echo(text, err=True)
            return
        from rich.text import Text

        self._bar.console.print(Text(text), soft_wrap=True)


def _can_redraw(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def _rich_table(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], title: Sequence[Cell], caption: str
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.ROUNDED, header_style="bold")
    for column in columns:
        table.add_column(column.name, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        # Text rather than a string, so that "[x]" in a file name is not markup.
        table.add_row(*map(_styled, row))
    console = Console()
    # Not the title and caption of rich.Table, which wrap at the width of the table.
    for line in title:
        console.print(_styled(line))
    console.print(table)
    if caption:
        console.print(Text(caption, style="dim"))


def _styled(cell: Cell) -> Any:
    """A cell as rich's Text."""
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else Text(*cell)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


class GroupedCommand(click.Command):
    """A command with many options, whose ``--help`` lists them under headings."""

    def __init__(self, *arguments: Any, groups: Mapping[str, str], **attributes: Any) -> None:
        """As :class:`click.Command`.

        Args:
            arguments: As there.
            groups: Long options separated by spaces, by heading; in the order of the help.
            attributes: As there.
        """
        super().__init__(*arguments, **attributes)
        self.groups = {heading: options.split() for heading, options in groups.items()}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes each group as a section, all with one column width."""
        params = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        by_option = {option: param for param in params for option in param.opts}
        sections = {heading: [by_option[name] for name in names] for heading, names in self.groups.items()}
        grouped = [param for found in sections.values() for param in found]
        sections[OTHER] = [param for param in params if param not in grouped]
        records = {
            heading: [record for param in found if (record := param.get_help_record(ctx))]
            for heading, found in sections.items()
        }
        width = min(_WIDEST, max(len(option) for found in records.values() for option, _ in found))
        for heading, found in records.items():
            if found:
                with formatter.section(heading):
                    formatter.write_dl([(option.ljust(width), text) for option, text in found])
