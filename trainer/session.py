"""The state that all phases of a training run share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from trainer.cache import Int64Array, Pixels
from trainer.checkpoint import Checkpoint
from trainer.config import TrainConfig
from trainer.history import EpochRow
from trainer.logs import EpochLog
from trainer.progress import Progress


@dataclass
class Session:
    """One training run in progress.

    Attributes:
        config: The configuration.
        pixels: Train and val images.
        augment: Names of the augmentations, defaults filled in.
        checkpoint: Where the run's state is saved.
        log: Written after every epoch.
        progress: Progress callback, called for every batch and epoch.
        started: ``time.monotonic()`` when training began; earlier by the time that an
            interrupted run had already spent.
        rows: Epochs so far, of all phases.
        rates: Peak learning rate of each phase so far, by its name.
    """

    config: TrainConfig
    pixels: Pixels
    augment: tuple[str, ...]
    checkpoint: Checkpoint
    log: EpochLog
    progress: Progress
    started: float
    rows: list[EpochRow] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.pixels.images.labels)

    @property
    def train(self) -> Int64Array:
        """Indices of the train images, int64."""
        return self.pixels.only("train")

    @property
    def val(self) -> Int64Array:
        """Indices of the val images, int64."""
        return self.pixels.only("val")

    def seconds(self) -> float:
        """Wall-clock time spent on the run so far."""
        return time.monotonic() - self.started

    def class_weights(self) -> tuple[float, ...] | None:
        """Factors that weight every class equally; None unless configured.

        ``n / (classes * n_c)``, as scikit-learn's ``class_weight="balanced"`` (King and Zeng 2001).
        """
        if self.config.class_weights != "balanced":
            return None
        labels = self.pixels.labels[self.train]
        counts = [int((labels == index).sum()) for index in range(self.classes)]
        return tuple(len(labels) / (self.classes * max(1, count)) for count in counts)
