"""What repair needs of a model, whatever its file format: layers to change, and int8 files to make.

A graph is a float model file held in memory. It is never changed: every step gives a new one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from edge_runtime.manifest import Format
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array

LinearOp = Literal["conv", "depthwise", "dense"]
Ranges = dict[str, tuple[float, float]]
"""Smallest and largest value of each tensor, by its name."""

INPUT_RANGE = (0.0, 255.0)
"""The input's range in every int8 artifact: scale 1 and zero point 0, pixels go in as they are."""


@dataclass(frozen=True)
class LinearLayer:
    """A convolution or dense layer with constant weights.

    Both formats give the same layout, the output channel first, so that everything per
    channel is along axis 0.

    Attributes:
        name: Its operation's name; what ``float_ops`` and :class:`OpError` say.
        op: What it computes.
        weights: float32, ``[out, height, width, in / groups]``, of a dense layer ``[out, in]``.
        bias: float32 ``[out]``; None where it has none.
        input: Name of the tensor that it reads.
        output: Name of the tensor that it gives, after its activation.
        activation: ``none``, ``relu``, ``relu6`` or another.
        groups: Output channel ``o`` reads the input channels of group ``o * groups // out``;
            1 for a plain layer, the number of input channels for a depthwise one.
        readers: Names of the operations that read its output, empty where it is the model's.
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
    """What quantization does to one operation, its inputs being those of the int8 model.

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
    def narrow(self) -> bool:
        """Whether weights give up part of their range, so that every CPU computes the same."""
        ...

    def layers(self) -> tuple[LinearLayer, ...]:
        """Its linear layers in execution order."""
        ...

    def rounded(self, layer: LinearLayer) -> Float32Array:
        """The weights of a layer as the int8 file holds them, float32 of the same shape.

        Args:
            layer: One of its layers.
        """
        ...

    def widened(self) -> QuantGraph:
        """The same model with all of the weights' range, at the price of slower kernels on some CPUs."""
        ...

    def with_layers(self, changed: Mapping[str, LinearLayer]) -> QuantGraph:
        """The same model with other weights or biases.

        Args:
            changed: Layers by name. The calibration is kept where only biases differ, since a
                corrected bias undoes a shift that the float ranges never had.
        """
        ...

    def calibrated(self, pixels: UInt8Array) -> QuantGraph:
        """The same model with the true minimum and maximum of every tensor on these images.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one.

        Raises:
            UsageError: There is no image, or its shape is not the model's.
            ModelFileError: The model does not run.
        """
        ...

    def quantized(self, float_ops: Collection[str] = ()) -> bytes:
        """An int8 file: per channel, uint8 pixels in, float32 scores out, softmax in float.

        A narrow graph takes the shift of its means back by itself; another one's biases stay as they are.

        Args:
            float_ops: Names of operations that stay in float.

        Raises:
            UsageError: It is not calibrated.
            ModelFileError: The quantizer refuses the model.
        """
        ...

    def tensors(self, pixels: UInt8Array) -> Iterator[dict[str, Float32Array]]:
        """Every tensor between operations, by name, one image at a time, from the float model.

        Args:
            pixels: uint8 ``[n, height, width, channels]``.
        """
        ...

    def input_means(self, pixels: UInt8Array) -> dict[str, Float32Array]:
        """The mean of what each kernel position of each layer sees.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one.

        Returns:
            By layer name, float32 ``[height, width, in]`` of the kernel (zeros of the padding
            count), of a dense layer ``[in]``.
        """
        ...

    def op_errors(self, pixels: UInt8Array) -> tuple[OpError, ...]:
        """How much each operation loses by itself, worst first.

        Args:
            pixels: uint8 ``[n, height, width, channels]``, at least one; some 20 rank well.

        Raises:
            UsageError: It is not calibrated.
        """
        ...
