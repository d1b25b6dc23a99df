"""Builds pretrained models, flat, on raw pixels: from keras.applications, or on a SavedModel.

A model of keras.applications gets a new head or keeps the published one; ``feature_extractor``
is a SavedModel as a frozen backbone, with a new head.
"""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

import numpy as np

from edge_runtime.common.errors import UnknownNameError, UsageError
from trainer.models.catalog import Application
from trainer.models.frozen_graph import layer_class, pack
from trainer.models.saved_model import freeze_saved_model
from trainer.models.weights import copy_imagenet, has_head, load_weights

IMAGENET_CLASSES = 1000

FEATURES = "features"
"""Name of the backbone's last layer, whose output is the head's input."""

FEATURE_EXTRACTOR = "feature_extractor"

PixelRange = Literal["0..1", "-1..1", "0..255"]
"""Values of black and white that a SavedModel expects. Nothing in its files says so."""

DEFAULT_PIXEL_RANGE: PixelRange = "0..1"
"""As specified by TF-Hub's common signatures for images."""

_RESCALINGS: dict[str, tuple[float, float]] = {"0..1": (1 / 255, 0.0), "-1..1": (1 / 127.5, -1.0)}

_CAFFE_MEANS_RGB = (123.68, 116.779, 103.939)
"""ImageNet channel means of keras.applications.imagenet_utils, mode ``caffe``."""

_EFFICIENTNET_STD = (0.229, 0.224, 0.225)
"""keras.applications.efficientnet divides by the roots of these when it loads its own weights."""

_DROPOUT = 0.2


def build_pretrained(
    keras: Any,
    name: str,
    application: Application,
    input_shape: tuple[int, int, int],
    classes: int,
    weights: str | os.PathLike[str] | None,
    width: float,
) -> Any:
    """Builds an architecture of ``keras.applications``.

    The published head is kept if the weights include one and ``classes`` is 1000. With
    random weights the whole published architecture is built.

    Args:
        keras: The keras module.
        name: Name of the model.
        application: How ``keras.applications`` builds it.
        input_shape: Height, width and channels; one channel is repeated three times inside.
        classes: Number of outputs.
        weights: None, ``imagenet``, or a path of a weights file with or without its head.
        width: Multiplier of the layers' widths.

    Raises:
        UsageError: The weights file is missing or for another architecture.
        EnvironmentMissingError: ``imagenet`` could not be downloaded.
    """
    function = getattr(keras.applications, application.function)
    with_head = weights is not None and has_head(weights, classes)
    whole = with_head or weights is None
    options: dict[str, Any] = {"include_top": whole}
    if application.width_option:
        options[application.width_option] = width
    image = keras.Input(input_shape, name="image")
    backbone = function(
        input_tensor=_scaled(keras, application, image),
        weights=None,
        classes=IMAGENET_CLASSES if with_head else classes,
        **options,
    )
    if weights == "imagenet":
        side = input_shape[0] if input_shape[0] in application.sizes else application.sizes[-1]
        copy_imagenet(backbone, function, input_shape=(side, side, 3), **options)
    elif weights is not None:
        load_weights(backbone, weights)
    if weights is not None:
        _adapt_input(backbone, application)
    classifier = _classifier(backbone) if whole else None
    if classifier is None:
        x = keras.layers.GlobalAveragePooling2D(name=FEATURES)(backbone.output)
    else:
        x = keras.layers.Flatten(name=FEATURES)(_before_dropout(keras, classifier.input))
    model = _with_head(keras, image, x, application.dropout, classes, name)
    if with_head and classes == IMAGENET_CLASSES and classifier is not None:
        kernel, bias = classifier.get_weights()
        # MobileNetV3's classifier is a 1x1 convolution: the same weights in another shape.
        model.get_layer("scores").set_weights([kernel.reshape(-1, kernel.shape[-1]), bias])
    return model


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
    backbone = freeze_saved_model(weights, (*input_shape[:2], 3))
    image = keras.Input(input_shape, name="image")
    x = _as_rgb(keras, image)
    if chosen in _RESCALINGS:
        scale, offset = _RESCALINGS[chosen]
        x = keras.layers.Rescaling(scale, offset=offset, name="rescale")(x)
    shapes = [[name, list(number.shape)] for name, number in backbone.weights.items()]
    layer = layer_class()(pack(backbone.graph), shapes, list(backbone.output), name="backbone")
    layer.set_weights(list(backbone.weights.values()))
    x = layer(x)
    pool = keras.layers.Flatten if len(backbone.output) == 2 else keras.layers.GlobalAveragePooling2D
    return _with_head(keras, image, pool(name=FEATURES)(x), _DROPOUT, classes, FEATURE_EXTRACTOR)


def check_pixel_range(pixel_range: str) -> None:
    """Checks that a range is one of :data:`PixelRange`.

    Args:
        pixel_range: The user's value.

    Raises:
        UnknownNameError: The range is unknown.
    """
    if pixel_range not in get_args(PixelRange):
        raise UnknownNameError.of("pixel_range", pixel_range, get_args(PixelRange))


def _as_rgb(keras: Any, image: Any) -> Any:
    """Repeats the channel of gray images."""
    return keras.layers.Concatenate(name="gray_to_rgb")([image] * 3) if image.shape[-1] == 1 else image


def _with_head(keras: Any, image: Any, features: Any, dropout: float, classes: int, name: str) -> Any:
    """The model from the image to the scores."""
    x = keras.layers.Dropout(dropout, name="head_dropout")(features)
    scores = keras.layers.Dense(classes, activation="softmax", name="scores")(x)
    return keras.Model(image, scores, name=name)


def _scaled(keras: Any, application: Application, image: Any) -> Any:
    """Scales raw pixels as the published weights expect them."""
    x = _as_rgb(keras, image)
    if application.scaling == "unit":
        return keras.layers.Rescaling(1.0 / 127.5, offset=-1.0, name="rescale")(x)
    if application.scaling == "caffe":
        offset = [-mean for mean in _CAFFE_MEANS_RGB]
        return keras.layers.Rescaling(1.0, offset=offset, name="rescale")(x)
    return x


def _adapt_input(backbone: Any, application: Application) -> None:
    """Folds the application's preprocessing outside its layers into their weights."""
    if application.scaling == "caffe":
        first = backbone.get_layer(application.first_convolution)
        kernel, *rest = first.get_weights()
        first.set_weights([kernel[:, :, ::-1, :], *rest])
    for layer in backbone.layers:
        if application.function == "EfficientNetB0" and type(layer).__name__ == "Normalization":
            mean, variance, *rest = layer.get_weights()
            layer.set_weights([mean, variance * np.asarray(_EFFICIENTNET_STD, np.float32), *rest])
            # The layer computes with copies of its weights, taken here.
            layer.finalize_state()


def _classifier(backbone: Any) -> Any:
    """The last layer with weights."""
    return next(layer for layer in reversed(backbone.layers) if layer.weights)


def _before_dropout(keras: Any, tensor: Any) -> Any:
    """The classifier's input in inference; dropout is part of the new head."""
    layer = tensor._keras_history.operation
    return layer.input if isinstance(layer, keras.layers.Dropout) else tensor
