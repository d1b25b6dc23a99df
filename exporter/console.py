"""Progress of long work on stderr: a bar on a terminal, one line per step elsewhere."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text


class StepProgress(AbstractContextManager["StepProgress"]):
    """A progress callback that shows the current step."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._own: TextIO | None = None
        self._step = ""

    def __enter__(self) -> StepProgress:
        if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            # A separate descriptor: the bar continues while quiet() redirects descriptor 2.
            self._own = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
            columns: tuple[ProgressColumn, ...] = (
                SpinnerColumn(),
                TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
                BarColumn(bar_width=24),
                _Count(),
                TimeElapsedColumn(),
            )
            console = Console(file=self._own, highlight=False)
            self._bar = Progress(*columns, console=console, transient=True, redirect_stdout=False)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._own is not None:
            self._own.close()
        self._bar = self._own = None

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows a step.

        Args:
            step: Name of the step.
            done: Units finished.
            total: Units in all; 0 if unknown.
        """
        if self._bar is None:
            if step != self._step:
                self._step = step
                print(step, file=sys.stderr, flush=True)
            return
        if step != self._step or self._task is None:
            self._step = step
            if self._task is not None:
                self._bar.remove_task(self._task)
            # A new task: rich cannot reset a total to unknown.
            self._task = self._bar.add_task(step, total=total or None)
        self._bar.update(self._task, completed=done)


class _Count(MofNCompleteColumn):
    """``12/385``; nothing if the total is unknown."""

    def render(self, task: object) -> Text:
        """Renders one task."""
        return Text("") if task.total is None else super().render(task)  # type: ignore[attr-defined,arg-type]
