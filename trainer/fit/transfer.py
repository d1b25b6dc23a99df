"""Trains a model: all layers from random weights, or by transfer learning in two phases.

1. Head: the backbone is frozen, so it runs once per image and view; the head is trained on
   the cached features, in seconds.
2. Fine-tuning, at a far lower learning rate: the last layers of the backbone, on cached
   activations of the layer where the frozen part ends, or all layers on augmented pixels.

One pass gives the features and those activations; training on them costs no further one. By
default batch normalisation keeps the statistics of the pretrained weights: those of a few hundred
images would be worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from edge_runtime.common.errors import UsageError
from trainer.augmentation.choices import MIXING
from trainer.config.schedule import Phase, phases
from trainer.config.train_config import TrainConfig
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array
from trainer.fit.activations import cached_activations
from trainer.fit.batches import Feed, Rows
from trainer.fit.forward import forward_pass
from trainer.fit.own_copy import own_copy
from trainer.fit.phase import run_phase
from trainer.fit.session import Session
from trainer.fit.training_model import SCORES, as_logits
from trainer.models.pretrained import FEATURES
from trainer.models.registry import build_scratch
from trainer.progress import Event


def train_plain(model: Any, session: Session) -> None:
    """Trains all layers.

    Args:
        model: A ``keras.Model`` on raw pixels.
        session: The run.
    """
    train, val = pixel_feeds(session)
    *halved, whole = phases(session.config)
    for phase in halved:
        _at_half_size(model, phase, session, train, val)
    with as_logits(model):
        run_phase(session, whole, model, train, val)


def _at_half_size(model: Any, phase: Phase, session: Session, train: Feed, val: Feed) -> None:
    """Trains the same network on smaller images first: an epoch of them takes a half to a quarter of the time."""
    small = build_scratch(
        load_keras(), session.config.model, model.input_shape[1:], session.classes, halved=True
    )
    if [tuple(values.shape) for values in small.weights] != [tuple(values.shape) for values in model.weights]:
        raise UsageError(
            f"half_size_epochs must be 0 where {session.config.model} has other layers at half the size. "
            f"Received: {session.config.half_size_epochs} at {model.input_shape[1]} pixels. "
            "Change the size, or leave the option out."
        )
    small.get_layer(SCORES).dtype_policy = model.get_layer(SCORES).dtype_policy
    small.set_weights(model.get_weights())
    with as_logits(small):
        run_phase(session, phase, small, train, val)
    model.set_weights(small.get_weights())


def train_transfer(model: Any, session: Session) -> None:
    """Trains the head, then the last layers or all of them.

    Args:
        model: A ``keras.Model`` with pretrained weights, a layer named
            :data:`trainer.models.pretrained.FEATURES` and a dense layer ``scores``.
        session: The run.
    """
    head, *further = phases(session.config)
    end = features_index(model)
    cut = _cut(model, session.config) if further else None
    frozen = _FrozenPart(model, session, [end, cut] if cut else [end])
    with as_logits(model):
        reached = _on_activations(model, end, head, session, frozen, None)
        for phase in further:
            if cut is None:
                why = "skipped, no layer of the backbone is trainable"
                session.progress(Event(phase.name, message=f"{phase.name}: {why}"))
            elif cut > 0:
                _on_activations(model, cut, phase, session, frozen, reached)
            else:
                run_phase(session, phase, model, *pixel_feeds(session), to_beat=reached)


def pixel_feeds(session: Session) -> tuple[Feed, Feed]:
    """Returns train and val pixels, read from the cache batch by batch.

    Args:
        session: The run.
    """
    array, labels = session.pixels.array, session.pixels.labels
    train, val = session.train, session.val
    return Feed((Rows(array, train),), labels[train]), Feed((Rows(array, val),), labels[val])


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


class _FrozenPart:
    """The frozen layers' outputs for train and val images, computed once for all phases.

    Nothing is trained before the last cut until all phases are done with it.
    """

    def __init__(self, model: Any, session: Session, cuts: Sequence[int]) -> None:
        """Computes what an interrupted run has not left.

        Args:
            model: As for :func:`train_transfer`.
            session: The run.
            cuts: Indices in ``model.layers`` of the layers whose outputs are trained on.
        """
        keras = load_keras()
        self._cuts, self._session = list(dict.fromkeys(cuts)), session
        tensors = [model.layers[cut].output for cut in self._cuts]
        front = keras.Model(model.input, tensors)
        shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
        folder, pixels = session.checkpoint.folder, session.pixels
        augment = tuple(name for name in session.augment if name not in MIXING)
        count = session.config.views if augment else 1
        total = count * len(session.train) + len(session.val)
        what = f"head: running {total} images through the {max(cuts)} frozen layers"
        session.progress(Event("features", 0, 0, what))
        ranks = session.ranks
        forward = cache(lambda: forward_pass(front if ranks.alone else own_copy(front)))

        def computed(name: str, chosen: Int64Array, view: int) -> list[Any]:
            with ranks.group.apart():
                return cached_activations(
                    forward, shapes, pixels, chosen, [folder / f"{name}-{cut}.npy" for cut in self._cuts],
                    augment=augment if view else (), seed=session.config.seed + view, progress=session.progress,
                    ranks=ranks,
                )  # fmt: skip

        self._views = [computed(f"train-{view}", session.train, view) for view in range(count)]
        self._val = computed("val", session.val, 0)

    def feeds(self, cut: int) -> tuple[Feed, Feed]:
        """Returns train and val activations of a cut.

        Args:
            cut: One of the cuts.
        """
        place = self._cuts.index(cut)
        labels, train, val = self._session.pixels.labels, self._session.train, self._session.val
        views, unchanged = [view[place] for view in self._views], self._val[place]
        # One view that exceeds the range of float16 makes all of them float32.
        kind = np.result_type(*views, unchanged)
        return Feed(views, labels[train], kind), Feed((unchanged,), labels[val], kind)


def _cut(model: Any, config: TrainConfig) -> int | None:
    """Where fine-tuning begins: a layer whose activations are kept; 0 for pixels, None if nothing is trainable."""
    first = set_trainable(model, config.unfreeze, config.train_batch_norm)
    if not any(layer.trainable_weights for layer in backbone_layers(model)):
        return None
    return 0 if config.unfreeze == "all" else last_cut(model, first)


def _on_activations(
    model: Any, cut: int, phase: Phase, session: Session, frozen: _FrozenPart,
    reached: tuple[float, float] | None,
) -> tuple[float, float]:  # fmt: skip
    """Trains the layers after the cut, on the cached activations of the layer at the cut."""
    _, tail = split_model(model, cut)
    return run_phase(session, phase, tail, *frozen.feeds(cut), to_beat=reached)


def _parents(layer: Any) -> list[Any]:
    """The layers whose outputs a layer was called on when the model was built."""
    node = layer._inbound_nodes[0]
    return [tensor._keras_history.operation for tensor in node.input_tensors]
