"""Forms in which other tools write int8 .onnx files, read as ONNX Runtime multiplies them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.other_cpu import UnavailableError, without_vnni
from exporter.formats.onnx_run import kernels_saturate
from exporter.quantize.onnx_saturation import products

DENSE = np.full((64, 8), 127, np.int8)
KERNEL = np.full((8, 64, 1, 1), 127, np.int8)

RUN = """
import sys, numpy as np, onnx, onnxruntime
for path in sys.argv[1:]:
    found = []
    for exact in ("0", "1"):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.add_session_config_entry("session.x64quantprecision", exact)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        taken = session.get_inputs()[0]
        pixels = np.full(taken.shape, 255, np.uint8 if taken.type == "tensor(uint8)" else np.float32)
        found.append(session.run(None, {taken.name: pixels})[0])
    print(int((found[0] != found[1]).any()))
"""


def scaled(tensor: str, name: str, zero_point: str = "i0") -> Any:
    return helper.make_node("DequantizeLinear", [tensor, "one", zero_point], [name])


def qdq(
    nodes: list[Any],
    weights: np.ndarray,
    op: str = "MatMul",
    shape: tuple[int, ...] = (5, 64),
    zero: str = "u0",
) -> Any:
    """An operation whose weights ``wd`` come from the constant ``w`` by ``nodes``."""
    nodes = [
        helper.make_node("QuantizeLinear", ["a", "one", zero], ["aq"]), scaled("aq", "ad", zero), *nodes,
        helper.make_node(op, ["x" if any("x" in node.output for node in nodes) else "ad", "wd"], ["sum"]),
        helper.make_node("QuantizeLinear", ["sum", "large", "u0"], ["sum_steps"]),
        helper.make_node("DequantizeLinear", ["sum_steps", "large", "u0"], ["y"]),
    ]  # fmt: skip
    return model(nodes, shape, TensorProto.FLOAT, {"w": weights})


def model(nodes: list[Any], shape: tuple[int, ...], dtype: int, constants: dict[str, Any]) -> Any:
    values = {
        "one": np.float32(1), "u0": np.uint8(0), "i0": np.int8(0), "large": np.float32(64 * 127),
        "flat": np.array([5, 64]), **constants,
    }  # fmt: skip
    graph = helper.make_graph(
        nodes, "form",
        [helper.make_tensor_value_info("a", dtype, shape)],
        [helper.make_tensor_value_info("y", dtype, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )  # fmt: skip
    return helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid("com.microsoft", 1)],
        ir_version=8,
    )


def constant(values: np.ndarray) -> Any:
    return helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(values, "k"))


def turned(tensor: str, name: str) -> Any:
    return helper.make_node("Transpose", [tensor], [name], perm=[1, 0])


def same(tensor: str, name: str) -> Any:
    return helper.make_node("Identity", [tensor], [name])


def rounded(tensor: str, name: str) -> Any:
    return helper.make_node("QuantizeLinear", [tensor, "one", "i0"], [name])


SATURATING = {
    "initializer": qdq([scaled("w", "wd")], DENSE),
    "Constant": qdq([constant(DENSE), scaled("k", "wd")], DENSE[:0]),
    "Identity": qdq([same("w", "k"), scaled("k", "wd")], DENSE),
    "float weights that are rounded": qdq([rounded("w", "k"), scaled("k", "wd")], DENSE.astype(np.float32)),
    "float kernel that is rounded": qdq(
        [rounded("w", "k"), scaled("k", "wd")], KERNEL.astype(np.float32), "Conv", (1, 64, 5, 5)
    ),
    "Transpose of scaled weights": qdq([scaled("w", "k"), turned("k", "wd")], DENSE.T.copy()),
    "Transpose of weights": qdq([turned("w", "k"), scaled("k", "wd")], DENSE.T.copy()),
    "int8 activations": qdq([scaled("w", "wd")], DENSE, zero="i0"),
    "Reshape of scaled activations": qdq(
        [helper.make_node("Reshape", ["ad", "flat"], ["x"]), scaled("w", "wd")], DENSE, shape=(5, 8, 8)
    ),
    "QAttention": model(
        [
            helper.make_node(
                "QAttention", ["a", "w", "bias", "one", "one", "", "u0", "i0"], ["sum"],
                domain="com.microsoft", num_heads=4,
            ),
            helper.make_node("Mul", ["sum", "less"], ["small"]),
            helper.make_node("Cast", ["small"], ["y"], to=TensorProto.UINT8),
        ],
        (1, 5, 64), TensorProto.UINT8,
        # Values only: of queries and keys of zeros, attention is the mean.
        {
            "w": np.hstack([np.zeros((64, 128), np.int8), np.full((64, 64), 127, np.int8)]),
            "bias": np.zeros(192, np.float32), "less": np.float32(1e-4),
        },
    ),
    "QLinearConv of a Constant": model(
        [
            constant(KERNEL),
            helper.make_node("QLinearConv", ["a", "one", "u0", "k", "one", "i0", "large", "u0"], ["y"]),
        ],
        (1, 64, 5, 5), TensorProto.UINT8, {},
    ),
}  # fmt: skip

EXACT = {
    "narrow weights": qdq([scaled("w", "wd")], DENSE // 2),
    "Reshape of scaled weights": qdq(
        [scaled("w", "k"), helper.make_node("Reshape", ["k", "shape"], ["wd"])], DENSE.reshape(64, 2, 4)
    ),
    "ConvInteger": model(
        [
            helper.make_node("ConvInteger", ["a", "w", "u0", "i0"], ["sum"]),
            helper.make_node("Cast", ["sum"], ["y"], to=TensorProto.UINT8),
        ],
        (1, 64, 5, 5), TensorProto.UINT8, {"w": KERNEL},
    ),
}  # fmt: skip
EXACT["Reshape of scaled weights"].graph.initializer.append(
    numpy_helper.from_array(np.array([64, 8]), "shape")
)


@pytest.mark.parametrize("name", SATURATING)
def test_products_that_saturate_are_read(name: str) -> None:
    (found,) = products(SATURATING[name])
    assert (found.pair_sum, found.fits) == (254, False)


@pytest.mark.parametrize("name", EXACT)
def test_products_that_are_exact_raise_no_alarm(name: str) -> None:
    assert all(one.fits for one in products(EXACT[name]))


def test_rounding_by_channel_is_that_of_onnx() -> None:
    weights = np.array([[63.5, 1.0], [62.5, -3.0]], np.float32)
    form = qdq(
        [helper.make_node("QuantizeLinear", ["w", "s", "z"], ["k"], axis=1), scaled("k", "wd")], weights
    )
    for name, values in (("s", np.array([1.0, 0.02], np.float32)), ("z", np.array([0, 0], np.int8))):
        form.graph.initializer.append(numpy_helper.from_array(values, name))
    # 63.5 and 62.5 become 64 and 62; 1 / 0.02 is 50, -3 / 0.02 is cut to -128.
    assert [one.pair_sum for one in products(form)] == [128]


@pytest.fixture(scope="module")
def differs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], dict[str, bool]]:
    """Which forms ONNX Runtime answers otherwise with exact kernels, on a CPU without VNNI."""
    folder = tmp_path_factory.mktemp("forms")
    environment = dict(os.environ)
    if not kernels_saturate():
        try:
            environment = without_vnni(folder)
        except UnavailableError as reason:
            pytest.skip(f"needs a CPU without VNNI, or one that can stand in for it: {reason}")

    def run(forms: dict[str, Any]) -> dict[str, bool]:
        paths = [folder / f"{place}.onnx" for place in range(len(forms))]
        for path, form in zip(paths, forms.values(), strict=True):
            onnx.save(form, path)
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, paths)],
            env={**environment, "ORT_DISABLE_TELEMETRY": "1"}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return {name: line == "1" for name, line in zip(forms, done.stdout.split(), strict=True)}

    return run


def test_onnx_runtime_saturates_where_the_file_says_so(
    differs: Callable[[dict[str, Any]], dict[str, bool]],
) -> None:
    assert differs({**SATURATING, **EXACT}) == {
        **dict.fromkeys(SATURATING, True),
        **dict.fromkeys(EXACT, False),
    }
