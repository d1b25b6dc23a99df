"""Tensors of two ONNX files, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engines.onnx import new_session
from edge_runtime.preprocess import UInt8Array
from exporter.evidence.tensor_pair import FloatArray, TensorPair
from exporter.quantize.onnx_run import add_outputs, parsed

_CLIPS = ("Clip", "Relu")


class OnnxPair:
    """A float ONNX file and one with QuantizeLinear and DequantizeLinear pairs (QDQ).

    The quantizer keeps the names of tensors: what goes into a QuantizeLinear is called as in
    the float file. A Clip or Relu that the quantized range replaces is gone, and the tensor
    before it then holds what the float file has after it.

    Attributes:
        pairs: The tensors that both have, in execution order.
    """

    def __init__(self, float_file: Path | bytes, quantized: Path | bytes) -> None:
        """Loads both.

        Args:
            float_file: Path or bytes.
            quantized: Path or bytes.
        """
        true, found = parsed(float_file), parsed(quantized)
        ops = {output: node.op_type for node in true.graph.node for output in node.output}
        constants = {tensor.name: tensor for tensor in found.graph.initializer}
        readers: dict[str, list[Any]] = {}
        for node in true.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        undone = {
            node.input[0]: node.output[0] for node in found.graph.node if node.op_type == "DequantizeLinear"
        }
        kept = {name for node in found.graph.node for name in node.output}
        pairs, self._names = [], []
        seen = set()
        for node in found.graph.node:
            if node.op_type != "QuantizeLinear" or node.input[0] not in ops or node.output[0] not in undone:
                continue
            name = node.input[0]
            if name in seen:
                continue
            seen.add(name)
            after = readers.get(name, [])
            clipped = len(after) == 1 and after[0].op_type in _CLIPS and after[0].output[0] not in kept
            compared = after[0].output[0] if clipped else name
            pairs.append(
                TensorPair(name.removesuffix(":0"), ops[name], _scalar(constants.get(node.input[1])))
            )
            self._names.append((compared, undone[node.output[0]]))
        self.pairs = tuple(pairs)
        self._float = _session(true, [one for one, _ in self._names])
        self._quantized = _session(found, [other for _, other in self._names])

    def run(self, image: UInt8Array) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Runs both; see :class:`exporter.evidence.tensor_pair.PairedFiles`."""
        tables = []
        for session, side in ((self._float, 0), (self._quantized, 1)):
            taken = session.get_inputs()[0]
            batch = image[np.newaxis].astype(np.uint8 if taken.type == "tensor(uint8)" else np.float32)
            wanted = list(dict.fromkeys(names[side] for names in self._names))
            tables.append(dict(zip(wanted, session.run(wanted, {taken.name: batch}), strict=True)))
        for one, other in self._names:
            yield tables[0][one], tables[1][other]


def _session(model: Any, names: list[str]) -> Any:
    """A session that also returns the named tensors."""
    add_outputs(model, list(dict.fromkeys(names)))
    return new_session(model.SerializeToString(), 1, as_written=True)


def _scalar(tensor: Any) -> float | None:
    if tensor is None:
        return None
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    return float(values.reshape(-1)[0]) if values.size == 1 else None
