"""The linear layers of an ONNX model: read, and written back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from exporter.formats.onnx_cleanup import attributes
from exporter.quantize.bias import Geometry, same_padding
from exporter.quantize.graph import LinearLayer

_INPUT, _WEIGHTS, _BIAS = 0, 1, 2
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Elu")


def with_unique_names(model: Any) -> Any:
    """Gives every node a unique name, in place: quantizers exclude nodes by name."""
    seen: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.name or node.op_type}:{index}"
        seen.add(node.name)
    return model


def constants(model: Any) -> dict[str, Any]:
    """The model's initializers by name."""
    return {entry.name: entry for entry in model.graph.initializer}


def shapes(model: Any) -> dict[str, tuple[int | None, ...]]:
    """Known tensor shapes by name; None for a size that is not fixed."""
    graph = model.graph
    return {
        info.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else None for dim in info.type.tensor_type.shape.dim
        )
        for info in (*graph.input, *graph.value_info, *graph.output)
        if info.type.tensor_type.HasField("shape")
    }


def activation_of(model: Any, tensor: str) -> Any | None:
    """The activation that is the only reader of a tensor; None if there is none."""
    nodes = [node for node in model.graph.node if tensor in node.input]
    given = any(output.name == tensor for output in model.graph.output)
    if len(nodes) == 1 and not given and nodes[0].op_type in _ACTIVATIONS:
        return nodes[0]
    return None


def read_layers(model: Any) -> tuple[LinearLayer, ...]:
    """The convolutions and dense layers with constant float weights, in execution order.

    Args:
        model: A model with unique node names and known shapes.
    """
    import onnx

    known = constants(model)
    sizes = shapes(model)
    outputs = {output.name for output in model.graph.output}
    found = []
    for node in model.graph.node:
        if not _is_linear(node, known, sizes):
            continue
        weights = onnx.numpy_helper.to_array(known[node.input[_WEIGHTS]])
        bias = None
        if len(node.input) > _BIAS and node.input[_BIAS]:
            bias = onnx.numpy_helper.to_array(known[node.input[_BIAS]]).astype(np.float32).reshape(-1)
        groups = attributes(node).get("group", 1)
        layout, op = _read(node, weights), "dense"
        if node.op_type == "Conv":
            op = "depthwise" if groups > 1 and weights.shape[1] == 1 else "conv"
        if bias is not None and len(bias) != len(layout):
            continue
        activation = activation_of(model, node.output[0])
        given = node.output[0] if activation is None else activation.output[0]
        readers = () if given in outputs else tuple(n.name for n in model.graph.node if given in n.input)
        found.append(
            LinearLayer(
                name=node.name,
                op=op,  # type: ignore[arg-type]
                weights=layout,
                bias=bias,
                input=node.input[_INPUT],
                output=given,
                activation=_activation_name(activation, known),
                groups=groups,
                readers=readers,
            )
        )
    return tuple(found)


def write_layers(model: Any, changed: dict[str, LinearLayer]) -> None:
    """Puts other weights and biases into a model, in place.

    Args:
        model: A model with unique node names.
        changed: Layers by name.
    """
    import onnx

    uses = Counter(name for node in model.graph.node for name in node.input)
    known = constants(model)
    for node in model.graph.node:
        layer = changed.get(node.name)
        if layer is None:
            continue
        if layer.bias is not None and node.op_type == "MatMul":
            node.op_type = "Gemm"
        if node.op_type == "Conv":
            weights = layer.weights.transpose(0, 3, 1, 2)
        else:
            weights = layer.weights if attributes(node).get("transB") else layer.weights.T
        # Where only a bias changes, layers go on sharing their weights.
        if not np.array_equal(onnx.numpy_helper.to_array(known[node.input[_WEIGHTS]]), weights):
            _replace(model, node, _WEIGHTS, weights, known, uses)
        if layer.bias is not None:
            _replace(model, node, _BIAS, layer.bias, known, uses)


def read_geometry(model: Any) -> dict[str, Geometry]:
    """How the kernel of each convolution moves, by layer name."""
    sizes = shapes(model)
    known = constants(model)
    found = {}
    for node in model.graph.node:
        if node.op_type != "Conv" or not _is_linear(node, known, sizes):
            continue
        said = attributes(node)
        taken, given = sizes[node.input[_INPUT]][2:], sizes[node.output[0]][2:]
        kernel = tuple(known[node.input[_WEIGHTS]].dims)[2:]
        strides, dilations = said.get("strides", [1, 1]), said.get("dilations", [1, 1])
        pads = list(said.get("pads", [0, 0, 0, 0]))[:2]
        how = said.get("auto_pad", b"NOTSET")
        if how in (b"SAME_UPPER", b"SAME_LOWER"):
            for axis in (0, 1):
                missing = same_padding(taken[axis], given[axis], kernel[axis], strides[axis], dilations[axis])  # type: ignore[arg-type]
                pads[axis] = missing // 2 if how == b"SAME_UPPER" else missing - missing // 2
        found[node.name] = Geometry(
            (strides[0], strides[1]), (dilations[0], dilations[1]), (pads[0], pads[1]), (given[0], given[1])  # type: ignore[arg-type]
        )  # fmt: skip
    return found


def _is_linear(node: Any, known: dict[str, Any], sizes: dict[str, tuple[int | None, ...]]) -> bool:
    if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[_WEIGHTS] not in known:
        return False
    if len(node.input) > _BIAS and node.input[_BIAS] and node.input[_BIAS] not in known:
        return False
    dims = known[node.input[_WEIGHTS]].dims
    if node.op_type == "Conv":
        spatial = (*sizes.get(node.input[_INPUT], ())[2:], *sizes.get(node.output[0], ())[2:])
        return len(dims) == 4 and len(spatial) == 4 and None not in spatial
    said = attributes(node)
    plain = said.get("alpha", 1.0) == 1.0 and said.get("beta", 1.0) == 1.0 and not said.get("transA", 0)
    return len(dims) == 2 and plain and len(sizes.get(node.input[_INPUT], ())) == 2


def _read(node: Any, weights: Float32Array) -> Float32Array:
    """Output channel first, input channel last."""
    if node.op_type == "Conv":
        return weights.transpose(0, 2, 3, 1)
    return weights if attributes(node).get("transB") else weights.T


def _activation_name(node: Any | None, known: dict[str, Any]) -> str:
    import onnx

    if node is None:
        return "none"
    if node.op_type == "Relu":
        return "relu"
    if node.op_type != "Clip" or any(name and name not in known for name in node.input[1:]):
        return "other"
    ends = [float(onnx.numpy_helper.to_array(known[name])) if name else None for name in node.input[1:]]
    return {(0.0, 6.0): "relu6", (0.0, None): "relu"}.get(tuple([*ends, None, None][:2]), "other")  # type: ignore[arg-type]


def _replace(
    model: Any, node: Any, place: int, values: Float32Array, known: dict[str, Any], uses: Counter[str]
) -> None:
    """Gives a node its own constant."""
    import onnx

    values = np.ascontiguousarray(values, dtype=np.float32)
    name = node.input[place] if len(node.input) > place else ""
    if name and uses[name] == 1:
        known[name].CopyFrom(onnx.numpy_helper.from_array(values, name))
        return
    fresh = f"{node.name}_{('', 'weights', 'bias')[place]}"
    model.graph.initializer.append(onnx.numpy_helper.from_array(values, fresh))
    if len(node.input) > place:
        node.input[place] = fresh
    else:
        node.input.append(fresh)
