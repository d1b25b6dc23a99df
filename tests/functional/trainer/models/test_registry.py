"""Real Keras builds: counts, raw pixels, sizes, names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from trainer import models
from trainer.models.registry import BODIES, build_scratch

ROOT = Path(__file__).resolve().parents[4]


def layers(model: Any) -> list[str]:
    return [layer.name for layer in model.layers]


def test_small_cnn_has_the_parameters_that_the_catalog_says() -> None:
    model = models.build("small_cnn", input_shape=(28, 28, 1), classes=10)
    assert model.count_params() == models.info("small_cnn").parameters == 121_930


def test_mobilenet_v2_has_the_parameters_that_the_catalog_says() -> None:
    model = models.build("mobilenet_v2", input_shape=(224, 224, 3), classes=1000)
    assert model.count_params() == models.info("mobilenet_v2").parameters == 3_538_984


@pytest.mark.parametrize("name", sorted(BODIES))
def test_same_weights_fit_half_the_size_where_the_catalog_says_so(name: str) -> None:
    import keras

    whole, small, halved = (
        build_scratch(keras, name, (side, side, 3), 4, halved=halved)
        for side, halved in ((40, False), (20, False), (40, True))
    )
    if not models.info(name).any_size:
        assert whole.count_params() != small.count_params()
        return
    halved.set_weights(whole.get_weights())
    small.set_weights(whole.get_weights())
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3)).astype(np.float32)
    means = pixels.reshape(2, 20, 2, 20, 2, 3).mean(axis=(2, 4))
    expected = np.asarray(small.predict_on_batch(means))
    np.testing.assert_allclose(np.asarray(halved.predict_on_batch(pixels)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "width"),
    [
        ("small_cnn", (10, 10, 1), 2, 1.0),
        ("small_cnn", (17, 30, 3), 3, 1.0),
        ("mobilenet_v2", (32, 32, 3), 2, 0.35),
        ("mobilenet_v2", (100, 64, 1), 5, 0.5),
        ("mobilenet_v2", (96, 96, 3), 7, 0.6),
    ],
)
def test_any_input_becomes_scores_that_sum_to_one(
    name: str, shape: tuple[int, int, int], classes: int, width: float
) -> None:
    model = models.build(name, input_shape=shape, classes=classes, width=width, weights="none")
    pixels = np.random.default_rng(0).integers(0, 256, (2, *shape)).astype(np.float32)
    scores = np.asarray(model.predict_on_batch(pixels))
    assert scores.shape == (2, classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-5)
    assert layers(model)[0] == "image"
    assert layers(model)[-1] == "scores"
    assert not any(hasattr(layer, "layers") for layer in model.layers)


@pytest.mark.parametrize(("name", "low"), [("small_cnn", 0.0), ("mobilenet_v2", -1.0)])
def test_raw_pixels_are_scaled_inside(name: str, low: float) -> None:
    import keras

    model = models.build(name, input_shape=(32, 32, 3), classes=2)
    inside = keras.Model(model.input, model.get_layer("rescale").output)
    pixels = np.zeros((1, 32, 32, 3), np.float32)
    pixels[0, 0] = 255.0
    scaled = np.asarray(inside.predict_on_batch(pixels))
    assert scaled.max() == pytest.approx(1.0)
    assert scaled.min() == pytest.approx(low)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "small_cnn", "input_shape": (9, 28, 1)}, "at least 10x10"),
        ({"name": "mobilenet_v2", "input_shape": (224, 31, 3)}, "at least 32x32"),
        ({"name": "small_cnn", "input_shape": (28, 28, 4)}, "1 or 3 channels"),
        ({"name": "small_cnn", "classes": 0}, "must have at least one class"),
        ({"name": "small_cnn", "weights": "imagenet"}, "random weights"),
        ({"name": "small_cnn", "width": 0.5}, "width 1.0"),
        ({"name": "lenet9"}, "Use one of: .*mobilenet_v2, .*small_cnn"),
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        models.build(**({"input_shape": (28, 28, 1), "classes": 10} | options))


@pytest.mark.parametrize(
    "module", ["trainer", "trainer.run.run_json", "trainer.cli", "trainer.models", "trainer.config.schedule"]
)
def test_import_loads_no_keras(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert not {"keras", "tensorflow", "jax", "torch", "sklearn", "matplotlib", "h5py"} & set(
        done.stdout.split()
    )
