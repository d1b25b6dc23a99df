"""Pairs of products that fit 16 bits, so that an int8 .onnx file gives the same answers on every CPU.

On x86 CPUs without VNNI, kernels multiply uint8 activations by int8 weights with ``vpmaddubsw``: it
adds two neighbouring products in 16 bits and saturates. Two large weights of the same sign are
enough: 255 * 127 + 255 * 127 = 64,770 becomes 32,767. CPUs with VNNI add in 32 bits, so the
same file answers differently there. Neighbours are two consecutive weights of one output
channel, whether a kernel iterates over the input channels innermost or over the taps (ONNX Runtime does
both), and wherever it starts. A depthwise convolution has none: adjacent products belong to different
channels, so kernels widen each product before adding. Two solutions, both exact on every CPU:

``narrow`` (the default)
    The scale of each output channel is chosen so that no two neighbours of one sign add up to more
    than 128 steps: 255 * 128 = 32,640. It costs a third of a bit on average, mostly as a shift of each
    channel's mean, which bias correction compensates. Same kernels, same speed.

``unsigned``
    Weights are stored as uint8, 128 higher, with 128 as their zero point. All 8 bits, and u8 x u8
    kernels add in 32 bits; but ONNX Runtime 1.31 has none that use VNNI, so an inference takes about
    twice as long on a CPU with VNNI (`benchmarks.quantization`). ONNX Runtime's option
    ``session.x64quantprecision`` does the same to a file while it loads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from exporter.drift import IntArray
from exporter.quantize.grid import LARGEST, SMALLEST_SCALE

LARGEST_SUM = 128
"""Largest sum of two neighbours of one sign, in steps: 255 * 128 fits int16, 255 * 129 does not."""


def pair_sums(steps: np.ndarray[Any, Any]) -> IntArray:
    """The largest magnitude of the sum of two neighbouring weights of one sign, per output channel.

    Args:
        steps: Weights as stored in an int8 file, output channel first and input channel last:
            ``[out, ..., in]``.

    Returns:
        int64 ``[out]``; for a channel with a single weight, its magnitude.
    """
    sums: IntArray = _largest_sums(np.asarray(steps).astype(np.int64))
    return sums


def narrow_scales(weights: Float32Array) -> Float32Array:
    """The smallest scales of an int8 grid on which no two neighbours exceed :data:`LARGEST_SUM`.

    Args:
        weights: float32 ``[out, ..., in]``.

    Returns:
        float32 ``[out]``; 1 for all-zero channels.
    """
    exact = weights.astype(np.float64)
    axes = (slice(None), *[np.newaxis] * (weights.ndim - 1))
    scales = np.maximum(
        np.abs(exact).reshape(len(exact), -1).max(axis=1, initial=0.0) / LARGEST,
        _largest_sums(exact) / LARGEST_SUM,
    )
    scales[scales < SMALLEST_SCALE] = 1.0
    # Rounding may add a step to each of the two: widen a little until the sums fit.
    while True:
        found: Float32Array = scales.astype(np.float32)
        wide = pair_sums(np.round(exact / found[axes].astype(np.float64))) > LARGEST_SUM
        if not wide.any():
            return found
        scales[wide] *= 1.0 + 1.0 / LARGEST_SUM


def _largest_sums(weights: Any) -> Any:
    """Over both orders in which kernels read the weights of an output channel: ``[out]``."""
    found = np.zeros(len(weights), dtype=weights.dtype)
    # For a dense layer both are the same.
    for order in (weights, np.moveaxis(weights, -1, 1)) if weights.ndim > 2 else (weights,):
        rows = np.pad(order.reshape(len(weights), -1), ((0, 0), (0, 1)))
        for sign in (1, -1):
            one_sign = (sign * rows).clip(min=0)
            np.maximum(found, (one_sign[:, :-1] + one_sign[:, 1:]).max(axis=1, initial=0), out=found)
    return found
