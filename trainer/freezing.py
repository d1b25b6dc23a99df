"""Freezes layers of a model, and splits it where the frozen part ends."""

from __future__ import annotations

from typing import Any

from trainer.backend import load_keras
from trainer.models.pretrained import FEATURES


def backbone_layers(model: Any) -> list[Any]:
    """Returns the layers between the image and the features, in topological order.

    Args:
        model: A ``keras.Model`` with a layer named :data:`~trainer.models.pretrained.FEATURES`.
    """
    return list(model.layers[1 : features_index(model) + 1])


def features_index(model: Any) -> int:
    """Returns the index in ``model.layers`` of the backbone's last layer.

    Args:
        model: As for :func:`backbone_layers`.
    """
    return [layer.name for layer in model.layers].index(FEATURES)


def set_trainable(model: Any, unfreeze: int | str, batch_norm: bool) -> int:
    """Freezes all but the last layers of the backbone; the head is always trainable.

    Args:
        model: As for :func:`backbone_layers`.
        unfreeze: Number of layers to train at the end of the backbone, or ``all``.
        batch_norm: Whether batch normalisation among them is trained; otherwise it stays in
            inference mode, with the statistics of the pretrained weights.

    Returns:
        Index in ``model.layers`` of the first trainable layer.
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
    """Finds the last layer before ``first`` where the model can be cut.

    The layers after it depend on one tensor only: its output.

    Args:
        model: A functional ``keras.Model``.
        first: Index of the first trainable layer.

    Returns:
        Its index in ``model.layers``; 0, the input, if there is no other.
    """
    place = {layer.name: index for index, layer in enumerate(model.layers)}
    # For each index, the earliest layer that any layer from there on depends on.
    needed = [len(place)] * (len(place) + 1)
    for index in range(len(place) - 1, -1, -1):
        parents = [place[parent.name] for parent in _parents(model.layers[index])]
        needed[index] = min([needed[index + 1], *parents])
    return max((index for index in range(first) if needed[index + 1] >= index), default=0)


def split_model(model: Any, cut: int) -> tuple[Any, Any]:
    """Splits a model in two that share its layers.

    Args:
        model: A functional ``keras.Model``.
        cut: Index of the first half's last layer.

    Returns:
        ``keras.Model`` from the image to the cut, and from the cut to the model's output.
    """
    keras = load_keras()
    tensor = model.layers[cut].output
    return keras.Model(model.input, tensor), keras.Model(tensor, model.output)


def _parents(layer: Any) -> list[Any]:
    """The layers whose outputs a layer was called on when the model was built."""
    node = layer._inbound_nodes[0]
    return [tensor._keras_history.operation for tensor in node.input_tensors]
