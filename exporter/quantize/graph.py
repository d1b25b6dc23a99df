"""What repair needs of a model, whatever its file format: layers to change, int8 files to write.

A graph is a float model file in memory. It is immutable: every step returns a new one. Its int8 file has
one symmetric grid of weights per output channel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import UsageError
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array

LinearOp = Literal["conv", "depthwise", "dense"]
Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value of each tensor, by its name."""

INPUT_RANGE = (0.0, 255.0)
"""Input range of every int8 artifact: scale 1 and zero point 0, so pixels are used as they are."""

LARGEST = 127.0
"""Largest int8 weight; -128 is not used, so that the grid is symmetric (LiteRT's int8 specification)."""

SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""Below this, a float32 scale loses digits and becomes 0: such weights are treated as zeros."""


@dataclass(frozen=True)
class LinearLayer:
    """A convolution or dense layer with constant weights.

    Both formats use the same layout, output channel first, so everything per channel is along axis 0.

    Attributes:
        name: Name of its operation, as in ``float_ops`` and :class:`OpError`.
        op: The kind of operation.
        weights: float32, ``[out, height, width, in / groups]``; for a dense layer ``[out, in]``.
        bias: float32 ``[out]``; None without a bias.
        input: Name of its input tensor.
        output: Name of its output tensor, after the activation.
        activation: ``none``, ``relu``, ``relu6`` or another.
        groups: Output channel ``o`` reads the input channels of group ``o * groups // out``;
            1 for a plain layer, the number of input channels for a depthwise one.
        readers: Names of the operations that read its output, empty for the model's output.
    """

    name: str
    op: LinearOp
    weights: Float32Array
    bias: Float32Array | None
    input: str
    output: str
    activation: str = "none"
    groups: int = 1
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class OpError:
    """Quantization error of one operation on the inputs that it has in the int8 model.

    Attributes:
        name: The operation's name.
        error: Root mean square error of its output, in steps of that output's grid; rounding
            alone is 0.29 (the standard deviation of a uniform distribution one step wide).
    """

    name: str
    error: float


class QuantGraph(Protocol):
    """A float model that can be changed, calibrated and quantized."""

    @property
    def format(self) -> Format:
        """``tflite`` or ``onnx``."""
        ...

    @property
    def ranges(self) -> Ranges | None:
        """The calibrated ranges; None before calibration."""
        ...

    @property
    def fewer(self) -> Mapping[int, QuantGraph]:
        """The graph as calibrated with only the first quarter and half of the images, by their number.

        Empty unless :meth:`calibrated` made it.
        """
        ...

    @property
    def narrow(self) -> bool:
        """Whether weights give up part of their range so that every CPU computes the same results."""
        ...

    def layers(self) -> tuple[LinearLayer, ...]:
        """Its linear layers in execution order."""
        ...

    def rounded(self, layer: LinearLayer) -> Float32Array:
        """The weights of a layer as stored in the int8 file, float32 of the same shape.

        Args:
            layer: One of its layers.
        """
        ...

    def widened(self) -> QuantGraph:
        """The same model with the full range of weights, at the cost of slower kernels on some CPUs."""
        ...

    def with_layers(self, changed: Mapping[str, LinearLayer]) -> QuantGraph:
        """The same model with other weights or biases.

        Args:
            changed: Layers by name. The calibration is kept if only biases differ, since a corrected
                bias undoes a shift that is not in the float ranges.
        """
        ...

    def calibrated(self, pixels: UInt8Array) -> QuantGraph:
        """The same model with the true minimum and maximum of every tensor on these images.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one.

        Raises:
            UsageError: There are no images, or their shape is not the model's.
            ModelFileError: The model does not run.
        """
        ...

    def quantized(self, float_ops: Collection[str] = ()) -> bytes:
        """An int8 file: per channel, uint8 pixels in, float32 scores out, softmax in float.

        A narrow graph corrects its biases by itself; otherwise biases are unchanged.

        Args:
            float_ops: Names of operations that stay in float.

        Raises:
            UsageError: It is not calibrated.
            ModelFileError: The quantizer refuses the model.
        """
        ...

    def tensors(self, pixels: UInt8Array) -> Iterator[dict[str, Float32Array]]:
        """All tensors between operations of the float model, by name, one image at a time.

        Args:
            pixels: uint8 ``[n, height, width, channels]``.
        """
        ...

    def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """The mean input of each kernel position of each layer.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one.

        Returns:
            By layer name, float32 ``[height, width, in]`` of the kernel, including the zeros
            of the padding; for a dense layer ``[in]``.
        """
        ...

    def op_errors(self, pixels: UInt8Array) -> tuple[OpError, ...]:
        """The error each operation adds by itself, worst first.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one; about 20 are enough to rank.

        Raises:
            UsageError: It is not calibrated.
        """
        ...


def calibrated_ranges(graph: QuantGraph) -> Ranges:
    """The ranges of a calibrated graph.

    Args:
        graph: A graph.

    Raises:
        UsageError: It is not calibrated.
    """
    if graph.ranges is None:
        raise UsageError(
            "A graph must be calibrated before it is quantized or measured. Received: no ranges. "
            "Call calibrated() first."
        )
    return graph.ranges


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
