"""Reads model files of anybody's: what each takes for an image, and its raw outputs as float32.

The device engines refuse what is not in this project's form; here, arithmetic around the file
brings it there. For checks only: it is written for any file, not for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.engines.onnx import EXACT_KERNELS
from edge_runtime.engines.onnx_import import load_onnxruntime
from edge_runtime.errors import EnvironmentMissingError, ModelFileError, UsageError
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.backend import load_tensorflow
from exporter.half_precision import Feed, raw
from exporter.input_range import RANGES, InputRange, check_range, normalisation
from exporter.metadata.onnx import onnx_labels
from exporter.reasons import first_line
from exporter.sigmoid import End, keras_end, onnx_end, single_output, tflite_end
from exporter.source import open_model

_ONNX_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
}
_FATAL_ONLY = 4

_LEAST_COVER = 0.6
"""Pixels must use this share of a quantized input's range."""

_MOST_CLIPPED = 0.2
"""Share of the pixels' range that may lie outside of it: calibration images need not hold black and white."""


@dataclass(frozen=True)
class Layout:
    """What a file takes for an image.

    Attributes:
        height: Rows; None where any will do.
        width: Columns; None where any will do.
        channels: 1 or 3.
        first: Whether the channels come first, as in PyTorch.
    """

    height: int | None
    width: int | None
    channels: int
    first: bool

    def arranged(self, image: Any) -> Any:
        """One image ``[height, width, channels]`` as a batch in the file's order."""
        return np.ascontiguousarray(image.transpose(2, 0, 1) if self.first else image)[np.newaxis]


@dataclass(frozen=True)
class ForeignFile:
    """A loaded model file.

    Attributes:
        engine: What runs it: ``litert``, ``onnxruntime`` or ``tensorflow``.
        layout: What it takes.
        classes: Length of its output.
        step: Size of one step of a quantized output, 0 for a float one.
        run: uint8 image ``[height, width, channels]`` -> float32 ``[classes]``, scores or logits.
        call: TensorFlow tensor of raw pixels ``[batch, height, width, channels]`` -> the same for many;
            None where the file takes one image at a time.
        labels: Class names in the order of the scores, where an .onnx file has some.
        feed: uint8 image ``[height, width, channels]`` -> the batch of one that the file takes.
        end: What its last operation gives.
    """

    engine: str
    layout: Layout
    classes: int
    step: float
    run: Callable[[UInt8Array], Float32Array]
    call: Callable[[Any], Any] | None = None
    labels: tuple[str, ...] = ()
    feed: Feed = raw
    end: End = "unknown"


def read_tflite(
    path: Path, input_range: InputRange, threads: int, size: tuple[int, int] | None
) -> ForeignFile:
    """Loads a .tflite file of any input and output types.

    Args:
        path: The file.
        input_range: What it takes for a pixel.
        threads: Threads of one inference.
        size: Height and width to give it where it takes any.

    Raises:
        ModelFileError: LiteRT refuses it, or it is no image classifier.
        UsageError: Its quantized input does not fit the range.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(path), num_threads=threads)
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        _one_each(path, len(inputs), len(outputs))
        signature = [int(entry) for entry in inputs[0].get("shape_signature", inputs[0]["shape"])]
        layout = layout_of(path, [entry if entry > 0 else None for entry in signature])
        if size is not None and (layout.height is None or layout.width is None):
            shape = (*size, layout.channels)
            interpreter.resize_tensor_input(
                inputs[0]["index"], [1, *((shape[2], *size) if layout.first else shape)]
            )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError, MemoryError) as error:
        raise ModelFileError(
            f"A .tflite file must load in LiteRT. Received: {path} ({first_line(error)}). Export it again."
        ) from error
    output = interpreter.get_output_details()[0]
    classes = classes_of(path, [int(entry) for entry in output["shape"]])
    prepare = _quantizer(path, inputs[0], input_range, layout.channels)
    scale, zero_point = output["quantization"]

    def feed(pixels: UInt8Array) -> Any:
        return layout.arranged(prepare(pixels))

    def run(pixels: UInt8Array) -> Float32Array:
        interpreter.set_tensor(inputs[0]["index"], feed(pixels))
        interpreter.invoke()
        found: Float32Array = interpreter.get_tensor(output["index"]).reshape(-1).astype(np.float32)
        return (found - np.float32(zero_point)) * np.float32(scale) if scale else found

    end = tflite_end(path.read_bytes())
    return ForeignFile("litert", layout, classes, float(scale), run, feed=feed, end=end)


def read_onnx(path: Path, input_range: InputRange, threads: int, exact: bool = False) -> ForeignFile:
    """Loads an .onnx file, channels first or last.

    Args:
        path: The file.
        input_range: What it takes for a pixel; a uint8 input takes pixels as they are.
        threads: Threads of one inference.
        exact: Use integer kernels that cannot saturate.

    Raises:
        EnvironmentMissingError: onnxruntime is not installed.
        ModelFileError: ONNX Runtime refuses it, or it is no image classifier.
    """
    try:
        onnxruntime = load_onnxruntime()
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Running an .onnx file", "onnxruntime", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _FATAL_ONLY
    if exact:
        options.add_session_config_entry(EXACT_KERNELS, "1")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime's exceptions share no base class but Exception.
        raise ModelFileError(
            f"An .onnx file must load in ONNX Runtime. Received: {path} ({first_line(error)}). Export it again."
        ) from error
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _one_each(path, len(inputs), len(outputs))
    layout = layout_of(
        path, [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]
    )
    classes = classes_of(path, outputs[0].shape)
    dtype, given = _ONNX_DTYPES.get(inputs[0].type), _ONNX_DTYPES.get(outputs[0].type)
    if dtype is None or given is None:
        raise ModelFileError(
            "A classifier must take and give float or uint8 numbers. Received: "
            f"{path} with {inputs[0].type} -> {outputs[0].type}. Export it with a float input and output."
        )
    factor, offset = normalisation(input_range, layout.channels)
    fetch, taken = [outputs[0].name], inputs[0].name

    def feed(pixels: UInt8Array) -> Any:
        image = pixels if dtype == "uint8" else (pixels.astype(np.float32) * factor + offset).astype(dtype)
        return layout.arranged(image)

    def run(pixels: UInt8Array) -> Float32Array:
        found: Float32Array = session.run(fetch, {taken: feed(pixels)})[0].reshape(-1).astype(np.float32)
        return found

    labels = onnx_labels(session.get_modelmeta().custom_metadata_map)
    return ForeignFile("onnxruntime", layout, classes, 0.0, run, labels=labels, feed=feed, end=onnx_end(path))


def read_keras(path: Path, input_range: InputRange) -> ForeignFile:
    """Loads a ``.keras`` or ``.h5`` file, or a SavedModel.

    Args:
        path: The file or folder.
        input_range: What it takes for a pixel.

    Raises:
        EnvironmentMissingError: TensorFlow is not installed.
        ModelFileError: It does not load, or is no image classifier.
    """
    tensorflow = load_tensorflow()
    opened = open_model(path)
    layout = layout_of(path, list(opened.taken))
    classes = classes_of(path, list(opened.given))
    factor, offset = normalisation(input_range, layout.channels)

    def call(image: Any) -> Any:
        seen = tensorflow.cast(image, tensorflow.float32) * factor + offset
        seen = tensorflow.transpose(seen, (0, 3, 1, 2)) if layout.first else seen
        return tensorflow.reshape(tensorflow.cast(opened.call(seen), tensorflow.float32), (-1, classes))

    traced = tensorflow.function(call, autograph=False)

    def run(pixels: UInt8Array) -> Float32Array:
        try:
            with quiet():
                found: Float32Array = traced(tensorflow.constant(pixels[np.newaxis]))[0].numpy()
        except Exception as error:
            # Any layer may raise anything.
            raise ModelFileError(
                f"A full model must run on one image. Received: {path} ({first_line(error)}). Fix the model."
            ) from error
        return found

    many = opened.taken[0] is None
    end: End = "unknown" if opened.keras is None else keras_end(opened.keras)
    return ForeignFile("tensorflow", layout, classes, 0.0, run, call if many else None, end=end)


def layout_of(path: Path, shape: list[int | None]) -> Layout:
    """Which of an input's sizes are the image's.

    Args:
        path: The file, for messages.
        shape: The input's sizes, None where one is free.

    Raises:
        ModelFileError: It is no batch of one image.
    """
    if len(shape) == 4 and shape[0] in (None, 1):
        # Where both could be channels, as in [1, 3, 3, 3], last is what TensorFlow writes.
        if shape[3] in (1, 3):
            return Layout(shape[1], shape[2], int(shape[3]), first=False)
        if shape[1] in (1, 3):
            return Layout(shape[2], shape[3], int(shape[1]), first=True)
    shown = [size if size is not None else "any" for size in shape]
    raise ModelFileError(
        "A model must take one image, [1, height, width, channels] or [1, channels, height, width], with 1 "
        f"or 3 channels. Received: {path} with {shown}. Compare image classifiers."
    )


def classes_of(path: Path, shape: list[Any]) -> int:
    """Length of an output.

    Args:
        path: The file, for messages.
        shape: The output's sizes.

    Raises:
        ModelFileError: It is not one number per class for one image.
    """
    sizes = [size for size in shape[1:] if size != 1]
    if len(sizes) == 1 and isinstance(sizes[0], int) and sizes[0] > 1:
        return sizes[0]
    if len(shape) > 1 and not sizes:
        raise single_output(path, str([size if isinstance(size, int) else "any" for size in shape]))
    raise ModelFileError(
        f"A classifier must return one score per class, of two or more. Received: {path} with output "
        f"{[size if isinstance(size, int) else 'any' for size in shape]}. Compare image classifiers."
    )


def _one_each(path: Path, inputs: int, outputs: int) -> None:
    if inputs != 1 or outputs != 1:
        raise ModelFileError(
            f"A classifier must have one input and one output. Received: {path} with {inputs} inputs, "
            f"{outputs} outputs. Compare models of one image."
        )


def _quantizer(
    path: Path, detail: dict[str, Any], input_range: InputRange, channels: int
) -> Callable[[UInt8Array], Any]:
    """From pixels to the numbers of a .tflite file's input."""
    dtype = np.dtype(detail["dtype"])
    factor, offset = normalisation(input_range, channels)
    if dtype.kind == "f":
        return lambda pixels: (pixels.astype(np.float32) * factor + offset).astype(dtype)
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
        steps = np.round((pixels.astype(np.float32) * factor + offset) / np.float32(scale)) + zero_point
        return np.clip(steps, limits.min, limits.max).astype(dtype)

    return quantized


def _fits(ends: tuple[float, float], input_range: InputRange, channels: int) -> bool:
    """Whether a quantized input from end to end was made for a range."""
    factor, offset = normalisation(input_range, channels)
    low, high = float(offset.min()), float((255.0 * factor + offset).max())
    clipped = max(0.0, ends[0] - low) + max(0.0, high - ends[1])
    covered = min(high, ends[1]) - max(low, ends[0])
    return clipped <= _MOST_CLIPPED * (high - low) and covered >= _LEAST_COVER * (ends[1] - ends[0])
