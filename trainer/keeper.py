"""The callback that watches a phase: best weights, early stopping, checkpoints, progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from edge_runtime.errors import DataError
from trainer.backend import load_keras
from trainer.checkpoint import Saved
from trainer.history import EpochRow
from trainer.progress import Event
from trainer.schedule import Phase
from trainer.session import Session

_FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


def make_keeper(
    session: Session,
    step: Phase,
    core: Any,
    images: int,
    rate: float,
    to_beat: tuple[float, float] | None,
    plateau: Any,
) -> Any:
    """Returns the callback of one phase.

    Better is a higher val accuracy, then a lower val loss. The best weights are those that
    were measured: with weight averaging, the averages.

    Args:
        session: The run.
        step: The phase.
        core: The ``keras.Model`` whose weights are kept.
        images: Train images.
        rate: Highest learning rate, to be noted.
        to_beat: Val accuracy and loss of the weights that the core has; None takes any.
        plateau: The callback that lowers the rate, whose state is kept too; None without.
    """
    return _keeper_class()(session, step, core, images, rate, to_beat, plateau)


def _keeper_class() -> Any:
    keras = load_keras()

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        """See :func:`make_keeper`."""

        def __init__(
            self, session: Session, step: Phase, core: Any, images: int, rate: float,
            to_beat: tuple[float, float] | None, plateau: Any,
        ) -> None:  # fmt: skip
            super().__init__()
            self.session, self.step, self.core, self.images = session, step, core, images
            self.rate, self.plateau = rate, plateau
            self.best = to_beat or (-1.0, math.inf)
            self.weights: list[Any] = core.get_weights()
            self.measured: list[Any] = []
            self.rows: list[EpochRow] = []
            self.waited = 0
            self.resume: Callable[[], None] | None = None

        # What is kept, and taken up again.

        def restore(self, saved: Saved) -> None:
            """Takes up the state of an interrupted phase; its variables when the fit begins."""
            note = saved.note
            self.best = note["best"][0], note["best"][1]
            self.waited = note["waited"]
            self.rows = [EpochRow(**row) for row in note["rows"]]
            count = len(self.weights)
            self.weights = list(saved.arrays[:count])

            def resume() -> None:
                # After the other callbacks' on_train_begin, which resets them.
                for name, value in note["plateau"].items():
                    setattr(self.plateau, name, value)
                for variable, value in zip(self._variables(), saved.arrays[count:], strict=True):
                    variable.assign(value)

            self.resume = resume

        def save(self, finished: bool) -> None:
            """Writes the state of the phase."""
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
                arrays += [keras.ops.convert_to_numpy(variable) for variable in self._variables()]
            self.session.checkpoint.save(self.step.name, note, arrays, needed=finished)

        def _variables(self) -> list[Any]:
            """Weights, seeds of everything random, and the optimizer's state."""
            return [*self.model.variables, *self.model.optimizer.variables]

        # What Keras calls.

        def on_train_begin(self, logs: Any = None) -> None:
            if self.resume is not None:
                self.resume()
            done = len(self.rows)
            told = f"{self.step.name}: up to {self.step.epochs} epochs"
            if done:
                told = f"{self.step.name}: going on after epoch {done} of an interrupted run"
            self._tell(done * self._steps(), told)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self._tell(len(self.rows) * self._steps() + batch + 1)

        def on_test_end(self, logs: Any = None) -> None:
            if self.session.config.ema:
                # The averages are in the model now, and only now.
                self.measured = self.core.get_weights()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            logs = logs or {}
            # Without what regularises weights, which Keras adds to its loss.
            plain = {"val_loss": logs["val_cross_entropy"]}
            figures = {key: float({**logs, **plain}[key]) for key in _FIGURES}
            if not math.isfinite(figures["loss"]) or not math.isfinite(figures["val_loss"]):
                raise DataError(
                    f"The loss must stay a number. Received: loss={figures['loss']} in epoch {epoch + 1}. "
                    "Lower --learning-rate."
                )
            used = logs.get("learning_rate", self.model.optimizer.learning_rate)
            rate = float(keras.ops.convert_to_numpy(used))
            seconds = self.session.seconds()
            self.rows.append(
                EpochRow(self.step.name, epoch + 1, **figures, learning_rate=rate, seconds=seconds)
            )
            result = figures["val_accuracy"], figures["val_loss"]
            if result[0] > self.best[0] or (result[0] == self.best[0] and result[1] < self.best[1]):
                self.best, self.waited = result, 0
                self.weights = self.measured or self.core.get_weights()
            else:
                self.waited += 1
                self.model.stop_training = self.waited >= self.step.patience
            self.save(finished=False)
            self.session.log.write([*self.session.rows, *self.rows])
            shown = ", ".join(f"{key} {value:.4f}" for key, value in figures.items())
            told = f"{self.step.name} epoch {epoch + 1}: {shown} ({seconds:.0f} s)"
            self._tell((epoch + 1) * self._steps(), told, figures)

        def _steps(self) -> int:
            return int(self.params["steps"] or 0)

        def _tell(self, done: int, message: str = "", figures: dict[str, float] | None = None) -> None:
            steps, epochs = self._steps(), self.step.epochs
            self.session.progress(
                Event(
                    self.step.name, min(done, epochs * steps), epochs * steps, message, figures or {},
                    images=round(done / max(1, steps) * self.images), epoch=len(self.rows) + (not figures),
                    epochs=epochs,
                )
            )  # fmt: skip

    return Keeper
