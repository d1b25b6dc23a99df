"""Progress on stderr: a live line on a terminal, fitted to its width; plain lines elsewhere.

:class:`Meter` measures the speed and remaining time of a stage from its events.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from edge_runtime.common.terminal import live_console, printable
from trainer.progress import Event

MIN_BAR, MAX_BAR = 8, 40
"""Columns of the bar."""

WINDOW_S = 10.0
"""Seconds that images/s are averaged over: long enough to be readable, short enough to be current."""

MIN_SAMPLES = 20
"""Minimum number of steps averaged over: one of them may compile for seconds."""

_REFRESH_HZ = 8
_GAP = "  "

_COUNTS_IMAGES = ("pixels",)
"""Stages whose units are images, so that their events need not count them separately."""

_VAL = "val_accuracy"


@dataclass(frozen=True)
class Reading:
    """What a progress line shows.

    Attributes:
        event: The last event of the current stage.
        elapsed: Seconds since the stage began.
        images_per_second: Over about the last :data:`WINDOW_S`; None if unknown.
        left: Seconds until the stage is done at its current pace; None if unknown.
        val: Last val accuracy, 0..1; None before the end of the first epoch.
        best: Best val accuracy so far, over all stages.
    """

    event: Event
    elapsed: float
    images_per_second: float | None
    left: float | None
    val: float | None
    best: float | None


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


class Meter:
    """Follows the events; call :meth:`read` for each redraw."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts without a stage.

        Args:
            clock: A monotonic clock in seconds.
        """
        self._clock = clock
        self._event = Event("")
        self._began = clock()
        self._start = 0
        self._first: tuple[float, int] | None = None
        self._last = self._began
        self._rate: float | None = None
        self._samples: deque[tuple[float, int]] = deque()
        self._val: float | None = None
        self._best: float | None = None

    def take(self, event: Event) -> None:
        """Takes one event.

        Args:
            event: The next one.
        """
        now = self._clock()
        val = event.metrics.get(_VAL)
        if val is not None:
            self._val, self._best = val, max(val, self._best or 0.0)
        if event.stage != self._event.stage:
            self._began, self._first, self._rate = now, None, None
            self._start = event.done
            self._samples.clear()
        elif not event.total:
            # A message in the middle of a stage.
            return
        elif event.epoch != self._event.epoch:
            # Val is measured between epochs; that time is not training speed.
            self._samples.clear()
        self._event, self._last = event, now
        if event.done > self._start and self._first is None:
            # Counted from the first unit, which compiles; a resumed stage starts in the middle.
            self._first = now, event.done
        images = event.images or (event.done if event.stage in _COUNTS_IMAGES else 0)
        if images and not event.metrics and self._first is not None:
            self._sample(now, images)

    def read(self) -> Reading | None:
        """The current values; None before the first event."""
        if not self._event.stage:
            return None
        now, event = self._clock(), self._event
        return Reading(event, now - self._began, self._rate, self._left(now), self._val, self._best)

    def _sample(self, now: float, images: int) -> None:
        samples = self._samples
        samples.append((now, images))
        while len(samples) > MIN_SAMPLES and now - samples[0][0] > WINDOW_S:
            samples.popleft()
        passed = now - samples[0][0]
        if passed > 0 and images > samples[0][1]:
            self._rate = (images - samples[0][1]) / passed

    def _left(self, now: float) -> float | None:
        """From the pace of the whole stage, which includes the time for val."""
        if self._first is None or not self._event.total:
            return None
        since, first = self._first
        units = self._event.done - first
        if units <= 0 or self._last <= since:
            return None
        pace = (self._last - since) / units
        # Keeps counting down between two events.
        return max(0.0, pace * (self._event.total - self._event.done) - (now - self._last))


def progress_line(reading: Reading, width: int, ascii_only: bool = False) -> Text:
    """Returns one line that fits the width.

    Args:
        reading: What to show.
        width: Columns of the terminal.
        ascii_only: Whether the terminal can show only ASCII.
    """
    before, after = _before(reading.event), _after(reading)
    has_bar = reading.event.total > 1
    while True:
        used = sum(cell_len(part.text) + len(_GAP) for part in (*before, *after)) - len(_GAP)
        room = width - used - (len(_GAP) if has_bar else 0)
        if room >= (MIN_BAR if has_bar else 0):
            break
        weakest = max((*before, *after), key=lambda part: part.rank)
        if not weakest.rank:
            has_bar = has_bar and room >= 1
            break
        before = [part for part in before if part is not weakest]
        after = [part for part in after if part is not weakest]
    bar = [_bar(reading.event, min(MAX_BAR, room), ascii_only)] if has_bar else []
    pieces = [Text(part.text, part.style) for part in before] + bar
    pieces += [Text(part.text, part.style) for part in after]
    line = Text(_GAP, no_wrap=True, overflow="ellipsis").join(pieces)
    line.no_wrap, line.overflow = True, "ellipsis"
    line.truncate(width, overflow="crop" if ascii_only else "ellipsis")
    return line


def duration(seconds: float) -> str:
    """``0:42``, ``12:05`` or ``1:02:03``.

    Args:
        seconds: Not negative.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def speed(images_per_second: float) -> str:
    """``8.4 img/s`` or ``1,240 img/s``.

    Args:
        images_per_second: Above 0.
    """
    return f"{images_per_second:,.{1 if images_per_second < 10 else 0}f} img/s"


class _Line:
    """The live line, redrawn on each refresh."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        reading = self._meter.read()
        if reading is not None:
            # One column stays free: some terminals wrap when the last one is filled.
            yield progress_line(reading, options.max_width - 1, options.ascii_only)


@dataclass(frozen=True)
class _Part:
    """A piece of the line; pieces with the highest rank are dropped first."""

    text: str
    style: str
    rank: int


def _before(event: Event) -> list[_Part]:
    parts = [_Part(event.stage, "bold", 0)]
    if event.epochs:
        parts.append(_Part(f"epoch {max(1, event.epoch)}/{event.epochs}", "", 3))
    return parts


def _after(reading: Reading) -> list[_Part]:
    parts, event = [], reading.event
    if event.total > 1:
        whole = str(event.total)
        parts.append(_Part(f"{event.done:>{len(whole)}}/{whole}", "dim", 5))
    if reading.images_per_second is not None:
        parts.append(_Part(speed(reading.images_per_second), "cyan", 2))
    if reading.left is not None:
        parts.append(_Part(f"{duration(reading.left)} left", "", 1))
    elif reading.elapsed >= 1:
        parts.append(_Part(duration(reading.elapsed), "dim", 1))
    if event.epochs and reading.val is not None and reading.best is not None:
        parts.append(_Part(f"val {reading.val:.1%}", "green", 1))
        parts.append(_Part(f"best {reading.best:.1%}", "green", 4))
    return parts


def _bar(event: Event, width: int, ascii_only: bool) -> Text:
    full = round(width * min(1.0, event.done / event.total))
    signs = "#-" if ascii_only else "━━"
    return Text.assemble((signs[0] * full, "green"), (signs[1] * (width - full), "bright_black"))
