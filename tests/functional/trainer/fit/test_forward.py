"""The forward pass alone: the model's outputs in its order, with the weights of the moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_runtime.common.versions import keras_backend
from trainer.fit.forward import forward_pass

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


def model(normalised: bool) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = keras.layers.Conv2D(4, 3, use_bias=False, name="conv")(image)
    if normalised:
        layer = keras.layers.BatchNormalization()
        x = layer(x)
        layer.set_weights([np.full(4, value, np.float32) for value in (2.0, 0.5, 30.0, 900.0)])
    x = keras.layers.ReLU(6.0)(x)
    return keras.Model(image, [keras.layers.GlobalAveragePooling2D()(x), x])


@pytest.mark.parametrize("normalised", [False, True])
def test_outputs_are_the_models_in_its_order(normalised: bool) -> None:
    made = model(normalised)
    found = forward_pass(made)(IMAGES)
    assert [output.shape for output in found] == [(3, 4), (3, 14, 14, 4)]
    for output, wanted in zip(found, made.predict_on_batch(IMAGES), strict=True):
        assert output.dtype == np.float32
        np.testing.assert_allclose(output, wanted, atol=1e-4, rtol=1e-5)


@pytest.mark.skipif(
    keras_backend().name != "tensorflow", reason="only TensorFlow's graph holds copies of the weights"
)
def test_it_keeps_the_weights_that_it_was_made_with() -> None:
    made = model(normalised=True)
    fixed, before = forward_pass(made), made.predict_on_batch(IMAGES)[0]
    made.get_layer("conv").set_weights([3.0 * made.get_layer("conv").get_weights()[0]])
    assert not np.allclose(made.predict_on_batch(IMAGES)[0], before, atol=1e-2)
    np.testing.assert_allclose(fixed(IMAGES)[0], before, atol=1e-4, rtol=1e-5)
