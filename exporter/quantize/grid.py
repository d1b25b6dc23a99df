"""The int8 grid of weights: symmetric, per output channel."""

from __future__ import annotations

import numpy as np

from edge_runtime.result import Float32Array

LARGEST = 127.0
"""Largest int8 weight; -128 is not used, so that the grid is symmetric (LiteRT's int8 specification)."""

SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""Below this, a float32 scale loses digits and becomes 0: such weights are treated as zeros."""


def full_scales(weights: Float32Array) -> Float32Array:
    """The scales that use the whole grid.

    Args:
        weights: float32, output channel first.

    Returns:
        float32 ``[out]``; 1 for all-zero channels.
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    scales = np.abs(rows).max(axis=1, initial=0.0) / LARGEST
    scales[scales < SMALLEST_SCALE] = 1.0
    found: Float32Array = scales.astype(np.float32)
    return found


def on_grid(weights: Float32Array, scales: Float32Array | None = None) -> Float32Array:
    """The values that int8 weights represent.

    Args:
        weights: float32, output channel first.
        scales: The grid's step for each output channel, float32 ``[out]``; None is :func:`full_scales`.

    Returns:
        float32 of the same shape, each within half a step where the scale covers it.
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    steps = (full_scales(weights) if scales is None else scales).astype(np.float64)[:, np.newaxis]
    values = np.clip(np.round(rows / steps), -LARGEST, LARGEST) * steps
    found: Float32Array = values.reshape(weights.shape).astype(np.float32)
    return found
