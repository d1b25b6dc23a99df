"""SavedModel artifacts: raw pixels in, scores out, any batch, the weights inside ``saved_model.pb``.

One file, so that one hash covers it; a folder ``variables/`` is not needed, as there are none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.backend import load_tensorflow
from exporter.freeze import INPUT_NAME, OUTPUT_NAME, freeze
from exporter.saved_source import SIGNATURE
from exporter.source import FullModel

SAVED_MODEL_FILE = "saved_model.pb"

_PREDICT = "tensorflow/serving/predict"
"""The name of TensorFlow Serving's method for signatures of tensors in, tensors out."""


def convert_saved_model(model: FullModel) -> bytes:
    """Converts the full model.

    Args:
        model: The full model.

    Returns:
        A ``saved_model.pb``, to be put into a folder of its own; signature ``serving_default``,
        ``image`` float32 ``[batch, height, width, channels]``, 0..255 -> ``scores`` float32.

    Raises:
        ModelFileError: The model cannot be traced or frozen.
    """
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    tensorflow = load_tensorflow()
    frozen = freeze(model, batch=None)
    graph: Any = graph_pb2.GraphDef()
    graph.CopyFrom(frozen.graph.as_graph_def())
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.graph_def.CopyFrom(graph)
    meta.meta_info_def.tags.append(tensorflow.saved_model.SERVING)
    meta.meta_info_def.tensorflow_version = tensorflow.__version__
    signature = meta_graph_pb2.SignatureDef(method_name=_PREDICT)
    for entries, name, tensor in (
        (signature.inputs, INPUT_NAME, frozen.inputs[0]),
        (signature.outputs, OUTPUT_NAME, frozen.outputs[0]),
    ):
        entries[name].name = tensor.name
        entries[name].dtype = tensor.dtype.as_datatype_enum
        entries[name].tensor_shape.CopyFrom(tensor.shape.as_proto())
    meta.signature_def[SIGNATURE].CopyFrom(signature)
    data: bytes = saved.SerializeToString(deterministic=True)
    return data


def write_saved_model(model: FullModel, folder: Path) -> Path:
    """Converts the full model into a folder.

    Args:
        model: The full model.
        folder: The SavedModel's folder, made if it is not there.

    Returns:
        The file in it.

    Raises:
        ModelFileError: The model cannot be traced or frozen.
    """
    data = convert_saved_model(model)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / SAVED_MODEL_FILE
    path.write_bytes(data)
    return path
