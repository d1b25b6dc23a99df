"""Pixels on their own grid: folds the normalisation at the input into the first convolution.

A normalisation such as ``x / 127.5 - 1`` maps the 256 pixel values halfway between the steps of an int8
grid (its zero must be a step, and 127.5 is not one), so that every pixel is rounded by half a step,
always in the same direction. It also adds two operations on the largest tensor of the model. Both
disappear if the first convolution reads ``z = x + k`` with an integer ``k``: its weights absorb the
factor, its bias the rest, and every ``z`` is a step of the grid.

A padded convolution pads with zeros after the normalisation, so ``k`` must be what the
normalisation subtracts, in pixels. It is rounded to an integer, 128 for 127.5, which affects only the
padding. Without padding ``k`` is 0.

:func:`folded` is for both formats; the rest edits .onnx files, and
:mod:`exporter.quantize.tflite_layers` .tflite files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_runtime.common.arrays import Float64Array
from exporter.formats.onnx_cleanup import attributes, drop_unread
from exporter.quantize.graph import LinearLayer, Ranges
from exporter.quantize.onnx_layers import constants, read_layers, write_layers

_NEAR = 0.5
"""Largest difference, in pixel values, between the exact and the rounded padding."""

_SHIFT = "pixel_shift"
"""Name of the node that shifts pixels by an integer, and of its constant."""

_STEPS = {"Mul": "mul", "Add": "add", "Sub": "sub", "Div": "div"}


@dataclass(frozen=True)
class Affine:
    """``factor * x + offset`` per channel.

    Attributes:
        factor: float64 ``[channels]``.
        offset: float64 ``[channels]``.
    """

    factor: Float64Array
    offset: Float64Array

    @classmethod
    def identity(cls, channels: int) -> Affine:
        """Unchanged pixels."""
        return cls(np.ones(channels), np.zeros(channels))

    def then(self, operation: str, constant: Float64Array) -> Affine | None:
        """This, followed by one operation with a constant on its right.

        Args:
            operation: ``mul``, ``add``, ``sub`` or ``div``.
            constant: One number, or one per channel along the last axis.

        Returns:
            None if the constant has another shape.
        """
        channels = len(self.factor)
        if constant.size not in (1, channels) or (constant.size > 1 and constant.shape[-1] != channels):
            return None
        by = np.broadcast_to(constant.reshape(-1), (channels,))
        if operation == "mul":
            return Affine(self.factor * by, self.offset * by)
        if operation == "div":
            return Affine(self.factor / by, self.offset / by)
        return Affine(self.factor, self.offset + (by if operation == "add" else -by))


def folded(layer: LinearLayer, affine: Affine, *, padded: bool) -> tuple[LinearLayer, int] | None:
    """The first layer, reading ``x + k`` instead of ``factor * x + offset``.

    Args:
        layer: The first layer.
        affine: The normalisation between the pixels and the layer.
        padded: Whether it pads its input.

    Returns:
        The layer and ``k``; None if no integer ``k`` is close enough for the padding.
    """
    if not np.all(np.isfinite(affine.factor)) or np.any(affine.factor == 0.0):
        return None
    shift = 0
    if padded:
        wanted = affine.offset / affine.factor
        # Half to even would give 128 for 127.5 and 126 for 126.5; either is as good.
        shift = int(np.rint(wanted.mean()))
        if np.abs(wanted - shift).max() > _NEAR + 1e-3 or not -255 <= shift <= 0:
            return None
    outputs, _, _, inputs = layer.weights.shape
    groups = np.arange(outputs) * layer.groups // outputs
    factor = affine.factor.reshape(layer.groups, inputs)[groups][:, np.newaxis, np.newaxis, :]
    rest = (affine.offset - affine.factor * shift).reshape(layer.groups, inputs)[groups]
    bias = np.zeros(outputs) if layer.bias is None else layer.bias.astype(np.float64)
    bias = bias + np.einsum("ohwi,oi->o", layer.weights.astype(np.float64), rest)
    weights = (layer.weights * factor).astype(np.float32)
    return replace(layer, weights=weights, bias=bias.astype(np.float32)), shift


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
        _reconnect(graph.node, gone.output[0], gone.input[0] if gone.input[0] not in known else gone.input[1])
        graph.node.remove(gone)
    for moved in between:
        # Its values differ from the tensor of that name in the float file.
        _rename(graph, moved, f"{moved.output[0]}_pixels")
    if not shift:
        return {}
    shifted = f"{source.name}_shifted"
    _reconnect(graph.node, source.name, shifted)
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(shift, dtype=np.float32), _SHIFT))
    graph.node.insert(0, onnx.helper.make_node("Add", [source.name, _SHIFT], [shifted], name=_SHIFT))
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
    shift = next((node for node in graph.node if node.name == _SHIFT), None)
    for tensor in (source.name, *(shift.output if shift is not None else ())):
        for node in [n for n in graph.node if n.op_type == "QuantizeLinear" and n.input[0] == tensor]:
            _reconnect(graph.node, node.output[0], source.name)
            graph.node.remove(node)
    _drop_unread_nodes(graph)
    source.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    # An operation left in float reads the input directly.
    as_float = f"{source.name}_float"
    in_float = [
        node for node in graph.node if source.name in node.input and node.op_type != "DequantizeLinear"
    ]
    if in_float:
        _reconnect(in_float, source.name, as_float)
        cast = onnx.helper.make_node(
            "Cast", [source.name], [as_float], name=as_float, to=onnx.TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
    return model


def _reconnect(nodes: Iterable[Any], old: str, new: str) -> None:
    for node in nodes:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _rename(graph: Any, node: Any, name: str) -> None:
    for info in graph.value_info:
        if info.name == node.output[0]:
            info.name = name
    _reconnect(graph.node, node.output[0], name)
    node.output[0] = name


def _drop_unread_nodes(graph: Any) -> None:
    """Removes the nodes and constants that nothing reads any longer."""
    outputs = {output.name for output in graph.output}
    while True:
        read = outputs | {name for node in graph.node for name in node.input}
        dead = [node for node in graph.node if not read.intersection(node.output)]
        if not dead:
            break
        for node in dead:
            graph.node.remove(node)
    drop_unread(graph)
