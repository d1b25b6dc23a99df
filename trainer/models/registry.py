"""Builds an architecture by name."""

from __future__ import annotations

import os
from typing import Any

from edge_runtime.errors import UsageError
from trainer.backend import load_keras
from trainer.models.catalog import info
from trainer.models.extractor import FEATURE_EXTRACTOR, build_extractor
from trainer.models.pretrained import build_pretrained
from trainer.models.scratch import build_scratch

Weights = str | os.PathLike[str] | None


def build(
    name: str,
    *,
    input_shape: tuple[int, int, int],
    classes: int,
    weights: Weights = None,
    width: float = 1.0,
    pixel_range: str | None = None,
) -> Any:
    """Builds a model on raw pixels.

    Args:
        name: One of :func:`trainer.models.names`.
        input_shape: Height, width and channels (1 or 3).
        classes: Number of outputs, at least 1.
        weights: None or ``none`` for random weights, ``imagenet``, or the path of a Keras weights
            file. The head is loaded only if the weights include one and ``classes`` is 1000.
            For ``feature_extractor``, a SavedModel folder.
        width: Width multiplier.
        pixel_range: Pixel range that the SavedModel of ``feature_extractor`` expects: ``0..1``,
            ``-1..1`` or ``0..255``; None for ``0..1``. Must be None for the other models.

    Returns:
        A functional ``keras.Model``: input layer ``image``, float32 pixels 0..255
        ``[batch, *input_shape]``; output layer ``scores``, float32 ``[batch, classes]``,
        each row summing to 1. No layer is nested.

    Raises:
        UnknownNameError: The architecture or pixel range is unknown.
        UsageError: The shape, class count, width or weights file is invalid for the model.
        ModelFileError: The SavedModel contains operations that a frozen backbone must not have.
        EnvironmentMissingError: Keras is not installed, or ``imagenet`` could not be downloaded.
    """
    model = info(name)
    height, wide, channels = input_shape
    if min(height, wide) < model.min_size or channels not in (1, 3):
        raise UsageError(
            f"The input of {name} must be at least {model.min_size}x{model.min_size} with 1 or 3 channels. "
            f"Received: input_shape={input_shape}. Choose a larger size."
        )
    if classes < 1:
        raise UsageError(
            f"A model must have at least one class. Received: classes={classes}. Pass at least 1."
        )
    chosen = None if weights == "none" else weights
    if pixel_range is not None and name != FEATURE_EXTRACTOR:
        raise UsageError(
            f"pixel_range is for feature_extractor only. Received: pixel_range={pixel_range} for {name}. Leave it out."
        )
    if width != 1.0 and not model.widths:
        raise UsageError(f"{name} must have width 1.0. Received: {width}. Leave the width out.")
    keras = load_keras()
    if name == FEATURE_EXTRACTOR:
        return build_extractor(keras, (height, wide, channels), classes, chosen, pixel_range)
    if model.application is not None:
        return build_pretrained(
            keras, name, model.application, (height, wide, channels), classes, chosen, width
        )
    if chosen is not None:
        raise UsageError(f"{name} must start from random weights. Received: {chosen}. Pass weights=None.")
    return build_scratch(keras, name, (height, wide, channels), classes)
