"""Local quantization error of each operation of a QDQ model.

Next to each quantized operation, a float twin computes from the same inputs that the int8 model has
there, as TensorFlow's QuantizationDebugger does for .tflite files. ONNX Runtime's ``qdq_loss_debug``
compares a tensor before and after rounding, which ignores the weights.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from exporter.quantize.graph import OpError
from exporter.quantize.onnx_layers import activation_of, constants
from exporter.quantize.onnx_run import add_outputs, session_of

_TWIN = "__float"


def twin_errors(float_model: Any, grids: Any, pixels: UInt8Array) -> tuple[OpError, ...]:
    """Runs each operation in float beside the quantized one.

    Args:
        float_model: The float model that was quantized.
        grids: Its QDQ model with a float input; changed in place.
        pixels: uint8 ``[n, height, width, channels]``.

    Returns:
        Every quantized operation, worst first.
    """
    import onnx

    steps = constants(grids)
    originals = {node.name: node for node in float_model.graph.node}
    rounded = {node.input[0]: node for node in grids.graph.node if node.op_type == "QuantizeLinear"}
    back = {node.input[0]: node.output[0] for node in grids.graph.node if node.op_type == "DequantizeLinear"}
    for constant in float_model.graph.initializer:
        copy = grids.graph.initializer.add()
        copy.CopyFrom(constant)
        copy.name += _TWIN
    known = constants(float_model)
    pairs: dict[str, tuple[str, str, float]] = {}
    for node in list(grids.graph.node):
        original, grid = originals.get(node.name), rounded.get(node.output[0])
        if original is None or grid is None:
            continue
        inputs = [
            name + _TWIN if name in known else node.input[place] for place, name in enumerate(original.input)
        ]
        given = _append(grids, original, inputs)
        if original.output[0] != node.output[0]:
            # The quantizer drops an activation that is implied by the ends of the grid.
            activation = activation_of(float_model, original.output[0])
            if activation is None:
                continue
            inputs = [given, *(name + _TWIN if name else "" for name in activation.input[1:])]
            given = _append(grids, activation, inputs)
        step = float(onnx.numpy_helper.to_array(steps[grid.input[1]]).reshape(-1)[0])
        pairs[node.name] = (given, back[grid.output[0]], step)
    names = add_outputs(grids, sorted({name for pair in pairs.values() for name in pair[:2]}))
    session = session_of(grids.SerializeToString())
    source = grids.graph.input[0].name
    squares: dict[str, float] = defaultdict(float)
    for image in pixels:
        values = session.run(names, {source: np.asarray(image)[np.newaxis].astype(np.float32)})
        found = dict(zip(names, values, strict=True))
        for name, (exact, coarse, _) in pairs.items():
            squares[name] += float(np.mean(np.square(found[exact] - found[coarse]), dtype=np.float64))
    errors = [OpError(name, (squares[name] / len(pixels)) ** 0.5 / pairs[name][2]) for name in pairs]
    return tuple(sorted(errors, key=lambda entry: -entry.error))


def _append(model: Any, node: Any, inputs: list[str]) -> str:
    """Adds a copy of a node that reads other tensors; returns the name of its output."""
    twin = model.graph.node.add()
    twin.CopyFrom(node)
    twin.name += _TWIN
    del twin.input[:]
    twin.input.extend(inputs)
    for place, name in enumerate(node.output):
        twin.output[place] = name + _TWIN
    return str(node.output[0]) + _TWIN
