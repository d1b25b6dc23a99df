"""Adds an output to a finished model file: the features, which are what its last dense layer takes.

The one way to more outputs than the scores. It comes after quantization and repair, and changes nothing else:
the scores stay output 0 and the same to the bit. The result is always float32 ``[1, size]``, since MediaPipe
wants the outputs of a file to be all quantized or none: what a quantized file computes is dequantized.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edge_runtime.bundle.manifest import Format
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.base import FEATURES
from exporter.formats.flatbuffer import operator_name, packed, parsed
from exporter.formats.model_files import import_onnx
from exporter.formats.tflite_metadata_tables import split

EXTENDABLE: tuple[Format, ...] = ("tflite", "onnx")
"""The formats whose files can be given a further output: those that this package's engines run."""

_DENSE = {"FULLY_CONNECTED", "CONV_2D", "Gemm", "MatMul", "Conv"}
_TFLITE_PASSING = {"SOFTMAX", "RESHAPE", "SQUEEZE", "DEQUANTIZE", "QUANTIZE", "ADD"}
_ONNX_PASSING = {
    *("Softmax", "Reshape", "Squeeze", "Flatten", "Identity", "Cast", "Add"),
    *("DequantizeLinear", "QuantizeLinear"),
}


def with_features(data: bytes, format: Format, name: str) -> bytes:
    """Adds the output :data:`~edge_runtime.engines.base.FEATURES` to a classifier.

    Args:
        data: The file; its one output is its scores. What follows the model, such as labels, is left out.
        format: Its format, one of :data:`EXTENDABLE`.
        name: The artifact's name, for messages.

    Raises:
        NoFeaturesError: Its scores do not come from a dense layer of one vector.
        EnvironmentMissingError: onnx is not installed, for an .onnx file.
    """
    return _of_tflite(data, name) if format == "tflite" else _of_onnx(data, name)


class NoFeaturesError(ModelFileError):
    """A file cannot be given a features output.

    Attributes:
        found: What stands in the way, as a relative clause about the file.
    """

    def __init__(self, name: str, found: str) -> None:
        """Makes the message.

        Args:
            name: The artifact.
            found: What stands in the way.
        """
        self.found = found
        super().__init__(
            "A features output is what the last dense layer takes, one vector per image. "
            f"Received: {name}, {found}. Use the scores alone: --unknown scores."
        )


def _found(
    name: str, start: Any, maker: Callable[[Any], tuple[str, list[Any]] | None], passing: set[str]
) -> Any:
    """The tensor that the last dense layer takes.

    Args:
        name: The artifact's name, for messages.
        start: Its scores.
        maker: A tensor -> the operation that makes it and that operation's inputs, which are no constants.
        passing: Operations to look behind.
    """
    place = start
    while True:
        made = maker(place)
        if made is None:
            raise NoFeaturesError(name, "which has no dense layer")
        operation, inputs = made
        if operation in _DENSE and inputs:
            return inputs[0]
        if operation not in passing or len(inputs) != 1:
            raise NoFeaturesError(name, f"whose scores come from {operation}")
        place = inputs[0]


def _of_tflite(data: bytes, name: str) -> bytes:
    from ai_edge_litert import schema_py_generated as schema

    file = parsed(split(data)[0])
    graph = file.subgraphs[0]
    makers = {int(place): entry for entry in graph.operators for place in entry.outputs}
    # What is not computed from the image is a constant, such as weights that a DEQUANTIZE widens.
    computed = {int(place) for place in graph.inputs}
    for entry in graph.operators:
        if computed.intersection(int(place) for place in entry.inputs):
            computed.update(int(place) for place in entry.outputs)

    def maker(place: int) -> tuple[str, list[int]] | None:
        if place not in makers:
            return None
        entry = makers[place]
        inputs = [int(source) for source in entry.inputs if int(source) in computed]
        return operator_name(file.operatorCodes[entry.opcodeIndex]), inputs

    place = _found(name, int(graph.outputs[0]), maker, _TFLITE_PASSING)
    features = graph.tensors[place]
    if [int(size) for size in features.shape[:-1]] != [1] * (len(features.shape) - 1):
        raise NoFeaturesError(name, f"whose last layer takes {[int(size) for size in features.shape]}")
    if features.type != schema.TensorType.FLOAT32:
        place = _dequantized(file, place)
    graph.tensors[place].name = FEATURES.encode()
    graph.outputs = [int(entry) for entry in graph.outputs] + [place]
    for signature in file.signatureDefs or []:
        signature.outputs.append(schema.TensorMapT(FEATURES.encode(), place))
    return packed(file)


def _dequantized(file: Any, place: int) -> int:
    """Appends an operator that turns a quantized tensor into float32; returns the new tensor's place."""
    from ai_edge_litert import schema_py_generated as schema

    graph = file.subgraphs[0]
    source = graph.tensors[place]
    made = schema.TensorT()
    # Buffer 0 is empty by TFLite's convention: what no file holds.
    made.shape, made.type, made.buffer, made.name = (
        source.shape,
        schema.TensorType.FLOAT32,
        0,
        FEATURES.encode(),
    )
    made.hasRank = source.hasRank
    graph.tensors.append(made)
    # Versions by input type, of TFLite's op_version.cc.
    version = {schema.TensorType.INT8: 2, schema.TensorType.INT16: 3}.get(source.type, 1)
    code = next(
        (
            index
            for index, entry in enumerate(file.operatorCodes)
            if operator_name(entry) == "DEQUANTIZE" and entry.version >= version
        ),
        None,
    )
    if code is None:
        number = schema.BuiltinOperator.DEQUANTIZE
        added = schema.OperatorCodeT()
        added.builtinCode, added.deprecatedBuiltinCode, added.version = number, number, version
        file.operatorCodes.append(added)
        code = len(file.operatorCodes) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = code, [place], [len(graph.tensors) - 1]
    graph.operators.append(operator)
    return len(graph.tensors) - 1


def _of_onnx(data: bytes, name: str) -> bytes:
    onnx = import_onnx("Adding an output to an .onnx file")
    model = onnx.load_model_from_string(data)
    graph = model.graph
    makers = {made: node for node in graph.node for made in node.output}
    computed = {entry.name for entry in graph.input} - {entry.name for entry in graph.initializer}
    for node in graph.node:
        if computed.intersection(node.input):
            computed.update(node.output)

    def maker(tensor: str) -> tuple[str, list[str]] | None:
        if tensor not in makers:
            return None
        return makers[tensor].op_type, [source for source in makers[tensor].input if source in computed]

    tensor = _found(name, graph.output[0].name, maker, _ONNX_PASSING)
    sizes = _vector_sizes(onnx, model, tensor)
    if not sizes:
        raise NoFeaturesError(name, "whose last layer takes no vector of a known size")
    made = makers.get(tensor)
    if made is not None and made.op_type == "DequantizeLinear":
        # A second node: an output in the middle of a quantized layer would keep ONNX Runtime from fusing it.
        graph.node.append(onnx.helper.make_node("DequantizeLinear", made.input, [FEATURES]))
    else:
        types = {info.name: info.type.tensor_type.elem_type for info in _inferred(onnx, model)}
        if types.get(tensor) == onnx.TensorProto.FLOAT16:
            # On a CPU, ONNX Runtime computes in float32 and drops pairs of casts; an output would bring the pair in
            # front of the last layer back, and the scores would change in the fourth digit.
            raise NoFeaturesError(name, "whose scores would change with it, since it computes in float16")
        for node in graph.node:
            for names in (node.input, node.output):
                names[:] = [FEATURES if entry == tensor else entry for entry in names]
        for info in [entry for entry in graph.value_info if entry.name == tensor]:
            graph.value_info.remove(info)
    batch = graph.output[0].type.tensor_type.shape.dim[0]
    sizes = [batch.dim_param or batch.dim_value, *sizes]
    graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, sizes))
    written: bytes = model.SerializeToString()
    return written


def _inferred(onnx: Any, model: Any) -> list[Any]:
    """What is known about the tensors of a model."""
    found = onnx.shape_inference.infer_shapes(model).graph
    return [*found.value_info, *found.input, *found.output]


def _vector_sizes(onnx: Any, model: Any, tensor: str) -> list[int]:
    """Sizes after the batch of a tensor that holds a vector per image, empty for others."""
    info = next((entry for entry in _inferred(onnx, model) if entry.name == tensor), None)
    sizes = [] if info is None else [int(size.dim_value) for size in info.type.tensor_type.shape.dim[1:]]
    return sizes if sizes and sizes[0] and all(size == 1 for size in sizes[1:]) else []
