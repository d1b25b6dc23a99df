"""Pairs of products that fit 16 bits, so that an int8 .onnx file gives the same answers on every CPU.

On x86 CPUs without VNNI, kernels multiply uint8 activations by int8 weights with ``vpmaddubsw``: it
adds two neighbouring products in 16 bits and saturates. Two large weights of the same sign are
enough: 255 * 127 + 255 * 127 = 64,770, and 32,767 comes out. CPUs with VNNI add in 32 bits, so the
same file answers differently there. Which weights are neighbours depends on the kernel, so any two
of an output channel count as a pair here. Two ways out, both exact everywhere:

``narrow`` (the default)
    The scale of each output channel is chosen so that no two of its weights of one sign add up to
    more than 128 steps: 255 * 128 = 32,640. It costs up to one bit of the weights, most of which
    shows as a shift of each channel's mean, and bias correction takes that back. Same kernels, same
    speed.

``unsigned``
    Weights are stored as uint8, 128 higher, with 128 as their zero point. All 8 bits, and u8 x u8
    kernels add in 32 bits; but ONNX Runtime 1.31 has none that use VNNI, so that an inference takes
    about twice as long on a CPU with VNNI (`benchmarks.quantization`). ONNX Runtime's option
    ``session.x64quantprecision`` does the same to a file while it loads.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from edge_runtime.result import Float32Array
from exporter.quantize.grid import LARGEST, SMALLEST_SCALE

LARGEST_SUM = 128
"""Largest sum of two weights of one sign, in steps: 255 * 128 fits int16, 255 * 129 does not."""

IntArray: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


def pair_sums(steps: np.ndarray[Any, Any]) -> IntArray:
    """The largest magnitude that two weights of one sign add up to, for each output channel.

    Args:
        steps: Weights in steps of their grid, output channel first, less their zero point.

    Returns:
        int64 ``[out]``.
    """
    rows = np.asarray(steps).reshape(len(steps), -1).astype(np.int64)
    ends = np.sort(np.pad(rows, ((0, 0), (2, 2))), axis=1)
    sums: IntArray = np.maximum(ends[:, -2:].clip(min=0).sum(axis=1), -ends[:, :2].clip(max=0).sum(axis=1))
    return sums


def narrow_scales(weights: Float32Array) -> Float32Array:
    """The smallest scales of an int8 grid on which no pair of weights passes :data:`LARGEST_SUM`.

    Args:
        weights: float32, output channel first.

    Returns:
        float32 ``[out]``; 1 for a channel of zeros.
    """
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    ends = np.sort(np.pad(rows, ((0, 0), (2, 2))), axis=1)
    sums = np.maximum(ends[:, -2:].clip(min=0.0).sum(axis=1), -ends[:, :2].clip(max=0.0).sum(axis=1))
    scales = np.maximum(np.abs(rows).max(axis=1, initial=0.0) / LARGEST, sums / LARGEST_SUM)
    scales[scales < SMALLEST_SCALE] = 1.0
    # Rounding may add a step to each of the two: a little wider, until none does.
    while True:
        found: Float32Array = scales.astype(np.float32)
        wide = pair_sums(np.round(rows / found[:, np.newaxis].astype(np.float64))) > LARGEST_SUM
        if not wide.any():
            return found
        scales[wide] *= 1.0 + 1.0 / LARGEST_SUM
