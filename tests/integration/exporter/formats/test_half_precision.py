"""An export whose float16 files are right on this CPU and full of NaN on a GPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier
from edge_runtime.common.errors import GateFailedError
from exporter import ExportConfig, check, export

GAIN = 530_684.0 / 255.0


def body(layers: Any, image: Any) -> Any:
    """Pixels times :data:`GAIN`, and back; the converters cannot fold one into the other."""
    large = layers.ReLU()(layers.Rescaling(GAIN)(image))
    return layers.Flatten()(layers.Rescaling(1.0 / (255.0 * GAIN))(layers.MaxPooling2D()(large)))


def test_float16_files_do_not_pass_in_export_nor_in_check(saved: Callable[..., Path], tmp_path: Path) -> None:
    photos, rng = tmp_path / "photos", np.random.default_rng(0)
    for name in ("ash", "birch", "oak", "zelkova"):
        (photos / name).mkdir(parents=True)
        for index in range(10):
            array = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
            Image.fromarray(array).save(photos / name / f"{index}.png")
    labels, out = tmp_path / "labels.txt", tmp_path / "x.bundle"
    labels.write_text("ash\nbirch\noak\nzelkova\n", encoding="utf-8")
    kinds = ("tflite-fp32", "tflite-fp16", "onnx-fp16")
    bundle = export(
        ExportConfig(
            source=saved(body), out=out, labels=labels, data=photos, artifacts=kinds, margin=0.5,
            evidence="quick", weak_reference="allow",
        )
    )  # fmt: skip
    verdicts = {entry.kind: entry.verdict for entry in bundle.manifest.artifacts}
    assert verdicts == {"tflite-fp32": "pass", "tflite-fp16": "fail", "onnx-fp16": "fail"}
    with pytest.raises(GateFailedError):
        Classifier.open(bundle, "tflite-fp16")
    # A bundle of before, whose check knew nothing of it.
    record = json.loads((out / "check.json").read_text(encoding="utf-8"))
    del record["unmade"]
    for found in record["artifacts"].values():
        assert found.pop("half") is None or found["verdict"] == "fail"
        found |= {"verdict": "pass", "reason": "as it seemed"}
    (out / "check.json").write_text(json.dumps(record), encoding="utf-8")
    report = check(out, data=photos, split="all", margin=0.5, quick=True, weak_reference="allow")
    assert report.artifacts["tflite-fp32"].verdict == "pass"
    for kind in kinds[1:]:
        found = report.artifacts[kind]
        assert (found.verdict, found.agreement) == ("fail", 1.0)
        assert found.reason.startswith("overflows in half precision: 530,")
        assert found.half is not None
        assert found.half.magnitude == pytest.approx(530_684, rel=1e-3)
    assert Bundle.open(out).has("report.html")
