"""Bias correction: compensates the mean shift caused by rounded weights.

A rounding error of the weights, ``dW = Wq - W``, shifts a layer's output by ``dW * x`` and so by
``dW * E[x]`` on average, which the bias can compensate: ``b' = b - dW * E[x]``, summed over the
kernel (Nagel et al. 2019, Data-Free Quantization Through Weight Equalization and Bias
Correction, section 4.2). ``E[x]`` is measured on calibration images here, separately for each position
of a kernel, since the positions at its edge also see padding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edge_runtime.engines.result import Float32Array
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


@dataclass(frozen=True)
class Geometry:
    """How a kernel moves over its input; pairs are height, width.

    Attributes:
        strides: Steps between outputs.
        dilations: Steps between kernel elements.
        pads: Zeros above and on the left.
        output: Size of the output.
    """

    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: tuple[int, int]
    output: tuple[int, int]


def same_padding(size: int, given: int, kernel: int, stride: int, dilation: int) -> int:
    """Zeros that ``SAME`` padding adds along one axis, on both sides together.

    Args:
        size: Of the input.
        given: Size of the output.
        kernel: Size of the kernel.
        stride: Steps between outputs.
        dilation: Steps between kernel elements.
    """
    return max((given - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)


def window_means(mean_map: Float32Array, kernel: tuple[int, int], geometry: Geometry) -> Float32Array:
    """Averages a layer's input over all places a kernel element visits.

    At the edge of a small map an element often lies on padding: for a 3x3 kernel on 5x5, a corner element
    does in 9 of 25 places. So the mean depends on the element.

    Args:
        mean_map: float32 ``[height, width, channels]``, the input's mean over images.
        kernel: Size of the kernel.
        geometry: How it moves.

    Returns:
        float32 ``[kernel height, kernel width, channels]``.
    """
    means = np.zeros((*kernel, mean_map.shape[2]), dtype=np.float32)
    places = geometry.output[0] * geometry.output[1]
    rows = [_hits(mean_map.shape[0], y, geometry, 0) for y in range(kernel[0])]
    columns = [_hits(mean_map.shape[1], x, geometry, 1) for x in range(kernel[1])]
    for y, hit_rows in enumerate(rows):
        for x, hit_columns in enumerate(columns):
            hit = mean_map[hit_rows][:, hit_columns]
            means[y, x] = hit.sum(axis=(0, 1), dtype=np.float64) / places
    return means


def _hits(
    size: int, element: int, geometry: Geometry, axis: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The rows (or columns) of the input that a kernel element visits, without padding."""
    outputs = np.arange(geometry.output[axis], dtype=np.int64)
    places = outputs * geometry.strides[axis] + element * geometry.dilations[axis] - geometry.pads[axis]
    return places[(places >= 0) & (places < size)]


class MeanMaps:
    """Adds up tensors over images."""

    def __init__(self, names: set[str]) -> None:
        """Starts.

        Args:
            names: Which tensors.
        """
        self._names, self._count = names, 0
        self._sums: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}

    def add(self, tensors: Mapping[str, Float32Array]) -> None:
        """Adds one image.

        Args:
            tensors: Its tensors by name, batch dimension first.
        """
        self._count += 1
        for name in self._names:
            value = tensors[name][0]
            if self._count == 1:
                self._sums[name] = value.astype(np.float64)
            else:
                self._sums[name] += value

    def means(self) -> dict[str, Float32Array]:
        """The means over the images so far."""
        return {name: (total / self._count).astype(np.float32) for name, total in self._sums.items()}


def mean_maps(samples: Iterable[Mapping[str, Float32Array]], names: set[str]) -> dict[str, Float32Array]:
    """Means of some tensors over images.

    Args:
        samples: Tensors of one image each, batch dimension first.
        names: Which tensors.
    """
    maps = MeanMaps(names)
    for tensors in samples:
        maps.add(tensors)
    return maps.means()


def layer_means(
    layers: tuple[LinearLayer, ...], maps: Mapping[str, Float32Array], geometries: Mapping[str, Geometry]
) -> dict[str, Float32Array]:
    """Means by kernel position of every layer; see ``QuantGraph.input_means``.

    Args:
        layers: The layers.
        maps: Mean of each layer's input over images, by tensor name, channels last.
        geometries: How the kernel of each convolution moves, by layer name.
    """
    means = {}
    for layer in layers:
        mean_map = maps[layer.input]
        if layer.op == "dense":
            means[layer.name] = mean_map.reshape(-1, layer.weights.shape[1]).mean(axis=0)
        else:
            _, height, width, _ = layer.weights.shape
            means[layer.name] = window_means(mean_map, (height, width), geometries[layer.name])
    return means
