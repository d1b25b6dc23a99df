"""The callback of a training phase. Importing this module loads Keras."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from edge_runtime.common.errors import DataError
from trainer.config.schedule import Phase
from trainer.core.backend import load_keras
from trainer.fit.checkpoint import Saved
from trainer.fit.session import Session
from trainer.progress import Event
from trainer.run.run_json import EpochRow

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")

_keras = load_keras()


class PhaseCallback(_keras.callbacks.Callback):  # type: ignore[misc,name-defined]
    """Keeps the best weights of a phase, stops it early, saves its state and reports progress.

    Better means a higher val accuracy, then a lower val loss. With weight averaging, the
    averages are measured and kept. One callback instead of Keras' EarlyStopping, ModelCheckpoint
    and BackupAndRestore: together those do not resume the state of early stopping.

    Example::

        callback = PhaseCallback(session, phase, core, images=len(labels), rate=1e-3)
        model.fit(batches, validation_data=val, callbacks=[callback])
        core.set_weights(callback.weights)

    Attributes:
        best: Val accuracy and val loss of the best weights.
        weights: The best weights, as ``core.get_weights()`` returns them.
        rows: The phase's epochs so far.
        waited: Epochs since the best one.
    """

    def __init__(
        self,
        session: Session,
        phase: Phase,
        core: Any,
        *,
        images: int,
        rate: float,
        to_beat: tuple[float, float] | None = None,
        plateau: Any = None,
    ) -> None:
        """Starts from the core's weights.

        Args:
            session: The run.
            phase: The phase; its ``patience`` is the number of epochs without a better result
                after which training stops.
            core: The ``keras.Model`` whose weights are kept.
            images: Number of train images.
            rate: Highest learning rate, recorded in the checkpoint.
            to_beat: Val accuracy and loss of the core's current weights; None to accept any.
            plateau: The ``ReduceLROnPlateau`` whose state is saved as well, if any.
        """
        super().__init__()
        self.session, self.phase, self.core, self.images = session, phase, core, images
        self.rate, self.plateau = rate, plateau
        self.best = to_beat or (-1.0, math.inf)
        self.weights: list[Any] = core.get_weights()
        self.rows: list[EpochRow] = []
        self.waited = 0
        self._averaged: list[Any] = []
        self._resume: Callable[[], None] | None = None

    def restore(self, saved: Saved) -> None:
        """Restores an interrupted phase; the model's variables follow when ``fit`` begins.

        Args:
            saved: What :meth:`save` wrote.
        """
        note = saved.note
        self.best = note["best"][0], note["best"][1]
        self.waited = note["waited"]
        self.rows = [EpochRow(**row) for row in note["rows"]]
        count = len(self.weights)
        self.weights = list(saved.arrays[:count])

        def resume() -> None:
            # After on_train_begin of the other callbacks, which resets them.
            for name, value in note["plateau"].items():
                setattr(self.plateau, name, value)
            for variable, value in zip(self._variables(), saved.arrays[count:], strict=True):
                variable.assign(value)

        self._resume = resume

    def save(self, finished: bool) -> None:
        """Writes the state of the phase.

        Args:
            finished: Whether the phase has ended; only its best weights are needed then.
        """
        note = {
            "finished": finished,
            "best": self.best,
            "waited": self.waited,
            "rows": [asdict(row) for row in self.rows],
            "rate": self.rate,
            "seconds": self.session.seconds(),
            "plateau": {
                name: getattr(self.plateau, name) for name in ("wait", "best", "cooldown_counter")
            } if self.plateau is not None else {},
        }  # fmt: skip
        arrays = list(self.weights)
        if not finished:
            arrays += [_keras.ops.convert_to_numpy(variable) for variable in self._variables()]
        self.session.checkpoint.save(self.phase.name, note, arrays, needed=finished)

    def on_train_begin(self, logs: Any = None) -> None:
        """Assigns the restored variables."""
        if self._resume is not None:
            self._resume()
        done = len(self.rows)
        message = f"up to {self.phase.epochs} epochs"
        if done:
            message = f"resuming the interrupted run after epoch {done}"
        self._report(done * self._steps(), f"{self.phase.name}: {message}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Reports progress."""
        # Where several steps run at once, Keras counts the last ones of an epoch as if they were as many.
        self._report(len(self.rows) * self._steps() + min(batch + 1, self._steps()))

    def on_test_end(self, logs: Any = None) -> None:
        """Takes the averaged weights."""
        if self.session.config.ema:
            # The averages are in the model now, and only now.
            self._averaged = self.core.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Records the epoch, keeps the best weights, stops early and saves the state.

        Raises:
            DataError: The loss is not finite.
        """
        logs = logs or {}
        # Keras adds the weight regularisation to val_loss; this is the plain cross-entropy.
        plain = {"val_loss": logs["val_cross_entropy"]}
        figures = {key: float({**logs, **plain}[key]) for key in _FIGURES}
        if not math.isfinite(figures["loss"]) or not math.isfinite(figures["val_loss"]):
            raise DataError(
                f"The loss must stay finite. Received: loss={figures['loss']} in epoch {epoch + 1}. "
                "Lower --learning-rate."
            )
        current = logs.get("learning_rate", self.model.optimizer.learning_rate)
        rate = float(_keras.ops.convert_to_numpy(current))
        seconds = self.session.seconds()
        self.rows.append(EpochRow(self.phase.name, epoch + 1, **figures, learning_rate=rate, seconds=seconds))
        result = figures["val_accuracy"], figures["val_loss"]
        if result[0] > self.best[0] or (result[0] == self.best[0] and result[1] < self.best[1]):
            self.best, self.waited = result, 0
            self.weights = self._averaged or self.core.get_weights()
        else:
            self.waited += 1
            self.model.stop_training = self.waited >= self.phase.patience
        self.save(finished=False)
        self.session.log.write([*self.session.rows, *self.rows])
        shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
        message = f"{self.phase.name} epoch {epoch + 1}: {shown} ({seconds:.0f} s)"
        self._report((epoch + 1) * self._steps(), message, figures)

    def _variables(self) -> list[Any]:
        """Weights, random seeds, and the optimizer's state."""
        return [*self.model.variables, *self.model.optimizer.variables]

    def _steps(self) -> int:
        return int(self.params["steps"] or 0)

    def _report(self, done: int, message: str = "", figures: dict[str, float] | None = None) -> None:
        steps, epochs = self._steps(), self.phase.epochs
        self.session.progress(
            Event(
                self.phase.name, min(done, epochs * steps), epochs * steps, message, figures or {},
                images=round(done / max(1, steps) * self.images), epoch=len(self.rows) + (not figures),
                epochs=epochs,
            )
        )  # fmt: skip
