"""Golden examples: what is stored, and that a replay of it passes."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import InputSpec
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.engines import open_engine
from edge_runtime.golden import image_hashes
from edge_runtime.image.preprocess import pixels
from exporter.bundle.golden_files import MAX_EXAMPLE_BYTES, write_golden
from exporter.formats.kinds import KINDS

GRAY = InputSpec(16, 16, 1)
KIND = KINDS["tflite-int8"]


def image_set(*content: object) -> ImageSet:
    items = tuple(Item(str(index), index, "val", f"{index:064}") for index in range(len(content)))
    labels = tuple("0123456789")
    return ImageSet("made", labels, items, lambda item: content[item.label])  # type: ignore[arg-type,return-value]


def encoded(picture: Image.Image, kind: str) -> bytes:
    stored = io.BytesIO()
    picture.save(stored, kind)
    return stored.getvalue()


def test_examples_hold_what_this_machine_gets(digits_bundle: Path, tmp_path: Path) -> None:
    file = digits_bundle / "digits_int8.tflite"
    small = encoded(Image.linear_gradient("L").resize((20, 20)), "WEBP")
    array = np.arange(64, dtype=np.uint8).reshape(8, 8)
    reference = write_golden(tmp_path, image_set(small, array), GRAY, {KIND: file})
    assert reference is not None
    assert reference.sha256 == hashlib.sha256((tmp_path / reference.file).read_bytes()).hexdigest()
    golden = json.loads((tmp_path / reference.file).read_text())
    assert [example["file"] for example in golden["examples"]] == ["golden/0.webp", "golden/1.png"]
    assert (tmp_path / "golden" / "0.webp").read_bytes() == small
    assert np.array_equal(np.asarray(Image.open(tmp_path / "golden" / "1.png")), array)
    engine = open_engine(file, "tflite", file.name)
    for example in golden["examples"]:
        data = (tmp_path / example["file"]).read_bytes()
        assert example["sha256"] == hashlib.sha256(data).hexdigest()
        assert (example["decoded_sha256"], example["pixels_sha256"]) == image_hashes(data, GRAY)
        assert np.allclose(example["scores"]["tflite-int8"], engine.run(pixels(data, GRAY)))
    assert golden["tolerance"] == {"tflite-int8": KIND.golden_tolerance}


def test_large_photo_is_stored_smaller_and_hashed_as_stored(digits_bundle: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1400, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), "PNG")
    assert len(data) > MAX_EXAMPLE_BYTES
    write_golden(tmp_path, image_set(data), GRAY, {KIND: digits_bundle / "digits_int8.tflite"})
    stored = (tmp_path / "golden" / "0.jpg").read_bytes()
    with Image.open(io.BytesIO(stored)) as picture:
        assert max(picture.size) == 640
    example = json.loads((tmp_path / "golden" / "golden.json").read_text())["examples"][0]
    assert example["decoded_sha256"] == image_hashes(stored, GRAY)[0]


def test_no_image_is_no_golden_folder(digits_bundle: Path, tmp_path: Path) -> None:
    assert write_golden(tmp_path, image_set(), GRAY, {}) is None
    assert not list(tmp_path.iterdir())


def test_scores_that_are_no_numbers_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, pixels: object) -> np.ndarray:
            return np.array([np.nan, 1.0], dtype=np.float32)

        def close(self) -> None:
            pass

    monkeypatch.setattr("exporter.bundle.golden_files.open_engine", lambda *arguments: Broken())
    write_golden(tmp_path, image_set(np.zeros((8, 8), np.uint8)), GRAY, {KIND: tmp_path / "x.tflite"})
    golden = json.loads((tmp_path / "golden" / "golden.json").read_text())
    assert golden["examples"][0]["scores"] == {}
