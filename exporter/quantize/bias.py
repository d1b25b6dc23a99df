"""Bias correction: compensates the mean shift caused by rounded weights.

A rounding error of the weights, ``dW = Wq - W``, shifts a layer's output by ``dW * x`` and so by
``dW * E[x]`` on average, which the bias can compensate: ``b' = b - dW * E[x]``, summed over the
kernel (Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias
Correction, section 4.2). ``E[x]`` is measured on calibration images here, per kernel position.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from edge_runtime.result import Float32Array
from exporter.quantize.graph import LinearLayer, QuantGraph


def corrected(
    graph: QuantGraph, means: Mapping[str, Float32Array], *, float_ops: Collection[str] = ()
) -> QuantGraph:
    """Corrects the bias of every linear layer.

    Args:
        graph: A graph; its calibration is kept.
        means: Mean input of each kernel position, from ``graph.input_means``.
        float_ops: Layers that stay in float: their weights are not rounded, so their biases are kept.

    Returns:
        The same model with corrected biases.
    """
    changed = {}
    for layer in graph.layers():
        if layer.name in float_ops:
            continue
        shift = mean_shift(layer, graph.rounded(layer), means[layer.name])
        bias = np.zeros(len(shift), dtype=np.float32) if layer.bias is None else layer.bias
        changed[layer.name] = replace(layer, bias=(bias - shift).astype(np.float32))
    return graph.with_layers(changed)


def mean_shift(layer: LinearLayer, rounded: Float32Array, mean: Float32Array) -> Float32Array:
    """Mean shift of a layer's outputs when its weights are rounded to int8.

    Args:
        layer: A layer.
        rounded: Its weights as the int8 file holds them.
        mean: Mean input of each kernel position, float32 ``[height, width, in]``; for a dense layer
            ``[in]``.

    Returns:
        float32 ``[out]``.
    """
    error = rounded.astype(np.float64) - layer.weights
    shift: Float32Array
    if layer.op == "dense":
        shift = (error @ mean).astype(np.float32)
        return shift
    # [groups, out / groups, height, width, in / groups] against the means of the same group.
    outputs, height, width, inputs = error.shape
    grouped = error.reshape(layer.groups, outputs // layer.groups, height, width, inputs)
    seen = mean.reshape(height, width, layer.groups, inputs)
    shift = np.einsum("gohwi,hwgi->go", grouped, seen).reshape(-1).astype(np.float32)
    return shift
