"""Graphs that Keras' converters rarely write, quantized from .onnx files made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.result import Float32Array
from exporter.quantize import OnnxGraph
from exporter.quantize.onnx_saturation import products
from exporter.source.scoring import file_scores

SIDE, CLASSES = 12, 4
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (12, SIDE, SIDE, 3), dtype=np.uint8)


def weights(*shape: int) -> Float32Array:
    found: Float32Array = (RANDOM.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    return found


def classifier(nodes: list[Any], constants: dict[str, Any], channels: int = 6) -> bytes:
    """A classifier whose features ``y``, ``[batch, channels, ...]``, come from ``x``, pixels / 255."""
    nodes = [
        helper.make_node("Mul", ["image", "small"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["x"], perm=[0, 3, 1, 2]),
        *nodes,
        helper.make_node("GlobalAveragePool", ["y"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    constants = {
        "small": np.float32(1 / 255), "w": weights(CLASSES, channels), "b": weights(CLASSES), **constants,
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def conv(source: str, kernel: str, given: str, **attributes: Any) -> Any:
    return helper.make_node("Conv", [source, kernel], [given], **{"pads": [1] * 4, **attributes})


FILES = {
    "grouped and dilated": classifier(
        [conv("x", "k0", "t"), conv("t", "k1", "y", group=2, dilations=[2, 2])],
        {"k0": weights(4, 3, 3, 3), "k1": weights(6, 2, 3, 3)},
    ),
    "depthwise": classifier([conv("x", "k", "y", group=3)], {"k": weights(6, 1, 3, 3)}),
    "ConvTranspose": classifier(
        [helper.make_node("ConvTranspose", ["x", "k"], ["y"], strides=[2, 2])], {"k": weights(3, 6, 3, 3)}
    ),
    "shared weights": classifier(
        # The first takes in the scale of the pixels.
        [conv("x", "k0", "t"), conv("t", "k", "u"), helper.make_node("Relu", ["u"], ["v"]), conv("v", "k", "y")],
        {"k0": weights(3, 3, 3, 3), "k": weights(3, 3, 3, 3)}, channels=3,
    ),
    "MatMul of two activations": classifier(
        [
            helper.make_node("Reshape", ["x", "rows"], ["t"]),
            helper.make_node("Transpose", ["t"], ["u"], perm=[0, 2, 1]),
            helper.make_node("MatMul", ["t", "u"], ["v"]),
            helper.make_node("Mul", ["v", "less"], ["y"]),
        ],
        {"rows": np.array([0, 3, SIDE * SIDE]), "less": np.float32(1 / SIDE**2)}, channels=3,
    ),
    "dense on a map": classifier(
        [
            helper.make_node("MatMul", ["scaled", "m"], ["t"]),
            helper.make_node("Transpose", ["t"], ["y"], perm=[0, 3, 1, 2]),
        ],
        {"m": weights(3, 6)},
    ),
    "no linear layer but the last": classifier([helper.make_node("Relu", ["x"], ["y"])], {}, channels=3),
    "zeros": classifier([conv("x", "k", "y")], {"k": np.zeros((6, 3, 3, 3), np.float32)}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_unusual_graphs_quantize_for_every_cpu(name: str) -> None:
    graph = OnnxGraph(FILES[name]).calibrated(PIXELS)
    wanted = file_scores(FILES[name], "onnx", PIXELS, CLASSES)
    for narrow in (graph, graph.widened()):
        made = narrow.quantized()
        assert all(one.fits for one in products(onnx.load_model_from_string(made)))
        np.testing.assert_allclose(file_scores(made, "onnx", PIXELS, CLASSES), wanted, atol=0.05)


def test_shared_weights_stay_shared_when_biases_are_corrected() -> None:
    made = onnx.load_model_from_string(OnnxGraph(FILES["shared weights"]).calibrated(PIXELS).quantized())
    assert len([entry for entry in made.graph.initializer if list(entry.dims) == [3, 3, 3, 3]]) == 2


def test_graph_that_does_not_run_is_one_line() -> None:
    # ONNX Runtime loads it, and finds out when it runs.
    kernel = helper.make_node("Conv", ["x", "k"], ["y"], auto_pad="SAME_UPPER", dilations=[2, 2])
    with pytest.raises(ModelFileError, match="Dilation not supported") as caught:
        OnnxGraph(classifier([kernel], {"k": weights(6, 3, 3, 3)})).calibrated(PIXELS)
    assert "\n" not in str(caught.value)
