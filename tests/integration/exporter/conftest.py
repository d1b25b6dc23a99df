"""Small Keras models and their files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from exporter.common.backend import load_keras
from exporter.source.full_model import FullModel, find_source, load_source

Layers = Callable[[Any, Any], Any]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """Writes a Keras model: image -> body -> softmax of four classes."""

    def write(
        body: Layers | None = None, *, shape: tuple[int, int, int] = (12, 10, 3), policy: str = "float32",
        activation: str | None = "softmax", seed: int = 0,
    ) -> Path:  # fmt: skip
        keras = load_keras()
        keras.utils.set_random_seed(seed)
        keras.mixed_precision.set_global_policy(policy)
        try:
            image = keras.Input(shape)
            x = (body or convolution)(keras.layers, image)
            model = keras.Model(image, keras.layers.Dense(4, activation=activation)(x))
        finally:
            keras.mixed_precision.set_global_policy("float32")
        path = tmp_path / f"model{seed}.keras"
        model.save(path)
        return path

    return write


def convolution(layers: Any, image: Any) -> Any:
    """Dropout, batch normalisation and augmentation, as users' models have them."""
    x = layers.RandomFlip("horizontal")(image)
    x = layers.Rescaling(1 / 255)(x)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, use_bias=False)(x))
    x = layers.Dropout(0.4)(layers.ReLU()(x))
    return layers.Dense(16, activation="relu")(layers.Flatten()(x))


@pytest.fixture
def full_model(saved: Callable[..., Path]) -> FullModel:
    return load_source(find_source(saved()))


@pytest.fixture(scope="session")
def noise() -> np.ndarray:
    """uint8 images [40, 12, 10, 3] that never reach 0 or 255."""
    return np.random.default_rng(5).integers(40, 200, (40, 12, 10, 3), dtype=np.uint8)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Noise in four classes, six images of each to train and to judge."""
    rng = np.random.default_rng(0)
    for name in ("ash", "birch", "oak", "zelkova"):
        for split in ("train", "val"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for index in range(6):
                array = rng.integers(0, 256, (12, 10, 3), dtype=np.uint8)
                Image.fromarray(array).save(tmp_path / "photos" / split / name / f"{index}.png")
    return tmp_path / "photos"
