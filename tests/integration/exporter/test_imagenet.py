from __future__ import annotations

from pathlib import Path

import pytest

from exporter import ExportConfig, export
from exporter.judge.saved_report import saved_report
from trainer import models


@pytest.mark.slow
def test_known_good_model_names_photos_as_keras_does(shared: Path, tmp_path: Path) -> None:
    weights = shared / "weights" / "mobilenet_v2_1.0_224_imagenet.weights.h5"
    photos = shared / "data" / "imagenet-sample"
    if not weights.is_file() or not photos.is_dir():
        pytest.skip("needs the ImageNet weights and photos in ../shared")
    full = models.build("mobilenet_v2", input_shape=(224, 224, 3), classes=1000, weights=weights)
    full.save(tmp_path / "mobilenet_v2.keras")
    bundle = export(
        ExportConfig(
            source=tmp_path / "mobilenet_v2.keras",
            out=tmp_path / "imagenet.bundle",
            labels=photos / "labels.txt",
            data=photos,
            calibration_data=shared / "data" / "flowers",
            fit="crop",
            artifacts=("tflite-fp32", "tflite-int8", "onnx-fp32"),
            # 250 photos are a sample: they cannot show all of 1000 classes.
            missing_classes="allow",
            evidence="quick",
        )
    )
    report = saved_report(bundle)
    assert report is not None
    assert report.n == 250
    assert report.reference.top1 > 0.85
    for kind in ("tflite-fp32", "onnx-fp32"):
        assert report.artifacts[kind].agreement == 1.0
        assert report.artifacts[kind].max_abs_dp <= 1e-4
    assert report.artifacts["tflite-int8"].delta >= -0.02
