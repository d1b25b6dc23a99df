"""One phase of training: fit, keep the best weights, stop when nothing gets better."""

from __future__ import annotations

import math
import time
from typing import Any

from edge_runtime.errors import DataError
from trainer.backend import compile_options, load_keras
from trainer.history import EpochRow
from trainer.progress import Event, Progress
from trainer.schedule import Phase

WARMUP_SHARE = 0.15
"""Share of the steps in which a phase's learning rate rises from zero."""


def rate_schedule(peak: float, steps: int) -> Any:
    """Returns a learning rate that rises linearly to ``peak`` and falls by a cosine to zero.

    Args:
        peak: Highest rate.
        steps: Batches in the whole phase.
    """
    keras = load_keras()
    warm = max(1, round(steps * WARMUP_SHARE))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0, decay_steps=max(1, steps - warm), warmup_target=peak, warmup_steps=warm
    )


def run_phase(
    model: Any,
    step: Phase,
    train: Any,
    val: Any,
    *,
    learning_rate: Any,
    progress: Progress,
    started: float,
    to_beat: tuple[float, float] | None = None,
    **fit_options: Any,
) -> list[EpochRow]:
    """Trains a model and leaves its best weights in it.

    Better is a higher val accuracy, then a lower val loss.

    Args:
        model: A ``keras.Model`` whose output is a softmax.
        step: Its name, epochs and patience.
        train: What ``fit`` takes: batches, or a pair of arrays.
        val: What ``validation_data`` takes.
        learning_rate: A number or a schedule.
        progress: Told of every batch and epoch.
        started: ``time.monotonic()`` at the start of training.
        to_beat: Val accuracy and loss of the weights that the model has; None takes any.
        fit_options: Further options of ``fit``.

    Raises:
        DataError: The loss is no longer a number.
    """
    keras = load_keras()
    phase, epochs = step.name, step.epochs
    rows: list[EpochRow] = []

    class KeepBest(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        """Remembers the best weights and tells of progress."""

        def __init__(self) -> None:
            super().__init__()
            self.best = to_beat or (-1.0, math.inf)
            self.weights: Any = None
            self.waited = 0
            self.epoch = 0

        def on_train_begin(self, logs: Any = None) -> None:
            progress(Event(phase, 0, self._total(), f"{phase}: up to {epochs} epochs"))

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            steps = self.params["steps"] or 0
            progress(Event(phase, min(self.epoch * steps + batch + 1, self._total()), self._total()))

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs = logs or {}
            figures = {key: float(logs[key]) for key in ("loss", "accuracy", "val_loss", "val_accuracy")}
            if not math.isfinite(figures["loss"]) or not math.isfinite(figures["val_loss"]):
                raise DataError(
                    f"The loss must stay a number. Received: loss={figures['loss']} in epoch {epoch + 1}. "
                    "Lower --learning-rate."
                )
            rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
            seconds = time.monotonic() - started
            rows.append(EpochRow(phase, epoch + 1, **figures, learning_rate=rate, seconds=seconds))
            shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
            progress(
                Event(
                    phase, (epoch + 1) * (self.params["steps"] or 0), self._total(),
                    f"{phase} epoch {epoch + 1}: {shown} ({seconds:.0f} s)", figures,
                )
            )  # fmt: skip
            result = figures["val_accuracy"], figures["val_loss"]
            if result[0] > self.best[0] or (result[0] == self.best[0] and result[1] < self.best[1]):
                self.best, self.weights, self.waited = result, self.model.get_weights(), 0
                return
            self.waited += 1
            if self.weights is None and to_beat is None:
                self.weights = self.model.get_weights()
            if self.waited >= step.patience:
                self.model.stop_training = True

        def _total(self) -> int:
            return epochs * (self.params["steps"] or 0)

    keeper = KeepBest()
    before = model.get_weights() if to_beat is not None else None
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **compile_options(keras),
    )
    pair = train if isinstance(train, tuple) else (train,)
    model.fit(*pair, validation_data=val, epochs=epochs, callbacks=[keeper], verbose=0, **fit_options)
    model.set_weights(keeper.weights if keeper.weights is not None else before)
    return rows
