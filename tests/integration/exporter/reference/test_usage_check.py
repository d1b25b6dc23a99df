"""Keras models of anybody's: exported with the right class names and pixels, or not at all."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.common.errors import DataError, UsageError
from exporter import ExportConfig, check, export
from exporter.common.backend import load_keras
from exporter.convert.image_sets import Tables, image_sets
from exporter.source.full_model import find_source, load_source

NUMBERS = tuple(str(number) for number in range(1, 13))
TEXT = tuple(sorted(NUMBERS))
SIZE = 8


def level(name: str) -> float:
    return 12.0 + 20.0 * (int(name) - 1)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders 1 to 12 of gray images, each class brighter than the one before."""
    folder, rng = tmp_path_factory.mktemp("order") / "photos", np.random.default_rng(0)
    for split, count in (("train", 10), ("val", 13)):
        for name in NUMBERS:
            place = folder / split / name
            place.mkdir(parents=True)
            for index in range(count):
                gray = level(name) + rng.normal(0, 4, (SIZE, SIZE, 3))
                Image.fromarray(np.clip(np.rint(gray), 0, 255).astype(np.uint8)).save(place / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As trained on folders that Keras sorted: it takes raw pixels and names outputs 1, 10, 11, 12, 2."""
    keras: Any = load_keras()
    image = keras.Input((SIZE, SIZE, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(image))
    scores = keras.layers.Dense(12, activation="softmax", name="scores")(mean)
    built = keras.Model(image, scores)
    levels = np.array([level(name) for name in TEXT], dtype=np.float32) / 255
    slope = np.repeat((2 * 2000 * levels / 3)[None], 3, axis=0)
    built.get_layer("scores").set_weights([slope, -2000 * levels**2])
    path = tmp_path_factory.mktemp("model") / "model.keras"
    built.save(path)
    return path


@pytest.fixture
def config(model: Path, photos: Path, tmp_path: Path) -> ExportConfig:
    return ExportConfig(
        source=model, out=tmp_path / "x.bundle", data=photos, artifacts=("onnx-fp32",), evidence="quick"
    )


def all_right(bundle: Path, photos: Path) -> bool:
    with Classifier.open(bundle) as classifier:
        return all(
            classifier.classify((photos / "val" / name / "0.png").read_bytes()).top.label == name
            for name in NUMBERS
        )


def test_order_of_keras_is_found(config: ExportConfig, photos: Path) -> None:
    bundle = export(config)
    assert bundle.manifest.labels == TEXT
    assert {entry.verdict for entry in bundle.manifest.artifacts} == {"pass"}
    assert all_right(bundle.location, photos)
    report = check(bundle.location, data=photos)
    assert report.verdict == "pass"
    assert report.reference.top1 > 0.95
    page = (bundle.location / "report.html").read_text(encoding="utf-8")
    assert "sorted as text (1, 10, 11, 12, ...)" in page


def test_both_sides_of_the_images_get_the_order(config: ExportConfig, model: Path) -> None:
    source = find_source(model)
    with ExitStack() as stack:
        tables = Tables(
            image_sets(config, source),
            NUMBERS,
            load_source(source),
            20,
            stack,
            lambda step, done, total: None,
        )
        tables.relabel(TEXT)
        for table in (tables.judging, tables.calibration_side()):
            assert table is not None
            assert [TEXT[label] for label in table.truth] == [
                item.ref.split("/")[1] for item in table.images.items
            ]


def test_order_is_found_where_nothing_is_checked(config: ExportConfig, photos: Path) -> None:
    bundle = export(replace(config, check=False))
    assert not bundle.has("check.json")
    assert bundle.manifest.labels == TEXT
    assert all_right(bundle.location, photos)


@pytest.mark.parametrize("input_range", ["0..1", "-1..1", "imagenet"])
def test_wrong_range_is_refused_before_anything_is_converted(input_range: Any, config: ExportConfig) -> None:
    steps: list[str] = []
    with pytest.raises(DataError, match=r"With --input-range 0\.\.255") as caught:
        export(replace(config, input_range=input_range), lambda step, done, total: steps.append(step))
    assert re.search("--labels .*--weak-reference allow", str(caught.value))
    assert "\n" not in str(caught.value)
    assert not any("converting" in step for step in steps)
    assert not Path(config.out).exists()


def test_bundle_that_was_made_with_guessed_names_is_refused(config: ExportConfig, tmp_path: Path) -> None:
    """As an earlier version made it: the names by number."""
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(NUMBERS), encoding="utf-8")
    wrong = replace(config, labels=labels)
    with pytest.raises(
        DataError, match=r"With --labels sorted as text \(1, 10, 11, 12, \.\.\.\) it would be right"
    ):
        export(wrong)
    bundle = export(replace(wrong, weak_reference="allow"))
    with pytest.raises(DataError, match=r"sorted as text .*Export it again with --labels or --input-range"):
        check(bundle.location, data=config.data)


def test_order_that_no_image_settles_is_an_error(config: ExportConfig, tmp_path: Path) -> None:
    keras: Any = load_keras()
    image = keras.Input((SIZE, SIZE, 3))
    flat = keras.layers.Dense(12, activation="softmax", kernel_initializer="zeros")
    keras.Model(image, flat(keras.layers.GlobalAveragePooling2D()(image))).save(tmp_path / "flat.keras")
    with pytest.raises(UsageError, match="--labels FILE"):
        export(replace(config, source=tmp_path / "flat.keras", check=False))
