"""Training from pretrained weights, in three steps.

1. Features: the frozen backbone sees every image once, and once mirrored.
2. Head: a softmax layer is trained on those features, in seconds.
3. Fine-tuning: all layers, at a low rate, on cropped and mirrored copies. Batch
   normalisation keeps the statistics of the pretrained weights: a few hundred
   images give worse ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from trainer.augment import cropped, mirrored, shifted
from trainer.backend import load_keras
from trainer.batches import make_batches
from trainer.cache import Int64Array, Pixels
from trainer.config import TrainConfig
from trainer.history import EpochRow
from trainer.metrics import log_loss, top1
from trainer.models.pretrained import FEATURES
from trainer.phase import rate_schedule, run_phase
from trainer.progress import Event, Progress
from trainer.schedule import Phase, phases

_BATCH = 64


def train_transfer(
    model: Any, pixels: Pixels, config: TrainConfig, progress: Progress, started: float
) -> list[EpochRow]:
    """Trains the head, then all layers.

    Args:
        model: A ``keras.Model`` with pretrained weights, a layer named as
            :data:`trainer.models.pretrained.FEATURES` and a dense layer ``scores``.
        pixels: Train and val images.
        config: How.
        progress: Told of every batch and epoch.
        started: ``time.monotonic()`` at the start of training.
    """
    head, *further = phases(config)
    rows, val_scores = _train_head(model, head, pixels, config, progress, started)
    labels = pixels.labels[pixels.only("val")]
    reached = top1(val_scores, labels), log_loss(val_scores, labels)
    for step in further:
        rows += _fine_tune(model, step, pixels, config, reached, progress, started)
    return rows


def _train_head(
    model: Any, step: Phase, pixels: Pixels, config: TrainConfig, progress: Progress, started: float
) -> tuple[list[EpochRow], Float32Array]:
    """Trains the head on cached features; also returns the scores on val."""
    keras = load_keras()
    train, val = pixels.only("train"), pixels.only("val")
    backbone = keras.Model(model.input, model.get_layer(FEATURES).output)
    mirror = config.augment and pixels.images.native_size is None
    progress(Event("features", 0, 0, f"features: {len(train) * (1 + mirror) + len(val)} images"))
    views = [features(backbone, pixels, train, progress)]
    targets = [pixels.labels[train]]
    if mirror:
        views.append(features(backbone, pixels, train, progress, mirror=True))
        targets.append(pixels.labels[train])
    val_features, val_labels = features(backbone, pixels, val, progress), pixels.labels[val]

    source = model.get_layer("scores")
    entry = keras.Input(views[0].shape[1:])
    layer = keras.layers.Dense(source.units, activation="softmax")
    head = keras.Model(entry, layer(keras.layers.Dropout(0.2)(entry)))
    layer.set_weights(source.get_weights())
    rows = run_phase(
        head, step, (np.concatenate(views), np.concatenate(targets)), (val_features, val_labels),
        learning_rate=step.learning_rate, progress=progress, started=started, batch_size=config.batch_size,
    )  # fmt: skip
    source.set_weights(layer.get_weights())
    return rows, head.predict(val_features, verbose=0)


def features(
    backbone: Any, pixels: Pixels, chosen: Int64Array, progress: Progress, mirror: bool = False
) -> Float32Array:
    """What a frozen backbone makes of images.

    Args:
        backbone: A ``keras.Model`` on raw pixels.
        pixels: The images.
        chosen: Indices of those wanted.
        progress: Told of every batch.
        mirror: Whether to mirror each image first.

    Returns:
        float32 ``[len(chosen), ...]``.
    """
    batches = make_batches(
        pixels.array, pixels.labels, chosen, batch_size=_BATCH, seed=0, shuffle=False,
        augment=(lambda image, _: mirrored(image)) if mirror else None,
    )  # fmt: skip
    parts = []
    for index in range(len(batches)):
        parts.append(np.asarray(backbone.predict_on_batch(batches[index][0]), np.float32))
        progress(Event("features", index + 1, len(batches)))
    return np.concatenate(parts)


def _fine_tune(
    model: Any,
    step: Phase,
    pixels: Pixels,
    config: TrainConfig,
    reached: tuple[float, float],
    progress: Progress,
    started: float,
) -> list[EpochRow]:
    keras = load_keras()
    for layer in model.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    change = shifted if pixels.images.native_size is not None else cropped
    batches = make_batches(
        pixels.array, pixels.labels, pixels.only("train"), batch_size=config.batch_size, seed=config.seed,
        shuffle=True, augment=change if config.augment else None,
    )  # fmt: skip
    check = make_batches(
        pixels.array, pixels.labels, pixels.only("val"), batch_size=_BATCH, seed=0, shuffle=False
    )
    rate = rate_schedule(step.learning_rate, step.epochs * len(batches))
    return run_phase(
        model, step, batches, check, learning_rate=rate, progress=progress, started=started, to_beat=reached
    )  # fmt: skip
