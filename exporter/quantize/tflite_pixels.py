"""The pixel grid of a .tflite file; see :mod:`exporter.quantize.pixel_grid`."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.quantize.graph import Ranges
from exporter.quantize.pixel_grid import Affine, folded
from exporter.quantize.tflite_layers import (
    builtin_of,
    constant_of,
    name_of,
    read_layers,
    replace_constant,
    write_layers,
)

SHIFTED = b"pixels_shifted"
"""Name of the pixels, shifted by an integer."""

_SAME = 0


def fold_normalisation(model: Any) -> Ranges:
    """Folds the normalisation of a parsed file into its first convolution, in place, if possible.

    Args:
        model: A parsed file with unique tensor names.

    Returns:
        The exact range of the shifted pixels, if they are shifted.
    """
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    names = {
        BuiltinOperator.MUL: "mul",
        BuiltinOperator.ADD: "add",
        BuiltinOperator.SUB: "sub",
        BuiltinOperator.DIV: "div",
    }
    graph = model.subgraphs[0]
    place = int(graph.inputs[0])
    affine = Affine.identity(int(graph.tensors[place].shape[-1]))
    chain: list[Any] = []
    while True:
        readers = [operator for operator in graph.operators if place in list(operator.inputs)]
        if len(readers) != 1 or place in list(graph.outputs):
            return {}
        operator = readers[0]
        step = names.get(builtin_of(model, operator))
        if step is None:
            break
        if int(operator.inputs[0]) != place or operator.builtinOptions.fusedActivationFunction:
            return {}
        constant = constant_of(model, operator.inputs[1])
        after = None if constant is None else affine.then(step, constant.astype(np.float64))
        if after is None:
            return {}
        affine, place = after, int(operator.outputs[0])
        chain.append(operator)
    layers = {layer.name: layer for layer in read_layers(model)}
    layer = layers.get(name_of(graph, operator.outputs[0]))
    if not chain or layer is None or layer.op == "dense":
        return {}
    found = folded(layer, affine, padded=operator.builtinOptions.padding == _SAME)
    if found is None:
        return {}
    layer, shift = found
    shifter = next((op for op in chain if names[builtin_of(model, op)] in ("add", "sub")), None)
    if shift and shifter is None:
        return {}
    write_layers(model, {layer.name: layer})
    source = int(graph.inputs[0])
    kept = shifter if shift else None
    graph.operators = [op for op in graph.operators if op is kept or not any(op is gone for gone in chain)]
    _drop_unused_kinds(model)
    if kept is None:
        operator.inputs = _with(operator.inputs, 0, source)
        return {}
    sign = 1 if names[builtin_of(model, kept)] == "add" else -1
    kept.inputs = _with(kept.inputs, 0, source)
    replace_constant(model, kept, 1, np.array(sign * shift, dtype=np.float32))
    operator.inputs = _with(operator.inputs, 0, int(kept.outputs[0]))
    # Its values differ from the tensor of that name in the float file.
    graph.tensors[kept.outputs[0]].name = SHIFTED
    return {name_of(graph, kept.outputs[0]): (float(shift), 255.0 + shift)}


def _drop_unused_kinds(model: Any) -> None:
    """Removes unused operator codes: interpreters refuse to look them up."""
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    used = sorted({operator.opcodeIndex for operator in operators})
    for operator in operators:
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def _with(inputs: Any, place: int, value: int) -> Any:
    changed = np.array(inputs, dtype=np.int32)
    changed[place] = value
    return changed
