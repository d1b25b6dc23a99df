"""Quantization-aware fine-tuning: trains the weights so that int8 reproduces the full model's scores.

Stages::

    copy       -> the model with rounding in it           exporter.repair.qat_copy
    calibrate  -> the range of every tensor on the images
    train      -> kernels, biases and normalisations, by distillation from the full model's scores
    return     -> the original architecture with the tuned weights, to convert and calibrate as usual

The copy itself never becomes part of an artifact: it only simulates int8 during training.

The weights of a network differ in size by factors of a thousand, so no single learning rate fits all of
them. What is trained is therefore the change of each weight, in steps of its int8 grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edge_runtime.common.errors import UsageError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.backend import load_keras, load_tensorflow
from exporter.repair.qat_copy import QatCopy, copy_with_ranges, rounded_kernel
from exporter.repair.repair_steps import StepUnavailable
from exporter.source.full_model import FullModel

STEPS = 100
LEARNING_RATE = 0.01
"""Initial rate, which decays to 0 along a cosine: about how far Adam first moves a weight, in int8 steps."""

BATCH = 16
CALIBRATION = 200
"""Maximum number of images for the ranges."""

ROUNDS = 5
"""After each round the ranges are calibrated again, since the weights have changed, and the loss is evaluated."""

RETREAT = 4.0
"""Divisor of the learning rate after a round that made things worse, which is then undone.

A rate that suits a coarse grid, where a weight must move far to round the other way, ruins a fine one.
"""

TEMPERATURE = 2.0
"""Softens the scores of both models: a confident answer carries little information (Hinton et al. 2015)."""

GRID = 127.0
"""Steps from 0 to the largest weight of an output channel."""

ACTIVATION_STEPS = 256.0
NORMALISED_STEPS = 32.0
"""Steps per standard deviation of a normalised output, roughly: 8 of these fill a range."""

_LEAST_SCORE = 1e-6
"""Lower limit of scores, so that one that is almost 0 does not outweigh all others."""


def fine_tuned(
    model: FullModel,
    pixels: UInt8Array,
    teacher_scores: Float32Array,
    *,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> FullModel:
    """Tunes the weights of a full model so that its int8 artifact reproduces the original scores.

    The float scores of the result differ slightly from the full model's; it is only meant to be quantized.
    The training targets are the full model's scores, not the labels of the images.

    Args:
        model: The full model; it is not changed.
        pixels: uint8 ``[n, height, width, channels]``, may be memory-mapped; not the judging images.
        teacher_scores: The full model's scores of them, float32 ``[n, classes]``.
        steps: Number of batches of :data:`BATCH` images.
        seed: Seed for the order of the images.
        progress: Progress callback.

    Returns:
        A model of the same architecture with the best weights found, which may be the original ones.

    Raises:
        StepUnavailable: There is no Keras model, Keras cannot copy one of its layers, or no layer has
            weights to quantize.
        UsageError: There are no images, their number differs from that of the scores, or a value is out
            of range.
    """
    _check(model, pixels, teacher_scores, steps)
    with quiet():
        copy = _copied(model)
    some = _spread(len(pixels))
    calibrate = _calibrator(copy, pixels)
    calibrate()
    weights = tuned_weights(copy)
    trainer = _Trainer(copy, weights)
    best, kept = trainer.judged(pixels, teacher_scores, some), [weight.position() for weight in weights]
    rate, ends = LEARNING_RATE, {steps * turn // ROUNDS - 1 for turn in range(1, ROUNDS)} | {steps - 1}
    for done, chosen in enumerate(_batches(len(pixels), steps, seed)):
        cosine = 0.5 * (1.0 + math.cos(math.pi * done / steps))
        trainer.step(pixels[chosen], teacher_scores[chosen], rate * cosine)
        if done in ends:
            calibrate()
            found = trainer.judged(pixels, teacher_scores, some)
            if found < best:
                best, kept = found, [weight.position() for weight in weights]
            else:
                rate /= RETREAT
                trainer.go_back(kept)
                calibrate()
        progress("fine-tuning for int8", done + 1, steps)
    tuned = _with_weights(model.keras, copy)
    return replace(model, keras=tuned, call=lambda image: tuned(image, training=False))


def _check(model: FullModel, pixels: UInt8Array, teacher_scores: Float32Array, steps: int) -> None:
    if model.keras is None:
        raise StepUnavailable("only Keras models that take raw pixels can be tuned")
    if not len(pixels) or teacher_scores.shape != (len(pixels), model.classes):
        raise UsageError(
            "Fine-tuning needs images and the full model's scores of each. Received: "
            f"{len(pixels)} images, scores {list(teacher_scores.shape)}. Pass [n, {model.classes}] scores."
        )
    if steps < 1:
        raise UsageError(f"Fine-tuning needs at least one step. Received: {steps}. Pass more.")


def _copied(model: FullModel) -> QatCopy:
    try:
        copy = copy_with_ranges(model.keras)
    except Exception as error:
        # Layers may raise anything when copied.
        raise StepUnavailable(f"Keras cannot copy the model: {first_line(error)}") from error
    if not copy.kernels:
        raise StepUnavailable("the model has no built-in convolution or dense layer")
    return copy


def _spread(images: int) -> Any:
    """Indices of up to :data:`CALIBRATION` images, evenly spread: images are often sorted by class."""
    return np.unique(np.linspace(0, images - 1, CALIBRATION).astype(np.int64))


def _calibrator(copy: QatCopy, pixels: UInt8Array) -> Callable[[], None]:
    """Sets every range to its values on the images, with unrounded weights."""
    tensorflow = load_tensorflow()
    chosen = _spread(len(pixels))
    signature = tensorflow.TensorSpec((None, *copy.model.input_shape[1:]), tensorflow.float32)
    # Traced only once: tracing takes longer than the images.
    watch = tensorflow.function(
        lambda batch: copy.model(batch, training=False), input_signature=[signature], autograph=False
    )

    def calibrate() -> None:
        for layer in copy.ranges:
            layer.forget()
            layer.observing = True
        with quiet():
            for start in range(0, len(chosen), BATCH):
                watch(pixels[chosen[start : start + BATCH]].astype(np.float32))
        for layer in copy.ranges:
            layer.observing = False

    return calibrate


class _Trainer:
    """Moves the weights of a copy.

    Written for TensorFlow, on which every export runs: Keras' own loop trains batch normalisation and
    dropout in training mode only, which is not how an artifact computes.
    """

    def __init__(self, copy: QatCopy, weights: list[TunedWeight]) -> None:
        keras, tensorflow = load_keras(), load_tensorflow()
        self._copy, self._weights = copy, weights
        self._moved = [weight.moved for weight in weights]
        self._place = {id(weight.variable): weight for weight in weights}
        self._optimizer = keras.optimizers.Adam()
        self._optimizer.build(self._moved)
        model = copy.model
        signature = [
            tensorflow.TensorSpec((None, *model.input_shape[1:]), tensorflow.float32),
            tensorflow.TensorSpec((None, model.output_shape[1]), tensorflow.float32),
        ]
        traced = {"input_signature": signature, "autograph": False}
        self._step = tensorflow.function(self._trained, **traced)
        self._judge = tensorflow.function(self._loss, **traced)

    def step(self, pixels: UInt8Array, wanted: Float32Array, rate: float) -> None:
        """One step; afterwards the copy holds the updated weights, unrounded."""
        self._optimizer.learning_rate = rate
        with quiet():
            self._step(pixels.astype(np.float32), wanted)
        for weight in self._weights:
            weight.write()

    def judged(self, pixels: UInt8Array, wanted: Float32Array, chosen: Any) -> float:
        """Mean loss on images with everything rounded; infinity if it is not a number."""
        total = 0.0
        with quiet():
            for start in range(0, len(chosen), BATCH):
                rows = chosen[start : start + BATCH]
                total += len(rows) * float(self._judge(pixels[rows].astype(np.float32), wanted[rows]))
        return total / len(chosen) if np.isfinite(total) else float("inf")

    def go_back(self, positions: list[Float32Array]) -> None:
        """Restores the weights, and resets the state of the optimizer."""
        for weight, position in zip(self._weights, positions, strict=True):
            weight.move_to(position)
            weight.write()
        for variable in self._optimizer.variables:
            variable.assign(load_keras().ops.zeros_like(variable))

    def _loss(self, images: Any, wanted: Any) -> Any:
        model = self._copy.model
        scores, _ = model.stateless_call(
            [self._handed_in(entry) for entry in model.trainable_variables],
            [self._handed_in(entry) for entry in model.non_trainable_variables],
            images,
            training=False,
        )
        return _divergence(load_keras().ops, wanted, scores)

    def _handed_in(self, variable: Any) -> Any:
        weight = self._place.get(id(variable))
        return variable.value if weight is None else weight.rounded()

    def _trained(self, images: Any, wanted: Any) -> None:
        with load_tensorflow().GradientTape() as tape:
            loss = self._loss(images, wanted)
        self._optimizer.apply(tape.gradient(loss, [entry.value for entry in self._moved]), self._moved)


def _divergence(ops: Any, wanted: Any, scores: Any) -> Any:
    """Mean KL(wanted || scores) in nats, both softened and floored, times the temperature squared.

    The softmax of the log scores softens like that of the logits. The factor keeps the gradients as large as
    without softening (Hinton et al. 2015, Distilling the Knowledge in a Neural
    Network, section 2.1).
    """
    logs = [ops.log(ops.clip(entry, _LEAST_SCORE, 1.0)) / TEMPERATURE for entry in (wanted, scores)]
    wanted, given = (ops.log_softmax(entry, axis=-1) for entry in logs)
    return TEMPERATURE**2 * ops.mean(ops.sum(ops.exp(wanted) * (wanted - given), axis=-1))


def _batches(images: int, steps: int, seed: int) -> Iterator[Any]:
    """Indices of each step's images: every image once per epoch, in random order; sorted for a mapped file."""
    random = np.random.default_rng(seed)
    size = min(BATCH, images)
    order = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        if len(order) < size:
            order = np.concatenate([order, random.permutation(images)])
        chosen, order = order[:size], order[size:]
        yield np.sort(chosen)


def _with_weights(original: Any, copy: QatCopy) -> Any:
    """A new model of the original's architecture with the copy's weights."""
    keras = load_keras()
    tuned = {id(variable): twin for variable, twin in copy.twins}
    with quiet():
        made = keras.models.clone_model(original)
        made.set_weights(
            [keras.ops.convert_to_numpy(tuned.get(id(variable), variable)) for variable in original.weights]
        )
    return made


class TunedWeight:
    """A weight of the copy: its initial value, a unit per element, and its change in these units."""

    def __init__(self, variable: Any, unit: Any, axes: int | None) -> None:
        keras = load_keras()
        self.variable = variable
        self._axes = axes
        # A copy: a variable converted to a tensor would change when it is written.
        self._first = keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(variable).copy())
        self._unit = keras.ops.convert_to_tensor(np.broadcast_to(unit, variable.shape).astype(np.float32))
        self.moved = keras.Variable(np.zeros(variable.shape, np.float32))

    def value(self) -> Any:
        """The current value of the weight."""
        return self._first + self._unit * self.moved

    def rounded(self) -> Any:
        """The value as in the artifact: on the int8 grid if it is a kernel."""
        return self.value() if self._axes is None else rounded_kernel(self.value(), self._axes)

    def position(self) -> Float32Array:
        """Its current change, to restore later."""
        position: Float32Array = load_keras().ops.convert_to_numpy(self.moved).copy()
        return position

    def move_to(self, position: Float32Array) -> None:
        """Restores an earlier change.

        Args:
            position: A result of :meth:`position`.
        """
        self.moved.assign(position)

    def write(self) -> None:
        """Writes the current value, unrounded, into the copy."""
        self.variable.assign(self.value())


def tuned_weights(copy: QatCopy) -> list[TunedWeight]:
    """All weights to tune; call after calibration, which some units are based on.

    Args:
        copy: The copy.
    """
    to_numpy = load_keras().ops.convert_to_numpy
    weights = []
    for kernel, axes in copy.kernels:
        numbers = np.abs(to_numpy(kernel))
        largest = numbers.max(axis=tuple(range(numbers.ndim - axes)), keepdims=True)
        weights.append(TunedWeight(kernel, largest / GRID, axes))
    for layer in copy.normalisations:
        scale = np.abs(to_numpy(layer.gamma)) if layer.scale else np.ones(layer.moving_mean.shape, np.float32)
        if layer.scale:
            weights.append(TunedWeight(layer.gamma, scale / GRID, None))
        if layer.center:
            weights.append(TunedWeight(layer.beta, scale / NORMALISED_STEPS, None))
    for bias, layer in copy.biases:
        width = float(to_numpy(layer.high)) - float(to_numpy(layer.low))
        weights.append(TunedWeight(bias, width / ACTIVATION_STEPS, None))
    return weights
