"""MobileNetV2 (arXiv 1801.04381) from keras.applications, flat and on raw pixels."""

from __future__ import annotations

import os
from typing import Any

from trainer.backend import load_keras
from trainer.models.weights import copy_imagenet, has_head, load_weights

IMAGENET_CLASSES = 1000

PUBLISHED_SIZES = (96, 128, 160, 192, 224)
"""Sides of the square inputs that keras.applications has weights for."""

FEATURES = "features"
"""Name of the pooling layer that ends the backbone; its output is what the head takes."""


def mobilenet_v2(
    input_shape: tuple[int, int, int], classes: int, weights: str | os.PathLike[str] | None, width: float
) -> Any:
    """Builds MobileNetV2 with a new head, or with the published one.

    Args:
        input_shape: Height, width and channels, at least 32x32; one channel is repeated
            three times inside the model.
        classes: Number of outputs.
        weights: None, ``imagenet``, or a path of a weights file with or without its head.
        width: The paper's alpha.

    Raises:
        UsageError: A weights file that is missing or of another architecture.
        EnvironmentMissingError: ``imagenet`` could not be downloaded.
    """
    keras = load_keras()
    with_head = weights is not None and has_head(weights, classes)
    keep_head = with_head and classes == IMAGENET_CLASSES
    image = keras.Input(input_shape, name="image")
    x = image
    if input_shape[2] == 1:
        x = keras.layers.Concatenate(name="gray_to_rgb")([x, x, x])
    x = keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="rescale")(x)
    application = keras.applications.MobileNetV2
    options = {"alpha": width, "include_top": with_head}
    backbone = application(input_tensor=x, weights=None, classes=IMAGENET_CLASSES, **options)
    if weights == "imagenet":
        side = input_shape[0] if input_shape[0] in PUBLISHED_SIZES else PUBLISHED_SIZES[-1]
        copy_imagenet(backbone, application, input_shape=(side, side, 3), **options)
    elif weights is not None:
        load_weights(backbone, weights)
    # out_relu is the last activation; what follows in a file with a head is its pooling and classifier.
    x = backbone.get_layer("out_relu").output
    x = keras.layers.GlobalAveragePooling2D(name=FEATURES)(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    head = keras.layers.Dense(classes, activation="softmax", name="scores")
    model = keras.Model(image, head(x), name="mobilenet_v2")
    if keep_head:
        head.set_weights(backbone.get_layer("predictions").get_weights())
    return model
