"""Random weights are scaled to the data before training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trainer import models
from trainer.fit.initial_weights import scale_to_data

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(100, 180, (64, 12, 12, 1), np.uint8)


def built(name: str) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    return models.build(name, input_shape=(12, 12, 1), classes=3)


def test_layers_start_with_outputs_of_mean_0_and_variance_1(session: Any) -> None:
    import keras

    model = built("cifar_cnn")
    run = session(array=IMAGES, labels=[0, 1, 2, 0] * 16, val_from=60)
    scores = model.get_layer("scores").get_weights()
    scale_to_data(model, run)
    layer = model.get_layer("conv2b")
    assert layer.activation is keras.activations.relu
    layer.activation = keras.activations.linear
    found = np.asarray(keras.Model(model.input, layer.output)(IMAGES[:60].astype(np.float32), training=False))
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0.0, atol=1e-3)
    np.testing.assert_allclose(found.std(axis=(0, 1, 2)), 1.0, atol=1e-3)
    # The classes start equally likely.
    for now, then in zip(model.get_layer("scores").get_weights(), scores, strict=True):
        np.testing.assert_array_equal(now, then)


def test_images_without_contrast_leave_finite_weights(session: Any) -> None:
    model = built("small_cnn")
    scale_to_data(model, session(labels=[0, 1, 2, 0], array=np.zeros((4, 12, 12, 1), np.uint8), val_from=3))
    assert all(np.isfinite(values).all() for values in model.get_weights())


@pytest.mark.parametrize("name", ["bn_cnn", "resnet18"])
def test_models_that_normalise_their_batches_stay(session: Any, name: str) -> None:
    model = built(name)
    before = model.get_weights()
    scale_to_data(model, session(array=IMAGES, labels=[0, 1, 2, 0] * 16, val_from=60))
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
