"""Mean input of each position of a convolution kernel, including padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edge_runtime.result import Float32Array
from exporter.quantize.graph import LinearLayer


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


def mean_maps(samples: Iterator[dict[str, Float32Array]], names: set[str]) -> dict[str, Float32Array]:
    """Means of some tensors over images.

    Args:
        samples: Tensors of one image each, batch dimension first.
        names: Which tensors.
    """
    sums: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    count = 0
    for tensors in samples:
        count += 1
        for name in names:
            value = tensors[name][0]
            sums[name] = value.astype(np.float64) if count == 1 else sums[name] + value
    return {name: (total / count).astype(np.float32) for name, total in sums.items()}


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
