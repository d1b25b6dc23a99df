"""Learning rate schedules, and the range test that finds a learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from trainer.backend import load_keras

WARMUP_SHARE = 0.15
"""Share of a phase's steps that warm the learning rate up from zero."""

PLATEAU_FACTOR = 0.3
"""Factor on the learning rate at a plateau."""

FINDER_RANGE = (1e-6, 1.0)
"""Learning rates that the range test tries, rising exponentially."""

FINDER_STEPS = 100
"""Batches of the range test."""

_SMOOTHING = 0.9
_DIVERGED = 4.0


def rate_schedule(kind: str, peak: float, steps: int) -> Any:
    """Returns the learning rate argument of an optimizer.

    Args:
        kind: ``cosine``: linear warm-up to ``peak``, then a half cosine to zero (Loshchilov and
            Hutter 2017). ``constant`` and ``plateau``: ``peak``, which a callback may lower.
        peak: Peak learning rate.
        steps: Number of batches in the whole phase.
    """
    if kind != "cosine":
        return peak
    keras = load_keras()
    warm = max(1, round(steps * WARMUP_SHARE))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0, decay_steps=max(1, steps - warm), warmup_target=peak, warmup_steps=warm
    )


def find_rate(model: Any, batches: Any) -> float:
    """Finds a learning rate by a range test (Smith 2017, arXiv 1506.01186); restores the weights.

    The rate rises with every batch; the result is where the smoothed loss falls fastest, which
    is below the point where it diverges.

    Args:
        model: A compiled ``keras.Model`` whose optimizer has a constant learning rate.
        batches: Data for its ``fit``; epochs are repeated as needed.

    Returns:
        The learning rate.
    """
    keras = load_keras()
    low, high = FINDER_RANGE
    factor = (high / low) ** (1.0 / (FINDER_STEPS - 1))
    losses: list[float] = []

    class Rising(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        """Raises the learning rate and records the loss of each batch."""

        mean = 0.0

        def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
            if batch == 0:
                self.mean = 0.0
            self.model.optimizer.learning_rate = low * factor ** len(losses)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            # Keras logs the mean of the epoch so far.
            mean = float((logs or {})["loss"])
            losses.append(mean * (batch + 1) - self.mean * batch)
            self.mean = mean
            last = losses[-1]
            if not math.isfinite(last) or len(losses) >= FINDER_STEPS or _diverged(losses):
                self.model.stop_training = True

    kept = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    epochs = -(-FINDER_STEPS // len(batches))
    model.fit(batches, epochs=epochs, callbacks=[Rising()], verbose=0, shuffle=False)
    for variable, value in zip(model.variables, kept, strict=True):
        variable.assign(value)
    return steepest(losses, low, factor)


def steepest(losses: Sequence[float], low: float, factor: float) -> float:
    """Returns the learning rate at which the smoothed loss falls fastest.

    Args:
        losses: Loss of each batch.
        low: Learning rate of the first batch.
        factor: Factor from one batch to the next.
    """
    smooth = [value for value in smoothed(losses) if math.isfinite(value)]
    best = smooth.index(min(smooth)) if smooth else 0
    falls = [smooth[place + 1] - smooth[place] for place in range(best)]
    if not falls:
        return low
    return low * factor ** falls.index(min(falls))


def smoothed(losses: Sequence[float]) -> list[float]:
    """Exponential moving average with bias correction (Kingma and Ba 2015, section 3).

    Args:
        losses: Loss of each batch.
    """
    result, mean = [], 0.0
    for place, value in enumerate(losses):
        mean = _SMOOTHING * mean + (1.0 - _SMOOTHING) * value
        result.append(mean / (1.0 - _SMOOTHING ** (place + 1)))
    return result


def _diverged(losses: Sequence[float]) -> bool:
    smooth = smoothed(losses)
    return smooth[-1] > _DIVERGED * min(smooth)
