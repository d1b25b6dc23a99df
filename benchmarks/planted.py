"""MobileNetV2 with planted outlier channels: the same scores in float, a collapse in int8.

Two channels of the first block's linear output are scaled up 300 times, and their readers scaled down 300
times. The tensor then needs a range 300 times as wide, in which all other channels share a few steps. A repair
that rescales linear pairs of layers undoes it; the float model is unaffected.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.common.backend import load_keras

CHANNELS = (2, 7)
FACTOR = 300.0

NORMALISATION = "expanded_conv_project_BN"
"""Ends the first block of keras.applications.MobileNetV2; no activation follows."""

READER = "block_1_expand"
"""The only layer that reads it."""


def planted(model: Any, channels: tuple[int, ...] = CHANNELS, factor: float = FACTOR) -> Any:
    """Plants outlier channels.

    Args:
        model: ``keras.applications.MobileNetV2``, or a model with its layers in it or in a model inside.
        channels: Channels of the first block's output, 0 to 15 at full width.
        factor: How much larger they get.

    Returns:
        A copy; the model itself is not changed.

    Raises:
        ValueError: It has no such layers.
    """
    keras = load_keras()
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    normalisation, reader = _layer(copy, NORMALISATION), _layer(copy, READER)
    gamma, beta, *statistics = normalisation.get_weights()
    scale = np.ones_like(gamma)
    scale[list(channels)] = factor
    # What the converters fold into the convolution's kernel and bias.
    normalisation.set_weights([gamma * scale, beta * scale, *statistics])
    kernel, *bias = reader.get_weights()
    reader.set_weights([kernel / scale[:, np.newaxis], *bias])
    return copy


def _layer(model: Any, name: str) -> Any:
    """The layer of that name, in the model or in one inside it."""
    for layer in model._flatten_layers(include_self=False):
        if layer.name == name:
            return layer
    raise ValueError(f"The model must have the layers of MobileNetV2. Received: no {name} in {model.name}.")
