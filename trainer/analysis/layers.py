"""What a model's layers show: feature maps of a few layers, and the kernels of the first convolution.

Only those kernels are images themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.backend import load_keras

CHANNELS = 8
"""Channels shown per layer: those that vary most over the image, so neither saturated nor dead ones."""

MOST_FILTERS = 64


class NothingToShowError(Exception):
    """The model has nothing to show; the message says why, for the page."""


@dataclass(frozen=True)
class FeatureMaps:
    """The most informative channels of a layer for one image.

    Attributes:
        layer: Name of the layer.
        total: Its number of channels.
        maps: float32 ``[channels, rows, columns]``, the most varied first.
    """

    layer: str
    total: int
    maps: Float32Array


@dataclass(frozen=True)
class Filters:
    """The first layer's kernels as pictures.

    Attributes:
        layer: Name of the layer.
        total: Its number of kernels.
        pictures: uint8 ``[shown, rows, columns, 1 or 3]``; mid-gray is weight zero, each
            kernel scaled to its own largest weight.
    """

    layer: str
    total: int
    pictures: UInt8Array


class FeatureMapper:
    """Computes feature maps of the first, a middle and the last layer of a model.

    Attributes:
        layers: Names of the layers.
    """

    def __init__(self, model: Any) -> None:
        """Finds the layers.

        Args:
            model: A ``keras.Model`` on raw pixels.

        Raises:
            NothingToShowError: The model has no accessible feature maps.
        """
        keras = load_keras()
        spatial = spatial_layers(model)
        if not spatial:
            raise NothingToShowError("The model has no feature maps.")
        first = activation_of(model, first_convolution(model))
        reachable = first if first in spatial else spatial[0]
        middle = _middle(spatial[spatial.index(reachable) :])
        chosen = list(dict.fromkeys([reachable, middle, spatial[-1]]))
        self.layers = tuple(str(layer.name) for layer in chosen)
        try:
            self._model = keras.Model(model.input, [layer.output for layer in chosen])
        except Exception as error:
            raise NothingToShowError("The model's feature maps lie inside a nested model.") from error

    def of(self, image: UInt8Array) -> tuple[FeatureMaps, ...]:
        """Returns the feature maps for one image.

        Args:
            image: uint8 ``[height, width, channels]``.
        """
        keras = load_keras()
        outputs = self._model(np.asarray(image, np.float32)[None], training=False)
        result = []
        for name, output in zip(self.layers, outputs, strict=True):
            values = keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))[0]
            maps = np.moveaxis(np.asarray(values, np.float32), 2, 0)
            order = np.argsort(-maps.std(axis=(1, 2)), kind="stable")[:CHANNELS]
            result.append(FeatureMaps(name, len(maps), maps[order]))
        return tuple(result)


def first_filters(model: Any) -> Filters:
    """Returns the filters of a model's first convolution.

    Args:
        model: A ``keras.Model`` on raw pixels.

    Raises:
        NothingToShowError: The model has no convolution, or not on colour channels.
    """
    layer = first_convolution(model)
    kernel = np.asarray(layer.get_weights()[0], np.float32)
    if kernel.ndim != 4 or kernel.shape[2] not in (1, 3):
        raise NothingToShowError(
            f"The first convolution {layer.name} has {kernel.shape[2]} input channels, which are not colours."
        )
    kernels = np.moveaxis(kernel, 3, 0)
    # Those with the strongest weights, so that no dead filter is shown.
    strongest = np.argsort(-np.abs(kernels).max(axis=(1, 2, 3)), kind="stable")[:MOST_FILTERS]
    shown = kernels[np.sort(strongest)]
    peak = np.maximum(np.abs(shown).max(axis=(1, 2, 3), keepdims=True), 1e-12)
    pictures = np.rint(127.5 + 127.5 * shown / peak).astype(np.uint8)
    return Filters(str(layer.name), len(kernels), pictures)


def first_convolution(model: Any) -> Any:
    """Returns the first convolution of a model.

    Args:
        model: A ``keras.Model``, possibly with nested ones.

    Raises:
        NothingToShowError: The model has no 2-D convolution.
    """
    for layer in _flat(model):
        if type(layer).__name__ == "Conv2D":
            return layer
    raise NothingToShowError("The model has no convolution.")


def spatial_layers(model: Any) -> list[Any]:
    """Returns the layers of the outer model that output feature maps, in order.

    Args:
        model: A ``keras.Model``.

    Returns:
        Layers from the first convolution on with an output ``[batch, height, width, channels]``
        of more than one pixel.
    """
    found = []
    seen_convolution = False
    for layer in model.layers:
        seen_convolution = seen_convolution or _convolves(layer)
        shape = _output_shape(layer) or ()
        if seen_convolution and len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1:
            found.append(layer)
    return found


def activation_of(model: Any, layer: Any) -> Any:
    """Returns the activation of a convolution if that is a layer of its own, else the convolution.

    Args:
        model: The model.
        layer: One of its convolutions.
    """
    names = [entry.name for entry in model.layers]
    if layer.name not in names:
        return layer
    for follower in model.layers[names.index(layer.name) + 1 :][:2]:
        kind = type(follower).__name__
        if kind in ("Activation", "ReLU", "LeakyReLU"):
            return follower
        if kind != "BatchNormalization":
            break
    return layer


def _middle(layers: list[Any]) -> Any:
    """An activation or pooling about halfway, at the end of a block."""
    half = len(layers) // 2
    ends = ("Activation", "ReLU", "Add", "MaxPooling2D", "AveragePooling2D", "Concatenate")
    return next((layer for layer in layers[half:-1] if type(layer).__name__ in ends), layers[half])


def _convolves(layer: Any) -> bool:
    return any("Conv" in type(entry).__name__ for entry in _flat(layer))


def _flat(layer: Any) -> Iterator[Any]:
    """The layer itself or, for a nested model, all of its layers."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
        return
    for entry in inner:
        yield from _flat(entry)


def _output_shape(layer: Any) -> tuple[int | None, ...] | None:
    """The output shape; None for a layer that is used several times or has several outputs."""
    try:
        shape = layer.output.shape
    # Keras raises ValueError, AttributeError or RuntimeError, depending on the layer.
    except Exception:
        return None
    return tuple(shape)
