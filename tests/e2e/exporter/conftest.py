"""A bundle of every artifact that runs on a device, and what our own runtime says of some images."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle
from edge_runtime.engines import open_engine
from exporter import ExportConfig, export
from exporter.common.backend import load_keras
from exporter.formats.kinds import KINDS

ROOT = Path(__file__).resolve().parents[3]
LABELS = ("blobs", "café crème", "stripes", "zebra checks")
SIDE = 48
ON_DEVICES = tuple(name for name, kind in KINDS.items() if kind.format in ("tflite", "onnx"))

Expected = Callable[[str], np.ndarray]


@pytest.fixture(scope="session")
def bundle(once: Callable[..., Any]) -> Path:
    """A small network of MobileNetV2's operations, trained on drawn patterns, exported as every kind."""
    return cast(Path, once("acceptance", made_in))


def made_in(place: Path) -> Path:
    """Makes the bundle in a folder that also holds its pictures."""
    rng = np.random.default_rng(0)
    truth = np.arange(600) % len(LABELS)
    pixels = np.stack([pattern(index, rng) for index in truth])
    for number, (image, index) in enumerate(zip(pixels, truth, strict=True)):
        folder = place / "pictures" / ("val" if number >= 480 else "train") / LABELS[index]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    trained(pixels[:480], truth[:480]).save(place / "pictures.keras")
    out = place / "pictures.bundle"
    export(
        ExportConfig(
            source=place / "pictures.keras",
            out=out,
            data=place / "pictures",
            artifacts=ON_DEVICES,
            check=False,
        )
    )
    return out


@pytest.fixture(scope="session")
def images(
    bundle: Path, file_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Pictures of the model's size, so that nobody's resizing takes part; real photos where there are.

    Of the drawn ones those that the model is surest of: where it is in doubt, int8 kernels of
    two makers differ (one rounding of a logit is a tenth of the score).
    """
    engine = open_engine(file_of("tflite-fp32"), "tflite", "tflite-fp32")
    drawn = sorted((bundle.parent / "pictures" / "val").rglob("*.png"))
    scores = np.stack([engine.run(np.asarray(Image.open(image))) for image in drawn])
    engine.close()
    surest = [drawn[index] for column in scores.T for index in np.argsort(-column)[:3]]
    place = tmp_path_factory.mktemp("photos")
    photos = []
    for number, photo in enumerate(sorted((ROOT.parent / "shared/data/flowers/val").rglob("*.jpg"))[::80]):
        photos.append(place / f"{number}.png")
        Image.open(photo).convert("RGB").resize((SIDE, SIDE)).save(photos[-1])
    return surest + photos


@pytest.fixture(scope="session")
def expected(bundle: Path, images: list[Path]) -> Expected:
    """Our runtime's scores of an artifact, float32 ``[images, classes]``."""

    def scores(kind: str) -> np.ndarray:
        artifact = next(entry for entry in Bundle.open(bundle).manifest.artifacts if entry.kind == kind)
        engine = open_engine(bundle / artifact.file, artifact.format, kind)
        try:
            return np.stack([engine.run(np.asarray(Image.open(image))) for image in images])
        finally:
            engine.close()

    return scores


@pytest.fixture(scope="session")
def file_of(bundle: Path) -> Callable[[str], Path]:
    """An artifact's file by its kind."""
    files = {entry.kind: bundle / entry.file for entry in Bundle.open(bundle).manifest.artifacts}
    return files.__getitem__


@pytest.fixture(scope="session")
def mediapipe_python() -> Path:
    """The interpreter that has MediaPipe; TensorFlow's dependencies are not its own."""
    return installed("mediapipe") / "bin" / "python"


@pytest.fixture(scope="session")
def readers_python() -> Path:
    """The interpreter that has engines and tools of other makers."""
    return installed("readers") / "bin" / "python"


@pytest.fixture(scope="session")
def web_packages() -> Path:
    """The browser runtimes, as npm installed them."""
    return installed("web") / "node_modules"


def installed(name: str) -> Path:
    """A folder of ``make acceptance``; the test is skipped where it could not be filled."""
    folder = Path(sys.prefix) / "acceptance" / name
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        errors = [line for line in lines if "error" in line.lower()] + lines[-1:] + ["not installed"]
        pytest.skip(f"needs {name} of make acceptance: {errors[0]}")
    return folder


def pattern(index: int, rng: np.random.Generator) -> np.ndarray:
    """A picture of one class in random colours, uint8 [48, 48, 3]."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    beat = rng.uniform(0.5, 1.1)
    centre_x, centre_y = rng.uniform(12, 36, 2)
    distance = np.hypot(x - centre_x, y - centre_y)
    wave = (
        2 * np.exp(-(distance**2) / rng.uniform(40, 120)) - 1,
        np.sin(beat * distance + phase),
        np.sin(beat * along + phase),
        np.sign(np.sin(beat * along + phase) * np.sin(beat * across + phase)),
    )[index]
    dark, light = rng.uniform(0, 255, (2, 3))
    image = dark + (wave[..., np.newaxis] + 1) / 2 * (light - dark) + rng.normal(0, 12, (SIDE, SIDE, 3))
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def trained(pixels: np.ndarray, truth: np.ndarray):
    """Inverted residuals on raw pixels, after a few epochs."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    layers = keras.layers

    def normalised(x):
        return layers.BatchNormalization(momentum=0.8)(x)

    image = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.ReLU(6)(normalised(layers.Conv2D(16, 3, 2, padding="same", use_bias=False)(x)))
    for channels, strides in ((16, 1), (24, 2), (24, 1), (32, 2), (32, 1)):
        y = layers.ReLU(6)(normalised(layers.Conv2D(4 * x.shape[-1], 1, use_bias=False)(x)))
        if strides == 2:
            # As Keras' MobileNetV2 has it; the size is even, so that "same" would be the same.
            y = layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
        padding = "valid" if strides == 2 else "same"
        y = layers.DepthwiseConv2D(3, strides, padding=padding, use_bias=False)(y)
        y = normalised(layers.Conv2D(channels, 1, use_bias=False)(layers.ReLU(6)(normalised(y))))
        x = layers.Add()([x, y]) if strides == 1 and x.shape[-1] == channels else y
    x = layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(len(LABELS), activation="softmax")(x))
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    model.fit(pixels, truth, batch_size=32, epochs=8, verbose=0)
    return model
