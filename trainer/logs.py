"""Logs that can be watched while training runs: CSV, and TensorBoard events where there is a writer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, UsageError
from trainer.backend import training_extra
from trainer.history import EpochRow, history_csv
from trainer.run import HISTORY_FILE

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


class EpochLog:
    """Writes ``history.csv`` and TensorBoard scalars into a folder, or nothing without one."""

    def __init__(self, folder: str | os.PathLike[str] | None) -> None:
        """Makes the folder.

        Args:
            folder: Where to write; None for nowhere.

        Raises:
            UsageError: It cannot be written.
            EnvironmentMissingError: tensorboardX is not installed.
        """
        self._folder = Path(folder) if folder is not None else None
        self._writer: Any = None
        if self._folder is None:
            return
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("--logs", "tensorboardX", training_extra()) from error
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._writer = SummaryWriter(str(self._folder))
        except OSError as error:
            raise UsageError(
                f"--logs must be a folder that can be written. Received: {folder} ({error.strerror or error}). "
                "Choose another."
            ) from error

    def write(self, rows: Sequence[EpochRow]) -> None:
        """Logs the last of the epochs so far.

        Args:
            rows: All epochs so far, of all phases.
        """
        if self._folder is None or not rows:
            return
        temporary = self._folder / f"{HISTORY_FILE}.tmp"
        temporary.write_text(history_csv(rows), "utf-8")
        os.replace(temporary, self._folder / HISTORY_FILE)
        for figure in _FIGURES:
            self._writer.add_scalar(f"{rows[-1].phase}/{figure}", getattr(rows[-1], figure), len(rows))
        self._writer.flush()

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()
