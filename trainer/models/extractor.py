"""Builds ``feature_extractor``: a SavedModel as a frozen backbone, with a new head."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

from edge_runtime.errors import UnknownNameError, UsageError
from trainer.models.frozen_graph import layer_class, pack
from trainer.models.pretrained import FEATURES
from trainer.models.saved_model import freeze_saved_model

FEATURE_EXTRACTOR = "feature_extractor"

PixelRange = Literal["0..1", "-1..1", "0..255"]
"""Values of black and white that a SavedModel expects. Nothing in its files says so."""

DEFAULT_PIXEL_RANGE: PixelRange = "0..1"
"""As specified by TF-Hub's common signatures for images."""

_RESCALINGS: dict[str, tuple[float, float]] = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}

_DROPOUT = 0.2


def check_pixel_range(pixel_range: str) -> None:
    """Checks that a range is one of :data:`PixelRange`.

    Args:
        pixel_range: The user's value.

    Raises:
        UnknownNameError: The range is unknown.
    """
    if pixel_range not in get_args(PixelRange):
        raise UnknownNameError.of("pixel_range", pixel_range, get_args(PixelRange))


def build_extractor(
    keras: Any,
    input_shape: tuple[int, int, int],
    classes: int,
    weights: str | os.PathLike[str] | None,
    pixel_range: str | None,
) -> Any:
    """Builds a classifier on a SavedModel's features; only its head is trainable.

    Args:
        keras: The keras module.
        input_shape: Height, width and channels; one channel is repeated three times inside.
        classes: Number of outputs.
        weights: The SavedModel folder; not needed any more once the model is built.
        pixel_range: One of :data:`PixelRange`; None for :data:`DEFAULT_PIXEL_RANGE`.

    Raises:
        UsageError: Keras does not run on TensorFlow, or ``weights`` is not a SavedModel that
            computes features of such images.
        ModelFileError: The SavedModel contains operations that a frozen backbone must not have.
    """
    chosen = pixel_range or DEFAULT_PIXEL_RANGE
    check_pixel_range(chosen)
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"{FEATURE_EXTRACTOR} must run on Keras' TensorFlow backend. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}. Set KERAS_BACKEND=tensorflow."
        )
    if weights is None or weights == "imagenet":
        raise UsageError(
            f"{FEATURE_EXTRACTOR} must have a SavedModel. Received: weights={weights}. "
            "Pass --weights FOLDER of a SavedModel or an unpacked TF-Hub feature vector."
        )
    height, width, channels = input_shape
    backbone = freeze_saved_model(weights, (height, width, 3))
    image = keras.Input((height, width, channels), name="image")
    x = image
    if channels == 1:
        x = keras.layers.Concatenate(name="gray_to_rgb")([x, x, x])
    if chosen in _RESCALINGS:
        scale, offset = _RESCALINGS[chosen]
        x = keras.layers.Rescaling(scale, offset=offset, name="rescale")(x)
    shapes = [[name, list(number.shape)] for name, number in backbone.weights.items()]
    layer = layer_class()(pack(backbone.graph), shapes, list(backbone.output), name="backbone")
    layer.set_weights(list(backbone.weights.values()))
    x = layer(x)
    pool = keras.layers.Flatten if len(backbone.output) == 2 else keras.layers.GlobalAveragePooling2D
    x = pool(name=FEATURES)(x)
    x = keras.layers.Dropout(_DROPOUT, name="head_dropout")(x)
    scores = keras.layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(image, scores, name=FEATURE_EXTRACTOR)
