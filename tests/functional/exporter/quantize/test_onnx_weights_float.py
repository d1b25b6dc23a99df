"""A layer that is left in float stays in float, on ONNX Runtime with its default options."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.engines.onnx import load_onnxruntime
from exporter.quantize.onnx_saturation import products
from exporter.quantize.onnx_weights import keep_float


def between(op: str, weights: np.ndarray, *, act: str = "") -> Any:
    """uint8 -> DequantizeLinear -> operation with float weights -> QuantizeLinear -> uint8."""
    values = {"s": np.float32(0.02), "z": np.uint8(128), "w": weights, "y_s": np.float32(0.1)}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["x_float"]),
        helper.make_node(op, ["x_float", "w"], ["y_float"], name="kept"),
        *([helper.make_node(act, ["y_float"], ["acted"])] if act else []),
        helper.make_node("QuantizeLinear", ["acted" if act else "y_float", "y_s", "z"], ["y"]),
    ]
    shape, given = ([1, 16], [1, 8]) if op == "Gemm" else ([1, 4, 6, 6], [1, 8, 4, 4])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, given)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answers(model: Any, *, optimized: bool) -> np.ndarray:
    ort = load_onnxruntime()
    options = ort.SessionOptions()
    if not optimized:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    pixels = np.random.default_rng(1).integers(0, 256, taken.shape, dtype=np.uint8)
    found: np.ndarray = session.run(None, {taken.name: pixels})[0].astype(int)
    return found


def uneven(*shape: int) -> np.ndarray:
    """Output channels of very different sizes: one scale for all of them loses the small ones."""
    sizes = np.array([1.0, 0.002] * (shape[0] // 2)).reshape(-1, *[1] * (len(shape) - 1))
    return (np.random.default_rng(0).normal(size=shape) * sizes).astype(np.float32)


MODELS = {
    "Conv": between("Conv", uneven(8, 4, 3, 3)),
    "Gemm": between("Gemm", uneven(8, 16).T.copy()),
    "Conv and Relu": between("Conv", uneven(8, 4, 3, 3), act="Relu"),
}


@pytest.mark.parametrize("name", MODELS)
def test_kept_operations_compute_with_the_weights_that_the_file_has(name: str) -> None:
    model = keep_float(onnx.ModelProto.FromString(MODELS[name].SerializeToString()))
    nodes = {node.output[0]: node for node in model.graph.node}
    assert nodes["y_float"].op_type == "Max"
    # In order, as the quantizer's topological sort brings them.
    kept = [node for node in model.graph.node if node.op_type == "Max"]
    del model.graph.node[-1]
    model.graph.node.insert(2, kept[0])
    onnx.checker.check_model(model)
    wanted = answers(MODELS[name], optimized=False)
    assert np.abs(answers(model, optimized=True) - wanted).max() <= 1
    assert products(model) == ()


@pytest.mark.parametrize("name", ["Conv", "Gemm"])
def test_what_onnx_runtime_quantizes_by_itself_is_read(name: str) -> None:
    ((found),) = products(MODELS[name])
    assert (found.name, found.fits) == ("kept", False)
    # It is an operation on integers only where nothing but the rounding reads it.
    assert products(MODELS["Conv and Relu"]) == ()
