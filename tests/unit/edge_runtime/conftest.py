"""A bundle that needs no interpreter: its model file is text and its engine is arithmetic."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from edge_runtime.bundle.labels import labels_text
from edge_runtime.bundle.manifest import (
    Artifact,
    GoldenRef,
    Manifest,
    Provenance,
    TensorSpec,
    encode_manifest,
)
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.engines.result import Float32Array
from edge_runtime.golden import Golden, GoldenExample, image_hashes
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array, pixels

LABELS = ("red", "green", "blue")
SPEC = InputSpec(height=8, width=8)
MODEL = b"not a model, but bytes with a hash"

BundleMaker = Callable[..., Path]


class ArithmeticEngine:
    """Scores an image by how much of each colour it has."""

    name = "arithmetic"
    input = TensorSpec("image", "float32", (1, 8, 8, 3))
    output = TensorSpec("scores", "float32", (1, 3))

    def __init__(self) -> None:
        self.closed = False

    def run(self, pixels: UInt8Array) -> Float32Array:
        sums = pixels.astype(np.float32).sum(axis=(0, 1)) + np.float32(1.0)
        scores: Float32Array = sums / sums.sum()
        return scores

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def arithmetic(monkeypatch: pytest.MonkeyPatch) -> type[ArithmeticEngine]:
    """Every classifier of the test runs on the arithmetic engine."""
    monkeypatch.setattr(
        "edge_runtime.engines.opening.open_engine", lambda *args, **options: ArithmeticEngine()
    )
    return ArithmeticEngine


def make_artifact(kind: str = "tflite-fp32", **changes: Any) -> Artifact:
    format, _, precision = kind.partition("-")
    fields: dict[str, Any] = {
        "kind": kind,
        "file": f"model_{precision}.{format}",
        "format": format,
        "precision": precision,
        "sha256": hashlib.sha256(MODEL).hexdigest(),
        "bytes": len(MODEL),
        "input": ArithmeticEngine.input,
        "output": ArithmeticEngine.output,
        "verdict": "pass",
    }
    return Artifact(**fields | changes)


@pytest.fixture(name="make_artifact")
def make_artifact_fixture() -> Callable[..., Artifact]:
    return make_artifact


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    """Writes a bundle; keyword arguments replace fields of its manifest."""

    def make(name: str = "made.bundle", **changes: Any) -> Path:
        folder = tmp_path / name
        (folder / "golden").mkdir(parents=True)
        artifacts = changes.pop("artifacts", (make_artifact(),))
        for artifact in artifacts:
            path = folder / artifact.file
            if ".." not in path.parts and folder in path.parents:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(MODEL)
        golden = _write_golden(folder, [artifact.kind for artifact in artifacts])
        fields: dict[str, Any] = {
            "schema_version": 1,
            "name": "made",
            "labels": LABELS,
            "input": SPEC,
            "artifacts": tuple(artifacts),
            "provenance": Provenance("2025-01-01T00:00:00Z", "0.1.0", "arithmetic", "0" * 64),
            "golden": golden,
        }
        fields |= changes
        (folder / "labels.txt").write_text(labels_text(fields["labels"]), encoding="utf-8")
        (folder / "manifest.json").write_bytes(encode_manifest(Manifest(**fields)))
        return folder

    return make


@pytest.fixture
def edit_golden() -> Callable[..., None]:
    """Changes fields of the first golden example, and keeps the index's hash right."""

    def edit(folder: Path, **changes: Any) -> None:
        golden = msgspec.json.decode((folder / "golden/golden.json").read_bytes())
        golden["examples"][0] |= changes
        _index(folder, golden)

    return edit


def _write_golden(folder: Path, kinds: list[str]) -> GoldenRef:
    examples = []
    for label, colour in zip(LABELS, ((250, 30, 20), (10, 200, 40), (0, 60, 220)), strict=True):
        buffer = io.BytesIO()
        Image.new("RGB", (20, 10), colour).save(buffer, "PNG")
        data, file = buffer.getvalue(), f"golden/{label}.png"
        (folder / file).write_bytes(data)
        decoded, seen = image_hashes(data, SPEC)
        scores = tuple(map(float, ArithmeticEngine().run(pixels(data, SPEC))))
        sha256 = hashlib.sha256(data).hexdigest()
        examples.append(GoldenExample(file, sha256, decoded, seen, label, dict.fromkeys(kinds, scores)))
    data = encode_json(Golden(1, dict.fromkeys(kinds, 1e-4), tuple(examples)))
    (folder / "golden/golden.json").write_bytes(data)
    return GoldenRef("golden/golden.json", hashlib.sha256(data).hexdigest())


def _index(folder: Path, golden: Any) -> None:
    data = msgspec.json.encode(golden)
    (folder / "golden/golden.json").write_bytes(data)
    manifest = msgspec.json.decode((folder / "manifest.json").read_bytes())
    manifest["golden"]["sha256"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_bytes(msgspec.json.encode(manifest))
