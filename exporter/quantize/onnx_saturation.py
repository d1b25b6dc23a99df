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

Files of any origin are read, in each form that ONNX Runtime runs with integer kernels: QDQ (what this
package writes), QOperator and dynamic.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.engines.result import Float32Array
from exporter.formats.onnx_cleanup import attributes
from exporter.quantize.graph import LARGEST, SMALLEST_SCALE
from exporter.quantize.onnx_weights import Steps, quantized_while_loading

LARGEST_SUM = 128
"""Largest sum of two neighbours of one sign, in steps: 255 * 128 fits int16, 255 * 129 does not."""

ZERO_POINT = 128
"""Offset and zero point of uint8 weights."""

_QDQ = ("Conv", "Gemm", "MatMul")
_INTEGER: dict[str, tuple[int, int | None]] = {
    "QLinearConv": (3, 2),
    "QLinearMatMul": (3, 2),
    "MatMulInteger": (1, 2),
    "QGemm": (3, 2),
    "MatMulIntegerToFloat": (1, 4),
    "DynamicQuantizeMatMul": (1, None),
    "QAttention": (1, 6),
}
"""Operations on integers: indices of their weights and of their activation's zero point.

Not ConvInteger: ONNX Runtime has its weights on the left, and its s8 x u8 kernels add in 32 bits (1.31.1).
"""


@dataclass(frozen=True)
class Products:
    """One operation that x86 kernels compute on uint8 activations and int8 weights.

    Attributes:
        name: Name of the operation, or of its output.
        op: Its type, such as ``Conv``.
        pair_sum: The largest magnitude of the sum of two neighbouring weights of one sign, in steps;
            0 for a depthwise convolution, which adds no neighbours.
    """

    name: str
    op: str
    pair_sum: int

    @property
    def fits(self) -> bool:
        """Whether any two products fit 16 bits, so that every kernel computes the same result."""
        return self.pair_sum <= LARGEST_SUM


def products(model: Any) -> tuple[Products, ...]:
    """The operations that kernels compute as u8 x s8, in the order of the file.

    Args:
        model: A parsed .onnx file.
    """
    steps, found = Steps(model), []
    made = quantized_while_loading(model, steps)
    for node in model.graph.node:
        if node.output[0] in made:
            read = _sums(node, made[node.output[0]])
        else:
            read = _read_qdq(node, steps) if node.op_type in _QDQ else _read_integer(node, steps)
        if read is not None:
            found.append(Products(node.name or node.output[0], node.op_type, int(read.max(initial=0))))
    return tuple(found)


def with_unsigned_weights(model: Any, *, everywhere: bool = False) -> Any:
    """Stores int8 weights of a QDQ model as uint8, in place: same values, other kernels.

    Args:
        model: A QDQ model, as ONNX Runtime's quantizer writes it.
        everywhere: Also weights whose products fit 16 bits already; never depthwise convolutions.

    Returns:
        The same model.
    """
    steps = Steps(model)
    known = steps.known
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    wanted = set()
    for node in model.graph.node:
        sums = _read_qdq(node, steps) if node.op_type in _QDQ else None
        largest = 0 if sums is None else sums.max(initial=0)
        if largest > (0 if everywhere else LARGEST_SUM):
            weights = steps.makers[node.input[1]].input[0]
            if weights in known:
                wanted.add(weights)
    shifted: set[str] = set()
    for name in sorted(wanted):
        _shift(known[name])
        for scaled in readers[name]:
            # Zero points may be shared, and each is shifted once.
            if scaled.input[2] not in shifted:
                _shift(known[scaled.input[2]])
                shifted.add(scaled.input[2])
    return model


def _shift(constant: Any) -> None:
    import onnx

    values = onnx.numpy_helper.to_array(constant).astype(np.int16) + ZERO_POINT
    constant.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.uint8), constant.name))


def _read_qdq(node: Any, steps: Steps) -> Any | None:
    """Pair sums of an operation between DequantizeLinear nodes, per output channel; None for others.

    ONNX Runtime converts int8 activations to uint8 on x86.
    """
    if len(node.input) < 2:
        return None
    before, weights = steps.activation_scale(node.input[0]), steps.scaled_weights(node.input[1])
    if before is None or weights is None or steps.dtype(before, 2) not in (None, np.uint8, np.int8):
        return None
    return _sums(node, weights)


def _read_integer(node: Any, steps: Steps) -> Any | None:
    """Pair sums of an operation on integers, which uses int8 activations unchanged."""
    if node.op_type not in _INTEGER:
        return None
    place, zero_point = _INTEGER[node.op_type]
    weights = steps.weights(node.input[place])
    if weights is None or (zero_point is not None and steps.dtype(node, zero_point) not in (None, np.uint8)):
        return None
    return _sums(node, weights)


def _sums(node: Any, weights: Any) -> Any:
    """Zero points of weights are irrelevant: kernels multiply first and subtract sums later."""
    said = attributes(node)
    if "Conv" in node.op_type:
        depthwise = weights.shape[1] == 1 and said.get("group", 1) == len(weights) > 1
        return np.zeros(1, np.int64) if depthwise else pair_sums(np.moveaxis(weights, 1, -1))
    by_rows = node.op_type in ("Gemm", "QGemm") and said.get("transB")
    # Each matrix of a stack is multiplied separately; neighbours are along the second to last axis.
    return pair_sums(weights if by_rows else np.moveaxis(weights, -1, 0))


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
