"""The state that all phases of a training run share, and its log: a CSV and TensorBoard events."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_runtime.common.atomic_file import check_file, write_whole
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from trainer.config.train_config import TrainConfig
from trainer.core.backend import training_extra
from trainer.core.cache import Int64Array, Pixels
from trainer.fit.checkpoint import Checkpoint
from trainer.progress import Progress
from trainer.ranks.ranks import Ranks
from trainer.run.run_json import HISTORY_FILE, EpochRow, history_csv

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


@dataclass
class Session:
    """One training run in progress.

    Attributes:
        config: The configuration.
        pixels: Train and val images.
        augment: Names of the augmentations, defaults filled in.
        checkpoint: Where the run's state is saved.
        log: Written after every epoch.
        progress: Progress callback, called for every batch, or few batches, and every epoch.
        started: ``time.monotonic()`` when training began; earlier by the time that an
            interrupted run had already spent.
        ranks: The processes and devices that train.
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
    ranks: Ranks = field(default_factory=Ranks)
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


class EpochLog:
    """Writes ``history.csv`` and TensorBoard scalars to a folder, if one is given."""

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        """Checks the folder; nothing is written before the end of the first epoch.

        Args:
            folder: Where to write; None to write nothing.

        Raises:
            UsageError: The folder cannot be written.
            EnvironmentMissingError: tensorboardX is not installed.
        """
        self._folder = Path(folder) if folder is not None else None
        self._writer: Any = None
        if self._folder is None:
            return
        if find_spec("tensorboardX") is None:
            raise EnvironmentMissingError.of_extra("--logs", "tensorboardX", training_extra())
        check_file(self._folder / HISTORY_FILE, "--logs")

    def write(self, rows: Sequence[EpochRow]) -> None:
        """Logs the last of the epochs so far.

        Args:
            rows: All epochs so far, of all phases.

        Raises:
            UsageError: The folder cannot be written.
        """
        if self._folder is None or not rows:
            return
        try:
            write_whole(self._folder / HISTORY_FILE, history_csv(rows), "--logs")
            if self._writer is None:
                from tensorboardX import SummaryWriter

                self._writer = SummaryWriter(str(self._folder))
            for figure in _FIGURES:
                self._writer.add_scalar(f"{rows[-1].phase}/{figure}", getattr(rows[-1], figure), len(rows))
            self._writer.flush()
        except OSError as error:
            raise UsageError(
                f"--logs must be a writable folder. Received: {self._folder} ({error.strerror or error}). "
                "Choose another."
            ) from error

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
