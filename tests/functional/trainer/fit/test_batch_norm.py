"""Validation and the saved weights have statistics of the weights that they belong to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import environment_of
from tests.thread_ranks import on_ranks
from trainer.config.schedule import Phase
from trainer.fit import batch_norm
from trainer.fit.batch_norm import BatchStatistics
from trainer.fit.batches import Feed
from trainer.fit.phase import run_phase
from trainer.ranks.ranks import Ranks

RANDOM = np.random.default_rng(0)
DATA = (3.0 * RANDOM.normal(size=(300, 4)) + 5.0).astype(np.float32)
LABELS = (DATA[:, 0] > 5.0).astype(np.int64)
TRAIN = Feed((DATA,), LABELS)


@pytest.fixture
def model() -> Any:
    """A linear layer on normalised inputs, with dropout in front."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((4,))
    x = layers.BatchNormalization(name="norm")(layers.Dropout(0.5)(image))
    return keras.Model(image, layers.Dense(2)(x))


def test_statistics_are_those_of_the_inputs_without_dropout(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_norm, "BATCH", 100)
    BatchStatistics(model, TRAIN, seed=0).update()
    norm = model.get_layer("norm")
    np.testing.assert_allclose(np.asarray(norm.moving_mean), DATA.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.asarray(norm.moving_variance), DATA.var(axis=0), rtol=1e-4)
    # What training needs is as it was.
    assert (norm.momentum, model.layers[1].rate) == (0.99, 0.5)


def test_frozen_statistics_stay(model: Any) -> None:
    model.get_layer("norm").trainable = False
    BatchStatistics(model, TRAIN, seed=0).update()
    np.testing.assert_array_equal(np.asarray(model.get_layer("norm").moving_mean), np.zeros(4))


@pytest.mark.parametrize(("count", "measured"), [(300, 256), (100, 100), (40_000, 4_992), (9, 9)])
def test_an_eighth_of_the_images_is_measured_within_limits(
    model: Any, count: int, measured: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_norm, "MOST_IMAGES", 5_000)
    seen: list[int] = []

    class View:
        def __getitem__(self, rows: Any) -> Any:
            seen.extend(rows)
            return np.zeros((len(rows), 4), np.uint8)

    BatchStatistics(model, Feed((View(),), np.zeros(count, np.int64)), seed=0).update()
    assert len(seen) == len(set(seen)) == measured


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_saved_weights_have_the_statistics_that_they_were_validated_with(
    session: Any, model: Any, ema: float
) -> None:
    run = session(schedule="constant", ema=ema)
    best, _ = run_phase(run, Phase("train", 2, 9, 0.05), model, TRAIN, TRAIN)
    norm = model.get_layer("norm")
    # A moving average would have come a fifth of the way in its 20 steps.
    np.testing.assert_allclose(np.asarray(norm.moving_mean), DATA.mean(axis=0), rtol=0.1)
    scores = np.asarray(model.predict_on_batch(DATA))
    assert (scores.argmax(axis=1) == LABELS).mean() == pytest.approx(best)
    assert best > 0.85


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_all_of_this_holds_on_another_backend(backend: str, tmp_path: Path) -> None:
    there = environment_of(backend)
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, "-q", "-n", "0", "-p", "no:cacheprovider",
         f"--basetemp={tmp_path}/tests", "-k", "not another_backend"],
        env=own | there, cwd=Path(__file__).parents[4], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert "9 passed" in done.stdout


def test_ranks_measure_what_one_process_does(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(batch_norm, "BATCH", 50)
    models = [keras.models.clone_model(model) for _ in range(2)]
    BatchStatistics(model, TRAIN, seed=0).update()
    on_ranks(2, lambda group: BatchStatistics(models[group.rank], TRAIN, 0, Ranks(group)).update())
    for other in models:
        for mine, expected in zip(
            other.get_layer("norm").weights, model.get_layer("norm").weights, strict=True
        ):
            np.testing.assert_array_equal(np.asarray(mine), np.asarray(expected))
