"""Progress on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from edge_runtime.terminal import printable
from trainer.meter import Meter
from trainer.progress import Event
from trainer.progress_line import duration, progress_line, speed

_REFRESH_HZ = 8


class ConsoleProgress:
    """Shows events; use it as a context manager.

    Messages are printed as lines. On a terminal, a live line below them shows the current
    stage: epoch, bar, images/s, time left, and the last and best val accuracy.
    """

    def __init__(
        self, quiet: bool = False, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Shows nothing yet.

        Args:
            quiet: Whether to show nothing at all.
            console: Where to show it; None for stderr.
            clock: A monotonic clock in seconds.
        """
        self._quiet = quiet
        self._given = console
        self._meter = Meter(clock)
        self._own: TextIO | None = None
        self._live: Live | None = None

    def __enter__(self) -> ConsoleProgress:
        """Starts the live line on a terminal."""
        console = self._given or self._console()
        if console.is_terminal and not console.is_dumb_terminal and not self._quiet:
            # stdout is reserved for results; rich would redirect it to this console.
            self._live = Live(
                _Line(self._meter), console=console, refresh_per_second=_REFRESH_HZ, transient=True,
                redirect_stdout=False,
            )  # fmt: skip
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes the live line."""
        if self._live is not None:
            self._live.stop()
        if self._own is not None:
            self._own.close()
        self._live = self._own = None

    def __call__(self, event: Event, /) -> None:
        """Shows one event."""
        if self._quiet:
            return
        self._meter.take(event)
        if not event.message:
            return
        line = printable(event.message)
        if self._live is None:
            # Not through rich, which would wrap long lines in a log file.
            print(line + self._pace(event), file=sys.stderr, flush=True)
        else:
            # Text rather than a string, so that "[x]" in a file name is not markup.
            self._live.console.print(Text(line), soft_wrap=True)

    def _console(self) -> Console:
        if not sys.stderr.isatty():
            return Console(stderr=True, highlight=False)
        # A descriptor of its own: the line stays alive while quiet() redirects descriptor 2.
        self._own = os.fdopen(os.dup(sys.stderr.fileno()), "w", encoding="utf-8", errors="replace")
        return Console(file=self._own, highlight=False)

    def _pace(self, event: Event) -> str:
        """Speed and time left, for an epoch's line in a log; a terminal shows them live."""
        reading = self._meter.read()
        if not event.metrics or not event.epochs or reading is None:
            return ""
        parts = [] if reading.images_per_second is None else [speed(reading.images_per_second)]
        if reading.left is not None and event.done < event.total:
            parts.append(f"{duration(reading.left)} left")
        return f" [{', '.join(parts)}]" if parts else ""


class _Line:
    """The live line, redrawn on each refresh."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        reading = self._meter.read()
        if reading is not None:
            # One column stays free: some terminals wrap when the last one is filled.
            yield progress_line(reading, options.max_width - 1, options.ascii_only)
