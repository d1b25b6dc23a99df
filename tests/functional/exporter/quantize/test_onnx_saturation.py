"""Which files other CPUs answer otherwise: read from the file, and tried on such a CPU where one can be had."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper

from benchmarks.other_cpu import UnavailableError, without_vnni
from edge_runtime.engines.onnx import OnnxEngine
from exporter.check_cli import check
from exporter.formats.onnx_run import kernels_saturate
from exporter.judge.cpu_kernels import examine_kernels, kernels_text
from exporter.quantize.onnx_saturation import products, with_unsigned_weights
from exporter.source.candidate import Candidate

SIDE = 8


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.minimum(data.images[:, :, :, np.newaxis] * 16, 255).astype(np.uint8)
    return pixels, data.target


@pytest.fixture(scope="session")
def classifier(digits: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a linear classifier of the digits, ``[64, 10]``, and its bias.

    Clipped, so that many weights are as large as the largest: neighbours that saturate.
    """
    from sklearn.linear_model import RidgeClassifier

    pixels, truth = digits
    model = RidgeClassifier(alpha=1e6).fit(pixels.reshape(len(pixels), -1).astype(float), truth)
    limit = np.abs(model.coef_).max() / 4
    return 5 * model.coef_.T.clip(-limit, limit).astype(np.float32), 5 * model.intercept_.astype(np.float32)


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value), name)


def write_float(path: Path, weights: np.ndarray, bias: np.ndarray) -> Path:
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    return _saved(path, nodes, [constant("w", weights), constant("b", bias)], TensorProto.FLOAT)


def write_qdq(path: Path, weights: np.ndarray, bias: np.ndarray, *, spread: int = 127) -> Path:
    """The same with uint8 pixels and int8 weights, the largest at ``spread`` steps."""
    scale = np.float32(np.abs(weights).max() / spread)
    steps = np.round(weights / scale).astype(np.int8)
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["flat"]),
        helper.make_node("DequantizeLinear", ["flat", "one", "zero"], ["x"]),
        helper.make_node("DequantizeLinear", ["w", "scale", "w_zero"], ["w_float"]),
        helper.make_node("MatMul", ["x", "w_float"], ["sum"], name="dense"),
        # Rounded again behind it: else ONNX Runtime multiplies in float.
        helper.make_node("QuantizeLinear", ["sum", "sum_scale", "sum_zero"], ["sum_steps"]),
        helper.make_node("DequantizeLinear", ["sum_steps", "sum_scale", "sum_zero"], ["sum_float"]),
        helper.make_node("Add", ["sum_float", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    reach = np.float32(255 * np.abs(weights).sum(axis=0).max())
    constants = [
        constant("w", steps), constant("scale", scale), constant("w_zero", np.int8(0)),
        constant("one", np.float32(1)), constant("zero", np.uint8(0)), constant("b", bias),
        constant("sum_scale", reach / 128), constant("sum_zero", np.uint8(128)),
    ]  # fmt: skip
    return _saved(path, nodes, constants, TensorProto.UINT8)


def _saved(path: Path, nodes: list[Any], constants: list[Any], dtype: int) -> Path:
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("image", dtype, ["batch", SIDE, SIDE, 1])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        [constant("shape", np.array([-1, SIDE * SIDE])), *constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def other_cpu(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process on a CPU without VNNI."""
    if kernels_saturate():
        return dict(os.environ)
    try:
        return without_vnni(tmp_path_factory.mktemp("cpu"))
    except UnavailableError as reason:
        pytest.skip(f"needs a CPU without VNNI, or one that can stand in for it: {reason}")


@pytest.fixture(scope="session")
def scored(other_cpu: dict[str, str]) -> Callable[[Path, np.ndarray], np.ndarray]:
    """Scores images with plain ONNX Runtime and its default options, on a CPU without VNNI."""

    def run(model: Path, pixels: np.ndarray) -> np.ndarray:
        np.save(model.with_suffix(".npy"), pixels)
        code = (
            "import sys, numpy as np, onnxruntime\n"
            "session = onnxruntime.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider'])\n"
            "pixels = np.load(sys.argv[2])\n"
            "np.save(sys.argv[3], session.run(None, {session.get_inputs()[0].name: pixels})[0])\n"
        )
        out = model.with_suffix(".scores.npy")
        subprocess.run(
            [sys.executable, "-c", code, str(model), str(model.with_suffix(".npy")), str(out)],
            check=True,
            env={**other_cpu, "ORT_DISABLE_TELEMETRY": "1"},
        )
        found: np.ndarray = np.load(out)
        return found

    return run


def exact(model: Path, pixels: np.ndarray) -> np.ndarray:
    engine = OnnxEngine(model, model.name, 1, exact=True)
    return np.stack([engine.run(image) for image in pixels])


def test_products_are_read_from_every_form_of_integer_operation() -> None:
    wide = np.full((4, 3, 1, 1), 100, np.int8)
    narrow = np.full((4, 3, 1, 1), -64, np.int8)
    constants = [
        constant("wide", wide), constant("narrow", narrow), constant("dense", wide.reshape(4, 3).T.copy()),
        constant("unsigned", wide.astype(np.uint8)), constant("s", np.float32(1)), constant("u0", np.uint8(0)),
        constant("i0", np.int8(0)), constant("deep", np.full((4, 1, 3, 3), 100, np.int8)),
    ]  # fmt: skip
    nodes = [
        helper.make_node(
            "QLinearConv", ["x", "s", "u0", "wide", "s", "i0", "s", "u0"], ["a"], name="wide conv"
        ),
        helper.make_node(
            "QLinearConv", ["x", "s", "u0", "narrow", "s", "i0", "s", "u0"], ["b"], name="narrow"
        ),
        helper.make_node("QLinearConv", ["x", "s", "u0", "unsigned", "s", "u0", "s", "u0"], ["c"], name="u8"),
        helper.make_node("ConvInteger", ["x", "wide", "u0", "i0"], ["d"], name="integer"),
        helper.make_node("MatMulInteger", ["y", "dense", "i0", "i0"], ["e"], name="int8 activations"),
        helper.make_node("MatMulInteger", ["y", "dense"], ["f"], name="no zero points"),
        helper.make_node("DynamicQuantizeMatMul", ["y", "dense", "s", "i0"], ["g"], domain="com.microsoft"),
        helper.make_node("Conv", ["z", "wide"], ["h"], name="float"),
        helper.make_node(
            "QLinearConv", ["x", "s", "u0", "deep", "s", "i0", "s", "u0"], ["i"], name="depthwise", group=4
        ),
        helper.make_node(
            "QLinearConv", ["x", "s", "u0", "deep", "s", "i0", "s", "u0"], ["j"], name="two of each", group=2
        ),
    ]
    graph = helper.make_graph(nodes, "g", [], [], constants)
    found = {one.name: (one.pair_sum, one.fits) for one in products(helper.make_model(graph))}
    assert found == {
        "wide conv": (200, False),
        "narrow": (128, True),
        "no zero points": (200, False),
        "g": (200, False),
        "depthwise": (0, True),
        "two of each": (200, False),
    }


def test_unsigned_weights_are_what_the_exact_kernels_compute(
    tmp_path: Path, classifier: Any, digits: Any
) -> None:
    pixels = 255 - digits[0][:200]
    signed = write_qdq(tmp_path / "signed.onnx", *classifier)
    model = onnx.load(signed)
    assert [(one.name, one.fits) for one in products(model)] == [("dense", False)]
    onnx.save(with_unsigned_weights(model), tmp_path / "unsigned.onnx")
    assert products(model) == ()
    onnx.checker.check_model(model)
    engine = OnnxEngine(tmp_path / "unsigned.onnx", "unsigned", 1)
    np.testing.assert_array_equal(np.stack([engine.run(image) for image in pixels]), exact(signed, pixels))
    # What fits is left alone, unless all is asked for.
    small = onnx.load(write_qdq(tmp_path / "small.onnx", *classifier, spread=60))
    assert len(products(with_unsigned_weights(small))) == 1
    assert products(with_unsigned_weights(small, everywhere=True)) == ()


def test_on_a_cpu_without_vnni_only_what_fits_answers_right(
    tmp_path: Path, classifier: Any, digits: Any, scored: Callable[[Path, np.ndarray], np.ndarray]
) -> None:
    pixels = 255 - digits[0][:200]
    signed = write_qdq(tmp_path / "signed.onnx", *classifier)
    assert np.abs(scored(signed, pixels) - exact(signed, pixels)).max() > 0.1
    narrow = write_qdq(tmp_path / "narrow.onnx", *classifier, spread=64)
    np.testing.assert_allclose(scored(narrow, pixels), exact(narrow, pixels), atol=1e-6)
    model = onnx.load(signed)
    onnx.save(with_unsigned_weights(model), tmp_path / "unsigned.onnx")
    np.testing.assert_allclose(scored(tmp_path / "unsigned.onnx", pixels), exact(signed, pixels), atol=1e-6)


@pytest.mark.parametrize(("group", "saturates"), [(16, False), (1, True)])
def test_depthwise_convolutions_cannot_saturate(
    group: int, saturates: bool, tmp_path: Path, scored: Callable[[Path, np.ndarray], np.ndarray]
) -> None:
    channels, side = 16, 5
    weights = np.full((channels, channels // group, 3, 3), 127, np.int8)
    largest = 9 * (channels // group) * 255 * 127
    constants = [
        constant("w", weights), constant("s", np.float32(1)), constant("u0", np.uint8(0)),
        constant("i0", np.int8(0)), constant("y_s", np.float32(largest / 200)),
    ]  # fmt: skip
    inputs = ["x", "s", "u0", "w", "s", "i0", "y_s", "u0"]
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", inputs, ["y"], group=group)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["batch", channels, side, side])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, ["batch", channels, 3, 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "conv.onnx")
    found = scored(tmp_path / "conv.onnx", np.full((1, channels, side, side), 255, np.uint8))
    assert (found < 150).all() if saturates else (found == 200).all()
    assert products(model)[0].fits is not saturates


@pytest.fixture
def pair(tmp_path: Path, classifier: Any) -> list[str]:
    """The options that compare the classifier with its int8 form."""
    full = write_float(tmp_path / "full.onnx", *classifier)
    small = write_qdq(tmp_path / "small.onnx", *classifier)
    return ["--reference", str(full), "--candidate", str(small), "--data", "digits", "--quick"]


def test_a_file_without_an_exact_form_is_read_all_the_same(tmp_path: Path, digits: Any) -> None:
    nodes = [
        helper.make_node("Reshape", ["image", "shape"], ["flat"]),
        helper.make_node("QLinearMatMul", ["flat", "s", "u0", "w", "s", "i0", "large", "u0"], ["wide"]),
        helper.make_node("DequantizeLinear", ["wide", "s", "u0"], ["float"]),
        helper.make_node("QuantizeLinear", ["float", "two", "i0"], ["signed"]),
        # ONNX Runtime has no kernel for it once its weights are uint8.
        helper.make_node("QLinearMatMul", ["signed", "s", "i0", "v", "s", "i0", "large", "i0"], ["sum"]),
        helper.make_node("DequantizeLinear", ["sum", "s", "i0"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    path = _saved(
        tmp_path / "mixed.onnx", nodes,
        [
            constant("w", np.full((64, 10), 100, np.int8)), constant("v", np.full((10, 10), 100, np.int8)),
            constant("s", np.float32(1)), constant("two", np.float32(2)), constant("large", np.float32(8192)),
            constant("u0", np.uint8(0)), constant("i0", np.int8(0)),
        ],
        TensorProto.UINT8,
    )  # fmt: skip
    candidate = Candidate("mixed", path, "onnx", False, 1)
    engine = candidate.open(1)
    scores = np.stack([engine.run(image) for image in digits[0][:2]])

    def compared(_: np.ndarray) -> Any:
        raise AssertionError("nothing was scored with exact kernels")

    found = examine_kernels(
        candidate, digits[0][:2], scores, compared, threads=1, progress=lambda step, done, total: None
    )
    assert found is not None
    assert (found.operations, found.overflowing, found.changed) == (1, 1, None)
    assert "may give other answers" in kernels_text(found)


def test_a_check_says_what_other_cpus_would_answer(pair: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(check, [*pair, "--json", str(tmp_path / "check.json")])
    record = json.loads((tmp_path / "check.json").read_text("utf-8"))
    found = record["artifacts"]["small.onnx"]
    assert (found["kernels"]["operations"], found["kernels"]["overflowing"]) == (1, 1)
    assert found["kernels"]["worst"] == "dense"
    assert record["cpu"]["saturates"] == kernels_saturate()
    assert record["cpu"]["name"] in result.output
    assert "can pass 16 bits" in result.output
    assert "store its weights as uint8" in result.output
    if not kernels_saturate():
        assert (found["verdict"], found["kernels"]["changed"]) == ("inconclusive", 0)
        assert result.exception is not None
        assert "the same answers on every CPU" in str(result.exception)
        assert CliRunner().invoke(check, [*pair, "--inconclusive", "pass"]).exit_code == 0


def test_a_check_on_a_cpu_without_vnni_compares_with_exact_kernels(
    pair: list[str], tmp_path: Path, other_cpu: dict[str, str]
) -> None:
    out = tmp_path / "check.json"
    done = subprocess.run(
        [sys.executable, "-c", "from snapship.__main__ import main; main()", "check", *pair, "--json", str(out)],
        env=other_cpu, capture_output=True, text=True, check=False,
    )  # fmt: skip
    record = json.loads(out.read_text("utf-8"))
    found = record["artifacts"]["small.onnx"]
    assert record["cpu"]["saturates"] is True
    assert "the kernels of this CPU saturate" in done.stdout
    assert found["kernels"]["changed"] > 0
    assert found["kernels"]["exact_top1"] > found["top1"]
    assert (found["kernels"]["exact_verdict"], found["verdict"]) == ("pass", "fail")
    assert done.returncode == 1


def test_workers_find_the_same_with_exact_kernels(pair: list[str], tmp_path: Path) -> None:
    found = []
    for options in ([], ["--workers", "1"]):
        CliRunner().invoke(check, [*pair, "--quick", *options, "--json", str(tmp_path / "check.json")])
        record = json.loads((tmp_path / "check.json").read_text("utf-8"))["artifacts"]["small.onnx"]
        found.append({name: value for name, value in record.items() if name != "latency_ms"})
    assert found[0] == found[1]
    assert found[0]["kernels"]["exact_top1"] is not None
