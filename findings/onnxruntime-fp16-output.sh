#!/bin/sh
# ONNX Runtime 1.31.1 on a CPU: reading a second output changes the first one. A float16 model that also returns the
# input of its last matrix product gives other scores than the same model without that output.
#
# Few operations have float16 kernels on x86, so the runtime computes in float32 and rounds to float16 in between. Across
# a Flatten it leaves the rounding out, unless somebody reads the rounded numbers, at every level of graph optimization.
# Neither answer is wrong, but a file with one more output is another classifier.
#
# Met when exported files got a second output, the features in front of the last layer: exporter/formats/extra_output.py
# adds none to float16 .onnx files.
#
# The input is a valid model of opset 13 (average pooling, Flatten, MatMul) and 50 random images. Output seen on 2026-11-30:
#
#   scores that differ with the output: 3198 of 3200, by up to 0.0002
#   without graph optimization:         3200 of 3200
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
ORT_DISABLE_TELEMETRY=1 HOME="$folder" "$folder/venv/bin/python" - <<'PROGRAM'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

random = np.random.default_rng(0)
weights = (random.normal(size=(64, 64)) / 8).astype(np.float16)
images = random.normal(size=(50, 1, 64, 4, 4)).astype(np.float32)


def scores(also_features, level):
    nodes = [
        helper.make_node("Cast", ["image"], ["half"], to=TensorProto.FLOAT16),
        helper.make_node("GlobalAveragePool", ["half"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["product"]),
        helper.make_node("Cast", ["product"], ["scores"], to=TensorProto.FLOAT),
    ]
    outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 64])]
    if also_features:
        nodes.append(helper.make_node("Cast", ["flat"], ["features"], to=TensorProto.FLOAT))
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 64]))
    graph = helper.make_graph(
        nodes,
        "pooled_product",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 64, 4, 4])],
        outputs,
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return np.concatenate([session.run(["scores"], {"image": image})[0] for image in images])


levels = onnxruntime.GraphOptimizationLevel
optimized = [scores(also, levels.ORT_ENABLE_ALL) for also in (False, True)]
plain = [scores(also, levels.ORT_DISABLE_ALL) for also in (False, True)]
differing = int(np.sum(optimized[0] != optimized[1]))
largest = float(np.max(np.abs(optimized[0] - optimized[1])))
without = int(np.sum(plain[0] != plain[1]))
total = optimized[0].size
print(f"onnxruntime {onnxruntime.__version__}")
print(f"scores that differ with the output: {differing:4} of {total}, by up to {largest:.1g}")
print(f"without graph optimization:         {without:4} of {total}")
sys.exit(0 if min(differing, without) > total // 2 else 1)
PROGRAM
