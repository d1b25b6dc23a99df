"""Progress events. Training itself prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Event:
    """One step of progress.

    Attributes:
        stage: The current stage: ``data``, ``pixels``, ``checks``, ``copies``, ``model``, ``features``,
            ``head``, ``train``, ``fine-tune``, ``evaluate``, ``robustness``, ``report`` or ``save``.
        done: Units done; 0 at the start of the stage.
        total: Units in the stage; 0 if unknown.
        message: A line to print; empty for most events.
        metrics: Metrics of an epoch by name.
        images: Images processed so far in the stage; 0 if not applicable.
        epoch: Current epoch of the stage, from 1; 0 outside training.
        epochs: Maximum number of epochs of the stage.
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
    """A progress callback, called from the training thread."""

    def __call__(self, event: Event, /) -> None:
        """Handles one event."""
        ...


def silent(event: Event, /) -> None:
    """Ignores every event."""
