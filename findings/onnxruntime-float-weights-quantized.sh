#!/bin/sh
# ONNX Runtime 1.31.1 with default options quantizes weights that a QDQ model keeps in float.
#
# Where a Conv or Gemm with float weights stands between a DequantizeLinear and a QuantizeLinear, the optimizer
# makes int8 weights of them, with one scale for the whole tensor (its pass is called WeightBiasQuantization), and
# runs QLinearConv or QGemm. An operation that was left out of quantization because it loses too much is quantized
# more coarsely than the rest, with no message. Identity in between is removed first; Max with the lowest float is not.
#
# Met when an exporter's repair left the worst operations in float. exporter/quantize/onnx_weights.py
# works around it. The model is valid, opset 17; half of its output channels have weights 50 times smaller, and the
# output's grid is theirs.
#
# Output seen on 2026-11-29:
#
#   onnxruntime 1.31.1
#   default options:   largest error 99 steps of 255, runs QLinearConv
#   with a Max behind: largest error 0 steps of 255, runs Conv
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
ORT_DISABLE_TELEMETRY=1 HOME="$folder" "$folder/venv/bin/python" - "$folder/optimized.onnx" <<'PROGRAM'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)
sizes = np.array([1.0, 0.02] * 4).reshape(-1, 1, 1, 1)
weights = (rng.normal(size=(8, 4, 3, 3)) * sizes).astype(np.float32)
image = rng.integers(0, 256, (1, 4, 6, 6), dtype=np.uint8)


def model(blocked):
    inner = "inner" if blocked else "y_float"
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["x_float"]),
        helper.make_node("Conv", ["x_float", "weights"], [inner]),
        *([helper.make_node("Max", [inner, "lowest"], ["y_float"])] if blocked else []),
        helper.make_node("QuantizeLinear", ["y_float", "y_scale", "zero"], ["y"]),
    ]
    values = {
        "scale": np.float32(0.02), "zero": np.uint8(128), "weights": weights,
        "y_scale": np.float32(0.002), "lowest": np.array(np.finfo(np.float32).min, np.float32),
    }
    graph = helper.make_graph(
        nodes, "left_in_float",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 4, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, [1, 8, 4, 4])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.checker.check_model(made, full_check=True)
    return made.SerializeToString()


def answers(data, optimized):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    options.optimized_model_filepath = sys.argv[1]
    session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
    runs = {node.op_type for node in onnx.load(sys.argv[1]).graph.node} & {"Conv", "QLinearConv"}
    return session.run(None, {"x": image})[0].astype(int), runs.pop()


written, _ = answers(model(False), False)
default, default_runs = answers(model(False), True)
blocked, blocked_runs = answers(model(True), True)
errors = [int(np.abs(found - written).max()) for found in (default, blocked)]
print("onnxruntime", onnxruntime.__version__)
print(f"default options:   largest error {errors[0]} steps of 255, runs {default_runs}")
print(f"with a Max behind: largest error {errors[1]} steps of 255, runs {blocked_runs}")
expected = default_runs == "QLinearConv" and errors[0] >= 5 and blocked_runs == "Conv" and errors[1] <= 1
sys.exit(0 if expected else "This has changed: see the head of the script.")
PROGRAM
