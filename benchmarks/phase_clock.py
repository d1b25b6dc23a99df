"""When each phase of a training run began and ended, from its progress events."""

from __future__ import annotations

import time
from dataclasses import dataclass

from trainer import Event

PHASES = ("head", "fine-tune")


@dataclass
class Span:
    """Moments of one phase, on ``time.perf_counter()``.

    Attributes:
        started: Its first event, before anything is computed ahead.
        trained: Its first event of training, when what is computed ahead is there.
        ended: Its last epoch.
    """

    started: float
    trained: float = 0.0
    ended: float = 0.0

    @property
    def seconds(self) -> float:
        """All of it, the cache included."""
        return self.ended - self.started

    @property
    def cache_seconds(self) -> float:
        """What was spent on computing ahead."""
        return max(0.0, self.trained - self.started)


class PhaseClock:
    """A :class:`trainer.Progress` that keeps the time of the head and of fine-tuning."""

    def __init__(self) -> None:
        """Starts with no phase."""
        self.spans: dict[str, Span] = {}

    def __call__(self, event: Event, /) -> None:
        """Notes one event."""
        now = time.perf_counter()
        for phase in PHASES:
            # What is computed ahead for a phase is announced by its name.
            ahead = event.stage == "features" and event.message.startswith(f"{phase}:")
            if ahead or event.stage == phase:
                span = self.spans.setdefault(phase, Span(now))
                if event.stage == phase and not span.trained:
                    span.trained = now
                if event.metrics:
                    span.ended = now
