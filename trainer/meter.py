"""How fast a stage goes and how long it still takes, from the events alone."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from trainer.progress import Event

WINDOW_S = 10.0
"""Seconds that the images/s are averaged over: long enough to be read, short enough to be true."""

MIN_SAMPLES = 20
"""Steps that it is averaged over at least: one may compile for seconds."""

_COUNTS_IMAGES = ("pixels",)
"""Stages whose units are images, where an event does not count them."""

_VAL = "val_accuracy"


@dataclass(frozen=True)
class Reading:
    """What there is to show.

    Attributes:
        stage: The running stage.
        done: Units done.
        total: Units in all, 0 where unknown.
        epoch: Current epoch from 1, 0 outside training.
        epochs: Most epochs.
        elapsed: Seconds since the stage began.
        images_per_second: Over about the last :data:`WINDOW_S` of training; None where unknown.
        left: Seconds until the stage is done if it goes on like this; None where unknown.
        val: Last val accuracy, 0..1; None before the first epoch's end.
        best: Best val accuracy so far, over all stages.
    """

    stage: str
    done: int
    total: int
    epoch: int
    epochs: int
    elapsed: float
    images_per_second: float | None
    left: float | None
    val: float | None
    best: float | None


class Meter:
    """Follows the events; ask :meth:`read` whenever something is drawn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins without a stage.

        Args:
            clock: Seconds that never go back.
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
            # A line for people in the middle of a stage.
            return
        elif event.epoch != self._event.epoch:
            # Between two epochs val is measured: that is no training speed.
            self._samples.clear()
        self._event, self._last = event, now
        if event.done > self._start and self._first is None:
            # From the first unit on, which compiles; a resumed stage begins in the middle.
            self._first = now, event.done
        images = event.images or (event.done if event.stage in _COUNTS_IMAGES else 0)
        if images and not event.metrics and self._first is not None:
            self._sample(now, images)

    def read(self) -> Reading | None:
        """What there is to show now; None before the first event."""
        if not self._event.stage:
            return None
        now, event = self._clock(), self._event
        return Reading(
            stage=event.stage, done=event.done, total=event.total, epoch=event.epoch, epochs=event.epochs,
            elapsed=now - self._began, images_per_second=self._rate, left=self._left(now),
            val=self._val, best=self._best,
        )  # fmt: skip

    def _sample(self, now: float, images: int) -> None:
        samples = self._samples
        samples.append((now, images))
        while len(samples) > MIN_SAMPLES and now - samples[0][0] > WINDOW_S:
            samples.popleft()
        passed = now - samples[0][0]
        if passed > 0 and images > samples[0][1]:
            self._rate = (images - samples[0][1]) / passed

    def _left(self, now: float) -> float | None:
        """By the whole stage's pace, which counts the time that val takes."""
        if self._first is None or not self._event.total:
            return None
        since, first = self._first
        units = self._event.done - first
        if units <= 0 or self._last <= since:
            return None
        pace = (self._last - since) / units
        # Counts down between two events, too.
        return max(0.0, pace * (self._event.total - self._event.done) - (now - self._last))
