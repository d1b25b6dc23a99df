"""Progress on stderr: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from edge_runtime.terminal import live_console, printable
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
        self._stack = ExitStack()
        self._live: Live | None = None

    def __enter__(self) -> ConsoleProgress:
        """Starts the live line on a terminal."""
        console = self._given or self._stack.enter_context(live_console())
        if console is not None and console.is_terminal and not self._quiet:
            # stdout belongs to results: rich would send it through this console, to stderr.
            self._live = Live(
                _Line(self._meter), console=console, refresh_per_second=_REFRESH_HZ, transient=True,
                redirect_stdout=False,
            )  # fmt: skip
            self._live.start()
            self._stack.callback(self._live.stop)
        return self

    def __exit__(self, *error: object) -> None:
        """Takes the live line away."""
        self._stack.close()
        self._live = None

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
