"""Tensors of two TFLite files, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engines.litert import new_interpreter
from edge_runtime.preprocess import UInt8Array
from exporter.evidence.tensor_pair import FloatArray, TensorPair


class TflitePair:
    """A float TFLite file and a quantized one; converters keep the names of tensors.

    Attributes:
        pairs: The tensors that both have, in execution order.
    """

    def __init__(self, float_file: Path | bytes, quantized: Path | bytes) -> None:
        """Loads both.

        Args:
            float_file: Path or bytes.
            quantized: Path or bytes.
        """
        self._float, self._quantized = _interpreter(float_file), _interpreter(quantized)
        true, found = _made(self._float), _made(self._quantized)
        pairs, self._places = [], []
        for name, (_, index, _) in true.items():
            if name not in found:
                continue
            op, place, detail = found[name]
            scales = detail["quantization_parameters"]["scales"]
            integer = np.issubdtype(detail["dtype"], np.integer)
            if (integer and len(scales) != 1) or not np.array_equal(self._shape(name, true), detail["shape"]):
                continue
            pairs.append(TensorPair(name.split(";")[0], op, float(scales[0]) if integer else None))
            self._places.append((index, place))
        self.pairs = tuple(pairs)

    @staticmethod
    def _shape(name: str, true: dict[str, tuple[str, int, Any]]) -> Any:
        return true[name][2]["shape"]

    def run(self, image: UInt8Array) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Runs both; see :class:`exporter.evidence.tensor_pair.PairedFiles`."""
        for interpreter in (self._float, self._quantized):
            taken = interpreter.get_input_details()[0]
            interpreter.set_tensor(taken["index"], image[np.newaxis].astype(taken["dtype"]))
            interpreter.invoke()
        details = {detail["index"]: detail for detail in self._quantized.get_tensor_details()}
        for index, place in self._places:
            found = self._quantized.get_tensor(place)
            scales = details[place]["quantization_parameters"]
            if np.issubdtype(found.dtype, np.integer):
                found = (found.astype(np.float32) - scales["zero_points"][0]) * scales["scales"][0]
            yield self._float.get_tensor(index), found


def _interpreter(model: Path | bytes) -> Any:
    interpreter = new_interpreter(model, 1, all_tensors=True)
    interpreter.allocate_tensors()
    return interpreter


def _made(interpreter: Any) -> dict[str, tuple[str, int, Any]]:
    """What each operation makes: by tensor name, the operation, the tensor's place, its details."""
    details = {detail["index"]: detail for detail in interpreter.get_tensor_details()}
    made = {}
    for operation in interpreter._get_ops_details():
        for index in operation["outputs"]:
            if index in details and np.issubdtype(details[index]["dtype"], np.number):
                made[str(details[index]["name"])] = (str(operation["op_name"]), int(index), details[index])
    return made
