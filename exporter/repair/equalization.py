"""Cross-layer equalization: rescales channels of very different size between two linear layers.

int8 has one scale for all channels of a tensor: a channel 300 times larger than the others leaves them
a single step. Between linear layers the sizes can be chosen freely: dividing channel ``i`` of the first
layer's output by ``s`` and multiplying what the second layer reads of it by ``s`` changes
nothing in float. With ``r1`` the range of the weights that write the channel and ``r2`` that of the
weights that read it, ``s = sqrt(r1 r2) / r2`` makes both equal (Nagel et al. 2019, section 4.1).

Only outliers are rescaled: channels whose ``s`` differs from their pair's median by a factor of more
than :data:`OUTLIER`. Rescaling all channels cost 12 points in float where a ReLU6
had to become a ReLU, so pairs with anything but a ReLU in between are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.engines.result import Float32Array
from exporter.quantize.graph import LinearLayer, QuantGraph

OUTLIER = 10.0
"""Factor from the median above which a channel's scale counts as an outlier."""

_SCALE_EQUIVARIANT = ("none", "relu")
"""Activations that a positive factor passes through."""


@dataclass(frozen=True)
class LayerPair:
    """A layer and all layers that read its output.

    Attributes:
        writer: Name of the layer that writes the channels.
        readers: Names of the layers that read them.
        scales: float32 ``[channels]``: what to divide the written channels by; mostly 1.
    """

    writer: str
    readers: tuple[str, ...]
    scales: Float32Array


def unequal_pairs(layers: tuple[LinearLayer, ...]) -> tuple[LayerPair, ...]:
    """Finds the pairs whose channels differ by more than :data:`OUTLIER`.

    Args:
        layers: A model's linear layers.

    Returns:
        Pairs with at least one outlier. A layer whose output is also read by anything else, such as a
        residual addition, is in no pair.
    """
    by_name = {layer.name: layer for layer in layers}
    found = []
    for layer in layers:
        linear = layer.activation in _SCALE_EQUIVARIANT and layer.readers
        if not linear or any(name not in by_name for name in layer.readers):
            continue
        readers = [by_name[name] for name in layer.readers]
        channels = len(layer.weights)
        if any(_channels_read(reader) != channels or reader.input != layer.output for reader in readers):
            continue
        written = np.abs(layer.weights.reshape(channels, -1)).max(axis=1)
        read = np.max([_read_ranges(reader) for reader in readers], axis=0)
        scales = _outlier_scales(written.astype(np.float64), read.astype(np.float64))
        if np.any(scales != 1.0):
            found.append(LayerPair(layer.name, layer.readers, scales.astype(np.float32)))
    return tuple(found)


def equalized(graph: QuantGraph, pairs: tuple[LayerPair, ...]) -> QuantGraph:
    """Rescales the outliers; the float model computes the same results as before.

    Args:
        graph: A graph.
        pairs: From :func:`unequal_pairs` of its layers.

    Returns:
        The rescaled model, to be calibrated again.
    """
    changed = {layer.name: layer for layer in graph.layers()}
    touched = set()
    for pair in pairs:
        changed[pair.writer] = divided(changed[pair.writer], pair.scales)
        for name in pair.readers:
            changed[name] = multiplied(changed[name], pair.scales)
        touched |= {pair.writer, *pair.readers}
    return graph.with_layers({name: changed[name] for name in touched})


def divided(layer: LinearLayer, scales: Float32Array) -> LinearLayer:
    """The layer with each output channel divided.

    Args:
        layer: A layer.
        scales: Positive, float32 ``[out]``.
    """
    weights = layer.weights / scales.reshape(-1, *[1] * (layer.weights.ndim - 1))
    return replace(layer, weights=weights, bias=None if layer.bias is None else layer.bias / scales)


def multiplied(layer: LinearLayer, scales: Float32Array) -> LinearLayer:
    """The layer with the weights that read each input channel multiplied.

    Args:
        layer: A layer.
        scales: Positive, float32 ``[in]``.
    """
    if layer.op == "dense":
        return replace(layer, weights=layer.weights * scales)
    outputs = len(layer.weights)
    groups = np.arange(outputs) * layer.groups // outputs
    by_output = scales.reshape(layer.groups, -1)[groups]
    return replace(layer, weights=layer.weights * by_output[:, np.newaxis, np.newaxis, :])


def _channels_read(layer: LinearLayer) -> int:
    return int(layer.weights.shape[-1]) * layer.groups


def _read_ranges(layer: LinearLayer) -> Float32Array:
    """Largest absolute weight that reads each input channel."""
    sizes = np.abs(layer.weights)
    ranges: Float32Array
    if layer.op == "dense":
        ranges = sizes.max(axis=0)
        return ranges
    outputs, _, _, inputs = sizes.shape
    grouped = sizes.max(axis=(1, 2)).reshape(layer.groups, outputs // layer.groups, inputs)
    ranges = grouped.max(axis=1).reshape(-1)
    return ranges


def _outlier_scales(
    written: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    read: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """``s`` of each channel over the median of all; 1 where it is within bounds or a side is zero."""
    scales = np.ones_like(written)
    alive = (written > 0.0) & (read > 0.0)
    if not alive.any():
        return scales
    scales[alive] = np.sqrt(written[alive] / read[alive])
    scales[alive] /= np.median(scales[alive])
    scales[(scales <= OUTLIER) & (scales >= 1.0 / OUTLIER)] = 1.0
    return scales
