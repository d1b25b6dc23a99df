"""One phase of training: the best weights stay, it ends when nothing gets better, and it can go on."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.common.versions import keras_backend
from trainer.config.schedule import Phase
from trainer.fit import phase
from trainer.fit.batches import Feed
from trainer.fit.phase import rate_schedule, run_phase
from trainer.progress import Event

RANDOM = np.random.default_rng(0)
DATA = RANDOM.normal(size=(40, 4)).astype(np.float32)
LABELS = (DATA[:, 0] > 0).astype(np.int64)


@pytest.fixture
def model() -> Any:
    """A linear layer that starts from zero."""
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, kernel_initializer="zeros")])


def fit(
    session: Any, model: Any, rate: float | None, epochs: int = 4, patience: int = 9, to_beat: Any = None,
    **options: Any,
) -> list[Any]:  # fmt: skip
    step = Phase("train", epochs, patience, rate)
    run = session(**{"schedule": "constant", **options})
    run_phase(run, step, model, Feed((DATA,), LABELS), Feed((DATA,), LABELS), to_beat=to_beat)
    return list(run.rows)


def top1(model: Any) -> float:
    return float((np.asarray(model.predict_on_batch(DATA)).argmax(axis=1) == LABELS).mean())


def test_every_epoch_is_a_row_and_an_event(session: Any, model: Any) -> None:
    events: list[Event] = []
    rows = fit(session, model, 0.05, epochs=3, progress=events.append)
    assert [(row.phase, row.epoch) for row in rows] == [("train", 1), ("train", 2), ("train", 3)]
    assert rows[-1].val_accuracy > rows[0].val_accuracy or rows[-1].val_loss < rows[0].val_loss
    assert rows[-1].learning_rate == pytest.approx(0.05)
    assert events[-1].done == events[-1].total == 6
    assert events[-1].images == 3 * 40
    assert [event.metrics["val_loss"] for event in events if event.metrics] == [row.val_loss for row in rows]


def test_steps_between_two_events_change_no_bit(
    session: Any, model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, found = model.get_weights(), []
    for few, most in ((0, 1), (0, 8), (21, 8)):
        monkeypatch.setattr(phase, "FEW_STEPS", few)
        monkeypatch.setattr(phase, "MOST_STEPS", most)
        model.set_weights(start)
        events: list[Event] = []
        # Ten steps an epoch, which eight do not divide.
        fit(session, model, 0.05, epochs=2, batch_size=4, progress=events.append, key=f"{few} {most}")
        found.append(
            (model.get_weights(), [event.done for event in events if event.done and not event.metrics])
        )
    (alone, each), (together, some), (short, each_of_few) = found
    assert each == each_of_few == list(range(1, 21))
    assert keras_backend().name != "tensorflow" or some == [8, 10, 18, 20]
    for one, other, third in zip(alone, together, short, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_weights_of_the_best_epoch_stay(session: Any, model: Any) -> None:
    rows = fit(session, model, 50.0, epochs=6)
    assert top1(model) == pytest.approx(max(row.val_accuracy for row in rows))


def test_phase_ends_when_nothing_gets_better(session: Any, model: Any) -> None:
    assert len(fit(session, model, 1e-12, epochs=50, patience=2, to_beat=(1.0, 0.0))) == 2


def test_phase_that_beats_nothing_leaves_the_weights(session: Any, model: Any) -> None:
    before = [np.array(values) for values in model.get_weights()]
    fit(session, model, 0.5, epochs=2, to_beat=(1.0, 0.0))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_loss_that_is_no_number_is_refused_with_the_cure(session: Any, model: Any) -> None:
    with pytest.raises(DataError, match=r"Received: loss=nan in epoch 1. Lower --learning-rate"):
        fit(session, model, math.nan)


class KilledError(Exception):
    """Stands for a process that ends."""


@pytest.mark.parametrize(
    "options", [{}, {"schedule": "cosine"}, {"schedule": "plateau"}, {"ema": 0.8}], ids=str
)
def test_killed_phase_goes_on_to_the_same_weights(session: Any, options: dict[str, Any]) -> None:
    import keras

    def fresh() -> Any:
        keras.utils.set_random_seed(0)
        layers = [keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2)]
        return keras.Sequential([keras.Input((4,)), *layers])

    undisturbed = fresh()
    rows = fit(session, undisturbed, 0.1, epochs=6, patience=2, key="whole", **options)
    epochs = 0

    def kill(event: Event) -> None:
        nonlocal epochs
        epochs += bool(event.metrics)
        if event.metrics and epochs == 3:
            raise KilledError

    with pytest.raises(KilledError):
        fit(session, fresh(), 0.1, epochs=6, patience=2, key="killed", progress=kill, **options)
    resumed = fresh()
    said: list[str] = []
    again = fit(session, resumed, 0.1, epochs=6, patience=2, key="killed",
                progress=lambda event: said.append(event.message), **options)  # fmt: skip
    # The last one that was written: a checkpoint is left out where training would wait for the disk.
    assert any(re.fullmatch(r"train: resuming the interrupted run after epoch [123]", line) for line in said)
    for mine, theirs in zip(resumed.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert [row.val_loss for row in again] == [row.val_loss for row in rows]
    # What is finished is not trained again.
    third = fresh()
    assert len(fit(session, third, 0.1, epochs=6, patience=2, key="killed", **options)) == len(rows)
    np.testing.assert_array_equal(third.get_weights()[0], undisturbed.get_weights()[0])


def test_averaged_weights_are_what_is_measured_and_kept(session: Any, model: Any) -> None:
    rows = fit(session, model, 0.5, epochs=4, ema=0.9)
    best = max(rows, key=lambda row: (row.val_accuracy, -row.val_loss))
    scores = np.asarray(model.predict_on_batch(DATA), np.float64)
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert -logs[np.arange(40), LABELS].mean() == pytest.approx(best.val_loss, rel=1e-4)


def test_rate_is_found_where_none_is_given(session: Any, model: Any) -> None:
    said: list[str] = []
    before = [np.array(values) for values in model.get_weights()]
    rows = fit(session, model, None, epochs=1, progress=lambda event: said.append(event.message))
    found = next(line for line in said if line.startswith("train: learning rate "))
    rate = float(found.rsplit(" ", 1)[1])
    assert 1e-3 < rate < 1.0
    assert rows[0].learning_rate == pytest.approx(rate, rel=0.05)
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_plateau_lowers_the_rate(session: Any, model: Any) -> None:
    rows = fit(session, model, 1e-9, epochs=7, schedule="plateau", patience=8)
    assert rows[0].learning_rate == pytest.approx(1e-9)
    assert rows[-1].learning_rate == pytest.approx(3e-10)


def test_cosine_rises_and_falls_to_zero() -> None:
    schedule = rate_schedule("cosine", 0.01, 100)
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == 0.0
    assert max(rates) == pytest.approx(0.01)
    assert rates.index(max(rates)) == 15
    assert rates[100] == pytest.approx(0.0, abs=1e-6)
    assert rate_schedule("constant", 0.01, 100) == 0.01
