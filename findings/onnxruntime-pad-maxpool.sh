#!/bin/sh
# ONNX Runtime 1.31.1: with its default graph optimization a Pad of zeros followed by a MaxPool gives other
# numbers than the two operations do. Its optimizer moves the padding into the MaxPool, which pads with
# minus infinity instead of 0, so that zeros at the border are lost where all numbers are negative.
#
# Met in Keras' ResNet50V2: convolution, ZeroPadding2D, MaxPooling2D without an activation between.
# Reported as microsoft/onnxruntime issue 24737, closed as stale. exporter/formats/onnx_cleanup.py works around it.
#
# The input is a valid model of opset 17 and the image -1 ... -16. Output seen on 2026-11-29:
#
#   as written    0.0  0.0  0.0  -6.0
#   optimized    -1.0 -2.0 -5.0  -6.0
#   padding with 1e-38 instead of 0, optimized: as written
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


def scores(value, level):
    graph = helper.make_graph(
        [
            helper.make_node("Pad", ["x", "pads", "value"], ["padded"]),
            helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
        ],
        "pad_and_pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 2, 2])],
        [
            numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64), "pads"),
            numpy_helper.from_array(np.array(value, np.float32), "value"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    image = -np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)
    return session.run(None, {"x": image})[0].ravel()


levels = onnxruntime.GraphOptimizationLevel
written = scores(0.0, levels.ORT_DISABLE_ALL)
optimized = scores(0.0, levels.ORT_ENABLE_ALL)
nearly = scores(1.2e-38, levels.ORT_ENABLE_ALL)
print("onnxruntime", onnxruntime.__version__)
print("as written ", written)
print("optimized  ", optimized)
print("1.2e-38    ", nearly)
expected = (
    np.array_equal(written, [0, 0, 0, -6])
    and np.array_equal(optimized, [-1, -2, -5, -6])
    and np.allclose(nearly, written, atol=1e-30)
)
sys.exit(0 if expected else "This has changed: see the head of the script.")
PROGRAM
