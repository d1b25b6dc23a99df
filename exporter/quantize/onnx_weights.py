"""What ONNX Runtime makes of a QDQ file: the integers it multiplies, the operations it leaves in float.

Before it looks for integers to multiply, it folds constants and moves operations that only rearrange
values. :class:`Steps` finds what it multiplies in the end, without running it::

    initializer, Constant or Identity      weights as most tools write them
    QuantizeLinear of a float constant     quantization-aware training, exported with its fake quantizers
    Transpose before or after the scale    PyTorch's dense layers

Observed in ONNX Runtime 1.31.1 with default options: if a convolution or dense layer with float weights
stands between a DequantizeLinear and a QuantizeLinear, its optimizer quantizes the weights itself, with
one scale for the whole tensor and the full int8 range (``WeightBiasQuantization``). An operation that was
left in float because int8 hurts it is then worse than before, and its products can exceed 16 bits
(:mod:`exporter.quantize.onnx_saturation`). An operation in between that changes no value prevents this
(:func:`keep_float`).

The local error of each operation is measured by a float twin that computes from the same inputs as the
quantized one (:func:`twin_errors`), as TensorFlow's QuantizationDebugger does for .tflite files. ONNX
Runtime's ``qdq_loss_debug`` compares a tensor before and after rounding, which ignores the weights.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from edge_runtime.image.preprocess import UInt8Array
from exporter.formats.half_precision import raw
from exporter.formats.onnx_cleanup import attributes
from exporter.formats.onnx_run import add_outputs, session_of
from exporter.quantize.graph import OpError
from exporter.quantize.onnx_layers import activation_of, constants

_REARRANGING = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MaxPool")
"""Operations that ONNX Runtime moves away from between an activation's scale and its multiplication."""

_LOWEST = "lowest_float"
"""Name of the constant with the lowest float32 value."""

_QUANTIZED_IN_BETWEEN = ("Conv", "ConvTranspose", "Gemm")
_ON_INTEGERS = ("Conv", "Gemm")

_TWIN = "__float"
"""What follows an operation's name in its float twin's."""


class Steps:
    """Looks up constants and integers of a parsed .onnx file.

    Attributes:
        known: The file's initializers by name.
        makers: The node that produces each tensor.
    """

    def __init__(self, model: Any) -> None:
        """Indexes the file.

        Args:
            model: A parsed .onnx file.
        """
        self.known = constants(model)
        self.makers = {name: node for node in model.graph.node for name in node.output}

    def activation_scale(self, tensor: str) -> Any | None:
        """The DequantizeLinear that produces an activation, up to rearranging operations.

        Args:
            tensor: Input of an operation.

        Returns:
            The node; None if the tensor is computed in another way.
        """
        node = self.makers.get(tensor)
        while node is not None and node.op_type in _REARRANGING:
            node = self.makers.get(node.input[0])
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def scaled_weights(self, tensor: str) -> Any | None:
        """The int8 weights that a DequantizeLinear scales to a tensor, in the tensor's arrangement.

        Args:
            tensor: Input of an operation.

        Returns:
            int8; None if it is something else.
        """
        node = self.makers.get(tensor)
        if node is None:
            return None
        if node.op_type == "DequantizeLinear":
            return self.weights(node.input[0])
        return self._rearranged(node, self.scaled_weights)

    def weights(self, tensor: str) -> Any | None:
        """The int8 weights that a tensor holds.

        Args:
            tensor: What an integer operation or a DequantizeLinear reads.

        Returns:
            int8; None if it is something else.
        """
        node, values = self.makers.get(tensor), self.constant(tensor)
        if values is not None:
            return values if values.dtype == np.int8 else None
        if node is None:
            return None
        if node.op_type == "QuantizeLinear":
            return self._rounded(node)
        return self._rearranged(node, self.weights)

    def dtype(self, node: Any, place: int) -> Any | None:
        """The element type of an input, according to its zero point.

        Args:
            node: An operation.
            place: Which of its inputs is the zero point.

        Returns:
            A NumPy type; None if the zero point is left out or computed, as those of uint8 are.
        """
        values = self.constant(node.input[place]) if len(node.input) > place else None
        return None if values is None else values.dtype

    def constant(self, tensor: str) -> Any | None:
        """The values of a constant; None for what is computed.

        Args:
            tensor: Its name.
        """
        import onnx

        node = self.makers.get(tensor)
        if tensor in self.known:
            return onnx.numpy_helper.to_array(self.known[tensor])
        if node is not None and node.op_type == "Identity":
            return self.constant(node.input[0])
        if node is not None and node.op_type == "Constant":
            value = attributes(node).get("value")
            return None if value is None else onnx.numpy_helper.to_array(value)
        return None

    def _rearranged(self, node: Any, read: Any) -> Any | None:
        values = read(node.input[0]) if node.op_type in ("Identity", "Transpose") else None
        if values is None or node.op_type == "Identity":
            return values
        return values.transpose(attributes(node).get("perm"))

    def _rounded(self, node: Any) -> Any | None:
        """What a QuantizeLinear makes of a constant."""
        given = [values for name in node.input if (values := self.constant(name)) is not None]
        if len(given) != 3 or given[2].dtype != np.int8:
            return None
        values, scale, zero_point = (entry.astype(np.float64) for entry in given)
        if scale.size > 1:
            sizes = [1] * values.ndim
            sizes[attributes(node).get("axis", 1)] = scale.size
            scale, zero_point = scale.reshape(sizes), zero_point.reshape(sizes)
        return np.clip(np.round(values / scale) + zero_point, -128, 127).astype(np.int8)


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
        graph.initializer.append(onnx.numpy_helper.from_array(lowest, _LOWEST))
    for node in kept:
        given, inner = node.output[0], f"{node.output[0]}_in_float"
        node.output[0] = inner
        graph.node.append(onnx.helper.make_node("Max", [inner, _LOWEST], [given], name=inner))
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
        values = session.run(names, {source: raw(image)})
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
