"""Training history: one row per epoch, for ``history.csv`` and the report's curves."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class EpochRow:
    """One epoch.

    Attributes:
        phase: ``train``, ``head`` or ``fine-tune``.
        epoch: Counted from 1 within the phase.
        loss: Mean training loss in nats, on augmented images if augmentation is on.
        accuracy: Training accuracy, 0..1.
        val_loss: Loss on val in nats.
        val_accuracy: Top-1 on val, 0..1.
        learning_rate: Learning rate at the end of the epoch.
        seconds: Wall-clock time since training began.
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


def history_csv(rows: Iterable[EpochRow]) -> str:
    """Returns the content of ``history.csv``.

    Args:
        rows: Epochs in the order in which they ran.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {
                name: f"{value:.6g}" if isinstance(value, float) else value
                for name, value in asdict(row).items()
            }
        )
    return buffer.getvalue()
