"""How training tells what it is doing; it prints nothing itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Event:
    """One step of progress.

    Attributes:
        stage: What is going on: ``data``, ``pixels``, ``care``, ``copies``, ``model``, ``features``, ``head``,
            ``train``, ``fine-tune``, ``evaluate`` or ``save``.
        done: Units done, 0 at the start of the stage.
        total: Units in the stage, 0 when unknown.
        message: A line for people, empty between the lines worth printing.
        metrics: Figures of an epoch by name.
        images: Images handled so far in the stage, 0 when that makes no sense.
        epoch: Current epoch of the stage from 1, 0 outside training.
        epochs: Most epochs of the stage.
    """

    stage: str
    done: int = 0
    total: int = 0
    message: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    images: int = 0
    epoch: int = 0
    epochs: int = 0


class Progress(Protocol):
    """Takes events as they happen, from the thread that trains."""

    def __call__(self, event: Event, /) -> None:
        """Shows one event."""
        ...


def silent(event: Event, /) -> None:
    """Shows nothing."""
