"""Logs to watch while training runs: a CSV and TensorBoard events."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_runtime.atomic_file import check_file, write_whole
from edge_runtime.errors import EnvironmentMissingError, UsageError
from trainer.backend import training_extra
from trainer.history import EpochRow, history_csv
from trainer.run import HISTORY_FILE

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")


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
            raise _unwritable(self._folder, error.strerror or str(error)) from error

    def close(self) -> None:
        """Closes the event file."""
        if self._writer is not None:
            self._writer.close()


def _unwritable(folder: Path, reason: str) -> UsageError:
    return UsageError(f"--logs must be a writable folder. Received: {folder} ({reason}). Choose another.")
