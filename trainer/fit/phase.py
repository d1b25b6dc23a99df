"""One phase of training: find or schedule the learning rate, fit, keep the best weights, stop early."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from trainer.augmentation import image_layer, target_layer
from trainer.config.schedule import Phase
from trainer.core.backend import compile_options, load_keras
from trainer.fit.batch_norm import BatchStatistics
from trainer.fit.batches import Feed, fit_batches
from trainer.fit.checkpoint import Saved
from trainer.fit.session import Session
from trainer.fit.training_model import accuracy, cross_entropy, loss, training_model
from trainer.progress import Event
from trainer.ranks.ranks import Ranks
from trainer.run.run_json import EpochRow

WARMUP_SHARE = 0.15
"""Share of a phase's steps that warm the learning rate up from zero."""

PLATEAU_FACTOR = 0.3
"""Factor on the learning rate at a plateau."""

FINDER_RANGE = (1e-6, 1.0)
"""Learning rates that the range test tries, rising exponentially."""

FINDER_STEPS = 100
"""Batches of the range test."""

MOST_STEPS, MOST_BYTES = 8, 1 << 20
"""Limits of what TensorFlow trains on before it returns to Python: steps, and bytes of their inputs."""

FEW_STEPS = 100
"""A phase of fewer returns after each: tracing the loop around them takes a second, and saves less."""

_SMOOTHING = 0.9
_DIVERGED = 4.0
_VAL_BATCH = 128


def run_phase(
    session: Session,
    phase: Phase,
    core: Any,
    train: Feed,
    val: Feed,
    *,
    to_beat: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Trains a model and leaves the best weights in it.

    A phase that an interrupted run finished is not run again; one that it began is resumed.

    Args:
        session: The run; the phase's epochs are added to its rows.
        phase: The phase.
        core: A ``keras.Model`` from the feeds' arrays to logits.
        train: Training data. Pixels (uint8) are augmented on the fly, activations are not.
        val: Validation data, evaluated after every epoch.
        to_beat: Val accuracy and loss of the core's current weights; None to accept any.

    Returns:
        Val accuracy and loss of the core's final weights.

    Raises:
        DataError: The loss is no longer finite.
    """
    keras = load_keras()
    saved = session.checkpoint.load(phase.name)
    if saved is not None:
        session.started = min(session.started, time.monotonic() - saved.note["seconds"])
        if saved.note["finished"]:
            return _finished(session, phase, core, saved)
    config, ranks = session.config, session.ranks
    seeds = _seeds(config.seed, phase.name)
    keras.utils.set_random_seed(seeds[0])
    _reseed(core, seeds[0])
    model = _model_to_fit(session, core, train, seeds)
    batches = fit_batches(
        train, batch_size=config.batch_size, seed=config.seed, shuffle=True,
        first_epoch=len(saved.note["rows"]) if saved is not None else 0, share=ranks.share,
    )  # fmt: skip
    check = fit_batches(val, batch_size=_VAL_BATCH, seed=0, shuffle=False, share=ranks.share)
    rate = saved.note["rate"] if saved is not None else _rate(session, phase, model, train)
    steps = phase.epochs * len(batches)
    model.compile(
        optimizer=_optimizer(session, rate, steps), loss=loss,
        # Where batches are padded, only weighted metrics leave the padding out.
        **{"metrics" if ranks.alone else "weighted_metrics": [accuracy, cross_entropy]},
        steps_per_execution=_steps_at_once(train, config.batch_size, steps) if ranks.alone else 1,
        **compile_options(keras),
    )  # fmt: skip
    model.optimizer.build(model.trainable_variables)
    plateau = None
    if config.schedule == "plateau":
        plateau = keras.callbacks.ReduceLROnPlateau(
            monitor="val_cross_entropy",
            mode="min",
            factor=PLATEAU_FACTOR,
            patience=max(1, phase.patience // 2),
        )
    session.rates[phase.name] = rate
    # Not at the top: its module loads Keras, this one does not.
    from trainer.fit.phase_callback import PhaseCallback

    callback = PhaseCallback(
        session, phase, core, images=len(train.labels), rate=rate, to_beat=to_beat, plateau=plateau
    )
    if saved is not None:
        callback.restore(saved)
    # After the plateau, whose state it saves; before the averages are swapped out.
    callbacks = [*([plateau] if plateau else []), callback]
    if not ranks.alone:
        from trainer.fit.rank_callback import RankCallback

        callbacks.insert(0, RankCallback(ranks, core, batches, check))
    if config.ema:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    # After the swap: the statistics are those of the weights that are validated.
    statistics = BatchStatistics(core, train, seeds[3], ranks)
    callbacks.append(keras.callbacks.LambdaCallback(on_test_begin=lambda logs: statistics.update()))
    if callback.waited < phase.patience:
        model.fit(
            batches, validation_data=check, epochs=phase.epochs, initial_epoch=len(callback.rows),
            callbacks=callbacks, verbose=0, shuffle=False,
        )  # fmt: skip
    core.set_weights(callback.weights)
    callback.set_model(model)
    callback.save(finished=True)
    session.rows += callback.rows
    return callback.best


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


def find_rate(model: Any, batches: Any, ranks: Ranks | None = None) -> float:
    """Finds a learning rate by a range test (Smith 2017, arXiv 1506.01186); restores the weights.

    The rate rises with every batch; the result is where the smoothed loss falls fastest, which
    is below the point where it diverges.

    Args:
        model: A compiled ``keras.Model`` whose optimizer has a constant learning rate.
        batches: Data for its ``fit``; epochs are repeated as needed.
        ranks: Those that train the model together; None for one process.

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
            if ranks is not None:
                # All must stop at the same batch.
                mean = ranks.mean(mean)
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


def _finished(session: Session, phase: Phase, core: Any, saved: Saved) -> tuple[float, float]:
    core.set_weights(list(saved.arrays))
    session.rows += [EpochRow(**row) for row in saved.note["rows"]]
    session.rates[phase.name] = saved.note["rate"]
    session.progress(Event(phase.name, message=f"{phase.name}: already finished by the interrupted run"))
    return saved.note["best"][0], saved.note["best"][1]


def _model_to_fit(session: Session, core: Any, train: Feed, seeds: list[int]) -> Any:
    """The model to fit: pixels are augmented here, activations were when they were computed."""
    config, view = session.config, train.views[0]
    names = session.augment if view.dtype == np.uint8 else ()
    augment = image_layer(names, seeds[1]) if view.dtype == np.uint8 else None
    targets = target_layer(
        names, session.classes, seeds[2], smoothing=config.label_smoothing,
        class_weights=session.class_weights(),
    )  # fmt: skip
    return training_model(core, tuple(view.shape[1:]), str(train.kind), augment, targets)


def _steps_at_once(train: Feed, batch_size: int, steps: int) -> int:
    """Steps between two calls of the callbacks; the same numbers come of it, whatever it is.

    Of a step of a small network the loop in Python takes a tenth. Steps on large inputs are long enough, and
    progress should be told after each. On several devices TensorFlow 2.21 fails with more than one.
    """
    if steps < FEW_STEPS:
        return 1
    if load_keras().backend.backend() != "tensorflow":
        # PyTorch refuses more than one, and on JAX Keras loops in Python all the same.
        return 1
    size: int = batch_size * math.prod(train.views[0].shape[1:]) * train.kind.itemsize
    return max(1, min(MOST_STEPS, MOST_BYTES // size))


def _optimizer(session: Session, rate: float, steps: int) -> Any:
    keras = load_keras()
    ema = session.config.ema
    averaging = {"use_ema": True, "ema_momentum": ema} if ema else {}
    kind = session.ranks.group.optimizer(keras.optimizers.Adam)
    return kind(rate_schedule(session.config.schedule, rate, steps), **averaging)


def _rate(session: Session, phase: Phase, model: Any, train: Feed) -> float:
    """The phase's peak learning rate, found by a range test if none is set."""
    if phase.learning_rate is not None:
        return phase.learning_rate
    keras, ranks = load_keras(), session.ranks
    session.progress(Event(phase.name, message=f"{phase.name}: finding the learning rate"))
    model.compile(
        optimizer=ranks.group.optimizer(keras.optimizers.Adam)(1e-6), loss=loss, **compile_options(keras)
    )
    batches = fit_batches(
        train, batch_size=session.config.batch_size, seed=session.config.seed, shuffle=True, share=ranks.share
    )
    rate = find_rate(model, batches, ranks)
    session.progress(Event(phase.name, message=f"{phase.name}: learning rate {rate:.2g}"))
    return rate


def _reseed(core: Any, seed: int) -> None:
    """Resets the seeds of dropout: a resumed run has not drawn the numbers of earlier phases."""
    weights = {id(variable) for variable in core.weights}
    states = [variable for variable in core.variables if id(variable) not in weights]
    for place, state in enumerate(states):
        state.assign(np.array([(seed + place) % 2**31, 0], np.uint32).reshape(state.shape))


def _seeds(seed: int, phase: str) -> list[int]:
    """Seeds of a phase, independent of what ran before it."""
    sequence = np.random.SeedSequence([seed, *phase.encode()])
    # 31 bits: JAX and Keras take signed seeds.
    return [int(value) >> 1 for value in sequence.generate_state(4)]


def _diverged(losses: Sequence[float]) -> bool:
    smooth = smoothed(losses)
    return smooth[-1] > _DIVERGED * min(smooth)
