"""ONNX artifacts: raw float32 pixels in, float32 scores out, a dynamic batch named ``batch``."""

from __future__ import annotations

import logging
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, ModelFileError
from edge_runtime.native_output import quiet
from exporter.backend import load_keras, load_tensorflow
from exporter.freeze import INPUT_NAME, OUTPUT_NAME
from exporter.source import FullModel

OPSET = 17
"""ONNX operator set; read by ONNX Runtime 1.12 and later, and by its web build."""

BATCH_NAME = "batch"


def convert_onnx(model: FullModel) -> bytes:
    """Converts the full model.

    Args:
        model: The full model.

    Returns:
        An .onnx file: float32 ``[batch, height, width, channels]``, 0..255 in.

    Raises:
        EnvironmentMissingError: tf2onnx or onnx is not installed.
        ModelFileError: tf2onnx refuses the model, or the file is not valid.
    """
    tensorflow, keras = load_tensorflow(), load_keras()
    try:
        with quiet():
            import onnx
            import tf2onnx
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing an .onnx file", "tf2onnx", "export") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    # A Sequential as it is ends in KeyError: 'keras_tensor_7' inside tf2onnx.
    functional = keras.Model(model.keras.inputs, model.keras.outputs)
    signature = tensorflow.TensorSpec((None, *model.input.shape), tensorflow.float32, name=INPUT_NAME)
    try:
        with quiet():
            proto, _ = tf2onnx.convert.from_keras(functional, input_signature=[signature], opset=OPSET)
            _name_tensors(proto)
            onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        # tf2onnx raises KeyError, AttributeError and others of the graph that it walks.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelFileError(
            f"A model must convert to onnx-fp32. Received: {type(error).__name__}: {reason[:300]}. "
            "Replace the operation that is named, or leave this artifact out with --artifacts."
        ) from error
    data: bytes = proto.SerializeToString()
    return data


def _name_tensors(proto: Any) -> None:
    """Names input, output and batch; every use of a renamed tensor follows."""
    graph = proto.graph
    renamed = {graph.input[0].name: INPUT_NAME, graph.output[0].name: OUTPUT_NAME}
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.output):
        value.name = renamed.get(value.name, value.name)
        value.type.tensor_type.shape.dim[0].dim_param = BATCH_NAME
    # Shapes that were inferred under the old names would contradict the new ones.
    del graph.value_info[:]
