"""Preprocessing as evidence: ours is exact, stock TensorFlow's is not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.image.input_spec import InputSpec
from exporter.evidence.preprocessing import device_paths, stock_path
from exporter.evidence.record import AttributionStep
from exporter.judge.judge_artifacts import judge
from exporter.source.candidate import Candidate
from exporter.source.images import PixelTable, decode_table


def encoded(array: np.ndarray, format: str = "PNG") -> bytes:
    stored = io.BytesIO()
    Image.fromarray(array).save(stored, format)
    return stored.getvalue()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def test_stock_preprocessing_is_ours_where_nothing_is_resized() -> None:
    spec, array = InputSpec(height=20, width=30), noise(20, 30, 3)
    found = stock_path({4: encoded(array)}, spec, 5.0)
    assert found is not None
    assert found.rows == (4,)
    assert (found.pixels[0] == array).all()


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_stock_preprocessing_does_not_antialias(fit: str) -> None:
    spec = InputSpec(height=16, width=16, fit=fit)  # type: ignore[arg-type]
    files = {0: encoded(noise(120, 90, 3)), 1: encoded(noise(70, 100, 3), "JPEG"), 2: b"GIF89a, or not"}
    stock = stock_path(files, spec, 5.0)
    assert stock is not None
    assert stock.rows == (0, 1)
    for ours in device_paths(files, spec, 5.0):
        assert ours.rows == (0, 1)
        # Averaging many pixels of noise leaves little contrast; picking a few leaves a lot.
        assert ours.pixels.std() < 0.7 * stock.pixels.std()
        assert abs(ours.pixels.mean() - stock.pixels.mean()) < 12


@pytest.fixture
def photos(digits_bundle: Path) -> Iterator[PixelTable]:
    """The golden digits, large and with noise, as files."""
    spec = Bundle.open(digits_bundle).manifest.input
    content, items = {}, []
    for index in range(12):
        digit = Image.open(digits_bundle / "golden" / f"{index % 6}.png").convert("L").resize((64, 64))
        rough = np.asarray(digit).astype(int) + np.random.default_rng(index).integers(-60, 60, (64, 64))
        content[f"{index}.png"] = encoded(np.clip(rough, 0, 255).astype(np.uint8))
        items.append(Item(f"{index}.png", index % 10, "val", f"{index:064}"))
    images = ImageSet("photos", tuple("0123456789"), tuple(items), lambda item: content[item.ref])
    with decode_table(images, spec) as table:
        yield table


def steps(bundle: Path, table: PixelTable) -> dict[str, AttributionStep]:
    one = Candidate("tflite-int8", bundle / "digits_int8.tflite", "tflite", False, 1)
    reference = np.full((len(table.truth), 10), 0.1, dtype=np.float32)
    report = judge(
        [one],
        reference,
        table,
        file="m",
        sha256="0" * 64,
        margin=0.02,
        input=Bundle.open(bundle).manifest.input,
    ).report
    found = report.artifacts["tflite-int8"].attribution
    assert found is not None
    assert found.skipped == ()
    return {step.name: step for step in found.steps}


def test_attribution_finds_no_preprocessing_in_ours_and_some_in_stock(
    digits_bundle: Path, photos: PixelTable
) -> None:
    found = steps(digits_bundle, photos)
    assert (found["preprocessing"].n, found["preprocessing"].changed, found["preprocessing"].dp) == (
        12,
        0,
        0.0,
    )
    assert "0 of 12 images get different pixels" in found["preprocessing"].note
    assert found["stock preprocessing"].dp > 0.0
    assert "12 of 12 images get different pixels" in found["stock preprocessing"].note


def test_attribution_finds_preprocessing_that_differs(digits_bundle: Path, photos: PixelTable) -> None:
    mirrored = replace(photos, pixels=np.ascontiguousarray(np.asarray(photos.pixels)[:, :, ::-1]))
    found = steps(digits_bundle, mirrored)["preprocessing"]
    assert "12 of 12 images get different pixels" in found.note
    assert found.changed > 0
    assert found.dp > 0.01
