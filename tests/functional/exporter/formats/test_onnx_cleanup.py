"""Edits of ONNX graphs give what the graph as written gives, in ONNX Runtime with and without its optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge_runtime.engines.onnx import load_onnxruntime
from exporter.formats.onnx_cleanup import fold_zero_pads, without_stale_shapes

SIZE = (2, 9, 8)
CONV = ("Conv", {"kernel_shape": [3, 3], "strides": [2, 2]})
POOL = ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2]})


def chain(*steps: tuple[str, dict[str, Any]], value: float | None = None, pads: tuple[int, ...] = ()) -> Any:
    """A model of operations in a row, float32 [batch, 2, 9, 8]; by default a Pad pads below and on the right."""
    rng = np.random.default_rng(2)
    constants = {
        "pads": np.array(pads or (0, 0, 0, 0, 0, 0, 1, 1), np.int64),
        "weights": rng.normal(size=(4, 2, 3, 3)).astype(np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(6, np.float32),
        "below": np.array(-1, np.float32),
    }
    more = {"Conv": ["weights"], "Clip": ["low", "high"], "Pad": ["pads"]}
    if value is not None:
        constants["value"] = np.array(value, np.float32)
        more["Pad"] = ["pads", "value"]
    names = ["x", *(f"t{index}" for index in range(len(steps) - 1)), "y"]
    nodes = []
    for index, (operation, attributes) in enumerate(steps):
        words = dict(attributes)
        inputs = [names[index], *words.pop("constants", more.get(operation, []))]
        nodes.append(helper.make_node(operation, inputs, [names[index + 1]], name=f"n{index}", **words))
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", None, None, None])],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


def run(model: Any, *, optimized: bool) -> np.ndarray:
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    # Mostly negative, where padding with 0 and with minus infinity differ most.
    x = np.random.default_rng(3).normal(-1, 1, (3, *SIZE)).astype(np.float32)
    result: np.ndarray = session.run(None, {"x": x})[0]
    return result


def pads_in(model: Any) -> int:
    return sum(node.op_type == "Pad" for node in model.graph.node)


FOLDED = {
    "convolution": chain(("Pad", {}), CONV),
    "value given": chain(("Pad", {"mode": "constant"}), CONV, value=0.0),
    "all four sides": chain(("Pad", {}), CONV, pads=(0, 0, 1, 2, 0, 0, 2, 1)),
    "padding of its own": chain(("Pad", {}), ("Conv", {**CONV[1], "pads": [1, 0, 0, 1]})),
    "valid": chain(("Pad", {}), ("Conv", {**CONV[1], "auto_pad": "VALID"})),
    "pooling of what is never negative": chain(("Relu", {}), ("Pad", {}), POOL),
    "pooling of clipped numbers": chain(("Clip", {}), ("Pad", {}), POOL),
    "average": chain(("Pad", {}), ("AveragePool", POOL[1])),
    "average that counts its padding": chain(
        ("Pad", {}), ("AveragePool", {**POOL[1], "pads": [1, 1, 0, 0], "count_include_pad": 1})
    ),
    "pooling after pooling": chain(("Relu", {}), ("MaxPool", {"kernel_shape": [2, 2]}), ("Pad", {}), POOL),
}
KEPT = {
    "another value": chain(("Pad", {}), CONV, value=1.0),
    "reflection": chain(("Pad", {"mode": "reflect"}), CONV),
    "channels": chain(("Pad", {}), ("MaxPool", {"kernel_shape": [1, 1]}), pads=(0, 1, 0, 0, 0, 0, 0, 0)),
    "cropping": chain(("Pad", {}), CONV, pads=(0, 0, 0, 0, 0, 0, -1, 0)),
    "same": chain(("Pad", {}), ("Conv", {**CONV[1], "auto_pad": "SAME_UPPER"})),
    "average that does not count its padding": chain(
        ("Pad", {}), ("AveragePool", {**POOL[1], "pads": [1, 1, 0, 0]})
    ),
    "average rounded up": chain(("Pad", {}), ("AveragePool", {**POOL[1], "ceil_mode": 1})),
    "pooling": chain(("Pad", {}), POOL),
    "pooling of numbers clipped below 0": chain(
        ("Clip", {"constants": ["below", "high"]}), ("Pad", {}), POOL
    ),
    "window of padding alone": chain(
        ("Relu", {}), ("Pad", {}), ("MaxPool", {"kernel_shape": [2, 2]}), pads=(0, 0, 2, 0, 0, 0, 0, 0)
    ),
    "output": chain(("Relu", {}), ("Pad", {})),
}


@pytest.mark.parametrize("name", FOLDED)
def test_zeros_are_padded_by_what_reads_them(name: str) -> None:
    model = FOLDED[name]
    wanted = run(model, optimized=False)
    folded = fold_zero_pads(onnx.ModelProto.FromString(model.SerializeToString()))
    assert pads_in(model) == 1
    assert pads_in(folded) == 0
    assert "pads" not in {entry.name for entry in folded.graph.initializer}
    onnx.checker.check_model(folded, full_check=True)
    for optimized in (False, True):
        np.testing.assert_allclose(run(folded, optimized=optimized), wanted, atol=1e-5)


@pytest.mark.parametrize("name", KEPT)
def test_padding_that_nothing_else_can_do_stays(name: str) -> None:
    model = KEPT[name]
    wanted = run(model, optimized=False)
    kept = fold_zero_pads(onnx.ModelProto.FromString(model.SerializeToString()))
    assert pads_in(kept) == 1
    onnx.checker.check_model(kept, full_check=True)
    for optimized in (False, True):
        np.testing.assert_allclose(run(kept, optimized=optimized), wanted, atol=1e-5)


def test_padding_with_two_readers_goes_only_where_both_can_pad() -> None:
    model = chain(("Pad", {}), CONV)
    model.graph.node.append(helper.make_node("Conv", ["t0", "weights"], ["z"], kernel_shape=[3, 3]))
    model.graph.output.append(
        helper.make_tensor_value_info("z", TensorProto.FLOAT, ["batch", None, None, None])
    )
    assert pads_in(fold_zero_pads(onnx.ModelProto.FromString(model.SerializeToString()))) == 0
    model.graph.node[-1].op_type = "MaxPool"
    del model.graph.node[-1].input[1:]
    assert pads_in(fold_zero_pads(model)) == 1


def test_shapes_of_inner_tensors_go_and_those_of_input_and_output_stay() -> None:
    model = onnx.shape_inference.infer_shapes(chain(("Pad", {}), CONV))
    assert model.graph.value_info
    ends = [entry.SerializeToString() for entry in (*model.graph.input, *model.graph.output)]
    cleaned = without_stale_shapes(model)
    assert not cleaned.graph.value_info
    assert [entry.SerializeToString() for entry in (*cleaned.graph.input, *cleaned.graph.output)] == ends


@pytest.mark.parametrize("padded_in_a_branch", [False, True])
def test_what_a_branch_reads_from_around_it_stays(padded_in_a_branch: bool) -> None:
    def branch(nodes: list[Any], name: str) -> Any:
        return helper.make_graph(
            nodes, name, [], [helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)]
        )

    model = chain(("Pad", {}), CONV, ("Relu", {}))
    graph = model.graph
    graph.initializer.extend([
        numpy_helper.from_array(np.array(not padded_in_a_branch), "condition"),
        numpy_helper.from_array(np.array(2, np.float32), "factor"),
    ])  # fmt: skip
    graph.node[2].CopyFrom(
        helper.make_node(
            "If", ["condition"], ["y"],
            then_branch=branch([helper.make_node("Mul", ["t1", "factor"], ["then_y"])], "then"),
            else_branch=branch([helper.make_node("Relu", ["t0" if padded_in_a_branch else "t1"], ["else_y"])], "else"),
        )
    )  # fmt: skip
    before = run(model, optimized=False)
    fold_zero_pads(model)
    onnx.checker.check_model(model, full_check=True)
    assert ("Pad" in [node.op_type for node in graph.node]) == padded_in_a_branch
    assert "factor" in [entry.name for entry in graph.initializer]
    np.testing.assert_allclose(run(model, optimized=False), before, atol=1e-5)
