"""The pixels at the front of an int8 .onnx file; see :mod:`exporter.quantize.pixel_grid`."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.quantize.graph import Ranges
from exporter.quantize.onnx_layers import attributes, constants, read_layers, write_layers
from exporter.quantize.pixel_grid import Affine, folded

SHIFT = "pixel_shift"
"""Name of the node that shifts pixels by an integer."""

_STEPS = {"Mul": "mul", "Add": "add", "Sub": "sub", "Div": "div"}


def fold_normalisation(model: Any) -> Ranges:
    """Folds the normalisation of a float model into its first convolution, in place, if possible.

    Args:
        model: A prepared float model.

    Returns:
        The exact range of the shifted pixels, if they are shifted.
    """
    import onnx

    graph = model.graph
    known = constants(model)
    source = graph.input[0]
    affine = Affine.identity(source.type.tensor_type.shape.dim[-1].dim_value)
    # A single channel is moved by a Reshape, which does not change the order.
    layout = ("Transpose", "Reshape") if len(affine.factor) == 1 else ("Transpose",)
    chain, tensor, node = [], source.name, None
    between: list[Any] = []
    while True:
        readers = [node for node in graph.node if tensor in node.input]
        if len(readers) != 1:
            return {}
        node = readers[0]
        if node.op_type in _STEPS:
            others = [name for name in node.input if name != tensor]
            swapped = node.input[0] != tensor and node.op_type in ("Sub", "Div")
            # After a transposition constants have other shapes; only scalars are followed there.
            if len(others) != 1 or others[0] not in known or swapped:
                return {}
            constant = onnx.numpy_helper.to_array(known[others[0]]).astype(np.float64)
            after = affine.then(_STEPS[node.op_type], constant) if not between or constant.size == 1 else None
            if after is None:
                return {}
            affine = after
            chain.append(node)
        elif node.op_type in layout and not between:
            between.append(node)
        else:
            break
        tensor = node.output[0]
    layer = {layer.name: layer for layer in read_layers(model)}.get(node.name)
    if not chain or layer is None or layer.op == "dense":
        return {}
    said = attributes(node)
    padded = said.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or any(said.get("pads", []))
    found = folded(layer, affine, padded=padded)
    if found is None:
        return {}
    layer, shift = found
    write_layers(model, {layer.name: layer})
    for gone in chain:
        _reconnect(graph, gone.output[0], gone.input[0] if gone.input[0] not in known else gone.input[1])
        graph.node.remove(gone)
    for moved in between:
        # Its values differ from the tensor of that name in the float file.
        _rename(graph, moved, f"{moved.output[0]}_pixels")
    if not shift:
        return {}
    shifted = f"{source.name}_shifted"
    _reconnect(graph, source.name, shifted)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(shift, dtype=np.float32), SHIFT))
    graph.node.insert(0, onnx.helper.make_node("Add", [source.name, SHIFT], [shifted], name=SHIFT))
    info = graph.value_info.add()
    info.CopyFrom(source)
    info.name = shifted
    return {shifted: (float(shift), 255.0 + shift)}


def with_uint8_input(model: Any) -> Any:
    """Makes a QDQ model take uint8 pixels, in place.

    The quantizer's own input is float, and its first node rounds it to uint8 at scale 1 and zero
    point 0. That node is removed, as its output equals the uint8 input. So is the integer shift behind
    it: reading the pixels with another zero point shifts them.

    Args:
        model: A QDQ model whose input's range is 0..255.

    Returns:
        The same model: uint8 ``[batch, height, width, channels]``.
    """
    import onnx

    graph = model.graph
    source = graph.input[0]
    shift = next((node for node in graph.node if node.name == SHIFT), None)
    for tensor in (source.name, *(shift.output if shift is not None else ())):
        for node in [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == tensor]:
            _reconnect(graph, node.output[0], source.name)
            graph.node.remove(node)
    _drop_unread(graph)
    source.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    # An operation left in float reads the input directly.
    as_float = f"{source.name}_float"
    waiting = [
        node for node in graph.node if source.name in node.input and node.op_type != "DequantizeLinear"
    ]
    for node in waiting:
        for place, name in enumerate(node.input):
            if name == source.name:
                node.input[place] = as_float
    if waiting:
        cast = onnx.helper.make_node(
            "Cast", [source.name], [as_float], name=as_float, to=onnx.TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
    return model


def _reconnect(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _rename(graph: Any, node: Any, name: str) -> None:
    for info in graph.value_info:
        if info.name == node.output[0]:
            info.name = name
    _reconnect(graph, node.output[0], name)
    node.output[0] = name


def _drop_unread(graph: Any) -> None:
    """Removes nodes and constants that are no longer read."""
    outputs = {output.name for output in graph.output}
    while True:
        read = outputs | {name for node in graph.node for name in node.input}
        dead = [node for node in graph.node if not read.intersection(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    for constant in [entry for entry in graph.initializer if entry.name not in read]:
        graph.initializer.remove(constant)
