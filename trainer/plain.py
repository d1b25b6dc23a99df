"""Training from random weights: one phase over the whole network."""

from __future__ import annotations

from typing import Any

from trainer.augment import cropped, shifted
from trainer.batches import make_batches
from trainer.cache import Pixels
from trainer.config import TrainConfig
from trainer.history import EpochRow
from trainer.phase import rate_schedule, run_phase
from trainer.progress import Progress

EPOCHS = 20
PATIENCE = 8
LEARNING_RATE = 2e-3
"""Defaults of :class:`trainer.TrainConfig` for this way of training."""


def train_plain(
    model: Any, pixels: Pixels, config: TrainConfig, progress: Progress, started: float
) -> list[EpochRow]:
    """Trains all layers.

    Args:
        model: A ``keras.Model`` on raw pixels.
        pixels: Train and val images.
        config: How.
        progress: Told of every batch and epoch.
        started: ``time.monotonic()`` at the start of training.
    """
    train, val = pixels.only("train"), pixels.only("val")
    # Arrays are digits and the like, for which a mirrored picture is another one.
    change = shifted if pixels.images.native_size is not None else cropped
    batches = make_batches(
        pixels.array, pixels.labels, train, batch_size=config.batch_size, seed=config.seed, shuffle=True,
        augment=change if config.augment else None,
    )  # fmt: skip
    check = make_batches(pixels.array, pixels.labels, val, batch_size=256, seed=config.seed, shuffle=False)
    epochs = config.epochs or EPOCHS
    peak = config.learning_rate or LEARNING_RATE
    return run_phase(
        model, "train", batches, check, epochs=epochs,
        learning_rate=rate_schedule(peak, epochs * len(batches)),
        patience=config.patience or PATIENCE, progress=progress, started=started,
    )  # fmt: skip
