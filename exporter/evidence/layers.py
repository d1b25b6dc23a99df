"""Layer-by-layer errors of a quantized file against its float file.

Both run on the same images and keep every tensor; tensors are matched by name. The error of
a tensor is accumulated from the input on, so that the first layer of a jump is the culprit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.onnx import new_session
from edge_runtime.image.preprocess import UInt8Array
from exporter.evidence.record import LayerReport, LayersReport
from exporter.formats.onnx_run import add_outputs, parsed

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]

MOST_IN_RECORD = 30
"""Tensors kept in check.json; the report plots all."""

_FEWEST = 4

NO_ERROR_DB = 200.0
"""The value of a tensor without any error: JSON has no infinity."""

_CLIPS = ("Clip", "Relu")


@dataclass(frozen=True)
class TensorPair:
    """One tensor that both files have.

    Attributes:
        name: Its name in the float file.
        op: The operation that makes it.
        scale: Its quantization scale; None for a float tensor.
    """

    name: str
    op: str
    scale: float | None


class PairedFiles(Protocol):
    """A float file and a quantized one, opened to compare tensors.

    Attributes:
        pairs: The tensors that both have, in execution order.
    """

    pairs: tuple[TensorPair, ...]

    def run(self, image: UInt8Array) -> Iterable[tuple[FloatArray, FloatArray]]:
        """Runs both on an image ``[height, width, channels]``; yields float and dequantized values."""
        ...


class ErrorSums:
    """Adds up one tensor's errors over images."""

    def __init__(self) -> None:
        self._signal = self._noise = 0.0
        self._count = 0
        self._low, self._high = math.inf, -math.inf

    def add(self, true: FloatArray, found: FloatArray) -> None:
        """Adds one image's values.

        Args:
            true: The float file's.
            found: The quantized file's, dequantized, of the same shape.
        """
        wide = true.astype(np.float64)
        self._signal += float(np.sum(wide**2))
        self._noise += float(np.sum((wide - found.astype(np.float64)) ** 2))
        self._count += true.size
        self._low, self._high = min(self._low, float(true.min())), max(self._high, float(true.max()))

    def report(self, pair: TensorPair) -> LayerReport:
        """The tensor's row.

        Args:
            pair: The tensor.
        """
        rmse = math.sqrt(self._noise / max(1, self._count))
        ratio = max(self._signal, 1e-30) / max(self._noise, 1e-60)
        return LayerReport(
            name=pair.name,
            op=pair.op,
            sqnr_db=min(10.0 * math.log10(ratio), NO_ERROR_DB),
            rmse=rmse,
            steps=None if pair.scale is None else rmse / pair.scale,
            range=self._high - self._low,
        )


def open_pair(format: Format, float_file: Path | bytes, quantized: Path | bytes) -> PairedFiles | None:
    """Opens two files of one format.

    Args:
        format: ``tflite`` or ``onnx``.
        float_file: Path or bytes.
        quantized: Path or bytes.

    Returns:
        None if the file has no quantized activations, or the format cannot be inspected.
    """
    pairs: dict[Format, type[TflitePair] | type[OnnxPair]] = {"tflite": TflitePair, "onnx": OnnxPair}
    if format not in pairs:
        return None
    found: PairedFiles = pairs[format](float_file, quantized)
    return found if any(pair.scale is not None for pair in found.pairs) else None


def layer_reports(
    files: PairedFiles, pixels: UInt8Array, seconds: float = math.inf
) -> tuple[tuple[LayerReport, ...], int]:
    """Measures every tensor, in execution order.

    Args:
        files: The two files.
        pixels: uint8 ``[n, height, width, channels]``.
        seconds: Time limit; the images left then are skipped, except the first few.

    Returns:
        The tensors, and the number of images run.
    """
    done, end = 0, time.perf_counter() + seconds
    sums = [ErrorSums() for _ in files.pairs]
    for image in pixels:
        for one, (true, found) in zip(sums, files.run(np.asarray(image)), strict=True):
            one.add(true, found)
        done += 1
        if done >= _FEWEST and time.perf_counter() > end:
            break
    return tuple(one.report(pair) for one, pair in zip(sums, files.pairs, strict=True)), done


def worst_first(rows: tuple[LayerReport, ...], float_file: str, n: int) -> LayersReport:
    """The rows kept in the record, the worst first.

    Args:
        rows: All tensors.
        float_file: The artifact compared with.
        n: Number of images.
    """
    ranked = sorted(rows, key=lambda row: row.sqnr_db)[:MOST_IN_RECORD]
    return LayersReport(float_file=float_file, n=n, tensors=len(rows), worst=tuple(ranked))


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
        """Runs both; see :class:`PairedFiles`."""
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
        for name, (_, index, original) in true.items():
            if name not in found:
                continue
            op, place, detail = found[name]
            scales = detail["quantization_parameters"]["scales"]
            integer = np.issubdtype(detail["dtype"], np.integer)
            if (integer and len(scales) != 1) or not np.array_equal(original["shape"], detail["shape"]):
                continue
            pairs.append(TensorPair(name.split(";")[0], op, float(scales[0]) if integer else None))
            self._places.append((index, place))
        self.pairs = tuple(pairs)

    def run(self, image: UInt8Array) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Runs both; see :class:`PairedFiles`."""
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
