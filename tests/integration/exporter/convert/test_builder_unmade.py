"""Exports of a model whose activations are so small that its int16x8 file does not load."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_runtime import Bundle
from edge_runtime.common.errors import ModelFileError
from exporter import check
from exporter.cli import export as command
from exporter.common.backend import load_keras
from exporter.config.export_config import ExportConfig
from exporter.exporting import export_bundle
from exporter.judge.saved_report import saved_report


def body(layers: Any, image: Any) -> Any:
    few = load_keras().initializers.RandomUniform(-1e-8, 1e-8)
    x = layers.ReLU(6)(layers.Conv2D(4, 3, kernel_initializer=few)(image))
    return layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(layers.Rescaling(1 / 255)(image))])


def test_others_ship_and_the_missing_one_is_a_row(
    saved: Callable[..., Path], photos: Path, tmp_path: Path
) -> None:
    source, out = saved(body), tmp_path / "x.bundle"
    done = CliRunner().invoke(
        command,
        [
            str(source), "--out", str(out), "--data", str(photos), "--artifacts", "tflite-fp32,int16x8",
            "--evidence", "quick", "--weak-reference", "allow",
        ],
    )  # fmt: skip
    # It was named: not having it is no success.
    assert isinstance(done.exception, ModelFileError)
    assert "without tflite-int16x8" in str(done.exception)
    assert "\n" not in str(done.exception)
    assert "tflite-int16x8: not made. " in done.output
    bundle = Bundle.open(out)
    assert [entry.kind for entry in bundle.manifest.artifacts] == ["tflite-fp32"]
    assert [path.name for path in out.glob("*.tflite")] == ["model0_fp32.tflite"]
    report = saved_report(bundle)
    assert report is not None
    assert list(report.unmade) == ["tflite-int16x8"]
    assert "no_integer_overflow" in report.unmade["tflite-int16x8"]
    assert "could not be made" in bundle.read("report.html").decode()
    assert check(out, data=photos, quick=True, weak_reference="allow").unmade == report.unmade


def test_unchecked_bundle_says_it_too_and_the_best_of_the_others_is_no_error(
    saved: Callable[..., Path], tmp_path: Path, photos: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("ash\nbirch\noak\nzelkova\n", encoding="utf-8")
    source = saved(body)
    kinds = ("tflite-fp32", "tflite-int16x8")
    config = ExportConfig(
        source=source, out=tmp_path / "x.bundle", labels=labels, artifacts=kinds,
        calibration_data=photos / "train",
    )  # fmt: skip
    exported = export_bundle(config)
    assert list(exported.unmade) == ["tflite-int16x8"]
    with pytest.raises(ModelFileError, match="without tflite-int16x8"):
        exported.raise_for_unmade()
    best = export_bundle(
        ExportConfig(
            source=source, out=tmp_path / "best.bundle", data=photos, artifacts=kinds, best="size",
            margin=0.5, evidence="quick", weak_reference="allow",
        )
    )  # fmt: skip
    best.raise_for_unmade()
    assert [entry.kind for entry in best.bundle.manifest.artifacts] == ["tflite-fp32"]
    report = saved_report(best.bundle)
    assert report is not None
    assert list(report.unmade) == ["tflite-int16x8"]
