"""The int8 weights of an .onnx file, in whatever form a tool has written them.

Before ONNX Runtime looks for integers to multiply, it folds constants and moves operations that only
rearrange values. This finds what it multiplies in the end, without running it::

    initializer, Constant or Identity      weights as most tools write them
    QuantizeLinear of a float constant     quantization-aware training, exported with its fake quantizers
    Transpose before or after the scale    PyTorch's dense layers
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.quantize.onnx_layers import attributes, constants

REARRANGING = ("Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "MaxPool")
"""Operations that ONNX Runtime moves away from between an activation's scale and its multiplication."""


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
        while node is not None and node.op_type in REARRANGING:
            node = self.makers.get(node.input[0])
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def scaled_weights(self, tensor: str) -> Any | None:
        """The int8 weights of which a DequantizeLinear made a tensor, arranged as that is.

        Args:
            tensor: Input of an operation.

        Returns:
            int8; None where it is something else.
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
            int8; None where it is something else.
        """
        node, values = self.makers.get(tensor), self.constant(tensor)
        if values is not None:
            return values if values.dtype == np.int8 else None
        if node is None:
            return None
        return (
            self._rounded(node) if node.op_type == "QuantizeLinear" else self._rearranged(node, self.weights)
        )

    def dtype(self, node: Any, place: int) -> Any | None:
        """The type of an input, as its zero point tells.

        Args:
            node: An operation.
            place: Which of its inputs is the zero point.

        Returns:
            A NumPy type; None where the zero point is left out or computed, as those of uint8 are.
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
