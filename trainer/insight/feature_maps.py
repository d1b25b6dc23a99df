"""Feature maps of a few layers for one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.backend import load_keras
from trainer.insight.layers import NothingToShowError, activation_of, first_convolution, spatial_layers

CHANNELS = 8
"""Channels shown per layer: those that vary most over the image, so neither saturated nor dead ones."""


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


def _middle(layers: list[Any]) -> Any:
    """An activation or pooling about halfway, at the end of a block."""
    half = len(layers) // 2
    ends = ("Activation", "ReLU", "Add", "MaxPooling2D", "AveragePooling2D", "Concatenate")
    return next((layer for layer in layers[half:-1] if type(layer).__name__ in ends), layers[half])
