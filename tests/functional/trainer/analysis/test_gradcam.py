"""Grad-CAM against numbers worked out by hand, on every backend that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import environment_of
from trainer import models
from trainer.analysis.gradcam import GradCam
from trainer.analysis.layers import NothingToShowError
from trainer.core.backend import load_keras

ROOT = Path(__file__).resolve().parents[4]
LARGE = {"efficientnet_v2_l", "resnet101", "resnet50", "vgg16", "vgg19", "inception_v3", "efficientnet_b0",
         "efficientnet_v2_b0"}  # fmt: skip
# The feature extractor needs a SavedModel, and hides its maps in it.
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
    for name in models.names() if name != "feature_extractor"
]  # fmt: skip

IMAGE = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
# Two 1x1 kernels: the first channel is the pixel, the second 9 minus the pixel, cut off at zero.
CHANNELS = np.stack([IMAGE[..., 0], np.maximum(9.0 - IMAGE[..., 0], 0)], axis=2).astype(np.float32)


def pooled(kernel: list[list[float]], head: str = "dense") -> Any:
    """Image -> two channels -> their means -> softmax over two classes."""
    keras = load_keras()
    image = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(2, 1, activation="relu", name="maps")(image)
    x = keras.layers.GlobalAveragePooling2D()(maps)
    if head == "dense":
        outputs = keras.layers.Dense(2, activation="softmax", name="scores")(x)
    else:
        outputs = keras.layers.Softmax()(keras.layers.Dense(2, name="logits")(x))
    model = keras.Model(image, outputs)
    model.get_layer("maps").set_weights(
        [np.array([1.0, -1.0], np.float32).reshape(1, 1, 1, 2), np.array([0.0, 9.0], np.float32)]
    )
    dense = model.get_layer("scores" if head == "dense" else "logits")
    dense.set_weights([np.array(kernel, np.float32), np.array([0.5, -0.5], np.float32)])
    return model


def test_heat_is_the_hand_computed_one() -> None:
    kernel = np.array([[3.0, -40.0], [-1.0, 80.0]])
    cam = GradCam(pooled(kernel.tolist()))
    assert cam.layer == "maps"
    for label in (0, 1):
        # d logit / d map = kernel / 16 everywhere, so its mean is that too.
        expected = np.maximum((CHANNELS * kernel[:, label] / 16).sum(axis=2), 0)
        assert np.allclose(cam.heat(IMAGE, label), expected, atol=1e-5)


def test_heat_is_of_the_score_before_the_softmax() -> None:
    # A softmax this sure has no gradient left in float32.
    heat = GradCam(pooled([[300.0, -300.0], [0.0, 0.0]])).heat(IMAGE, 0)
    assert np.allclose(heat, CHANNELS[..., 0] * 300 / 16, rtol=1e-5)


def test_softmax_as_a_layer_of_its_own_gives_the_same() -> None:
    kernel = [[3.0, -40.0], [-1.0, 80.0]]
    for label in (0, 1):
        expected = GradCam(pooled(kernel)).heat(IMAGE, label)
        assert np.allclose(GradCam(pooled(kernel, "layer")).heat(IMAGE, label), expected, atol=1e-5)


def test_weights_are_means_over_the_places() -> None:
    keras = load_keras()
    image = keras.Input((2, 2, 1))
    maps = keras.layers.Conv2D(1, 1, name="maps")(image)
    scores = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(maps))
    model = keras.Model(image, scores)
    model.get_layer("maps").set_weights([np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32)])
    model.layers[-1].set_weights(
        [np.array([[1, 0], [2, 0], [3, 0], [10, -1]], np.float32), np.zeros(2, np.float32)]
    )
    pixels = np.array([[1, 2], [3, 4]], np.uint8)[..., None]
    assert np.allclose(GradCam(model).heat(pixels, 0), pixels[..., 0] * (1 + 2 + 3 + 10) / 4)
    assert not GradCam(model).heat(pixels, 1).any()


def test_map_in_front_of_the_last_pooling_is_taken() -> None:
    assert GradCam(models.build("small_cnn", input_shape=(16, 16, 1), classes=3)).layer == "conv2"
    assert GradCam(models.build("lenet5", input_shape=(32, 32, 1), classes=3)).layer == "c3"


def test_map_that_a_shortcut_goes_around_is_not_taken() -> None:
    keras = load_keras()
    image = keras.Input((8, 8, 3))
    trunk = keras.layers.Conv2D(4, 3, padding="same", name="trunk")(image)
    side = keras.layers.Conv2D(4, 3, padding="same", name="side")(trunk)
    both = keras.layers.Concatenate()([
        keras.layers.GlobalAveragePooling2D()(side), keras.layers.GlobalAveragePooling2D()(trunk)
    ])  # fmt: skip
    cam = GradCam(keras.Model(image, keras.layers.Dense(2, activation="softmax")(both)))
    assert cam.layer == "trunk"


def test_model_without_a_feature_map_says_so() -> None:
    keras = load_keras()
    image = keras.Input((4, 4, 1))
    flat = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(image))
    with pytest.raises(NothingToShowError, match="no feature map"):
        GradCam(keras.Model(image, flat))


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture_has_a_heat(name: str) -> None:
    size = max(models.info(name).min_size, 64 if models.info(name).pretrained else 32)
    model = models.build(name, input_shape=(size, size, 3), classes=3)
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    heat = GradCam(model).heat(image, 1)
    assert heat.ndim == 2
    assert heat.shape[0] * heat.shape[1] > 1
    assert np.isfinite(heat).all()
    assert (heat >= 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backends_give_the_hand_computed_heat(backend: str) -> None:
    there = environment_of(backend)
    # Backends cannot be changed in a process that has loaded Keras.
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", __file__,
         "-k", "hand_computed_one or before_the_softmax or means_over or shortcut or mobilenet_v2"],
        cwd=ROOT, env={**os.environ, **there},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
