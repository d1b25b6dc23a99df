"""A small network for small pictures: 121,930 parameters at 28x28x1 and 10 classes."""

from __future__ import annotations

import os
from typing import Any

from edge_runtime.errors import UsageError
from trainer.backend import load_keras


def small_cnn(
    input_shape: tuple[int, int, int], classes: int, weights: str | os.PathLike[str] | None, width: float
) -> Any:
    """Builds two convolutions, each with pooling, and two dense layers.

    Args:
        input_shape: Height, width and channels, at least 10x10.
        classes: Number of outputs.
        weights: Must be None; there are no pretrained ones.
        width: Must be 1.0.

    Raises:
        UsageError: Weights or another width were asked for.
    """
    if weights is not None:
        raise UsageError(f"small_cnn must start from random weights. Received: {weights}. Pass weights=None.")
    if width != 1.0:
        raise UsageError(f"small_cnn must have width 1.0. Received: {width}. Leave the width out.")
    keras = load_keras()
    layers = keras.layers
    image = keras.Input(input_shape, name="image")
    x = layers.Rescaling(1.0 / 255.0, name="rescale")(image)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    x = layers.Dropout(0.3, name="dropout")(x)
    scores = layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(image, scores, name="small_cnn")
