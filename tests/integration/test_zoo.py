"""Every architecture trains a step and becomes every artifact; the large ones in processes of their own.

Parameters, not pixels, make a model large, so all are exported at the smallest useful size. What takes time is to
copy them: where another has layers of the same kinds and sizes, a quarter of the channels shows what differs, which
is how the layers are joined. A process keeps what the converters took, so each large one gets its own: run this file
with a name.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.importing import command_runs_alone
from edge_runtime.engines import open_engine
from exporter.convert.builder import Builder
from exporter.convert.onnx_file import convert_onnx
from exporter.convert.tflite import convert_fp32
from exporter.formats.kinds import DEFAULT_KINDS, Kind, parse_kinds
from exporter.source.candidate import artifact_candidate
from exporter.source.full_model import find_source, freeze, load_source
from exporter.source.scoring import engine_scorer, full_scorer
from trainer import models
from trainer.core.backend import load_keras

ROOT = Path(__file__).resolve().parents[2]
EXTRACTOR = "feature_extractor"
LARGE = {
    "efficientnet_b0": 3,
    "efficientnet_v2_b0": 3,
    "efficientnet_v2_l": 15,
    "inception_v3": 4,
    "mobilenet_v3_large": 3,
    "resnet101": 6,
    "resnet18": 3,
    "resnet50": 4,
    "vgg16": 5,
    "vgg19": 5,
}
"""Those that get a process of their own, and the GB of memory that one needs, with some to spare."""

HUGE = {"efficientnet_v2_l"}
"""Those that take more of the time of all tests than they are worth every time."""

ALL_OF_IT = bool(os.environ.get("SNAPSHIP_HUGE"))
"""Whether each is exported with all channels and in every kind."""

THIN = set() if ALL_OF_IT else {"inception_v3", "resnet101", "vgg16", "vgg19"}
"""Those that are exported with a quarter of their channels: no layer of theirs is larger than resnet50's largest."""

DEEPER = {"resnet101": "resnet50", "vgg19": "vgg16"}
"""Those of more of the same layers as another: what shrinks the file of one shrinks that of the other."""

NO_INT16 = {EXTRACTOR, "mobilenet_v3_small", "mobilenet_v3_large"}
"""The converter has no int16x8 hard swish; of random weights in a SavedModel it makes scales that overflow."""

SLOW = {EXTRACTOR, "mobilenet_v2", "mobilenet_v3_small", *LARGE}
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name for name in models.names()]


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", NAMES)
def test_trains_a_step_and_exports(name: str, tmp_path: Path) -> None:
    if name not in LARGE or name in THIN:
        found = trained_and_exported(name, tmp_path)
    else:
        if name in HUGE and not ALL_OF_IT:
            pytest.skip(f"{name} takes minutes: set SNAPSHIP_HUGE=1 to run it")
        free = available_gb()
        if free < LARGE[name]:
            pytest.skip(f"{name} needs {LARGE[name]} GB of memory, {free:.0f} are free")
        paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        done = subprocess.run(
            [sys.executable, __file__, name],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.splitlines()[-1])
        print(found)
    assert found["changed"] > 0
    for kind in kinds_of(name):
        made = found[kind.name]
        assert made["sums"] < 1e-4, kind.name
        # Random weights give nearly equal scores, so that only exact kinds can be held to theirs.
        assert not kind.exact or made["difference"] <= 1e-4, kind.name
        if kind.format in ("tflite", "onnx"):
            assert (made["input"] == "uint8") == (kind.precision == "int8"), kind.name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "policy"), [("mobilenet_v2", "mixed_bfloat16"), (EXTRACTOR, "mixed_float16")]
)
def test_mixed_precision_exports_in_float32(name: str, policy: str, tmp_path: Path) -> None:
    keras = load_keras()
    twin = build(name, tmp_path)
    keras.mixed_precision.set_global_policy(policy)
    try:
        model = build(name, tmp_path)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert model.get_layer("scores").compute_dtype == policy.removeprefix("mixed_")
    twin.set_weights(model.get_weights())
    model.save(tmp_path / "model.keras")

    full = load_source(find_source(tmp_path / "model.keras"))
    images = images_for(model)
    reference = full_scorer(full)(images)
    # All of the computation, not only its result, is in float32 again.
    assert {layer.compute_dtype for layer in full.keras.layers} == {"float32"}
    assert np.abs(reference - twin.predict(images.astype(np.float32), verbose=0)).max() <= 1e-5
    for data, kind in ((convert_fp32(freeze(full)), "tflite"), (convert_onnx(full), "onnx")):
        engine = open_engine(data, kind, name)  # type: ignore[arg-type]
        assert np.abs(engine_scorer(engine, 3)(images) - reference).max() <= 1e-4
        engine.close()


def build(name: str, folder: Path) -> Any:
    """A model of three classes, on the smallest useful image."""
    if name != EXTRACTOR:
        size = max(32, models.info(name).min_size)
        return models.build(name, input_shape=(size, size, 3), classes=3)
    saved = folder / "saved"
    if not saved.exists():
        applications = load_keras().applications
        network = applications.MobileNetV2((96, 96, 3), alpha=0.35, include_top=False, weights=None)
        network.export(saved, verbose=False)
    return models.build(name, input_shape=(96, 96, 3), classes=3, weights=saved)


def thinned(model: Any) -> Any:
    """The same layers, joined in the same way, with a quarter of the channels between the image and the scores."""
    config = model.get_config()
    for layer in config["layers"]:
        known = layer["config"]
        # Shapes of the full width.
        layer.pop("build_config", None)
        if "filters" in known:
            known["filters"] //= 4
        elif layer["class_name"] == "Dense" and known["name"] != "scores":
            known["units"] //= 4
    thin = load_keras().Model.from_config(config)
    assert [layer.name for layer in thin.layers] == [layer.name for layer in model.layers]
    assert thin.count_params() < model.count_params() / 8
    return thin


def images_for(model: Any) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, *model.input_shape[1:]), dtype=np.uint8)


def numbers(model: Any) -> list[np.ndarray]:
    return [load_keras().ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights]


def trained_and_exported(name: str, folder: Path) -> dict[str, Any]:
    """Trains a step, saves, loads and exports; returns what the artifacts make of it."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    model = build(name, folder)
    if name in THIN:
        model = thinned(model)
    images = images_for(model)
    # Of a deep network with random weights the gradient may be huge. Eager: the graph of one step takes longer.
    optimizer = keras.optimizers.SGD(0.01, clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", run_eagerly=True)
    before = numbers(model)
    model.train_on_batch(images.astype(np.float32), np.array([0, 1, 2, 0]))
    changed = sum(not np.array_equal(old, new) for old, new in zip(before, numbers(model), strict=True))
    model.save(folder / "model.keras")
    del model, before
    gc.collect()

    full = load_source(find_source(folder / "model.keras"))
    reference = full_scorer(full)(images)
    builder = Builder(full, "zoo", ("a", "b", "c"), lambda: images, folder, lambda step, done, total: None)
    found: dict[str, Any] = {"name": name, "changed": changed}
    for kind in kinds_of(name):
        file = builder.make((kind,))[kind]
        engine = artifact_candidate(kind.name, file, kind.format, 1, file.name, full.input).open(1)
        scores = engine_scorer(engine, 3)(images)
        found[kind.name] = {
            "input": engine.input.dtype,
            "difference": float(np.abs(scores - reference).max()),
            "sums": float(np.abs(scores.sum(axis=1) - 1.0).max()),
        }
        engine.close()
    return found


def kinds_of(name: str) -> list[Kind]:
    """Of the large ones the usual kinds: the others differ from these in precision alone."""
    chosen = DEFAULT_KINDS if name in LARGE and not ALL_OF_IT else ("all",)
    left_out = {"tflite-int16x8"} if name in NO_INT16 else set()
    if name in DEEPER and not ALL_OF_IT:
        left_out |= {"tflite-fp16", "tflite-dynamic"}
    return [kind for kind in parse_kinds(chosen) if kind.name not in left_out]


def available_gb() -> float:
    """Memory that a new process may take; unlimited where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("MemAvailable"))


if __name__ == "__main__":
    started = time.monotonic()
    # As the command does.
    gc.freeze()
    command_runs_alone()
    with tempfile.TemporaryDirectory() as work:
        result = trained_and_exported(sys.argv[1], Path(work))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(result | {"seconds": round(time.monotonic() - started), "peak GB": round(peak, 1)}))
