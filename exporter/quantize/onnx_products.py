"""Finds the u8 x s8 operations of an .onnx file that can exceed 16 bits, and stores their weights as uint8.

See :mod:`exporter.quantize.products`. This reads files, ours or not, in any of the forms that ONNX
Runtime runs with integer kernels: QDQ (what this package writes), QOperator and dynamic.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.quantize.onnx_float import quantized_while_loading
from exporter.quantize.onnx_layers import attributes
from exporter.quantize.onnx_steps import Steps
from exporter.quantize.products import LARGEST_SUM, pair_sums

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
    """The same for an operation on integers, which uses int8 activations unchanged."""
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
