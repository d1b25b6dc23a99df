#!/usr/bin/env bash
# ONNX Runtime 1.31.1, CPU provider, x86-64 with VNNI (avx512_vnni or avx_vnni in /proc/cpuinfo).
#
# Behaviour: the same integer matrix product takes several times as long with uint8 weights as with int8 weights.
# Only u8 x s8 has a kernel with VNNI; u8 x u8 falls back to one that widens to 16 bits. So the usual cure for
# saturation on CPUs without VNNI, uint8 weights (or session.x64quantprecision=1, which makes them while the model
# loads), takes the speed of int8 away from CPUs that never saturated. Both give the same numbers there.
#
# Of a whole MobileNetV2, whose depthwise layers are not concerned, the time about doubles.
#
# Seen on 2026-11-29: "int8 weights 1.00, uint8 weights 7.02, int8 weights with x64quantprecision 7.09, same sums True".
# Exit code 0: as described. 1: changed. 77: this CPU has no VNNI, nothing to see.
set -euo pipefail
grep -q -w -E 'avx512_vnni|avx_vnni' /proc/cpuinfo || { echo "no VNNI here"; exit 77; }
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy==2.4.6 onnx==1.23.2 onnxruntime==1.31.1
ORT_DISABLE_TELEMETRY=1 "$folder/venv/bin/python" - <<'EOF'
import statistics, sys, time
import numpy as np, onnxruntime
from onnx import TensorProto as T, helper as H, numpy_helper as N

rng = np.random.default_rng(0)
signed = rng.integers(-127, 128, (1024, 1024), dtype=np.int8)
image = rng.integers(0, 256, (256, 1024), dtype=np.uint8)

def session(weights, zero, exact=False):
    node = H.make_node("MatMulInteger", ["x", "w", "", "z"], ["y"])
    graph = H.make_graph([node], "g", [H.make_tensor_value_info("x", T.UINT8, ["n", 1024])],
                         [H.make_tensor_value_info("y", T.INT32, ["n", 1024])],
                         [N.from_array(weights, "w"), N.from_array(zero, "z")])
    model = H.make_model(graph, opset_imports=[H.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

unsigned = (signed.astype(np.int16) + 128).astype(np.uint8)
ways = {"int8 weights": session(signed, np.int8(0)), "uint8 weights": session(unsigned, np.uint8(128)),
        "int8 weights with x64quantprecision": session(signed, np.int8(0), exact=True)}
sums = [way.run(None, {"x": image})[0] for way in ways.values()]
same = all(np.array_equal(sums[0], other) for other in sums)
taken = {name: [] for name in ways}
for _ in range(60):  # in turns, so that the machine's other work hits all alike
    for name, way in ways.items():
        start = time.process_time()
        way.run(None, {"x": image})
        taken[name].append(time.process_time() - start)
base = statistics.median(taken["int8 weights"])
ratios = {name: statistics.median(times) / base for name, times in taken.items()}
print(", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items()) + f", same sums {same}")
sys.exit(not (same and min(ratios["uint8 weights"], ratios["int8 weights with x64quantprecision"]) > 1.4))
EOF
