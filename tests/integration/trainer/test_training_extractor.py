"""A SavedModel as a backbone, trained, exported and checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter import ExportConfig, export
from exporter.judge.saved_report import saved_report
from trainer import TrainConfig, evaluate, train
from trainer.core.backend import load_keras


@pytest.mark.slow
def test_saved_model_trains_and_ships(tmp_path: Path) -> None:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    backbone = keras.Sequential(
        [keras.Input((28, 28, 3)), keras.layers.Conv2D(16, 5, 2, activation="relu"),
         keras.layers.Conv2D(64, 3, 2, activation="relu"), keras.layers.MaxPooling2D(),
         keras.layers.Flatten()]
    )  # fmt: skip
    backbone.export(tmp_path / "saved", verbose=False)
    run = train(
        TrainConfig(data="digits", model="feature_extractor", size=28, weights=tmp_path / "saved",
                    out=tmp_path / "run", epochs=30, cache_dir=tmp_path / "cache")
    )  # fmt: skip
    # Random features and a trained head: far above chance, and only the head was trained.
    assert run.evaluation.top1 > 0.7
    assert [step["name"] for step in run.record.config["phases"]] == ["head"]
    model = keras.models.load_model(run.path / "model.keras", compile=False)
    kept = {weight.shape for weight in model.non_trainable_weights}
    assert {tuple(values.shape) for values in backbone.get_weights()} <= kept
    np.testing.assert_allclose(evaluate(run.path, "digits").top1, run.evaluation.top1)
    bundle = export(
        ExportConfig(source=run.path, out=tmp_path / "digits.bundle", artifacts=("tflite-fp32", "onnx-fp32"))
    )
    report = saved_report(bundle)
    assert report is not None
    assert report.verdict == "pass"
