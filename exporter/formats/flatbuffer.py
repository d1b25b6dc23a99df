"""A .tflite file as objects and back, and edits that the converter has no option for."""

from __future__ import annotations

import struct
from typing import Any

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.c_header import IDENTIFIER

INPUT_NAME = "image"
OUTPUT_NAME = "scores"
"""Names of the one input and the one output of every file that is made, whatever its format."""

SIGNATURE = "serving_default"
"""Key of the one signature: what TensorFlow's tools look for when no other is named."""

_BUFFER_ALIGNMENT = 16
"""``force_align`` of a buffer's data in TFLite's schema; flatbuffers' object API does not keep it."""


def name_tensors(model: bytes) -> bytes:
    """Calls the input ``image`` and the output ``scores``, and writes the signature ``serving_default``.

    The converter leaves names such as ``Identity_1`` and no signature. Apps find tensors by name,
    ``get_signature_runner()`` and LiteRT's quantizer by signature. A second call changes nothing.

    Args:
        model: A .tflite file with one input and one output.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph_file = parsed(model)
    graph = graph_file.subgraphs[0]
    graph.tensors[graph.inputs[0]].name = INPUT_NAME.encode()
    graph.tensors[graph.outputs[0]].name = OUTPUT_NAME.encode()
    graph_file.signatureDefs = [
        schema.SignatureDefT(
            inputs=[schema.TensorMapT(INPUT_NAME.encode(), int(graph.inputs[0]))],
            outputs=[schema.TensorMapT(OUTPUT_NAME.encode(), int(graph.outputs[0]))],
            signatureKey=SIGNATURE.encode(),
            subgraphIndex=0,
        )
    ]
    return packed(graph_file)


def softmax_in_float(model: bytes) -> bytes:
    """Dequantizes in front of the last softmax instead of behind it.

    Args:
        model: A quantized .tflite file with a float32 output.

    Returns:
        The same with ``DEQUANTIZE, SOFTMAX`` for ``SOFTMAX, DEQUANTIZE`` at its end;
        the model itself if it has no such end.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph_file = parsed(model)
    graph = graph_file.subgraphs[0]
    codes = [graph_file.operatorCodes[operator.opcodeIndex].builtinCode for operator in graph.operators[-2:]]
    if codes != [schema.BuiltinOperator.SOFTMAX, schema.BuiltinOperator.DEQUANTIZE]:
        return model
    softmax, dequantize = graph.operators[-2:]
    logits, between, scores = softmax.inputs, softmax.outputs, dequantize.outputs
    graph.tensors[between[0]].type = schema.TensorType.FLOAT32
    graph.tensors[between[0]].quantization = None
    dequantize.inputs, dequantize.outputs = logits, between
    softmax.inputs, softmax.outputs = between, scores
    graph.operators[-2:] = [dequantize, softmax]
    return packed(graph_file)


def operators(model: bytes) -> tuple[str, ...]:
    """Names of the operators that a model uses, such as ``CONV_2D``, each once, in order of first use.

    Args:
        model: A .tflite file.

    Raises:
        ModelFileError: It is damaged.
    """
    graph_file = parsed(model)
    used = (
        graph_file.operatorCodes[operator.opcodeIndex]
        for graph in graph_file.subgraphs
        for operator in graph.operators
    )
    return tuple(dict.fromkeys(map(operator_name, used)))


def operator_name(code: Any) -> str:
    """The name of an operator, such as ``CONV_2D``.

    Args:
        code: An entry of a file's ``operatorCodes``, as an object.
    """
    from ai_edge_litert import schema_py_generated as schema

    # Files of before 2021 have the number in the first field alone, newer ones in both while it fits.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name: str = next(name for name, entry in vars(schema.BuiltinOperator).items() if entry == number)
    return name


def parsed(model: bytes) -> Any:
    """A model's FlatBuffer as objects (``ModelT`` of TFLite's schema).

    Args:
        model: The model's FlatBuffer alone.

    Raises:
        ModelFileError: It is damaged.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        return schema.ModelT.InitFromPackedBuf(model, 0)
    except (struct.error, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelFileError(f"A .tflite file must be intact. Received: {error}. Export it again.") from error


def packed(parsed_model: Any) -> bytes:
    """The objects as a FlatBuffer, each buffer aligned to 16 bytes as the schema asks.

    Microcontrollers and accelerators read weights in place.

    Args:
        parsed_model: From :func:`parsed`.
    """
    import flatbuffers

    sizes = (len(buffer.data) for buffer in parsed_model.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(1024 + 2 * sum(sizes))
    parsed_model.buffers = [_aligned(buffer) for buffer in parsed_model.buffers]
    builder.Finish(parsed_model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _aligned(buffer: Any) -> Any:
    """A buffer that packs itself aligned."""
    from ai_edge_litert import schema_py_generated as schema

    class Aligned(schema.BufferT):  # type: ignore[misc]
        def Pack(self, builder: Any) -> int:  # noqa: N802
            if self.data is not None:
                payload = bytes(self.data)
                builder.StartVector(1, len(payload), _BUFFER_ALIGNMENT)
                builder.head -= len(payload)
                builder.Bytes[builder.head : builder.head + len(payload)] = payload
                data = builder.EndVector()
            schema.BufferStart(builder)
            if self.data is not None:
                schema.BufferAddData(builder, data)
            schema.BufferAddOffset(builder, self.offset)
            schema.BufferAddSize(builder, self.size)
            return int(schema.BufferEnd(builder))

    return Aligned(buffer.data, buffer.offset, buffer.size)
