"""The device's commands where one engine is installed and no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.engines import ENGINES, open_engine

RUNS = {
    "litert": ("tflite-fp32", "tflite-int8"),
    "onnxruntime": ("onnx-fp32",),
    "tflite-runtime": ("tflite-fp32",),
}
"""What each engine runs of the bundle of digits; the first is what it chooses by itself, but for int8."""

CHOSEN = {"litert": "tflite-int8", "onnxruntime": "onnx-fp32", "tflite-runtime": "tflite-fp32"}

REFUSED = [
    ("litert", "onnx-fp32", "auto", 4, "pip install 'snapship[onnx]'"),
    ("litert", "tflite-fp32", "tflite-runtime", 4, "pip install tflite-runtime 'numpy<2'"),
    ("onnxruntime", "tflite-int8", "auto", 4, "pip install 'snapship'"),
    ("onnxruntime", "tflite-fp32", "litert", 4, "pip install 'snapship'"),
    ("tflite-runtime", "tflite-int8", "auto", 2, "12 times slower"),
    ("tflite-runtime", "tflite-int8", "tflite-runtime", 2, "12 times slower"),
    ("tflite-runtime", "tflite-fp32", "litert", 4, "pip install 'snapship'"),
    ("tflite-runtime", "onnx-fp32", "auto", 4, "pip install 'snapship[onnx]'"),
]

pytestmark = pytest.mark.slow

DeviceOf = Callable[[str], Callable[..., Any]]


def test_every_engine_has_an_environment() -> None:
    assert set(RUNS) == set(ENGINES)


@pytest.mark.parametrize("engine", RUNS)
def test_no_other_engine_is_there(device_of: DeviceOf, engine: str) -> None:
    code = "from edge_runtime.engines import *; print([name for name in ENGINES if available(name)])"
    shown = device_of(engine)("-c", code)
    assert shown.stdout.strip() == f"['{engine}']", shown.stderr


@pytest.mark.parametrize("engine", RUNS)
def test_predict_takes_what_the_engine_runs(device_of: DeviceOf, engine: str, digits_bundle: Path) -> None:
    golden = digits_bundle / "golden"
    done = device_of(engine)("-m", "snapship", "predict", digits_bundle, golden, "--json", "--workers", "2")
    assert done.returncode == 0, done.stderr
    answers = {Path(line["image"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    examples = json.loads((golden / "golden.json").read_text())["examples"]
    assert len(answers) == len(examples) > 0
    for example in examples:
        scores = example["scores"][CHOSEN[engine]]
        answer = answers[Path(example["file"]).name]
        assert answer["label"] == str(int(np.argmax(scores)))
        assert answer["score"] == pytest.approx(max(scores), abs=1e-3 if "fp32" in CHOSEN[engine] else 0.05)


@pytest.mark.parametrize("engine", RUNS)
def test_selftest_replays_what_the_engine_runs(device_of: DeviceOf, engine: str, digits_bundle: Path) -> None:
    done = device_of(engine)("-m", "snapship", "selftest", digits_bundle, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert record["passed"]
    assert {replay["artifact"] for replay in record["replays"]} == set(RUNS[engine])
    assert {replay["engine"] for replay in record["replays"]} == {engine}
    assert set(record["skipped"]) == {"tflite-fp32", "tflite-int8", "onnx-fp32"} - set(RUNS[engine])


SIGNATURE = """
import sys
import numpy as np
try:
    from tflite_runtime.interpreter import Interpreter
except ImportError:
    from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(sys.argv[1])
print(interpreter.get_signature_list())
image = np.full((1, 16, 16, 1), 90, np.float32)
print(interpreter.get_signature_runner()(image=image)["scores"].argmax())
"""


@pytest.mark.parametrize("engine", ["litert", "tflite-runtime"])
def test_interpreters_find_the_signature(
    device_of: DeviceOf, digits_bundle: Path, tmp_path: Path, engine: str
) -> None:
    pytest.importorskip("flatbuffers", reason="needs the extra export")
    from exporter.formats.flatbuffer import name_tensors

    bare = digits_bundle / "digits_fp32.tflite"
    file = tmp_path / "signed.tflite"
    file.write_bytes(name_tensors(bare.read_bytes()))
    done = device_of(engine)("-c", SIGNATURE, file)
    assert done.returncode == 0, done.stderr
    signatures, best = done.stdout.splitlines()
    assert signatures == "{'serving_default': {'inputs': ['image'], 'outputs': ['scores']}}"
    assert int(best) == open_engine(bare, "tflite", "digits").run(np.full((16, 16, 1), 90, np.uint8)).argmax()


TALL = """
import hashlib, numpy, PIL
from PIL import Image
from edge_runtime import InputSpec, pixels
rows, columns = numpy.mgrid[0:97, 0:61]
values = numpy.stack([rows * columns * 37 % 256, (rows * rows + columns) * 11 % 256, columns * 4], axis=2)
found = pixels(Image.fromarray(values.astype(numpy.uint8)), InputSpec(height=40, width=40))
print(PIL.__version__.split(".")[0], hashlib.sha256(found.tobytes()).hexdigest()[:12])
"""
"""Pixels of a tall picture, which Pillow 13 resizes in another order than the ones before."""


def test_pixels_are_the_same_on_every_pillow(device_of: DeviceOf) -> None:
    shown = [device_of(engine)("-c", TALL).stdout.split() for engine in RUNS]
    assert len({version for version, _ in shown}) > 1
    assert len({pixels for _, pixels in shown}) == 1


@pytest.mark.parametrize(("engine", "artifact", "asked", "code", "words"), REFUSED)
def test_what_the_engine_does_not_run_is_one_line(
    device_of: DeviceOf, digits_bundle: Path, engine: str, artifact: str, asked: str, code: int, words: str
) -> None:
    image = digits_bundle / "golden" / "0.png"
    device = device_of(engine)
    done = device(
        "-m", "snapship", "predict", digits_bundle, image, "--artifact", artifact, "--engine", asked
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""


def test_tflite_runtime_tells_of_operations_that_it_is_too_old_for(
    device_of: DeviceOf, tmp_path: Path
) -> None:
    device = device_of("tflite-runtime")
    file = tmp_path / "digits_dynamic.tflite"
    file.write_bytes(dynamic_range_file())
    code = (
        "from edge_runtime.engines import open_engine; from edge_runtime.common.errors import SnapshipError\n"
        "import sys; from pathlib import Path\n"
        "try: open_engine(Path(sys.argv[1]), 'tflite', 'digits_dynamic.tflite')\n"
        "except SnapshipError as error: print(error)"
    )
    done = device("-c", code, file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "A .tflite file must load in tflite-runtime. Received: digits_dynamic.tflite ("
    )
    assert "FULLY_CONNECTED" in done.stdout
    assert "Pass --artifact tflite-fp32" in done.stdout


def dynamic_range_file() -> bytes:
    """What today's converter makes of one dense layer: an operation newer than tflite-runtime."""
    tensorflow = pytest.importorskip("tensorflow", reason="needs TensorFlow to convert a model")
    keras = tensorflow.keras
    image = keras.Input((16, 16, 1), batch_size=1)
    flat = keras.layers.Flatten()(image)
    model = keras.Model(image, keras.layers.Dense(64, activation="softmax")(flat))
    converter = tensorflow.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converted: bytes = converter.convert()
    return converted
