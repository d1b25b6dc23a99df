"""Builds an architecture by name; those trained from scratch are defined here.

Their functions take ``keras.layers`` and the scaled image, and return the input of the final
dense layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from edge_runtime.common.errors import UsageError
from trainer.core.backend import load_keras
from trainer.models.catalog import info
from trainer.models.pretrained import FEATURE_EXTRACTOR, build_extractor, build_pretrained

Weights = str | os.PathLike[str] | None
Body = Callable[[Any, Any], Any]


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
        return build_extractor(keras, input_shape, classes, chosen, pixel_range)
    if model.application is not None:
        return build_pretrained(keras, name, model.application, input_shape, classes, chosen, width)
    if chosen is not None:
        raise UsageError(f"{name} must start from random weights. Received: {chosen}. Pass weights=None.")
    return build_scratch(keras, name, input_shape, classes)


def build_scratch(
    keras: Any, name: str, input_shape: tuple[int, int, int], classes: int, *, halved: bool = False
) -> Any:
    """Builds an architecture with random weights.

    Args:
        keras: The keras module.
        name: One of :data:`BODIES`.
        input_shape: Height, width and channels.
        classes: Number of outputs.
        halved: Whether it halves the image first, by the mean of each 2x2 pixels.
    """
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1.0 / 255.0, name="rescale")(image)
    if halved:
        x = keras.layers.AveragePooling2D(2, name="halve")(x)
    x = BODIES[name](keras.layers, x)
    scores = keras.layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(image, scores, name=name)


def small_cnn(layers: Any, x: Any) -> Any:
    """Two convolutions, each with pooling; 121,930 parameters at 28x28x1 and 10 classes."""
    return _dense(layers, _two_convolutions(layers, x))


def deep_cnn(layers: Any, x: Any) -> Any:
    """Three convolutions of 32, 64 and 64 channels."""
    x = layers.Conv2D(64, 3, activation="relu", name="conv3")(_two_convolutions(layers, x))
    return _dense(layers, x)


def cifar_cnn(layers: Any, x: Any) -> Any:
    """Three blocks of two convolutions with pooling and dropout, then global average pooling."""
    for block, channels in enumerate((32, 64, 128), start=1):
        for half in "ab":
            name = f"conv{block}{half}"
            x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=name)(x)
        x = layers.MaxPooling2D(name=f"pool{block}")(x)
        x = layers.Dropout(0.1 + 0.1 * block, name=f"dropout{block}")(x)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dense(128, activation="relu", name="dense")(x)
    return layers.Dropout(0.3, name="dropout")(x)


def bn_cnn(layers: Any, x: Any) -> Any:
    """Three blocks of two convolutions with batch normalisation, L2 and dropout."""
    for block, channels in enumerate((32, 64, 128), start=1):
        for half in "ab":
            x = layers.Conv2D(
                channels, 3, padding="same", use_bias=False, kernel_regularizer="l2",
                name=f"conv{block}{half}",
            )(x)  # fmt: skip
            x = layers.BatchNormalization(name=f"norm{block}{half}")(x)
            x = layers.Activation("relu", name=f"relu{block}{half}")(x)
        x = layers.MaxPooling2D(name=f"pool{block}")(x)
        x = layers.Dropout(0.1 + 0.1 * block, name=f"dropout{block}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(128, use_bias=False, kernel_regularizer="l2", name="dense")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Activation("relu", name="relu")(x)
    return layers.Dropout(0.5, name="dropout")(x)


def lenet5(layers: Any, x: Any) -> Any:
    """LeNet-5 (LeCun et al. 1998): tanh and average pooling; 61,706 parameters at 32x32x1 and 10 classes."""
    x = layers.Conv2D(6, 5, activation="tanh", name="c1")(x)
    x = layers.AveragePooling2D(2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation="tanh", name="c3")(x)
    x = layers.AveragePooling2D(2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation="tanh", name="c5")(x)
    return layers.Dense(84, activation="tanh", name="f6")(x)


def resnet18(layers: Any, x: Any) -> Any:
    """ResNet-18 (He et al. 2015): four stages of two residual blocks, projection shortcuts.

    Below 64 pixels the stem keeps the image size, as in the paper's CIFAR networks.
    """
    if min(x.shape[1:3]) < 64:
        x = _conv_norm(layers, x, 64, 3, 1, "stem")
        x = layers.Activation("relu", name="stem_relu")(x)
    else:
        x = _conv_norm(layers, x, 64, 7, 2, "stem")
        x = layers.Activation("relu", name="stem_relu")(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        for block in (1, 2):
            name = f"stage{stage}_block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            short = x if stride == 1 else _conv_norm(layers, x, channels, 1, stride, f"{name}_project")
            y = _conv_norm(layers, x, channels, 3, stride, f"{name}_a")
            y = layers.Activation("relu", name=f"{name}_a_relu")(y)
            y = _conv_norm(layers, y, channels, 3, 1, f"{name}_b")
            x = layers.Activation("relu", name=f"{name}_relu")(layers.Add(name=f"{name}_add")([short, y]))
    return layers.GlobalAveragePooling2D(name="features")(x)


def _two_convolutions(layers: Any, x: Any) -> Any:
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    return layers.MaxPooling2D(name="pool2")(x)


def _dense(layers: Any, x: Any) -> Any:
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="dense")(x)
    return layers.Dropout(0.3, name="dropout")(x)


def _conv_norm(layers: Any, x: Any, channels: int, kernel: int, stride: int, name: str) -> Any:
    x = layers.Conv2D(
        channels, kernel, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal", name=name,
    )(x)  # fmt: skip
    return layers.BatchNormalization(name=f"{name}_norm")(x)


BODIES: dict[str, Body] = {
    body.__name__: body for body in (bn_cnn, cifar_cnn, deep_cnn, lenet5, resnet18, small_cnn)
}
"""Body of every architecture by name."""
