"""Which u8 x s8 operations of an .onnx file can pass 16 bits, and weights as uint8 where they do.

See :mod:`exporter.quantize.products`. This reads files, ours or not, in any of the forms that ONNX
Runtime runs with integer kernels: QDQ (what this package writes), QOperator and dynamic.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.quantize.onnx_layers import attributes, constants
from exporter.quantize.products import LARGEST_SUM, pair_sums

ZERO_POINT = 128
"""What uint8 weights are shifted by, and their zero point."""

_QDQ = ("Conv", "Gemm", "MatMul")
_INTEGER: dict[str, tuple[int, int | None]] = {
    "QLinearConv": (3, 2),
    "ConvInteger": (1, 2),
    "QLinearMatMul": (3, 2),
    "MatMulInteger": (1, 2),
    "QGemm": (3, 2),
    "MatMulIntegerToFloat": (1, 4),
    "DynamicQuantizeMatMul": (1, None),
}
"""Operations on integers: the places of their weights and of their activation's zero point."""


@dataclass(frozen=True)
class Products:
    """One operation on uint8 activations and int8 weights.

    Attributes:
        name: The operation's name, or that of its output.
        op: Its kind, such as ``Conv``.
        pair_sum: The largest magnitude that two neighbouring weights of one sign add up to, in steps;
            0 for a depthwise convolution, which adds no neighbours.
    """

    name: str
    op: str
    pair_sum: int

    @property
    def fits(self) -> bool:
        """Whether any two products fit 16 bits, so that every kernel computes the same."""
        return self.pair_sum <= LARGEST_SUM


def products(model: Any) -> tuple[Products, ...]:
    """The operations that kernels compute as u8 x s8, in the order of the file.

    Args:
        model: A parsed .onnx file.
    """
    known, found = constants(model), []
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        read = _read_qdq(node, known, makers) if node.op_type in _QDQ else _read_integer(node, known)
        if read is not None:
            found.append(Products(node.name or node.output[0], node.op_type, int(read.max(initial=0))))
    return tuple(found)


def with_unsigned_weights(model: Any, *, everywhere: bool = False) -> Any:
    """Stores int8 weights of a QDQ model as uint8, in place: the same numbers, other kernels.

    Args:
        model: A QDQ model.
        everywhere: Also those whose products fit 16 bits as they are; depthwise convolutions never.

    Returns:
        The same model.
    """
    known, makers = constants(model), {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    wanted = set()
    for node in model.graph.node:
        sums = _read_qdq(node, known, makers) if node.op_type in _QDQ else None
        largest = 0 if sums is None else sums.max(initial=0)
        if largest > (0 if everywhere else LARGEST_SUM):
            wanted.add(makers[node.input[1]].input[0])
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


def _read_qdq(node: Any, known: dict[str, Any], makers: dict[str, Any]) -> Any | None:
    """Pair sums of an operation between DequantizeLinear nodes, per output channel; None if it is none."""
    if len(node.input) < 2:
        return None
    before, weights = (makers.get(name) for name in node.input[:2])
    if before is None or weights is None or {before.op_type, weights.op_type} != {"DequantizeLinear"}:
        return None
    if not _is_int8(known.get(weights.input[0])) or _zero_point_is_int8(before, 2, known):
        return None
    return _sums(node, known[weights.input[0]])


def _read_integer(node: Any, known: dict[str, Any]) -> Any | None:
    """The same of an operation on integers."""
    if node.op_type not in _INTEGER:
        return None
    weights, zero_point = _INTEGER[node.op_type]
    constant = known.get(node.input[weights])
    if not _is_int8(constant) or (zero_point is not None and _zero_point_is_int8(node, zero_point, known)):
        return None
    return _sums(node, constant)


def _is_int8(constant: Any | None) -> bool:
    import onnx

    return constant is not None and constant.data_type == onnx.TensorProto.INT8


def _zero_point_is_int8(node: Any, place: int, known: dict[str, Any]) -> bool:
    """Whether the zero point of an activation says that it is int8; without one it is uint8."""
    return len(node.input) > place and _is_int8(known.get(node.input[place]))


def _sums(node: Any, constant: Any) -> Any:
    """Zero points of weights do not count: kernels multiply first and subtract sums later."""
    import onnx

    weights, said = onnx.numpy_helper.to_array(constant), attributes(node)
    if "Conv" in node.op_type:
        depthwise = weights.shape[1] == 1 and said.get("group", 1) == len(weights) > 1
        return np.zeros(1, np.int64) if depthwise else pair_sums(np.moveaxis(weights, 1, -1))
    by_rows = node.op_type in ("Gemm", "QGemm") and said.get("transB")
    # Of a stack of matrices, each is multiplied by itself; neighbours are along the second last axis.
    return pair_sums(weights if by_rows else np.moveaxis(weights, -1, 0))
