"""Speed and remaining time of a stage, measured from its events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from trainer.progress import Event

WINDOW_S = 10.0
"""Seconds that images/s are averaged over: long enough to be readable, short enough to be current."""

MIN_SAMPLES = 20
"""Minimum number of steps averaged over: one of them may compile for seconds."""

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
