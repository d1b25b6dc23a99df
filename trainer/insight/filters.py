"""The kernels of the first convolution, the only ones that are images themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from trainer.insight.layers import NothingToShowError, first_convolution

MOST_FILTERS = 64


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
