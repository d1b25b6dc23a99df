"""One phase of training: fit, keep the best weights, stop early."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from trainer.augmentation import image_layer, target_layer
from trainer.backend import compile_options, load_keras
from trainer.batches import Feed, fit_batches
from trainer.checkpoint import Saved
from trainer.harness import accuracy, cross_entropy, loss, training_model
from trainer.history import EpochRow
from trainer.progress import Event
from trainer.rates import PLATEAU_FACTOR, find_rate, rate_schedule
from trainer.schedule import Phase
from trainer.session import Session

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
    config = session.config
    seeds = _seeds(config.seed, phase.name)
    keras.utils.set_random_seed(seeds[0])
    _reseed(core, seeds[0])
    model = _model_to_fit(session, core, train, seeds)
    batches = fit_batches(
        train, batch_size=config.batch_size, seed=config.seed, shuffle=True,
        first_epoch=len(saved.note["rows"]) if saved is not None else 0,
    )  # fmt: skip
    check = fit_batches(val, batch_size=_VAL_BATCH, seed=0, shuffle=False)
    rate = saved.note["rate"] if saved is not None else _rate(session, phase, model, train)
    model.compile(
        optimizer=_optimizer(session, rate, phase.epochs * len(batches)), loss=loss, metrics=[accuracy, cross_entropy],
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
    from trainer.keeper import PhaseCallback

    callback = PhaseCallback(
        session, phase, core, images=len(train.labels), rate=rate, to_beat=to_beat, plateau=plateau
    )
    if saved is not None:
        callback.restore(saved)
    # After the plateau, whose state it saves; before the averages are swapped out.
    callbacks = [*([plateau] if plateau else []), callback]
    if config.ema:
        callbacks.append(keras.callbacks.SwapEMAWeights())
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


def _optimizer(session: Session, rate: float, steps: int) -> Any:
    keras = load_keras()
    ema = session.config.ema
    averaging = {"use_ema": True, "ema_momentum": ema} if ema else {}
    return keras.optimizers.Adam(rate_schedule(session.config.schedule, rate, steps), **averaging)


def _rate(session: Session, phase: Phase, model: Any, train: Feed) -> float:
    """The phase's peak learning rate, found by a range test if none is set."""
    if phase.learning_rate is not None:
        return phase.learning_rate
    keras = load_keras()
    session.progress(Event(phase.name, message=f"{phase.name}: finding the learning rate"))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-6), loss=loss, metrics=[accuracy], **compile_options(keras)
    )
    batches = fit_batches(train, batch_size=session.config.batch_size, seed=session.config.seed, shuffle=True)
    rate = find_rate(model, batches)
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
    return [int(value) >> 1 for value in sequence.generate_state(3)]
