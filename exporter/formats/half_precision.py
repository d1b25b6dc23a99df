"""Whether a float16 file overflows when it is computed in float16.

A CPU computes an fp16 file in float32 (LiteRT widens its weights, ONNX Runtime adds casts around operations
without a float16 kernel), so its answers here say nothing about a GPU or a phone's accelerator, for which
the file is made. There every number above 65,504 becomes infinity, and soon all scores are NaN. So the
file is computed in float32 with every tensor kept, and the largest magnitude is reported.

Sums inside an operation that are not tensors are not seen; whether an accelerator keeps them in
float32 is up to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_runtime.bundle.manifest import Format
from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import EnvironmentMissingError, ModelFileError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array

HALF_MAX = 65504.0
"""Largest number of IEEE 754 binary16: (2 - 2^-10) 2^15. Converters clip larger weights to it."""

SAMPLE = 32
"""Maximum number of images; magnitudes hardly differ between images, an overflow does by factors."""

FLOAT32_MAX = float(np.finfo(np.float32).max)

Widths = Literal["float16", "any"]

Feed = Callable[[UInt8Array], Any]
"""Pixels ``[height, width, channels]`` -> the file's input, a batch of one."""


class Magnitude(Strict, frozen=True):
    """The largest number in a model.

    Attributes:
        tensor: The tensor that holds it.
        magnitude: Its absolute value; float32's largest if it is infinite or NaN.
        images: Images that were run.
    """

    tensor: str
    magnitude: float
    images: int

    @property
    def overflows(self) -> bool:
        """Whether float16 cannot hold it, or only just."""
        return self.magnitude >= HALF_MAX

    @property
    def text(self) -> str:
        """What it means, in words."""
        return (
            f"overflows in half precision: {self.magnitude:,.0f} in {self.tensor}, float16 ends at "
            f"{HALF_MAX:,.0f} (largest of {self.images} images)"
        )


def raw(pixels: UInt8Array) -> Float32Array:
    """The input of this project's own float files: float32 ``[1, height, width, channels]``, 0..255.

    Args:
        pixels: uint8 ``[height, width, channels]``.
    """
    return np.asarray(pixels)[np.newaxis].astype(np.float32)


def half_magnitude(
    model: Path | bytes,
    format: Format,
    name: str,
    pixels: UInt8Array,
    feed: Feed = raw,
    *,
    widths: Widths = "float16",
) -> Magnitude | None:
    """The largest number that a file holds or computes in float16.

    Args:
        model: The file's path or bytes.
        format: Its format.
        name: Its name, for messages.
        pixels: Images, uint8 ``[n, height, width, channels]``, at least one; up to :data:`SAMPLE` of
            them, evenly spread, are run.
        feed: Turns an image into the file's input.
        widths: ``any`` treats a float32 file as if it were computed in float16.

    Returns:
        None for a file without such numbers, and for other formats.

    Raises:
        ModelFileError: The file is damaged, or does not run with all tensors kept.
        EnvironmentMissingError: onnx or onnxruntime is not installed.
    """
    if format not in ("tflite", "onnx"):
        return None
    some = pixels[np.unique(np.linspace(0, len(pixels) - 1, SAMPLE).astype(np.int64))]
    inputs = [feed(np.asarray(image)) for image in some]
    tensors_of = _tflite_tensors if format == "tflite" else _onnx_tensors
    try:
        tensors = tensors_of(model, inputs, widths)
        if tensors is None:
            return None
        largest, where = 0.0, ""
        for tensor, values in tensors:
            found = _magnitude(values)
            if found > largest:
                largest, where = found, tensor
    except (ModelFileError, EnvironmentMissingError):
        raise
    except Exception as error:
        # LiteRT raises RuntimeError and ValueError, ONNX Runtime exceptions of its own, parsers anything.
        raise ModelFileError(
            f"A float16 file must run with all its tensors kept. Received: {name} ({first_line(error)}). "
            "Export it again."
        ) from error
    # A fused operation's tensor carries the names of all its parts.
    return Magnitude(where.split(";")[0], largest, len(some))


def _magnitude(values: Any) -> float:
    """NaN counts as infinite; JSON has neither."""
    if not values.size:
        return 0.0
    largest = max(abs(float(values.min())), abs(float(values.max())))
    return min(largest, FLOAT32_MAX) if largest == largest else FLOAT32_MAX


def _tflite_tensors(
    model: Path | bytes, inputs: list[Any], widths: Widths
) -> Iterator[tuple[str, Any]] | None:
    from ai_edge_litert import schema_py_generated as schema

    data = model if isinstance(model, bytes) else model.read_bytes()
    floats = (schema.TensorType.FLOAT16, schema.TensorType.FLOAT32)
    graph = schema.Model.GetRootAs(data, 0).Subgraphs(0)
    types = [graph.Tensors(place).Type() for place in range(graph.TensorsLength())]
    if widths == "float16" and schema.TensorType.FLOAT16 not in types:
        return None
    weights: dict[int, str] = {}
    activations: dict[int, str] = {}
    for operator in map(graph.Operators, range(graph.OperatorsLength())):
        # Weights are float16 constants that a DEQUANTIZE widens.
        widens = types[operator.Inputs(0)] == schema.TensorType.FLOAT16
        for place in operator.OutputsAsNumpy().tolist():
            if types[place] in floats:
                (weights if widens else activations)[place] = graph.Tensors(place).Name().decode()
    with quiet():
        interpreter = new_interpreter(data, min(4, os.cpu_count() or 1), all_tensors=True)
        taken = interpreter.get_input_details()[0]
        if tuple(taken["shape"]) != inputs[0].shape:
            interpreter.resize_tensor_input(taken["index"], inputs[0].shape)
        interpreter.allocate_tensors()

    def run() -> Iterator[tuple[str, Any]]:
        for batch in inputs:
            interpreter.set_tensor(taken["index"], batch)
            interpreter.invoke()
            for place, name in (activations if batch is not inputs[0] else activations | weights).items():
                yield name, interpreter.get_tensor(place)

    return run()


def _onnx_tensors(file: Path | bytes, inputs: list[Any], widths: Widths) -> Iterator[tuple[str, Any]] | None:
    from exporter.formats.onnx_run import add_outputs, parsed, session_of

    model = parsed(file)
    # Installed: the file could not have been opened without it.
    import onnx

    looked_at = {onnx.TensorProto.FLOAT16, *([onnx.TensorProto.FLOAT] if widths == "any" else [])}
    weights = [entry for entry in model.graph.initializer if entry.data_type in looked_at]
    inferred = onnx.shape_inference.infer_shapes(model)
    half = {
        info.name
        for info in (*inferred.graph.value_info, *inferred.graph.output)
        if info.type.tensor_type.elem_type in looked_at
    }
    if not weights and not half:
        return None
    constants = [(entry.name, onnx.numpy_helper.to_array(entry)) for entry in weights]
    _widen(model)
    names = add_outputs(model, [name for node in model.graph.node for name in node.output if name in half])
    session = session_of(model.SerializeToString())
    taken = session.get_inputs()[0].name

    def run() -> Iterator[tuple[str, Any]]:
        yield from constants
        for batch in inputs:
            yield from zip(names, session.run(names, {taken: batch.astype(np.float32)}), strict=True)

    return run()


def _widen(model: Any) -> None:
    """Turns every float16 in a model into float32, in place, so that storing it clips nothing."""
    import onnx

    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for place in range(len(model.graph.initializer)):
        model.graph.initializer[place].CopyFrom(_widened(model.graph.initializer[place]))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == half:
                attribute.i = single
            if attribute.HasField("t"):
                attribute.t.CopyFrom(_widened(attribute.t))
    for info in (*model.graph.input, *model.graph.output):
        if info.type.tensor_type.elem_type == half:
            info.type.tensor_type.elem_type = single
    del model.graph.value_info[:]


def _widened(tensor: Any) -> Any:
    import onnx

    if tensor.data_type != onnx.TensorProto.FLOAT16:
        return tensor
    return onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
