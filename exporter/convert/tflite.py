"""TFLite artifacts that the converter writes: raw pixels in, float32 scores out, batch 1.

The int8 artifact is made from the float one, by :mod:`exporter.quantize`.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from edge_runtime.common.errors import first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_tensorflow
from exporter.common.wording import conversion_error, refused_operations
from exporter.formats.flatbuffer import name_tensors, softmax_in_float
from exporter.formats.half_precision import raw
from exporter.quantize.calibration import check_images


def convert_fp32(frozen: Any) -> bytes:
    """Converts without quantization.

    Args:
        frozen: A concrete function from :func:`exporter.source.full_model.freeze`.

    Returns:
        A .tflite file: float32 pixels 0..255 in.

    Raises:
        ModelFileError: The converter refuses the model.
    """
    return name_tensors(_convert(_converter(frozen), "tflite-fp32", frozen))


def convert_fp16(frozen: Any) -> bytes:
    """Stores the weights in float16; a CPU computes in float32, a GPU may compute in float16.

    Args:
        frozen: A concrete function from :func:`exporter.source.full_model.freeze`.

    Returns:
        A .tflite file: float32 pixels 0..255 in, half the size.

    Raises:
        ModelFileError: The converter refuses the model.
    """
    converter = _converter(frozen, quantized=True)
    converter.target_spec.supported_types = [load_tensorflow().float16]
    return name_tensors(_convert(converter, "tflite-fp16", frozen))


def convert_dynamic(frozen: Any) -> bytes:
    """Stores the weights in int8 and quantizes activations at run time: size, not speed.

    Args:
        frozen: A concrete function from :func:`exporter.source.full_model.freeze`.

    Returns:
        A .tflite file: float32 pixels 0..255 in, a quarter of the size.

    Raises:
        ModelFileError: The converter refuses the model.
    """
    return name_tensors(_convert(_converter(frozen, quantized=True), "tflite-dynamic", frozen))


def convert_int16x8(frozen: Any, pixels: UInt8Array) -> bytes:
    """Quantizes weights to int8 and activations to int16, softmax in float.

    Accurate, but on a CPU its kernels are 20 times slower than float ones: for accelerators.

    Args:
        frozen: A concrete function from :func:`exporter.source.full_model.freeze`.
        pixels: Calibration images, uint8 ``[n, height, width, channels]``, n at least 1.

    Returns:
        A .tflite file: float32 pixels 0..255 in, float32 scores out.

    Raises:
        UsageError: There are no images, or images of another shape.
        ModelFileError: The converter refuses the model.
    """
    # The int16 quantizer has no setting for the input's range: a pixel of 0 and one of 255 make
    # it 0..255.
    first = np.array(check_images(pixels, tuple(frozen.inputs[0].shape[1:]))[:1])
    first[0, 0, 0], first[0, -1, -1] = 0, 255
    images = np.concatenate([pixels, first])
    converter = _converter(frozen, quantized=True)
    converter.representative_dataset = lambda: ([raw(image)] for image in images)
    converter.target_spec.supported_ops = [
        load_tensorflow().lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    return name_tensors(softmax_in_float(_convert(converter, "tflite-int16x8", frozen)))


def _converter(frozen: Any, *, quantized: bool = False) -> Any:
    lite = load_tensorflow().lite
    # Its deprecation warning is about functions with variables; this one has none.
    with quiet():
        converter = lite.TFLiteConverter.from_concrete_functions([frozen])
    if quantized:
        converter.optimizations = [lite.Optimize.DEFAULT]
    return converter


def _convert(converter: Any, kind: str, frozen: Any) -> bytes:
    from tensorflow.lite.python.convert import ConverterError

    # Earlier steps leave copies of all weights in reference cycles.
    gc.collect()
    try:
        with quiet():
            converted: bytes = converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        reason = refused_operations(frozen.graph, str(error)) or first_line(error, 300)
        raise conversion_error(kind, reason) from error
    return converted
