"""The linear layers of a parsed .tflite file: read and written back, with the normalisation folded in."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from exporter.quantize.bias import Geometry, same_padding
from exporter.quantize.graph import LinearLayer, LinearOp, Ranges
from exporter.quantize.pixel_grid import Affine, folded

_ACTIVATIONS = {0: "none", 1: "relu", 2: "relu_n1_to_1", 3: "relu6", 4: "tanh"}
_SAME = 0
_INPUT, _WEIGHTS, _BIAS = 0, 1, 2

SHIFTED = b"pixels_shifted"
"""Name of the pixels, shifted by an integer."""


def with_unique_names(model: Any) -> Any:
    """Gives every tensor a unique name, in place: operations and ranges are looked up by name."""
    seen: set[bytes] = set()
    for index, tensor in enumerate(model.subgraphs[0].tensors):
        if not tensor.name or tensor.name in seen:
            tensor.name = (tensor.name or b"tensor") + f":{index}".encode()
        seen.add(tensor.name)
    return model


def name_of(graph: Any, index: int) -> str:
    """A tensor's name."""
    name: bytes = graph.tensors[index].name
    return name.decode()


def read_layers(model: Any) -> tuple[LinearLayer, ...]:
    """The convolutions and dense layers with constant float weights, in execution order.

    Args:
        model: A parsed file with unique tensor names.
    """
    graph = model.subgraphs[0]
    found = []
    for operator in graph.operators:
        op = _linear_op(model, operator)
        if op is None:
            continue
        weights = _constant_of(model, operator.inputs[_WEIGHTS])
        if weights is None:
            continue
        bias = None
        if len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0:
            bias = _constant_of(model, operator.inputs[_BIAS])
            if bias is None:
                continue
        source, target = int(operator.inputs[_INPUT]), int(operator.outputs[0])
        weights = _read(op, weights)
        groups = 1 if op == "dense" else int(graph.tensors[source].shape[3]) // weights.shape[3]
        found.append(
            LinearLayer(
                name=name_of(graph, target),
                op=op,
                weights=weights,
                bias=bias,
                input=name_of(graph, source),
                output=name_of(graph, target),
                activation=_ACTIVATIONS.get(operator.builtinOptions.fusedActivationFunction, "other"),
                groups=groups,
                readers=_readers(graph, target),
            )
        )
    return tuple(found)


def write_layers(model: Any, changed: dict[str, LinearLayer]) -> None:
    """Replaces weights and biases of a parsed file, in place.

    Args:
        model: A parsed file with unique tensor names.
        changed: Layers by name.
    """
    graph = model.subgraphs[0]
    for operator in graph.operators:
        layer = changed.get(name_of(graph, operator.outputs[0]))
        if layer is None:
            continue
        op = _linear_op(model, operator)
        weights = np.ascontiguousarray(
            layer.weights.transpose(3, 1, 2, 0) if op == "depthwise" else layer.weights
        )
        _replace_constant(model, operator, _WEIGHTS, weights.astype(np.float32))
        if layer.bias is not None:
            _replace_constant(model, operator, _BIAS, layer.bias.astype(np.float32))


def read_geometry(model: Any) -> dict[str, Geometry]:
    """How the kernel of each convolution moves, by layer name."""
    graph = model.subgraphs[0]
    found = {}
    for operator in graph.operators:
        if _linear_op(model, operator) not in ("conv", "depthwise"):
            continue
        options = operator.builtinOptions
        source, target = graph.tensors[operator.inputs[_INPUT]], graph.tensors[operator.outputs[0]]
        strides = (int(options.strideH), int(options.strideW))
        dilations = (int(options.dilationHFactor), int(options.dilationWFactor))
        taken = (int(source.shape[1]), int(source.shape[2]))
        given = (int(target.shape[1]), int(target.shape[2]))
        kernel = graph.tensors[operator.inputs[_WEIGHTS]].shape[1:3]
        pads = [0, 0]
        if options.padding == _SAME:
            for axis in (0, 1):
                missing = same_padding(
                    taken[axis], given[axis], int(kernel[axis]), strides[axis], dilations[axis]
                )
                pads[axis] = missing // 2
        found[name_of(graph, operator.outputs[0])] = Geometry(strides, dilations, (pads[0], pads[1]), given)
    return found


def _linear_op(model: Any, operator: Any) -> LinearOp | None:
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    known: dict[int, LinearOp] = {
        BuiltinOperator.CONV_2D: "conv",
        BuiltinOperator.DEPTHWISE_CONV_2D: "depthwise",
        BuiltinOperator.FULLY_CONNECTED: "dense",
    }
    return known.get(_builtin_of(model, operator))


def _builtin_of(model: Any, operator: Any) -> int:
    """An operation's kind, a number of the schema's ``BuiltinOperator``."""
    code = model.operatorCodes[operator.opcodeIndex]
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def _constant_of(model: Any, index: int) -> Float32Array | None:
    """The value of a constant float32 tensor; None for any other tensor."""
    from ai_edge_litert.schema_py_generated import TensorType

    tensor = model.subgraphs[0].tensors[index]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or tensor.type != TensorType.FLOAT32:
        return None
    return np.frombuffer(bytes(data), dtype=np.float32).reshape(tensor.shape)


def _read(op: LinearOp, weights: Float32Array) -> Float32Array:
    """Output channel first: a .tflite depthwise kernel is ``[1, height, width, out]``."""
    return weights.transpose(3, 1, 2, 0) if op == "depthwise" else weights


def _readers(graph: Any, tensor: int) -> tuple[str, ...]:
    if tensor in graph.outputs:
        return ()
    return tuple(
        name_of(graph, operator.outputs[0]) for operator in graph.operators if tensor in list(operator.inputs)
    )


def _replace_constant(model: Any, operator: Any, place: int, values: Float32Array) -> None:
    """Gives an operation its own constant; before, equal constants may share a tensor, and tensors a buffer.

    Args:
        model: A parsed file, changed in place.
        operator: The operation that reads the constant.
        place: Index of the input.
        values: The new constant.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    inputs = [int(index) for index in operator.inputs]
    inputs += [-1] * (place + 1 - len(inputs))
    if inputs[place] >= 0:
        tensor = copy(graph.tensors[inputs[place]])
    else:
        tensor = schema.TensorT(type=schema.TensorType.FLOAT32, hasRank=True)
        tensor.quantization = schema.QuantizationParametersT()
    shared = inputs[place] < 0 or sum(inputs[place] in list(other.inputs) for other in graph.operators) > 1
    tensor.shape = np.array(values.shape, dtype=np.int32)
    data = np.frombuffer(values.tobytes(), dtype=np.uint8)
    if not shared and sum(other.buffer == tensor.buffer for other in graph.tensors) == 1:
        graph.tensors[inputs[place]] = tensor
        model.buffers[tensor.buffer].data = data
        return
    model.buffers.append(schema.BufferT(data=data))
    tensor.buffer = len(model.buffers) - 1
    tensor.name = (tensor.name or b"constant") + f":{len(graph.tensors)}".encode()
    graph.tensors.append(tensor)
    inputs[place] = len(graph.tensors) - 1
    operator.inputs = np.array(inputs, dtype=np.int32)


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
        step = names.get(_builtin_of(model, operator))
        if step is None:
            break
        if int(operator.inputs[0]) != place or operator.builtinOptions.fusedActivationFunction:
            return {}
        constant = _constant_of(model, operator.inputs[1])
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
    shifter = next((op for op in chain if names[_builtin_of(model, op)] in ("add", "sub")), None)
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
    sign = 1 if names[_builtin_of(model, kept)] == "add" else -1
    kept.inputs = _with(kept.inputs, 0, source)
    _replace_constant(model, kept, 1, np.array(sign * shift, dtype=np.float32))
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
