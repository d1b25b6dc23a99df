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
from trainer.schedule import phases


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
    (step,) = phases(config)
    rate = rate_schedule(step.learning_rate, step.epochs * len(batches))
    return run_phase(model, step, batches, check, learning_rate=rate, progress=progress, started=started)
