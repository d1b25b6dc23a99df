"""The planted-outlier model: nothing in float, one tensor that int8 cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.planted import NORMALISATION, READER, planted
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras
from exporter.convert.tflite import convert_fp32
from exporter.quantize import TfliteGraph
from exporter.source.full_model import FullModel, freeze
from exporter.source.scoring import full_scorer
from trainer import models


def test_planted_widens_one_tensor_and_leaves_the_scores() -> None:
    keras = load_keras()
    keras.utils.set_random_seed(0)
    model = models.build("mobilenet_v2", input_shape=(32, 32, 3), classes=4, weights=None, width=0.35)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    # Statistics of these images, so that random weights tell them apart.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(pixels.astype(np.float32), training=True)
    weights = model.get_weights()
    found = []
    for net in (model, planted(model)):
        spec = InputSpec(height=32, width=32, channels=3, fit="stretch")
        full = FullModel(net, lambda image, net=net: net(image, training=False), spec, 4)
        ranges = TfliteGraph(convert_fp32(freeze(full))).calibrated(pixels).ranges
        assert ranges is not None
        found.append((full_scorer(full)(pixels), [high - low for low, high in ranges.values()]))
    (plain, widths), (outliers, wide) = found
    assert np.ptp(plain, axis=0).max() > 0.01
    assert np.abs(plain - outliers).max() < 1e-4
    ratios = np.array(wide) / np.array(widths)
    assert ratios.max() > 100
    assert (ratios > 1.01).sum() == 1
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))


def test_planted_finds_the_layers_in_a_model_inside() -> None:
    keras = load_keras()
    base = keras.applications.MobileNetV2(
        (32, 32, 3), alpha=0.35, include_top=False, weights=None, pooling="avg"
    )
    image = keras.Input((32, 32, 3))
    model = keras.Model(image, keras.layers.Dense(3)(base(image)))
    copy = planted(model).get_layer(base.name)
    grown = copy.get_layer(NORMALISATION).get_weights()[0] / base.get_layer(NORMALISATION).get_weights()[0]
    assert np.flatnonzero(grown != 1.0).tolist() == [2, 7]
    assert np.allclose(grown[[2, 7]], 300.0)
    shrunk = base.get_layer(READER).get_weights()[0] / copy.get_layer(READER).get_weights()[0]
    assert np.allclose(shrunk[:, :, [2, 7]], 300.0)


def test_planted_refuses_another_model() -> None:
    keras = load_keras()
    image = keras.Input((8,))
    with pytest.raises(ValueError, match="layers of MobileNetV2"):
        planted(keras.Model(image, keras.layers.Dense(3)(image)))
