"""The training model: the saved model with augmentation in front and targets beside its logits.

Whatever only training needs is here and not in the saved model. Labels are an input like the
images, because mixing changes both; the targets are part of the output, where the loss finds
them. So one compiled step contains everything, on every Keras backend, and pixels are
transferred to the device as uint8.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainer.core.backend import load_keras

SCORES = "scores"
"""Name of the softmax layer at the end of every architecture."""


def training_model(core: Any, shape: tuple[int, ...], dtype: str, augment: Any, targets: Any) -> Any:
    """Builds the model to fit.

    Args:
        core: A ``keras.Model`` to train, from pixels or activations to logits.
        shape: Shape of one input, without the batch.
        dtype: Type of the input, for example ``uint8``.
        augment: Layer of :func:`trainer.augmentation.image_layer`; None for activations.
        targets: Layer of :func:`trainer.augmentation.target_layer`.

    Returns:
        A ``keras.Model``: ``{"image": [batch, *shape], "label": int32 [batch]}`` becomes float32
        ``[batch, 2 * classes]``, logits and then targets. It shares the core's weights.
    """
    keras = load_keras()
    image = keras.Input(shape, dtype=dtype, name="image")
    label = keras.Input((), dtype="int32", name="label")
    # Activations are stored as float16; layers trained on them compute in their own precision.
    entry = augment or keras.layers.Activation("linear", dtype="float32", name="as_float")
    x, target = targets((entry(image), label))
    logits = core(x)
    output = keras.layers.Concatenate(dtype="float32", name="logits_and_targets")([logits, target])
    return keras.Model({"image": image, "label": label}, output)


def loss(_: Any, output: Any) -> Any:
    """Cross-entropy of the targets, per image, in nats.

    Args:
        _: Labels, unused: the targets are part of the output.
        output: float32 ``[batch, 2 * classes]``.
    """
    ops = load_keras().ops
    logits, targets = _parts(output)
    # Not categorical_crossentropy: on TensorFlow its gradient is correct only for targets that sum
    # to 1, and weighted targets do not.
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def cross_entropy(_: Any, output: Any) -> Any:
    """The loss as a metric: Keras' own ``loss`` includes weight regularisation.

    Args:
        _: As for :func:`loss`.
        output: As for :func:`loss`.
    """
    return loss(_, output)


def accuracy(_: Any, output: Any) -> Any:
    """Whether the predicted class is the target's, per image: 1.0 or 0.0.

    Args:
        _: As for :func:`loss`.
        output: As for :func:`loss`.
    """
    ops = load_keras().ops
    logits, targets = _parts(output)
    return ops.cast(ops.equal(ops.argmax(logits, axis=-1), ops.argmax(targets, axis=-1)), "float32")


@contextmanager
def as_logits(model: Any) -> Iterator[None]:
    """Removes the softmax of a model during training: only the gradient from logits is exact.

    Args:
        model: A ``keras.Model`` whose last layer is :data:`SCORES`.
    """
    keras = load_keras()
    layer = model.get_layer(SCORES)
    kept = layer.activation
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = kept


def _parts(output: Any) -> tuple[Any, Any]:
    classes = output.shape[-1] // 2
    return output[:, :classes], output[:, classes:]
