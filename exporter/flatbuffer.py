"""Edits to a .tflite file that the converter has no option for."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.backend import load_tensorflow
from exporter.freeze import INPUT_NAME, OUTPUT_NAME

_IDENTIFIER = b"TFL3"


def name_tensors(model: bytes) -> bytes:
    """Calls the input ``image`` and the output ``scores``.

    The converter leaves names such as ``Identity_1``, and apps find tensors by name.

    Args:
        model: A .tflite file.
    """
    parsed = _parse(model)
    graph = parsed.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    graph.tensors[graph.outputs[0]].name = OUTPUT_NAME.encode()
    for signature in parsed.signatureDefs or []:
        for entries, name in ((signature.inputs, INPUT_NAME), (signature.outputs, OUTPUT_NAME)):
            for entry in entries or []:
                entry.name = name.encode()
    return _pack(parsed)


def set_input_range(model: bytes, low: float, high: float) -> bytes:
    """Sets the calibrated range of the input.

    With exactly 0..255 an 8-bit input has scale 1 and zero point 0, so that pixels
    go in as they are, whether or not the calibration images hold black and white.

    Args:
        model: A .tflite file with calibration statistics.
        low: Smallest value.
        high: Largest value.
    """
    parsed = _parse(model)
    graph = parsed.subgraphs[0]
    statistics = graph.tensors[graph.inputs[0]].quantization
    statistics.min = np.array([low], dtype=np.float32)
    statistics.max = np.array([high], dtype=np.float32)
    return _pack(parsed)


def _parse(model: bytes) -> Any:
    load_tensorflow()
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.ModelT.InitFromPackedBuf(model, 0)


def _pack(parsed: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(parsed.Pack(builder), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())
