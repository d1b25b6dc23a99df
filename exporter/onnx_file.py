"""ONNX artifacts: raw float32 pixels in, float32 scores out, a dynamic batch named ``batch``."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from typing import Any

from edge_runtime.errors import EnvironmentMissingError, ModelFileError
from edge_runtime.native_output import quiet
from exporter.backend import load_keras, load_tensorflow
from exporter.freeze import INPUT_NAME, OUTPUT_NAME
from exporter.source import FullModel

OPSET = 17
"""ONNX operator set; read by ONNX Runtime 1.12 and later, and by its web build."""

BATCH_NAME = "batch"

_CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"
"""tf2onnx's switch: whether to go on when an optimizer fails, at the price of copies."""


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
            import tf2onnx  # noqa: F401
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing an .onnx file", "tf2onnx", "export") from error
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    # A Sequential as it is ends in KeyError: 'keras_tensor_7' inside tf2onnx.
    functional = keras.Model(model.keras.inputs, model.keras.outputs)
    # Earlier steps leave whole copies of the weights in reference cycles.
    gc.collect()
    signature = tensorflow.TensorSpec((None, *model.input.shape), tensorflow.float32, name=INPUT_NAME)
    try:
        with quiet():
            proto = _converted(functional, signature)
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


def _converted(functional: Any, signature: Any) -> Any:
    """The model as an ONNX proto, without the copies of all weights that tf2onnx makes on its way.

    It copies the graph before each optimizer, to go on without one that fails, and leaves the
    copies to the garbage collector: 134 MB of weights took 9 GB, and half of the time. So it is
    told to make none; should an optimizer fail, the slow way leaves it out.
    """
    import tf2onnx

    options = {"input_signature": [signature], "opset": OPSET}
    kept = os.environ.get(_CATCH_ERRORS)
    os.environ[_CATCH_ERRORS] = "FALSE"
    try:
        return tf2onnx.convert.from_keras(functional, optimizers=_optimizers(), **options)[0]
    except Exception:
        os.environ[_CATCH_ERRORS] = "TRUE"
        return tf2onnx.convert.from_keras(functional, optimizers=_optimizers(), **options)[0]
    finally:
        if kept is None:
            del os.environ[_CATCH_ERRORS]
        else:
            os.environ[_CATCH_ERRORS] = kept


def _optimizers() -> dict[str, Callable[[], Any]]:
    """tf2onnx's optimizers in their order; each would write all weights once more, as the end does anyway."""
    from tf2onnx.optimizer import _get_optimizers

    def frugal(kind: Any) -> Callable[[], Any]:
        class Frugal(kind):  # type: ignore[misc]
            def optimize(self, graph: Any, iteration: int) -> Any:
                self.opt_iteration = iteration
                optimized = self._optimize(graph)
                optimized.delete_unused_nodes(optimized.outputs)
                return optimized

        return Frugal

    return {name: frugal(kind) for name, kind in _get_optimizers().items()}


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
