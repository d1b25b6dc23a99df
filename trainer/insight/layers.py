"""Finds layers of a Keras model to visualise. Uses only the model, so it does not load Keras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class NothingToShowError(Exception):
    """The model has nothing to show; the message says why, for the page."""


def first_convolution(model: Any) -> Any:
    """Returns the first convolution of a model.

    Args:
        model: A ``keras.Model``, possibly with nested ones.

    Raises:
        NothingToShowError: The model has no 2-D convolution.
    """
    for layer in _flat(model):
        if type(layer).__name__ == "Conv2D":
            return layer
    raise NothingToShowError("The model has no convolution.")


def spatial_layers(model: Any) -> list[Any]:
    """Returns the layers of the outer model that output feature maps, in order.

    Args:
        model: A ``keras.Model``.

    Returns:
        Layers from the first convolution on with an output ``[batch, height, width, channels]``
        of more than one pixel.
    """
    found = []
    seen_convolution = False
    for layer in model.layers:
        seen_convolution = seen_convolution or _convolves(layer)
        shape = _output_shape(layer) or ()
        if seen_convolution and len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1:
            found.append(layer)
    return found


def activation_of(model: Any, layer: Any) -> Any:
    """Returns the activation of a convolution if that is a layer of its own, else the convolution.

    Args:
        model: The model.
        layer: One of its convolutions.
    """
    names = [entry.name for entry in model.layers]
    if layer.name not in names:
        return layer
    for follower in model.layers[names.index(layer.name) + 1 :][:2]:
        kind = type(follower).__name__
        if kind in ("Activation", "ReLU", "LeakyReLU"):
            return follower
        if kind != "BatchNormalization":
            break
    return layer


def _convolves(layer: Any) -> bool:
    return any("Conv" in type(entry).__name__ for entry in _flat(layer))


def _flat(layer: Any) -> Iterator[Any]:
    """The layer itself or, for a nested model, all of its layers."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
        return
    for entry in inner:
        yield from _flat(entry)


def _output_shape(layer: Any) -> tuple[int | None, ...] | None:
    """The output shape; None for a layer that is used several times or has several outputs."""
    try:
        shape = layer.output.shape
    # Keras raises ValueError, AttributeError or RuntimeError, depending on the layer.
    except Exception:
        return None
    return tuple(shape)
