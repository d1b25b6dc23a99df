"""Random weights scaled to the data: every layer starts with outputs of mean 0 and variance 1.

The weights that Keras draws are scaled for inputs of mean 0 and variance 1 and for layers that keep
them so. Pixels from 0 to 1 and rectifiers do not: six convolutions in, all images look alike, and the
first epoch of a network without batch normalisation is spent on repairing that. One pass over some
train images sets scales and biases instead (Salimans and Kingma 2016, arXiv 1602.07868, section 3;
Krähenbühl et al. 2016, arXiv 1511.06856).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.core.backend import load_keras
from trainer.fit.session import Session
from trainer.fit.training_model import SCORES

IMAGES = 64
"""Train images that are measured."""

_LEAST_DEVIATION = 1e-6
"""A channel that varies less is dead and left as it is."""


def scale_to_data(model: Any, session: Session) -> None:
    """Scales the weights of a model with random weights, unless it normalises its batches itself.

    Args:
        model: A functional ``keras.Model`` on raw pixels.
        session: The run; the images are chosen by its seed.
    """
    keras = load_keras()
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        return
    chosen = np.random.default_rng(session.config.seed).permutation(session.train)[:IMAGES]
    images = keras.ops.convert_to_tensor(session.pixels.array[np.sort(chosen)].astype(np.float32))
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Conv2D | keras.layers.Dense) or layer.name == SCORES:
            continue
        activation, layer.activation = layer.activation, keras.activations.linear
        try:
            found = keras.Model(model.input, layer.output)(images, training=False)
        finally:
            layer.activation = activation
        outputs = np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(found, "float32")))
        axes = tuple(range(outputs.ndim - 1))
        mean, deviation = outputs.mean(axis=axes, dtype=np.float64), outputs.std(axis=axes, dtype=np.float64)
        alive = deviation > _LEAST_DEVIATION
        scale = np.where(alive, 1.0 / np.where(alive, deviation, 1.0), 1.0)
        kernel, *bias = layer.get_weights()
        layer.set_weights(
            [kernel * scale, *((values - np.where(alive, mean, 0.0)) * scale for values in bias)]
        )
