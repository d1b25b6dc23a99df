"""SavedModel artifacts: raw pixels in, scores out, any batch, the weights inside ``saved_model.pb``.

One file, so that one hash covers it; frozen weights need no folder ``variables/``.
"""

from __future__ import annotations

from pathlib import Path

from edge_runtime.common.temporary import temporary_folder
from edge_runtime.engines import Engine
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_tensorflow
from exporter.formats.flatbuffer import INPUT_NAME, OUTPUT_NAME, SIGNATURE
from exporter.source.full_model import FullModel, frozen_for_any_batch
from exporter.source.tensorflow_file import SAVED_MODEL_FILES, load_tensorflow_file

_PREDICT = "tensorflow/serving/predict"
"""The name of TensorFlow Serving's method for signatures of tensors in, tensors out."""


def convert_saved_model(model: FullModel) -> bytes:
    """Converts the full model.

    Args:
        model: The full model.

    Returns:
        The content of ``saved_model.pb``, for a folder of its own; signature ``serving_default``,
        ``image`` float32 ``[batch, height, width, channels]``, 0..255 -> ``scores`` float32.

    Raises:
        ModelFileError: The model cannot be traced or frozen.
    """
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    tensorflow = load_tensorflow()
    frozen = frozen_for_any_batch(model)
    saved = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    meta = saved.meta_graphs.add()
    meta.graph_def.CopyFrom(frozen.graph.as_graph_def())
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


def open_saved_model_artifact(model: Path | bytes, name: str, input: InputSpec, threads: int) -> Engine:
    """Runs an artifact on TensorFlow, for a check; bytes from a zipped bundle are unpacked while it loads.

    Args:
        model: Path or bytes of ``saved_model.pb``.
        name: Unused: TensorFlow's messages name the folder.
        input: Unused: the file says what it takes.
        threads: Unused: TensorFlow manages its own.
    """
    if isinstance(model, Path):
        return load_tensorflow_file(model.parent, "0..255")
    with temporary_folder() as folder:
        (folder / SAVED_MODEL_FILES[0]).write_bytes(model)
        return load_tensorflow_file(folder, "0..255")
