"""A small network trained on real digits, as float files of both formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras
from exporter.convert.onnx_file import convert_onnx
from exporter.convert.tflite import convert_fp32
from exporter.quantize import OnnxGraph, QuantGraph, TfliteGraph
from exporter.source.full_model import FullModel, freeze

LABELS = tuple("0123456789")


@dataclass(frozen=True)
class Digits:
    """Images of 16x16, uint8, gray; even rows calibrate, odd rows judge."""

    pixels: np.ndarray
    truth: np.ndarray

    def calibration(self) -> np.ndarray:
        return self.pixels[::2][:120]


@dataclass(frozen=True)
class Small:
    """The network's float files and its scores of the judging images."""

    digits: Digits
    scores: np.ndarray
    files: dict[str, bytes]

    def graph(self, format: str, *, fold: bool = True) -> QuantGraph:
        kind: Any = {"tflite": TfliteGraph, "onnx": OnnxGraph}[format]
        made: QuantGraph = kind(self.files[format], fold=fold)
        return made

    @property
    def pixels(self) -> np.ndarray:
        return self.digits.pixels[1::2]

    @property
    def truth(self) -> np.ndarray:
        return self.digits.truth[1::2]


@pytest.fixture(scope="session")
def digits() -> Digits:
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.minimum(data.images[:, :, :, np.newaxis] * 16, 255).astype(np.uint8)
    return Digits(pixels.repeat(2, axis=1).repeat(2, axis=2)[:900], data.target[:900].astype(np.int64))


@pytest.fixture(scope="session")
def trained(digits: Digits) -> Any:
    """The Keras model, with a linear pair: convolution without activation, read by one with a ReLU6."""
    keras = load_keras()
    keras.utils.set_random_seed(3)
    layers = keras.layers
    image = keras.Input((16, 16, 1))
    x = layers.Rescaling(1 / 127.5, -1)(image)
    x = layers.Conv2D(12, 3, strides=2, padding="same", name="stem")(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="deep")(layers.ReLU(6)(x))
    x = layers.Conv2D(8, 1, name="narrow")(layers.ReLU(6)(x))
    x = layers.ReLU(6)(layers.Conv2D(32, 1, name="wide")(x))
    x = layers.Conv2D(24, 3, strides=2, padding="same", activation="relu", name="late")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(10, activation="softmax", name="scores")(x))
    model.compile(keras.optimizers.Adam(6e-3), "sparse_categorical_crossentropy")
    model.fit(digits.pixels.astype(np.float32), digits.truth, epochs=12, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="session")
def small(trained: Any, digits: Digits) -> Callable[[Callable[[Any], None] | None], Small]:
    """Writes float files of the network, changed first if asked."""

    def write(change: Callable[[Any], None] | None = None) -> Small:
        keras = load_keras()
        model = keras.models.clone_model(trained)
        model.set_weights(trained.get_weights())
        if change is not None:
            change(model)
        spec = InputSpec(height=16, width=16, channels=1)
        full = FullModel(model, lambda batch: model(batch, training=False), spec, 10)
        scores = np.asarray(model(digits.pixels[1::2].astype(np.float32), training=False))
        return Small(digits, scores, {"tflite": convert_fp32(freeze(full)), "onnx": convert_onnx(full)})

    return write


@pytest.fixture(scope="session")
def plain(small: Callable[..., Small]) -> Small:
    return small()


def plant_channels(model: Any) -> None:
    """Two channels of the linear pair 300 times larger; what reads them 300 times smaller."""
    for name, weights_axis, factor in (("narrow", 3, 300.0), ("wide", 2, 1 / 300.0)):
        kernel, bias = model.get_layer(name).get_weights()
        place: list[Any] = [slice(None)] * 4
        place[weights_axis] = [2, 5]
        kernel[tuple(place)] *= factor
        if name == "narrow":
            bias[[2, 5]] *= factor
        model.get_layer(name).set_weights([kernel, bias])


def plant_dead_input(model: Any) -> None:
    """A channel that is always 0, and enormous weights that read it: they coarsen the others' grid."""
    kernel, bias = model.get_layer("late").get_weights()
    kernel[..., 3] *= 0.01
    bias[3] = -50.0
    model.get_layer("late").set_weights([kernel, bias])
    kernel, bias = model.get_layer("scores").get_weights()
    kernel[3] = 100.0
    model.get_layer("scores").set_weights([kernel, bias])


@pytest.fixture(scope="session")
def planted(small: Callable[..., Small]) -> Small:
    return small(plant_channels)


@pytest.fixture(scope="session")
def coarse(small: Callable[..., Small]) -> Small:
    return small(plant_dead_input)
