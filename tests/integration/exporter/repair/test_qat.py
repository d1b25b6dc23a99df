"""Fine-tuning with rounding in the loop, on models small enough to train in seconds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from edge_runtime.engines import open_engine
from edge_runtime.image.input_spec import InputSpec
from exporter.common.backend import load_keras
from exporter.convert.tflite import convert_fp32
from exporter.quantize import TfliteGraph
from exporter.repair.qat import fine_tuned
from exporter.repair.qat_copy import copy_with_ranges, range_layer, rounded_kernel
from exporter.repair.repair_steps import StepUnavailable
from exporter.source.full_model import FullModel, freeze
from exporter.source.scoring import engine_scorer, full_scorer
from exporter.statistics.drift import agreement, floored_kl

CLASSES = 5


def full_model(model: Any) -> FullModel:
    height, width, channels = model.input_shape[1:]
    spec = InputSpec(height=height, width=width, channels=channels, fit="stretch")
    return FullModel(model, lambda image: model(image, training=False), spec, model.output_shape[1])


def images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gratings of five directions under noise; the blue channel is black."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, CLASSES, count)
    rows, columns = np.mgrid[:16, :16]
    angle = (np.pi * truth / CLASSES)[:, None, None]
    phase = random.uniform(0, 2 * np.pi, count)[:, None, None]
    wave = np.sin(0.9 * (np.cos(angle) * rows + np.sin(angle) * columns) + phase)
    pixels = 128 + 50 * wave[..., None] + random.normal(0, 40, (count, 16, 16, 3))
    pixels[..., 2] = 0
    return np.clip(pixels, 0, 255).astype(np.uint8), truth


@pytest.fixture(scope="module")
def trained() -> FullModel:
    """A small network with a batch normalisation, a shortcut and a model inside, trained on gratings."""
    keras = load_keras()
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(16, 5, padding="same", use_bias=False, name="first")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    inside = keras.Input(x.shape[1:])
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(inside)
    inner = keras.Model(inside, layers.Add()([inside, layers.Conv2D(16, 1)(y)]))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Conv2D(24, 3, strides=2)(inner(x))))
    model = keras.Model(image, layers.Dense(CLASSES, activation="softmax")(layers.Dropout(0.1)(x)))
    model.compile("adam", "sparse_categorical_crossentropy")
    pixels, truth = images(800, 1)
    model.optimizer.learning_rate = 3e-3
    model.fit(pixels.astype("float32"), truth, epochs=6, batch_size=32, verbose=0)
    return full_model(model)


def with_outliers(model: FullModel, factor: float) -> FullModel:
    """One weight of each output channel of the first layer made large, where the input is always black."""
    keras = load_keras()
    copy = keras.models.clone_model(model.keras)
    copy.set_weights(model.keras.get_weights())
    (kernel,) = copy.get_layer("first").get_weights()
    kernel[2, 2, 2, :] = factor * np.abs(kernel).max()
    copy.get_layer("first").set_weights([kernel])
    return full_model(copy)


def int8_scores(model: FullModel, calibration: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    graph = TfliteGraph(convert_fp32(freeze(model))).calibrated(calibration)
    return engine_scorer(open_engine(graph.quantized(), "tflite", "int8"), model.classes)(pixels)


def test_fine_tuned_wins_back_what_outlier_weights_cost(trained: FullModel) -> None:
    model = with_outliers(trained, 20.0)
    (learned, _), (pixels, _) = images(300, 3), images(300, 2)
    reference = full_scorer(model)(pixels)
    assert np.abs(reference - full_scorer(trained)(pixels)).max() == 0.0
    plain = int8_scores(model, learned, pixels)
    steps: list[tuple[str, int, int]] = []
    tuned = fine_tuned(
        model, learned, full_scorer(model)(learned), steps=60, progress=lambda *told: steps.append(told)
    )
    repaired = int8_scores(tuned, learned, pixels)
    assert agreement(reference, plain) < 0.92
    assert agreement(reference, repaired) > 0.96
    assert floored_kl(reference, repaired) < floored_kl(reference, plain) / 5
    assert [entry.name for entry in tuned.keras.layers] == [entry.name for entry in model.keras.layers]
    assert (tuned.input, tuned.classes) == (model.input, model.classes)
    assert steps[-1] == ("fine-tuning for int8", 60, 60)
    assert len(steps) == 60
    # The model that was handed in is as it was.
    assert np.array_equal(full_scorer(model)(pixels), reference)


def test_copy_computes_what_the_model_does_until_it_rounds(trained: FullModel) -> None:
    pixels = images(20, 5)[0].astype(np.float32)
    copy = copy_with_ranges(trained.keras)
    for layer in copy.ranges:
        layer.observing = True
    reference = trained.keras.predict(pixels, verbose=0)
    assert np.abs(np.asarray(copy.model(pixels, training=False)) - reference).max() < 1e-6
    for layer in copy.ranges:
        layer.observing = False
    assert 0 < np.abs(np.asarray(copy.model(pixels, training=False)) - reference).max() < 0.1
    # first to ReLU6, depthwise, 1x1, sum, 3x3 to ReLU, pooling, logits: as the int8 file has them.
    assert len(copy.ranges) == 7
    assert sorted(tuple(kernel.shape) for kernel, _ in copy.kernels) == sorted(
        tuple(weight.shape) for weight in trained.keras.weights if "kernel" in weight.name
    )


def test_copy_rounds_what_the_converter_quantizes(trained: FullModel) -> None:
    """The copy's scores are closer to the int8 file's than the float model's are."""
    pixels, _ = images(200, 6)
    model = with_outliers(trained, 20.0)
    copy = copy_with_ranges(model.keras)
    for layer in copy.ranges:
        layer.observing = True
    copy.model(pixels.astype(np.float32), training=False)
    for layer in copy.ranges:
        layer.observing = False
    for kernel, axes in copy.kernels:
        kernel.assign(rounded_kernel(kernel, axes))
    simulated = np.asarray(copy.model(pixels.astype(np.float32), training=False))
    int8 = int8_scores(model, pixels, pixels)
    assert floored_kl(int8, simulated) < floored_kl(int8, full_scorer(model)(pixels)) / 4


@pytest.fixture(scope="module")
def separable() -> FullModel:
    """A sequential model with random weights."""
    keras = load_keras()
    keras.utils.set_random_seed(0)
    return full_model(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.SeparableConv2D(4, 3, activation="relu"),
                keras.layers.MaxPooling2D(),
                keras.layers.Flatten(),
                keras.layers.Dense(3, activation="softmax"),
            ]
        )
    )


def test_fine_tuned_takes_a_sequential_model_and_repeats_itself_from_one_seed(separable: FullModel) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1), dtype=np.uint8)
    scores = full_scorer(separable)(pixels)
    first, second, other = (
        fine_tuned(separable, pixels, scores, steps=5, seed=seed).keras for seed in (1, 1, 2)
    )
    assert isinstance(first, load_keras().Sequential)
    weights, again, others = (model.get_weights() for model in (first, second, other))
    assert all(np.array_equal(a, b) for a, b in zip(weights, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights, others, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(weights, separable.keras.get_weights(), strict=True))


def test_fine_tuned_says_in_a_line_what_it_cannot_tune(trained: FullModel) -> None:
    keras = load_keras()

    class Odd(keras.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, table: Any) -> None:
            super().__init__()
            self.table = table

        def call(self, inputs: Any) -> Any:
            return inputs * self.table

    image = keras.Input((8, 8, 1))
    odd = keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(Odd(2.0)(image)))
    bare = keras.layers.Softmax()(
        keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()([image, image]))
    )
    pixels = np.zeros((4, 8, 8, 1), np.uint8)
    for model, classes, words in (
        (full_model(keras.Model(image, odd)), 3, "cannot copy"),
        (full_model(keras.Model(image, bare)), 2, "no built-in convolution or dense layer"),
        (replace(full_model(keras.Model(image, bare)), keras=None), 2, "take raw pixels"),
    ):
        with pytest.raises(StepUnavailable, match=words) as told:
            fine_tuned(model, pixels, np.full((4, classes), 1 / classes, np.float32))
        assert "\n" not in str(told.value)
    with pytest.raises(UsageError, match="scores of each"):
        fine_tuned(trained, images(4, 0)[0], np.zeros((3, CLASSES), np.float32))


def test_range_lets_gradients_through_inside_and_stops_them_outside() -> None:
    import tensorflow

    layer = range_layer()()
    layer.build((None,))
    layer.low.assign(-1.0)
    layer.high.assign(2.0)
    numbers = tensorflow.constant(np.linspace(-3, 4, 141), tensorflow.float32)
    with tensorflow.GradientTape() as tape:
        tape.watch(numbers)
        rounded = layer(numbers)
    gradient = tape.gradient(rounded, numbers).numpy()
    inside = (numbers.numpy() > -0.99) & (numbers.numpy() < 1.99)
    outside = (numbers.numpy() < -1.02) | (numbers.numpy() > 2.02)
    assert (gradient[inside] == 1.0).all()
    assert (gradient[outside] == 0.0).all()
    steps = rounded.numpy() / (3.0 / 255.0)
    assert np.abs(steps - np.round(steps)).max() < 1e-3
    assert 0.0 in rounded.numpy()
    assert np.abs(rounded.numpy()[inside] - numbers.numpy()[inside]).max() <= 1.5 / 255 + 1e-6


@pytest.mark.parametrize(("shape", "axes"), [((3, 3, 4, 6), 1), ((3, 3, 4, 2), 2), ((7, 5), 1)])
def test_rounded_kernel_lies_on_the_grid_of_each_output_channel(shape: tuple[int, ...], axes: int) -> None:
    import tensorflow

    random = np.random.default_rng(0)
    kernel = (random.normal(size=shape) * random.uniform(1e-3, 1e3, shape[-axes:])).astype(np.float32)
    kernel[..., 0] = 0.0
    variable = tensorflow.Variable(kernel)
    with tensorflow.GradientTape() as tape:
        rounded = rounded_kernel(variable, axes)
    largest = np.abs(kernel).max(axis=tuple(range(len(shape) - axes)), keepdims=True)
    step = np.maximum(largest, 1e-12) / 127
    assert np.abs(rounded / step - np.round(rounded / step)).max() < 1e-3
    assert (np.abs(rounded - kernel) <= step / 2 * 1.001).all()
    assert np.abs(
        np.abs(rounded).max(axis=tuple(range(len(shape) - axes)), keepdims=True) - largest
    ).max() == (pytest.approx(0.0, abs=1e-3 * float(largest.max())))
    assert (tape.gradient(rounded, variable).numpy() == 1.0).all()
