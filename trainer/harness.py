"""The model that is fitted: augmentation and targets in front, logits and targets at the end.

Everything of training alone lives here and not in the model that is saved. Labels go in
with their images, because mixing changes both; the targets come out beside the logits,
where the loss finds them. So one compiled step holds it all, on every Keras backend, and
pixels travel to the device as uint8.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainer.backend import load_keras

SCORES = "scores"
"""Name of the softmax layer that every architecture ends in."""


def training_model(core: Any, shape: tuple[int, ...], dtype: str, augment: Any, targets: Any) -> Any:
    """Builds the model to fit.

    Args:
        core: A ``keras.Model`` to train, from pixels or activations to logits.
        shape: Of one input, without the batch.
        dtype: Of the input as it is fed, such as ``uint8``.
        augment: Layer of :func:`trainer.augmentation.image_layer`, None for activations.
        targets: Layer of :func:`trainer.augmentation.target_layer`.

    Returns:
        A ``keras.Model``: ``{"image": [batch, *shape], "label": int32 [batch]}`` becomes float32
        ``[batch, 2 * classes]``, logits and then targets. It shares the core's weights.
    """
    keras = load_keras()
    image = keras.Input(shape, dtype=dtype, name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = augment(image) if augment is not None else _as_float(keras)(image)
    x, target = targets((x, label))
    logits = core(x)
    output = keras.layers.Concatenate(dtype="float32", name="logits_and_targets")([logits, target])
    return keras.Model({"image": image, "label": label}, output)


def loss(_: Any, output: Any) -> Any:
    """Cross-entropy of the targets, per image, in nats.

    Args:
        _: Labels, which are not looked at: the targets are in the output.
        output: float32 ``[batch, 2 * classes]``.
    """
    ops = load_keras().ops
    logits, targets = _parts(output)
    # Not categorical_crossentropy, whose gradient on TensorFlow is right only for targets that sum
    # to 1: with class weights they do not.
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def cross_entropy(_: Any, output: Any) -> Any:
    """The same as a metric: Keras' own ``loss`` adds what regularises weights.

    Args:
        _: As for :func:`loss`.
        output: As for :func:`loss`.
    """
    return loss(_, output)


def accuracy(_: Any, output: Any) -> Any:
    """Whether the best class is the target's, per image: 1.0 or 0.0.

    Args:
        _: As for :func:`loss`.
        output: As for :func:`loss`.
    """
    ops = load_keras().ops
    logits, targets = _parts(output)
    return ops.cast(ops.equal(ops.argmax(logits, axis=-1), ops.argmax(targets, axis=-1)), "float32")


@contextmanager
def as_logits(model: Any) -> Iterator[None]:
    """Takes the softmax off a model while it is trained: its gradient is exact from logits alone.

    Args:
        model: A ``keras.Model`` that ends in the layer :data:`SCORES`.
    """
    keras = load_keras()
    layer = model.get_layer(SCORES)
    kept = layer.activation
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = kept


def _as_float(keras: Any) -> Any:
    """Activations are kept as float16; what is trained on them computes in its own precision."""
    return keras.layers.Activation("linear", dtype="float32", name="as_float")


def _parts(output: Any) -> tuple[Any, Any]:
    classes = output.shape[-1] // 2
    return output[:, :classes], output[:, classes:]
