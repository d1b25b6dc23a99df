"""Loads model files of any origin: what each takes as an image, and its outputs as float32.

The device engines refuse what is not in this project's form; here, arithmetic around the file
converts it. For exports and checks only: it is written for any file, not for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from edge_runtime.common.errors import ModelFileError, UsageError, first_line
from edge_runtime.engines.base import check_tensors
from edge_runtime.engines.litert import new_interpreter
from edge_runtime.engines.onnx import load_session
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.formats.onnx_metadata import onnx_labels
from exporter.formats.sigmoid_outputs import onnx_end, tflite_end
from exporter.formats.tflite_metadata import tflite_labels
from exporter.source.input_range import RANGES, InputRange, check_range, normalisation, scaling
from exporter.source.loaded_model import LoadedModel, as_batch, image_of, scores_of
from exporter.source.tensorflow_file import load_tensorflow_file

_ONNX_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}

_LEAST_COVER = 0.6
"""Pixels must use this share of a quantized input's range."""

_MOST_CLIPPED = 0.2
"""Share of the pixels' range that may lie outside it: calibration images need not contain black and white."""


def load_model(
    path: Path,
    input_range: InputRange,
    *,
    size: tuple[int, int] | None = None,
    threads: int = 1,
    exact: bool = False,
) -> LoadedModel:
    """Loads a model file.

    Args:
        path: A ``.keras``, ``.h5``, ``.tflite`` or ``.onnx`` file, or a SavedModel's folder.
        input_range: The pixel range it expects.
        size: Height and width to give it if it takes any.
        threads: Threads of one inference; TensorFlow manages its own.
        exact: Use integer kernels that cannot saturate, for an .onnx file.

    Raises:
        ModelFileError: It does not load, or is not an image classifier.
        UsageError: Its quantized input does not fit the range.
        EnvironmentMissingError: What runs it is not installed.
    """
    suffix = path.suffix.lower() if path.is_file() else ""
    if suffix == ".tflite":
        return _load_tflite(path, input_range, threads, size)
    if suffix == ".onnx":
        return _load_onnx(path, input_range, threads, exact)
    return load_tensorflow_file(path, input_range)


def reloaded(model: LoadedModel, threads: int, exact: bool = False) -> LoadedModel:
    """Loads a model again, adapted in the same way.

    Args:
        model: The model.
        threads: Threads of one inference.
        exact: Use integer kernels that cannot saturate.
    """
    height, width = (size if isinstance(size, int) else 0 for size in model.input.shape[1:3])
    loaded = load_model(model.path, model.input_range, size=(height, width), threads=threads, exact=exact)
    return replace(loaded, input=model.input, files=model.files, softmax=model.softmax)


def _load_tflite(
    path: Path, input_range: InputRange, threads: int, size: tuple[int, int] | None
) -> LoadedModel:
    try:
        interpreter = new_interpreter(path, threads)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        check_tensors(len(inputs), [str(entry["name"]) for entry in outputs], str(path))
        signature = [int(entry) for entry in inputs[0].get("shape_signature", inputs[0]["shape"])]
        taken, first = image_of(path, [entry if entry > 0 else None for entry in signature])
        channels = int(taken.shape[3])
        if size is not None and "any" in taken.shape:
            taken = msgspec.structs.replace(taken, shape=(1, *size, channels))
            shape = (channels, *size) if first else (*size, channels)
            interpreter.resize_tensor_input(inputs[0]["index"], [1, *shape])
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise ModelFileError(
            f"A .tflite file must load in LiteRT. Received: {path} ({first_line(error)}). Export it again."
        ) from error
    output = interpreter.get_output_details()[0]
    quantized = _quantizer(path, inputs[0], input_range, channels)
    scale, zero_point = output["quantization"]

    def outputs_of(batch: Any) -> Float32Array:
        interpreter.set_tensor(inputs[0]["index"], batch)
        interpreter.invoke()
        found: Float32Array = interpreter.get_tensor(output["index"]).reshape(-1).astype(np.float32)
        return (found - np.float32(zero_point)) * np.float32(scale) if scale else found

    data = path.read_bytes()
    return LoadedModel(
        path,
        "litert",
        input_range,
        taken,
        scores_of(path, [int(entry) for entry in output["shape"]]),
        outputs_of,
        lambda pixels: as_batch(quantized(pixels), first),
        step=float(scale),
        end=tflite_end(data),
        labels=tflite_labels(data),
    )


def _load_onnx(path: Path, input_range: InputRange, threads: int, exact: bool) -> LoadedModel:
    """Channels first or last; a uint8 input takes pixels as they are."""
    session = load_session(path, str(path), threads, exact=exact)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    check_tensors(len(inputs), [str(entry.name) for entry in outputs], str(path))
    sizes = [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]
    taken, first = image_of(path, sizes)
    output = scores_of(path, outputs[0].shape)
    dtype, given = _ONNX_DTYPES.get(inputs[0].type), _ONNX_DTYPES.get(outputs[0].type)
    if dtype is None or given is None:
        raise ModelFileError(
            "A classifier must take and give float or uint8 numbers. Received: "
            f"{path} with {inputs[0].type} -> {outputs[0].type}. Export it with a float input and output."
        )
    scaled = scaling(input_range, int(taken.shape[3]))

    def feed(pixels: UInt8Array) -> Any:
        image = pixels if dtype == "uint8" else scaled(pixels.astype(np.float32)).astype(dtype)
        return as_batch(image, first)

    def outputs_of(batch: Any) -> Float32Array:
        found = session.run([outputs[0].name], {inputs[0].name: batch})[0]
        scores: Float32Array = found.reshape(-1).astype(np.float32)
        return scores

    return LoadedModel(
        path,
        "onnxruntime",
        input_range,
        taken,
        output,
        outputs_of,
        feed,
        labels=onnx_labels(session.get_modelmeta().custom_metadata_map),
        end=onnx_end(path),
    )


def _quantizer(
    path: Path, detail: dict[str, Any], input_range: InputRange, channels: int
) -> Callable[[UInt8Array], Any]:
    """From pixels to the numbers of a .tflite file's input."""
    dtype = np.dtype(detail["dtype"])
    scaled = scaling(input_range, channels)
    if dtype.kind == "f":
        return lambda pixels: scaled(pixels.astype(np.float32)).astype(dtype)
    scale, zero_point = detail["quantization"]
    if dtype == np.uint8 and not scale:
        return lambda pixels: pixels
    if dtype.name not in ("uint8", "int8", "int16") or not scale:
        raise ModelFileError(
            f"A classifier must take float or quantized pixels. Received: {path} with {dtype.name}, scale "
            f"{scale:g}. Convert it with a float32 or uint8 input."
        )
    limits = np.iinfo(dtype)
    ends = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    if dtype == np.int16 and normalisation(input_range, channels)[1].min() >= 0.0:
        # Symmetric by TFLite's rule, so that pixels without negative values use its upper half alone.
        ends = 0.0, ends[1]
    if not _fits(ends, input_range, channels):
        fitting = [
            name
            for name in RANGES
            if (channels == 3 or name != "imagenet") and _fits(ends, check_range(name), channels)
        ]
        raise UsageError(
            f"A quantized input must hold the pixels' range. Received: {path} with {ends[0]:.4g} to {ends[1]:.4g}, "
            f"pixels {input_range}. Pass --input-range {' or '.join(fitting) or 'of the model'}."
        )

    def quantized(pixels: UInt8Array) -> Any:
        steps = np.round(scaled(pixels.astype(np.float32)) / np.float32(scale)) + zero_point
        return np.clip(steps, limits.min, limits.max).astype(dtype)

    return quantized


def _fits(ends: tuple[float, float], input_range: InputRange, channels: int) -> bool:
    """Whether a quantized input from end to end was made for a range."""
    factor, offset = normalisation(input_range, channels)
    low, high = float(offset.min()), float((255.0 * factor + offset).max())
    clipped = max(0.0, ends[0] - low) + max(0.0, high - ends[1])
    covered = min(high, ends[1]) - max(low, ends[0])
    return clipped <= _MOST_CLIPPED * (high - low) and covered >= _LEAST_COVER * (ends[1] - ends[0])
