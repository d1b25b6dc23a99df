"""The device's commands where one engine is installed and no other."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.engines import AUTOMATIC, ENGINES, open_engine

RUNS = {
    "litert": ("tflite-fp32", "tflite-int8"),
    "onnxruntime": ("onnx-fp32",),
    "tflite-runtime": ("tflite-fp32",),
    "tflite-micro": ("tflite-fp32", "tflite-int8"),
}
"""What each engine runs of the bundle of digits; the first is what it chooses by itself, but for int8."""

CHOSEN = {"litert": "tflite-int8", "onnxruntime": "onnx-fp32", "tflite-runtime": "tflite-fp32"}

BY_ITSELF = [engine for engine in RUNS if engine in AUTOMATIC]
"""Engines that are chosen without being named, each alone in its environment."""

REFUSED = [
    ("litert", "onnx-fp32", "auto", 4, "pip install 'snapship[onnx]'"),
    ("litert", "tflite-fp32", "tflite-runtime", 4, "pip install tflite-runtime 'numpy<2'"),
    ("onnxruntime", "tflite-int8", "auto", 4, "pip install 'snapship'"),
    ("onnxruntime", "tflite-fp32", "litert", 4, "pip install 'snapship'"),
    ("tflite-runtime", "tflite-int8", "auto", 2, "12 times slower"),
    ("tflite-runtime", "tflite-int8", "tflite-runtime", 2, "12 times slower"),
    ("tflite-runtime", "tflite-fp32", "litert", 4, "pip install 'snapship'"),
    ("tflite-runtime", "onnx-fp32", "auto", 4, "pip install 'snapship[onnx]'"),
    ("litert", "tflite-int8", "tflite-micro", 4, "pip install tflite-micro"),
    ("tflite-micro", "onnx-fp32", "tflite-micro", 2, "Use: onnxruntime"),
]

pytestmark = pytest.mark.slow

DeviceOf = Callable[[str], Callable[..., Any]]


def test_every_engine_has_an_environment() -> None:
    assert set(RUNS) == set(ENGINES)


@pytest.mark.parametrize("engine", BY_ITSELF)
def test_no_other_engine_is_there(device_of: DeviceOf, engine: str) -> None:
    code = "from edge_runtime.engines import *; print([name for name in ENGINES if available(name)])"
    shown = device_of(engine)("-c", code)
    assert shown.stdout.strip() == f"['{engine}']", shown.stderr


@pytest.mark.parametrize("engine", BY_ITSELF)
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


@pytest.mark.parametrize("engine", BY_ITSELF)
def test_selftest_replays_what_the_engine_runs(device_of: DeviceOf, engine: str, digits_bundle: Path) -> None:
    done = device_of(engine)("-m", "snapship", "selftest", digits_bundle, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(done.stdout)
    assert record["passed"]
    assert {replay["artifact"] for replay in record["replays"]} == set(RUNS[engine])
    assert {replay["engine"] for replay in record["replays"]} == {engine}
    assert set(record["skipped"]) == {"tflite-fp32", "tflite-int8", "onnx-fp32"} - set(RUNS[engine])


def micro_selftest(device_of: DeviceOf, bundle: Path, *words: str) -> dict[str, Any]:
    done = device_of("tflite-micro")("-m", "snapship", "selftest", bundle, "--json", *words)
    assert done.stdout, done.stderr
    return {**json.loads(done.stdout), "code": done.returncode, "said": done.stderr.strip()}


def test_microcontroller_kernels_give_the_scores_of_the_reference_kernels(
    device_of: DeviceOf, digits_bundle: Path
) -> None:
    record = micro_selftest(device_of, digits_bundle, "--engine", "tflite-micro")
    assert record["code"] == 0, record
    assert {replay["artifact"] for replay in record["replays"]} == set(RUNS["tflite-micro"])
    for replay in record["replays"]:
        assert replay["engine"] == "tflite-micro"
        assert replay["max_abs_dp"] <= replay["tolerance"] == 1e-5
        assert 0 < replay["recorded_max_abs_dp"] < 0.05
    assert record["skipped"] == ["onnx-fp32"]


NOISE = """
import sys
from pathlib import Path
import numpy as np
from edge_runtime.common.native_output import quiet
from edge_runtime.engines import open_engine, open_reference
model = Path(sys.argv[1])
with quiet():
    micro, fast = (open_engine(model, "tflite", "m", engine=name) for name in ("tflite-micro", "litert"))
    shared = open_reference("tflite-micro", model, "m")
images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
found, expected, other = (np.stack([engine.run(image) for image in images]) for engine in (micro, shared, fast))
print(np.abs(found - expected).max(), np.abs(found - other).max())
"""


def test_it_is_the_reference_kernels_that_microcontrollers_share(
    device_of: DeviceOf, digits_bundle: Path
) -> None:
    done = device_of("tflite-micro")("-c", NOISE, digits_bundle / "digits_int8.tflite")
    shared, fast = map(float, done.stdout.split())
    assert shared <= 1e-5
    assert fast > 1e-3


def test_microcontroller_kernels_are_never_chosen_by_themselves(
    device_of: DeviceOf, digits_bundle: Path
) -> None:
    record = micro_selftest(device_of, digits_bundle)
    assert {replay["engine"] for replay in record["replays"]} == {"litert"}
    assert all(replay["recorded_max_abs_dp"] is None for replay in record["replays"])


HEADER = """
import sys
from pathlib import Path
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.c_array import c_array
model, target = map(Path, sys.argv[1:])
Path(target).write_bytes(c_array(model.read_bytes(), "digits", tuple("0123456789"), InputSpec(16, 16, 1)))
"""


@pytest.fixture
def bundle_with_header(device_of: DeviceOf, own_digits_bundle: Path) -> Path:
    """The bundle of digits with a header that states the arena, as an export writes it where it can measure."""
    header = own_digits_bundle / "digits_int8.h"
    done = device_of("tflite-micro")("-c", HEADER, own_digits_bundle / "digits_int8.tflite", header)
    assert done.returncode == 0, done.stderr
    add_to_manifest(own_digits_bundle, header)
    return own_digits_bundle


def add_to_manifest(bundle: Path, header: Path) -> None:
    file = bundle / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    (int8,) = (entry for entry in manifest["artifacts"] if entry["kind"] == "tflite-int8")
    manifest["artifacts"] = [entry for entry in manifest["artifacts"] if entry["kind"] != "c-array"]
    content = header.read_bytes()
    named = {"kind": "c-array", "format": "c-array", "file": header.name}
    hashed = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    manifest["artifacts"].append({**int8, **named, **hashed})
    file.write_text(json.dumps(manifest), "utf-8")


def test_header_is_replayed_as_it_ships(device_of: DeviceOf, bundle_with_header: Path) -> None:
    words = ("--engine", "tflite-micro", "--artifact", "c-array")
    record = micro_selftest(device_of, bundle_with_header, *words)
    assert record["code"] == 0, record
    assert {replay["artifact"] for replay in record["replays"]} == {"c-array"}
    assert all(replay["max_abs_dp"] <= 1e-5 for replay in record["replays"])
    # And it is the header that is read: without its first bytes there is no model.
    header = bundle_with_header / "digits_int8.h"
    header.write_text(header.read_text("ascii").replace("0x54, 0x46, 0x4c, 0x33", "0x54, 0x46, 0x4c, 0x34"))
    add_to_manifest(bundle_with_header, header)
    record = micro_selftest(device_of, bundle_with_header, *words)
    assert record["code"] == 1
    assert {replay["failed"] for replay in record["replays"]} == {"model"}


ARENA = """
import sys
from pathlib import Path
from edge_runtime.common.native_output import quiet
from tflite_micro import runtime
model, bytes = Path(sys.argv[1]).read_bytes(), int(sys.argv[2])
with quiet():
    for size in (bytes, bytes - 16):
        try:
            runtime.Interpreter.from_bytes(model, arena_size=size)
            print(size, "fits")
        except RuntimeError:
            print(size, "does not")
"""


def test_header_states_the_smallest_arena(device_of: DeviceOf, bundle_with_header: Path) -> None:
    text = (bundle_with_header / "digits_int8.h").read_text("ascii")
    (stated,) = re.findall(r"^#define DIGITS_ARENA_BYTES (\d+)$", text, re.M)
    done = device_of("tflite-micro")("-c", ARENA, bundle_with_header / "digits_int8.tflite", stated)
    assert done.stdout.splitlines() == [f"{stated} fits", f"{int(stated) - 16} does not"], done.stderr


def test_microcontroller_takes_no_dynamic_range_file(device_of: DeviceOf, tmp_path: Path) -> None:
    file = tmp_path / "digits_dynamic.tflite"
    file.write_bytes(dynamic_range_file())
    code = (
        "from edge_runtime.engines import open_engine; from edge_runtime.common.errors import SnapshipError\n"
        "import sys; from pathlib import Path\n"
        "try: open_engine(Path(sys.argv[1]), 'tflite', 'digits_dynamic.tflite', engine='tflite-micro')\n"
        "except SnapshipError as error: print(error)"
    )
    done = device_of("tflite-micro")("-c", code, file)
    assert done.stdout.startswith("A .tflite file must load in TensorFlow Lite Micro, which takes int8"), done
    assert len(done.stdout.splitlines()) == 1


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
    shown = [device_of(engine)("-c", TALL).stdout.split() for engine in BY_ITSELF]
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
