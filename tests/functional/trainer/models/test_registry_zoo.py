"""Every architecture of the zoo: its size, its input, and the numbers of published weights."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from trainer import models
from trainer.core.backend import load_keras

LARGE = {"efficientnet_v2_l", "resnet101", "vgg16", "vgg19"}
NAMES = [
    pytest.param(name, marks=pytest.mark.slow) if name in LARGE else name
    for name in models.names()
    if models.info(name).parameters is not None
]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_those_of_the_catalogue(name: str) -> None:
    facts = models.info(name)
    found = re.fullmatch(r"(\d+)x(\d+)x(\d), (\d+) classes", facts.reference)
    assert found is not None
    height, width, channels, classes = map(int, found.groups())
    # Their shapes alone: to draw 140 million random numbers takes longer than all the rest.
    with load_keras().StatelessScope(initialize_variables=False):
        model = models.build(name, input_shape=(height, width, channels), classes=classes)
    assert model.count_params() == facts.parameters


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3])
def test_smallest_input_takes_raw_pixels_and_gives_scores(name: str, channels: int) -> None:
    size = models.info(name).min_size
    model = models.build(name, input_shape=(size, size + 3, channels), classes=3)
    images = np.random.default_rng(0).integers(0, 256, (2, size, size + 3, channels)).astype(np.float32)
    scores = scores_of(model, images)
    assert scores.shape == (2, 3)
    assert np.allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert [layer.name for layer in model.layers][:: len(model.layers) - 1] == ["image", "scores"]
    with pytest.raises(UsageError, match="at least"):
        models.build(name, input_shape=(size - 1, size, channels), classes=3)


def scores_of(model: Any, images: np.ndarray) -> np.ndarray:
    """Of two or four images: ``predict`` would first take longer to make a graph."""
    return load_keras().ops.convert_to_numpy(model(images, training=False))


def images_of(size: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (4, size, size, 3)).astype(np.float32)


def published_weights(keras: Any, application: Any, size: int, prepared: np.ndarray) -> Any:
    """A published architecture whose answers differ from image to image, as trained ones do."""
    keras.utils.set_random_seed(1)
    model = application(weights=None, input_shape=(size, size, 3))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            layer.set_weights([np.array([0.485, 0.456, 0.406]), np.array([0.05, 0.05, 0.05]), np.array(1)])
            layer.finalize_state()
        if isinstance(layer, keras.layers.BatchNormalization):
            # One step takes over the statistics of these images, so that no signal fades away.
            layer.momentum = 0.0
    model(prepared, training=True)
    head = next(layer for layer in reversed(model.layers) if layer.weights)
    kernel, *rest = head.get_weights()
    head.set_weights([kernel * 3, *rest])
    return model


@pytest.mark.parametrize(
    ("name", "module", "size"),
    [
        ("mobilenet_v2", "mobilenet_v2", 64),
        ("mobilenet_v3_small", "mobilenet_v3", 64),
        ("efficientnet_v2_b0", "efficientnet_v2", 64),
        ("resnet50", "resnet", 64),
        ("inception_v3", "inception_v3", 75),
        pytest.param("vgg16", "vgg16", 224, marks=pytest.mark.slow),
    ],
)
def test_raw_pixels_give_what_keras_gives_after_its_own_preprocessing(
    name: str, module: str, size: int, tmp_path: Path
) -> None:
    keras = load_keras()
    images = images_of(size)
    prepared = importlib.import_module(f"keras.applications.{module}").preprocess_input(images.copy())
    row = models.info(name).application
    assert row is not None
    application = getattr(keras.applications, row.function)
    published = published_weights(keras, application, size, prepared)
    path = tmp_path / "published.weights.h5"
    published.save_weights(path)
    model = models.build(name, input_shape=(size, size, 3), classes=1000, weights=path)
    wanted = scores_of(published, prepared)
    # Statistics of four images magnify rounding; another preprocessing would differ by the spread itself.
    spread = wanted.std(axis=0).max()
    assert spread > 1e-4
    assert np.abs(scores_of(model, images) - wanted).max() < 0.1 * spread


def test_efficientnet_divides_by_the_root_of_the_deviations(tmp_path: Path) -> None:
    keras = load_keras()
    images = images_of(64)
    published = published_weights(keras, keras.applications.EfficientNetB0, 64, images)
    path = tmp_path / "published.weights.h5"
    published.save_weights(path)
    model = models.build("efficientnet_b0", input_shape=(64, 64, 3), classes=1000, weights=path)
    # With its own weights Keras adds a layer of 1 / sqrt(std) after the normalisation.
    kind = keras.layers.Normalization
    before, folded = (
        next(layer.output for layer in network.layers if isinstance(layer, kind))
        for network in (published, model)
    )
    wanted = keras.Model(published.input, before).predict(images, verbose=0)
    wanted = wanted / np.sqrt(np.array([0.229, 0.224, 0.225], np.float32))
    assert np.abs(keras.Model(model.input, folded).predict(images, verbose=0) - wanted).max() < 1e-4


def test_head_is_replaced_where_the_classes_differ(tmp_path: Path) -> None:
    keras = load_keras()
    published = keras.applications.MobileNetV3Small(weights=None, input_shape=(64, 64, 3), include_top=False)
    path = tmp_path / "no_top.weights.h5"
    published.save_weights(path)
    model = models.build("mobilenet_v3_small", input_shape=(64, 64, 3), classes=7, weights=path)
    assert model.output_shape == (None, 7)
    images = images_of(64)
    pooled = keras.Model(model.input, model.get_layer("features").output).predict(images, verbose=0)
    assert np.abs(pooled - published.predict(images, verbose=0).mean(axis=(1, 2))).max() < 1e-5
