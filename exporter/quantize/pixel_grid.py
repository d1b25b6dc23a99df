"""Pixels on their own grid: folds the normalisation at the input into the first convolution.

A normalisation such as ``x / 127.5 - 1`` maps the 256 pixel values halfway between the steps of an int8
grid (its zero must be a step, and 127.5 is not one), so that every pixel is rounded by half a step,
always in the same direction. It also adds two operations on the largest tensor of the model. Both
disappear if the first convolution reads ``z = x + k`` with an integer ``k``: its weights absorb the
factor, its bias the rest, and every ``z`` is a step of the grid.

A padded convolution pads with zeros after the normalisation, so ``k`` must be what the
normalisation subtracts, in pixels. It is rounded to an integer, 128 for 127.5, which affects only the
padding. Without padding ``k`` is 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from exporter.quantize.graph import LinearLayer

_NEAR = 0.5
"""Largest difference, in pixel values, between the exact and the rounded padding."""

Float64Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Affine:
    """``factor * x + offset`` per channel.

    Attributes:
        factor: float64 ``[channels]``.
        offset: float64 ``[channels]``.
    """

    factor: Float64Array
    offset: Float64Array

    @classmethod
    def identity(cls, channels: int) -> Affine:
        """Unchanged pixels."""
        return cls(np.ones(channels), np.zeros(channels))

    def then(self, operation: str, constant: Float64Array) -> Affine | None:
        """This, followed by one operation with a constant on its right.

        Args:
            operation: ``mul``, ``add``, ``sub`` or ``div``.
            constant: One number, or one per channel along the last axis.

        Returns:
            None if the constant has another shape.
        """
        channels = len(self.factor)
        if constant.size not in (1, channels) or (constant.size > 1 and constant.shape[-1] != channels):
            return None
        by = np.broadcast_to(constant.reshape(-1), (channels,))
        if operation == "mul":
            return Affine(self.factor * by, self.offset * by)
        if operation == "div":
            return Affine(self.factor / by, self.offset / by)
        return Affine(self.factor, self.offset + (by if operation == "add" else -by))


def folded(layer: LinearLayer, affine: Affine, *, padded: bool) -> tuple[LinearLayer, int] | None:
    """The first layer, reading ``x + k`` instead of ``factor * x + offset``.

    Args:
        layer: The first layer.
        affine: The normalisation between the pixels and the layer.
        padded: Whether it pads its input.

    Returns:
        The layer and ``k``; None if no integer ``k`` is close enough for the padding.
    """
    if not np.all(np.isfinite(affine.factor)) or np.any(affine.factor == 0.0):
        return None
    shift = 0
    if padded:
        wanted = affine.offset / affine.factor
        # Half to even would give 128 for 127.5 and 126 for 126.5; either is as good.
        shift = int(np.rint(wanted.mean()))
        if np.abs(wanted - shift).max() > _NEAR + 1e-3 or not -255 <= shift <= 0:
            return None
    outputs, _, _, inputs = layer.weights.shape
    groups = np.arange(outputs) * layer.groups // outputs
    factor = affine.factor.reshape(layer.groups, inputs)[groups][:, np.newaxis, np.newaxis, :]
    rest = (affine.offset - affine.factor * shift).reshape(layer.groups, inputs)[groups]
    bias = np.zeros(outputs) if layer.bias is None else layer.bias.astype(np.float64)
    bias = bias + np.einsum("ohwi,oi->o", layer.weights.astype(np.float64), rest)
    weights = (layer.weights * factor).astype(np.float32)
    return replace(layer, weights=weights, bias=bias.astype(np.float32)), shift
