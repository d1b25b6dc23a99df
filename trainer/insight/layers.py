"""Which layers of a Keras model show what it sees. Keras is reached through the model alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class NothingToShowError(Exception):
    """A model that lacks what is to be shown; the message says what, for the page."""


def first_convolution(model: Any) -> Any:
    """The convolution that sees the image first.

    Args:
        model: A ``keras.Model``; nested ones are looked into.

    Raises:
        NothingToShowError: There is none with a 2-D kernel.
    """
    for layer in _flat(model):
        if type(layer).__name__ == "Conv2D":
            return layer
    raise NothingToShowError("The model has no convolution.")


def spatial_layers(model: Any) -> list[Any]:
    """Layers of the outer model whose output is a map of features, in order.

    Args:
        model: A ``keras.Model``.

    Returns:
        Layers from the first convolution on with an output ``[batch, height, width,
        channels]`` of more than one place; without dropout, which does nothing here.
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
    """The layer that ends a convolution's block: its activation, where that is a layer of its own.

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
    """The layer itself or, of a nested model, all that it holds."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        yield layer
        return
    for entry in inner:
        yield from _flat(entry)


def _output_shape(layer: Any) -> tuple[int | None, ...] | None:
    """None for a layer that is used several times or has several outputs."""
    try:
        shape = layer.output.shape
    # Keras raises ValueError, AttributeError or RuntimeError, by the kind of layer.
    except Exception:
        return None
    return tuple(shape)
