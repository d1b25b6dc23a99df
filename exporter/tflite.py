"""TFLite artifacts: raw pixels in, float32 scores out, batch 1.

int8 is full-integer with per-channel weights and true min/max calibration, all but
the softmax: an integer softmax resolves only 1/256 and its 1000 scores sum to 0.92.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_runtime.errors import ModelFileError, UsageError
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import UInt8Array
from exporter.backend import load_tensorflow
from exporter.flatbuffer import name_tensors, set_input_range

FLOAT_OPERATIONS = ("SOFTMAX",)
"""Operations of an int8 artifact that stay in float."""


def convert_fp32(frozen: Any) -> bytes:
    """Converts without quantization.

    Args:
        frozen: A concrete function from :func:`exporter.freeze.freeze`.

    Returns:
        A .tflite file: float32 pixels 0..255 in.

    Raises:
        ModelFileError: The converter refuses the model.
    """
    converter = _converter(frozen)
    return name_tensors(_convert(converter, "tflite-fp32"))


def calibrate(frozen: Any, pixels: UInt8Array) -> bytes:
    """Converts and records the range of every tensor on real images.

    Args:
        frozen: A concrete function from :func:`exporter.freeze.freeze`.
        pixels: uint8 ``[n, height, width, channels]``, n at least 1.

    Returns:
        A float .tflite file that holds the ranges; the input's is 0..255.

    Raises:
        UsageError: There is no image.
        ModelFileError: The converter refuses the model.
    """
    if not len(pixels):
        raise UsageError(
            "int8 artifacts need calibration images. Received: none. Pass --calibration-data with real images."
        )
    tensorflow = load_tensorflow()

    def samples() -> Iterator[list[Any]]:
        for image in pixels:
            yield [image[np.newaxis].astype(np.float32)]

    converter = _converter(frozen)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    # Split in two, so that the ranges can be set and operations left out in between;
    # tf.lite.experimental.QuantizationDebugger takes the same way.
    converter._experimental_calibrate_only = True
    return set_input_range(_convert(converter, "tflite-int8"), 0.0, 255.0)


def quantize(calibrated: bytes) -> bytes:
    """Quantizes to int8, per channel, softmax in float.

    Args:
        calibrated: A file from :func:`calibrate`.

    Returns:
        A .tflite file: uint8 pixels in (scale 1, zero point 0), float32 scores out.

    Raises:
        ModelFileError: The quantizer refuses the model.
    """
    tensorflow = load_tensorflow()
    from tensorflow.lite.python.convert import mlir_quantize

    try:
        with quiet():
            quantized: bytes = mlir_quantize(
                calibrated,
                input_data_type=tensorflow.uint8,
                output_data_type=tensorflow.float32,
                denylisted_ops=list(FLOAT_OPERATIONS),
            )
    except (RuntimeError, ValueError) as error:
        raise _refused("tflite-int8", error) from error
    return name_tensors(quantized)


def _converter(frozen: Any) -> Any:
    """The way for functions without variables; its deprecation warning is about those with."""
    with quiet():
        return load_tensorflow().lite.TFLiteConverter.from_concrete_functions([frozen])


def _convert(converter: Any, kind: str) -> bytes:
    from tensorflow.lite.python.convert import ConverterError

    # Earlier steps leave whole copies of the weights in reference cycles.
    gc.collect()
    try:
        with quiet():
            converted: bytes = converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        raise _refused(kind, error) from error
    return converted


def _refused(kind: str, error: Exception) -> ModelFileError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelFileError(
        f"A model must convert to {kind}. Received: {reason[:300]}. "
        "Replace the operation that is named, or leave this artifact out with --artifacts."
    )
