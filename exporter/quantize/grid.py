"""The int8 grid of weights, as both quantizers lay it: symmetric, per output channel."""

from __future__ import annotations

import numpy as np

from edge_runtime.result import Float32Array

LARGEST = 127.0
"""Largest int8 weight; -128 is not used, so that the grid is symmetric (LiteRT's int8 specification)."""


def on_grid(weights: Float32Array) -> Float32Array:
    """The values that int8 weights stand for.

    Args:
        weights: float32, output channel first.

    Returns:
        float32 of the same shape, each at most half a step away.
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    scale = np.abs(rows).max(axis=1, keepdims=True, initial=0.0) / LARGEST
    scale[scale == 0.0] = 1.0
    steps = np.clip(np.round(rows / scale), -LARGEST, LARGEST)
    values: Float32Array = (steps * scale).reshape(weights.shape).astype(np.float32)
    return values
