"""A copy of a model on this process's own device, beside one that several devices hold together."""

from __future__ import annotations

from typing import Any

from trainer.core.backend import load_keras


def own_copy(model: Any) -> Any:
    """Copies a model with its weights.

    Args:
        model: A functional ``keras.Model``.

    Returns:
        A ``keras.Model`` with layers and variables of its own, trainable where the model's are.
    """
    copy = load_keras().models.clone_model(model)
    copy.set_weights(model.get_weights())
    for mine, theirs in zip(copy.layers, model.layers, strict=True):
        mine.trainable = theirs.trainable
    return copy
