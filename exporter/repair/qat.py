"""Quantization-aware fine-tuning: the weights learn to give the full model's scores from int8.

Stages::

    copy       -> the model with rounding in it           exporter.repair.qat_copy
    calibrate  -> every range as the images fill it
    train      -> kernels, biases and normalisations, by distillation from the full model's scores
    return     -> the original architecture with the tuned weights, to convert and calibrate as always

Nothing of the copy gets into an artifact: it only shows the weights what becomes of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from edge_runtime.errors import UsageError, first_line
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from exporter.backend import load_keras, load_tensorflow
from exporter.progress import Progress
from exporter.repair.qat_copy import Copy, copy_with_ranges
from exporter.repair.qat_weights import TunedWeight, tuned_weights
from exporter.source import FullModel

STEPS = 100
LEARNING_RATE = 0.01
"""About how far Adam moves a weight in one step at first, in steps of the weight's int8 grid."""

BATCH = 16
CALIBRATION = 200
"""Most images that the ranges are taken from."""

ROUNDS = 5
"""After each, ranges are taken anew, since moved weights fill others, and the round is judged."""

RETREAT = 4.0
"""What the rate is divided by after a round that made things worse, which is then taken back.

A rate that suits a coarse grid, where a weight must move far to round the other way, ruins a fine one.
"""

TEMPERATURE = 2.0
"""Softens the scores of both sides: a sure answer teaches nothing but itself (Hinton et al. 2015)."""

_LEAST_SCORE = 1e-6
"""Scores below count as this much, so that one which is almost 0 does not outweigh all others."""

_STEP = "fine-tuning for int8"


class TuningUnavailable(Exception):  # noqa: N818 - no error of the user's: the ladder goes on without
    """The model cannot be tuned; its text says why in one line. The ladder makes a note of it."""


def fine_tuned(
    model: FullModel,
    pixels: UInt8Array,
    teacher_scores: Float32Array,
    *,
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
    seed: int = 0,
    progress: Progress | None = None,
) -> FullModel:
    """Tunes a full model's weights so that its int8 artifact gives the scores of the model as it was.

    The result's float scores differ a little from the full model's; it is only there to be
    quantized. Nothing is learned from the images but what the full model says of them.

    Args:
        model: The full model; it is not changed.
        pixels: uint8 ``[n, height, width, channels]``, may be memory-mapped; images that do not judge.
        teacher_scores: The full model's scores of them, float32 ``[n, classes]``.
        steps: Batches of :data:`BATCH` images to learn from.
        learning_rate: Highest rate, see :data:`LEARNING_RATE`; it falls to 0 along a cosine.
        seed: Seed of the order of the images.
        progress: Called with what is being done, steps done and steps in all.

    Returns:
        A model of the same architecture, with the best weights that were found; those of the
        model itself where none were better.

    Raises:
        TuningUnavailable: There is no Keras model, Keras cannot copy one of its layers, it has
            no layer with weights to quantize.
        UsageError: There is no image, or not as many scores as images, or a value out of range.
    """
    _check(model, pixels, teacher_scores, steps, learning_rate)
    with quiet():
        copy = _copied(model)
    some = _spread(len(pixels))
    calibrate = _calibrator(copy, pixels)
    calibrate()
    weights = tuned_weights(copy)
    trainer = _Trainer(copy, weights)
    best, kept = trainer.judged(pixels, teacher_scores, some), [weight.position() for weight in weights]
    rate, ends = learning_rate, {steps * turn // ROUNDS - 1 for turn in range(1, ROUNDS)} | {steps - 1}
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
        if progress is not None:
            progress(_STEP, done + 1, steps)
    tuned = _with_weights(model.keras, copy)
    return replace(model, keras=tuned, call=lambda image: tuned(image, training=False))


def _check(
    model: FullModel, pixels: UInt8Array, teacher_scores: Float32Array, steps: int, learning_rate: float
) -> None:
    if model.keras is None:
        raise TuningUnavailable("only a Keras model that takes raw pixels has layers to tune here")
    if not len(pixels) or teacher_scores.shape != (len(pixels), model.classes):
        raise UsageError(
            "Fine-tuning needs images and the full model's scores of each. Received: "
            f"{len(pixels)} images, scores {list(teacher_scores.shape)}. Pass [n, {model.classes}] scores."
        )
    if steps < 1 or not 0.0 < learning_rate < 100.0:
        raise UsageError(
            "Fine-tuning needs at least one step and a rate between 0 and 100. "
            f"Received: {steps} steps, rate {learning_rate}. Pass others."
        )


def _copied(model: FullModel) -> Copy:
    try:
        copy = copy_with_ranges(model.keras)
    except Exception as error:
        # Any layer may raise anything when it is copied.
        raise TuningUnavailable(f"Keras cannot copy the model: {first_line(error)}") from error
    if not copy.kernels:
        raise TuningUnavailable("no convolution or dense layer of Keras' own is in the model")
    return copy


def _spread(images: int) -> Any:
    """Indices of up to :data:`CALIBRATION` images, evenly spread: images often lie class by class."""
    return np.unique(np.linspace(0, images - 1, CALIBRATION).astype(np.int64))


def _calibrator(copy: Copy, pixels: UInt8Array) -> Callable[[], None]:
    """Sets every range to what the images fill with the weights as they are, not rounded."""
    tensorflow = load_tensorflow()
    chosen = _spread(len(pixels))
    signature = tensorflow.TensorSpec((None, *copy.model.input_shape[1:]), tensorflow.float32)
    # Traced at the first call and not again: tracing takes longer than the images do.
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

    Written for TensorFlow, on which every export runs: Keras' own loop trains batch normalisation
    and dropout in training mode only, and neither mode is part of an artifact.
    """

    def __init__(self, copy: Copy, weights: list[TunedWeight]) -> None:
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
        """One step, after which the copy holds the weights as moved, not rounded."""
        self._optimizer.learning_rate = rate
        with quiet():
            self._step(pixels.astype(np.float32), wanted)
        for weight in self._weights:
            weight.write()

    def judged(self, pixels: UInt8Array, wanted: Float32Array, chosen: Any) -> float:
        """Mean loss on images, with everything rounded; infinite where it is no number."""
        total = 0.0
        with quiet():
            for start in range(0, len(chosen), BATCH):
                rows = chosen[start : start + BATCH]
                total += len(rows) * float(self._judge(pixels[rows].astype(np.float32), wanted[rows]))
        return total / len(chosen) if np.isfinite(total) else float("inf")

    def go_back(self, positions: list[Float32Array]) -> None:
        """Takes back what was moved since, and what the optimizer remembers of it."""
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

    Of scores, a softmax of their logarithms softens as one of the logits would. The factor keeps the
    gradients as large as without softening (Hinton et al. 2015, Distilling the Knowledge in a Neural
    Network, section 2.1).
    """
    logs = [ops.log(ops.clip(entry, _LEAST_SCORE, 1.0)) / TEMPERATURE for entry in (wanted, scores)]
    wanted, given = (ops.log_softmax(entry, axis=-1) for entry in logs)
    return TEMPERATURE**2 * ops.mean(ops.sum(ops.exp(wanted) * (wanted - given), axis=-1))


def _batches(images: int, steps: int, seed: int) -> Iterator[Any]:
    """Indices of each step's images: all of them in a new order, again and again; sorted for a mapped file."""
    random = np.random.default_rng(seed)
    size = min(BATCH, images)
    order = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        if len(order) < size:
            order = np.concatenate([order, random.permutation(images)])
        chosen, order = order[:size], order[size:]
        yield np.sort(chosen)


def _with_weights(original: Any, copy: Copy) -> Any:
    """A new model of the original's architecture with the copy's weights."""
    keras = load_keras()
    tuned = {id(variable): twin for variable, twin in copy.twins}
    with quiet():
        made = keras.models.clone_model(original)
        made.set_weights(
            [keras.ops.convert_to_numpy(tuned.get(id(variable), variable)) for variable in original.weights]
        )
    return made
