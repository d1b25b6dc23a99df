"""Progress on a terminal: a bar where there is one, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from edge_runtime.terminal import printable
from trainer.progress import Event


class ConsoleProgress:
    """Shows events; use it as a context manager.

    Messages become lines in both cases. On a terminal the running stage has a bar below them.
    """

    def __init__(self, quiet: bool = False) -> None:
        """Looks at what stderr is.

        Args:
            quiet: Whether to show nothing at all.
        """
        self._quiet = quiet
        self._console = Console(stderr=True, highlight=False)
        self._bars: RichProgress | None = None
        self._stage: tuple[str, TaskID] | None = None

    def __enter__(self) -> ConsoleProgress:
        """Starts the bar on a terminal."""
        if self._console.is_terminal and not self._quiet:
            self._bars = RichProgress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                console=self._console, transient=True,
            )  # fmt: skip
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Takes the bar away."""
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, event: Event, /) -> None:
        """Shows one event."""
        if self._quiet:
            return
        if self._bars is None:
            if event.message:
                # Not through rich: it would wrap long lines in a log file.
                print(printable(event.message), file=sys.stderr, flush=True)
            return
        if event.message:
            self._bars.console.print(printable(event.message), markup=False, emoji=False)
        if not event.total:
            return
        if self._stage is None or self._stage[0] != event.stage:
            if self._stage is not None:
                self._bars.remove_task(self._stage[1])
            self._stage = event.stage, self._bars.add_task(event.stage, total=event.total)
        self._bars.update(self._stage[1], completed=event.done, total=event.total)
