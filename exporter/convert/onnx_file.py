"""ONNX artifacts: raw float32 pixels in, float32 scores out, a dynamic batch named ``batch``."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Callable
from graphlib import TopologicalSorter
from typing import Any

from edge_runtime.common.errors import EnvironmentMissingError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.onnx import disable_telemetry
from exporter.common.backend import load_tensorflow
from exporter.common.wording import conversion_error, unknown_to
from exporter.formats.flatbuffer import INPUT_NAME, OUTPUT_NAME
from exporter.formats.onnx_cleanup import fold_zero_pads, without_stale_shapes
from exporter.source.full_model import FullModel, frozen_for_any_batch

OPSET = 17
"""ONNX operator set; read by ONNX Runtime 1.12 and later, and by its web build."""

BATCH_NAME = "batch"

_FLOAT32_OPERATIONS = ("Softmax",)
"""Operations that stay in float32 in an fp16 file, so that its scores sum to 1."""

_GRAPH_OPERATIONS = {"Const", "Placeholder", "NoOp"}
"""Nodes that tf2onnx keeps without translating them."""

_CATCH_ERRORS = "TF2ONNX_CATCH_ERRORS"
"""tf2onnx's switch: whether to continue after an optimizer fails, at the price of copies."""


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
    load_tensorflow()
    # tf2onnx imports ONNX Runtime to optimize an einsum.
    disable_telemetry()
    try:
        with quiet():
            import onnx
            import tf2onnx  # noqa: F401
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing an .onnx file", "tf2onnx", "export") from error
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    frozen = frozen_for_any_batch(model)
    # Earlier steps leave copies of all weights in reference cycles.
    gc.collect()
    try:
        with quiet():
            proto = _converted(frozen)
            _name_tensors(proto)
            # Shapes that were inferred under the old names would contradict the new ones.
            without_stale_shapes(fold_zero_pads(proto))
            onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        # tf2onnx raises KeyError, AttributeError and others of the graph that it walks.
        unknown = unknown_to(frozen.graph, _known_operations())
        raise conversion_error("onnx-fp32", unknown or _shown(error)) from error
    data: bytes = proto.SerializeToString()
    return data


def convert_onnx_fp16(fp32: bytes) -> bytes:
    """Stores and computes in float16, except for the softmax; input and output stay float32.

    Args:
        fp32: A file from :func:`convert_onnx`.

    Returns:
        An .onnx file: float32 ``[batch, height, width, channels]``, 0..255 in, half the size.

    Raises:
        EnvironmentMissingError: onnx or onnxruntime is not installed.
        ModelFileError: An operation has no form in float16.
    """
    disable_telemetry()
    try:
        with quiet():
            import onnx
            from onnxruntime.transformers import float16
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing an .onnx file", "onnxruntime", "export") from error
    try:
        with quiet(), warnings.catch_warnings():
            # It warns about every number below float16's smallest, which becomes that or zero.
            warnings.simplefilter("ignore")
            proto = float16.convert_float_to_float16(
                onnx.load_from_string(fp32),
                keep_io_types=True,
                op_block_list=[*float16.DEFAULT_OP_BLOCK_LIST, *_FLOAT32_OPERATIONS],
            )
            _keep_scores_exact(proto.graph)
            # The pass appends its casts at the end, after their use.
            _sort(proto.graph)
            without_stale_shapes(proto)
            onnx.checker.check_model(proto, full_check=True)
    except Exception as error:
        # The pass raises ValueError and others, the checker its own.
        raise conversion_error("onnx-fp16", _shown(error)) from error
    data: bytes = proto.SerializeToString()
    return data


def _keep_scores_exact(graph: Any) -> None:
    """Removes the casts after the softmax: softmax -> float16 -> float32 scores."""
    made = {name: node for node in graph.node for name in node.output}
    last = made[OUTPUT_NAME]
    before = made.get(last.input[0])
    if last.op_type != "Cast" or before is None or before.op_type != "Cast":
        return
    softmax = made.get(before.input[0])
    if softmax is None or softmax.op_type not in _FLOAT32_OPERATIONS:
        return
    softmax.output[0] = OUTPUT_NAME
    graph.node.remove(last)
    graph.node.remove(before)


def _sort(graph: Any) -> None:
    """Sorts the nodes topologically."""
    nodes = list(graph.node)
    maker = {name: index for index, node in enumerate(nodes) for name in node.output}
    needs = {index: [maker[name] for name in node.input if name in maker] for index, node in enumerate(nodes)}
    del graph.node[:]
    graph.node.extend(nodes[index] for index in TopologicalSorter(needs).static_order())


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error, 300)}"


def _known_operations() -> set[str]:
    """TensorFlow operations that tf2onnx can translate."""
    from tf2onnx.handler import tf_op

    return {
        name for domain in tf_op.get_opsets().values() for version in domain if version for name in version
    } | _GRAPH_OPERATIONS


def _converted(frozen: Any) -> Any:
    """The function as an ONNX proto, without the copies of all weights that tf2onnx makes on its way.

    It copies the graph before each optimizer, so that it can continue without one that fails, and leaves
    the copies to the garbage collector: 134 MB of weights took 9 GB and half of the time. So it is
    told to make none; if an optimizer fails, the slow way leaves that one out.
    """
    import tensorflow
    from tf2onnx.convert import _convert_common
    from tf2onnx.tf_loader import from_function

    inputs, outputs = [frozen.inputs[0].name], [frozen.outputs[0].name]
    with tensorflow.device("/cpu:0"):
        graph = from_function(frozen, inputs, outputs)

        def converted() -> Any:
            return _convert_common(
                graph, name=OUTPUT_NAME, opset=OPSET, optimizers=_optimizers(),
                input_names=inputs, output_names=outputs,
            )[0]  # fmt: skip

        kept = os.environ.get(_CATCH_ERRORS)
        # Any value means no: tf2onnx 1.17 compares the variable's name with TRUE.
        os.environ[_CATCH_ERRORS] = "FALSE"
        try:
            return converted()
        except Exception:
            os.environ.pop(_CATCH_ERRORS, None)
            return converted()
        finally:
            os.environ.pop(_CATCH_ERRORS, None)
            if kept is not None:
                os.environ[_CATCH_ERRORS] = kept


def _optimizers() -> dict[str, Callable[[], Any]]:
    """tf2onnx's optimizers in their order; each would write all weights once more, as the end does anyway."""
    from tf2onnx.optimizer import _get_optimizers
    from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

    class Transposes(TransposeOptimizer):  # type: ignore[misc]
        def _add_handler(self, trans: Any, node: Any) -> Any:
            # For MobileNetV3's `x + 3` it takes the maximum of a scalar's empty shape, and fails;
            # the file would keep a hundred transposes.
            constant = node.inputs[1]
            if constant.is_const() and not constant.get_tensor_value(as_list=False).shape:
                constant.set_tensor_value(constant.get_tensor_value(as_list=False).reshape(1))
            return super()._add_handler(trans, node)

    def frugal(kind: Any) -> Callable[[], Any]:
        class Frugal(kind):  # type: ignore[misc]
            def optimize(self, graph: Any, iteration: int) -> Any:
                self.opt_iteration = iteration
                optimized = self._optimize(graph)
                optimized.delete_unused_nodes(optimized.outputs)
                return optimized

        return Frugal

    kinds = {**_get_optimizers(), "optimize_transpose": Transposes}
    return {name: frugal(kind) for name, kind in kinds.items()}


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
