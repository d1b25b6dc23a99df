"""Architectures of moderate size train a step and become every artifact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.engines import open_engine
from exporter.freeze import freeze
from exporter.onnx_file import convert_onnx
from exporter.scoring import engine_scorer, keras_scorer
from exporter.source import find_source, load_source
from exporter.tflite import calibrate, convert_fp32, quantize
from trainer import models

# The others export too, but a process that does them all needs 17 GB of memory and more.
NAMES = ("bn_cnn", "cifar_cnn", "deep_cnn", "lenet5", "mobilenet_v2", "mobilenet_v3_small", "small_cnn")


@pytest.mark.parametrize("name", NAMES)
def test_trains_a_step_and_exports(name: str, tmp_path: Path) -> None:
    size = max(32, models.info(name).min_size)
    images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    model = models.build(name, input_shape=(size, size, 3), classes=3)
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [weight.copy() for weight in model.get_weights()]
    model.train_on_batch(images.astype(np.float32), np.array([0, 1, 2, 0]))
    assert any(not np.array_equal(old, new) for old, new in zip(before, model.get_weights(), strict=True))
    model.save(tmp_path / "model.keras")
    del model, before

    full = load_source(find_source(tmp_path / "model.keras"))
    reference = keras_scorer(full)(images)
    frozen = freeze(full)
    for data, kind in ((convert_fp32(frozen), "tflite"), (convert_onnx(full), "onnx")):
        engine = open_engine(data, kind, name)  # type: ignore[arg-type]
        assert np.abs(engine_scorer(engine, 3)(images) - reference).max() <= 1e-4
        engine.close()
    engine = open_engine(quantize(calibrate(frozen, images)), "tflite", name)
    assert engine.input.dtype == "uint8"
    scores = engine_scorer(engine, 3)(images)
    assert np.abs(scores.sum(axis=1) - 1.0).max() < 1e-5
