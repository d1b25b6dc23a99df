"""Operations of a QDQ model that stay in float, and what ONNX Runtime does to them.

Observed in ONNX Runtime 1.31.1 with default options: where a convolution or dense layer with float weights
stands between a DequantizeLinear and a QuantizeLinear, its optimizer quantizes the weights itself, with
one scale for the whole tensor and the full int8 range (``WeightBiasQuantization``). An operation that was
left in float because int8 hurts it is then worse than before, and its products can exceed 16 bits
(:mod:`exporter.quantize.products`). An operation in between that changes no value prevents this.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from exporter.quantize.onnx_steps import Steps

LOWEST = "lowest_float"
"""Name of the constant with the lowest float32 value."""

_QUANTIZED_IN_BETWEEN = ("Conv", "ConvTranspose", "Gemm")
_ON_INTEGERS = ("Conv", "Gemm")


def keep_float(model: Any) -> Any:
    """Puts a Max with the lowest float behind every operation that stays in float, in place.

    Args:
        model: A QDQ model.

    Returns:
        The same model; its nodes are no longer in order.
    """
    import onnx

    graph, steps = model.graph, Steps(model)
    kept = [node for node in graph.node if _float_weights(node, steps) is not None]
    if kept:
        lowest = np.array(np.finfo(np.float32).min, dtype=np.float32)
        graph.initializer.append(onnx.numpy_helper.from_array(lowest, LOWEST))
    for node in kept:
        given, inner = node.output[0], f"{node.output[0]}_in_float"
        node.output[0] = inner
        graph.node.append(onnx.helper.make_node("Max", [inner, LOWEST], [given], name=inner))
    return model


def quantized_while_loading(model: Any, steps: Steps) -> dict[str, Any]:
    """The int8 weights that ONNX Runtime creates while loading and multiplies as integers.

    Args:
        model: A parsed .onnx file.
        steps: Looks up its constants.

    Returns:
        int8 weights by the operation's output.
    """
    uses = Counter(name for node in model.graph.node for name in node.input)
    uses.update(output.name for output in model.graph.output)
    rounded = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    found = {}
    for node in model.graph.node:
        weights = _float_weights(node, steps) if node.op_type in _ON_INTEGERS else None
        if weights is None or not weights.size or node.output[0] not in rounded or uses[node.output[0]] != 1:
            continue
        scale = float(np.abs(weights).max()) / 127.0 or 1.0
        found[node.output[0]] = np.clip(np.round(weights / scale), -127, 127).astype(np.int8)
    return found


def _float_weights(node: Any, steps: Steps) -> Any | None:
    """Constant float weights of an operation whose input comes from integers; None for any other."""
    if node.op_type not in _QUANTIZED_IN_BETWEEN or steps.activation_scale(node.input[0]) is None:
        return None
    weights = steps.constant(node.input[1])
    return weights if weights is not None and weights.dtype == np.float32 else None
