"""One phase of training: the best weights stay, and it ends when nothing gets better."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import pytest

from edge_runtime.errors import DataError
from trainer.batches import make_batches
from trainer.phase import rate_schedule, run_phase
from trainer.progress import Event, silent
from trainer.schedule import Phase

RANDOM = np.random.default_rng(0)
DATA = RANDOM.normal(size=(40, 4)).astype(np.float32)
LABELS = (DATA[:, 0] > 0).astype(np.int64)


@pytest.fixture
def model() -> Any:
    """A softmax layer that starts from zero."""
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax", kernel_initializer="zeros")])


def fit(model: Any, rate: float, epochs: int = 4, patience: int = 9, **options: Any) -> list[Any]:
    step = Phase("train", epochs, patience, rate)
    options = {"progress": silent} | options
    return run_phase(model, step, (DATA, LABELS), (DATA, LABELS), learning_rate=rate,
                     started=time.monotonic(), **options)  # fmt: skip


def test_every_epoch_is_a_row_and_an_event(model: Any) -> None:
    events: list[Event] = []
    rows = fit(model, 0.05, epochs=3, progress=events.append)
    assert [(row.phase, row.epoch) for row in rows] == [("train", 1), ("train", 2), ("train", 3)]
    assert rows[-1].val_accuracy > rows[0].val_accuracy or rows[-1].val_loss < rows[0].val_loss
    assert rows[-1].learning_rate == pytest.approx(0.05)
    assert events[-1].done == events[-1].total == 6
    assert [event.metrics["val_loss"] for event in events if event.metrics] == [row.val_loss for row in rows]


def test_weights_of_the_best_epoch_stay(model: Any) -> None:
    rows = fit(model, 50.0, epochs=6)
    best = max(row.val_accuracy for row in rows)
    scores = np.asarray(model.predict_on_batch(DATA))
    assert float((scores.argmax(axis=1) == LABELS).mean()) == pytest.approx(best)


def test_phase_ends_when_nothing_gets_better(model: Any) -> None:
    assert len(fit(model, 1e-12, epochs=50, patience=2, to_beat=(1.0, 0.0))) == 2


def test_phase_that_beats_nothing_leaves_the_weights(model: Any) -> None:
    before = [np.array(values) for values in model.get_weights()]
    fit(model, 0.5, epochs=2, to_beat=(1.0, 0.0))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_loss_that_is_no_number_is_refused_with_the_cure(model: Any) -> None:
    with pytest.raises(DataError, match=r"Received: loss=nan in epoch 1. Lower --learning-rate"):
        fit(model, math.nan)


def test_rate_rises_and_falls_to_zero() -> None:
    schedule = rate_schedule(0.01, 100)
    rates = [float(schedule(step)) for step in range(101)]
    assert rates[0] == 0.0
    assert max(rates) == pytest.approx(0.01)
    assert rates.index(max(rates)) == 15
    assert rates[100] == pytest.approx(0.0, abs=1e-6)


def test_batches_are_the_chosen_pixels_unscaled() -> None:
    array = np.arange(10 * 4, dtype=np.uint8).reshape(10, 2, 2, 1)
    labels = np.arange(10, dtype=np.int64)
    chosen = np.array([1, 3, 5, 7, 9], np.int64)
    plain = make_batches(array, labels, chosen, batch_size=2, seed=0, shuffle=False)
    assert len(plain) == 3
    images, targets = plain[2]
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, array[[9]])
    assert targets.tolist() == [9]


def test_shuffled_batches_are_all_images_in_an_order_of_seed_and_epoch() -> None:
    array, labels = np.zeros((50, 2, 2, 1), np.uint8), np.arange(50, dtype=np.int64)

    def order(batches: Any) -> list[int]:
        return [int(label) for place in range(len(batches)) for label in batches[place][1]]

    first, second = (
        make_batches(array, labels, labels, batch_size=8, seed=4, shuffle=True) for _ in range(2)
    )
    before = order(first)
    assert sorted(before) == list(range(50))
    assert before == order(second)
    first.on_epoch_end()
    assert order(first) != before
