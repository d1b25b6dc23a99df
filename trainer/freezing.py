"""Where the frozen part of a model ends, and its two halves."""

from __future__ import annotations

from typing import Any

from trainer.backend import load_keras
from trainer.models.pretrained import FEATURES


def backbone_layers(model: Any) -> list[Any]:
    """Layers between the image and the features, in an order in which they can run.

    Args:
        model: A ``keras.Model`` with a layer named :data:`~trainer.models.pretrained.FEATURES`.
    """
    return list(model.layers[1 : features_place(model) + 1])


def features_place(model: Any) -> int:
    """Index in ``model.layers`` of the layer that ends the backbone.

    Args:
        model: As for :func:`backbone_layers`.
    """
    return [layer.name for layer in model.layers].index(FEATURES)


def set_trainable(model: Any, unfreeze: int | str, batch_norm: bool) -> int:
    """Freezes all but the last layers of the backbone; what follows the features always trains.

    Args:
        model: As for :func:`backbone_layers`.
        unfreeze: Layers of the backbone to train, counted from its end, or ``all``.
        batch_norm: Whether batch normalisation in that part trains; else it stays in inference
            mode, with the statistics of the pretrained weights.

    Returns:
        Index in ``model.layers`` of the first layer that may train.
    """
    keras = load_keras()
    layers = backbone_layers(model)
    count = len(layers) if unfreeze == "all" else min(int(unfreeze), len(layers))
    first = 1 + len(layers) - count
    for place, layer in enumerate(model.layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = place >= first and (batch_norm or not normalises)
    return first


def last_cut(model: Any, first: int) -> int:
    """The last layer at or before ``first - 1`` through which everything passes.

    All that the later layers need is then one tensor: this layer's output.

    Args:
        model: A functional ``keras.Model``.
        first: Index of the first layer that trains.

    Returns:
        Its index in ``model.layers``; 0, the input, when there is no other.
    """
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    # The earliest layer that anything after each index still needs.
    needed = [len(place)] * (len(place) + 1)
    for index in range(len(place) - 1, -1, -1):
        parents = [place[parent.name] for parent in _parents(model.layers[index])]
        needed[index] = min([needed[index + 1], *parents])
    return max((index for index in range(first) if needed[index + 1] >= index), default=0)


def halves(model: Any, cut: int) -> tuple[Any, Any]:
    """The frozen front and the tail, which share the model's layers.

    Args:
        model: A functional ``keras.Model``.
        cut: Index of the front's last layer.

    Returns:
        ``keras.Model`` from the image to the cut, and from the cut to the model's output.
    """
    keras = load_keras()
    tensor = model.layers[cut].output
    return keras.Model(model.input, tensor), keras.Model(tensor, model.output)


def _parents(layer: Any) -> list[Any]:
    """Layers whose output a layer takes in the model that it was built for."""
    node = layer._inbound_nodes[0]
    return [tensor._keras_history.operation for tensor in node.input_tensors]
