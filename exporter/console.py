"""Progress of long work, on stderr: a bar on a terminal, a line for each step elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)


class StepProgress(AbstractContextManager["StepProgress"]):
    """Shows steps as they are told: call it with what is being done, how much is done, and of how much."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        self._bar = Progress(*columns, console=self._console, transient=True, redirect_stdout=False)
        self._task = self._bar.add_task("", visible=False)
        self._step = ""

    def __enter__(self) -> StepProgress:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Shows a step.

        Args:
            step: What is being done.
            done: How much is done.
            total: Of how much; 0 where unknown.
        """
        if step != self._step:
            self._step = step
            if not self._console.is_terminal:
                self._console.print(step, markup=False, soft_wrap=True)
            self._bar.reset(self._task, description=step, visible=True)
        self._bar.update(self._task, completed=done, total=total or None)
