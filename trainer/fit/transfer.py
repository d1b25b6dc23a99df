"""Trains a model: all layers from random weights, or by transfer learning in two phases.

1. Head: the backbone is frozen, so it runs once per image and view; the head is trained on
   the cached features, in seconds.
2. Fine-tuning, at a far lower learning rate: the last layers of the backbone, on cached
   activations of the layer where the frozen part ends, or all layers on augmented pixels.

Training on cached activations costs no pass through the frozen layers; each view is one
memory-mapped file. By default batch normalisation keeps the statistics of the pretrained
weights: those of a few hundred images would be worse.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.common.temporary import temporary_file
from trainer.augmentation import image_layer
from trainer.augmentation.choices import MIXING
from trainer.config.schedule import Phase, phases
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array, Pixels, unwritable
from trainer.fit.batches import Feed, Rows, predict_batches
from trainer.fit.phase import run_phase
from trainer.fit.session import Session
from trainer.fit.training_model import as_logits
from trainer.models.pretrained import FEATURES
from trainer.progress import Event, Progress


def train_plain(model: Any, session: Session) -> None:
    """Trains all layers.

    Args:
        model: A ``keras.Model`` on raw pixels.
        session: The run.
    """
    train, val = pixel_feeds(session)
    (phase,) = phases(session.config)
    with as_logits(model):
        run_phase(session, phase, model, train, val)


def train_transfer(model: Any, session: Session) -> None:
    """Trains the head, then the last layers or all of them.

    Args:
        model: A ``keras.Model`` with pretrained weights, a layer named
            :data:`trainer.models.pretrained.FEATURES` and a dense layer ``scores``.
        session: The run.
    """
    head, *further = phases(session.config)
    with as_logits(model):
        reached = _on_activations(model, features_index(model), head, session, None)
        for phase in further:
            _fine_tune(model, phase, session, reached)


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


def cached_activations(
    front: Any,
    pixels: Pixels,
    chosen: Int64Array,
    path: Path,
    *,
    augment: tuple[str, ...] = (),
    seed: int = 0,
    progress: Progress,
) -> Any:
    """Returns the activations of images, computing them unless the file exists.

    Args:
        front: A frozen ``keras.Model`` on raw pixels.
        pixels: The images.
        chosen: Indices of the images to use, int64.
        path: The ``.npy`` file to store them in.
        augment: Augmentations of this view; empty for unchanged images.
        seed: Seed of the augmentation.
        progress: Progress callback, called for every batch.

    Raises:
        DataError: A value is not finite.
        UsageError: The disk is full.

    Returns:
        ``[len(chosen), ...]``, memory-mapped, read-only. Feature vectors are float32; feature
        maps are float16 unless a value exceeds its range.
    """
    shape = (len(chosen), *front.output.shape[1:])
    found = _load(path, shape)
    if found is not None:
        return found
    model = _with_view(front, augment, seed) if augment else front
    kinds = (np.float16, np.float32) if len(shape) > 2 else (np.float32,)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary_file(path.parent) as made:
            if not any(_store(model, pixels, chosen, made.file, shape, kind, progress) for kind in kinds):
                raise DataError(
                    "The outputs of the frozen layers must be finite. Received: infinity or NaN. "
                    "Use --precision float32, or other weights."
                )
            made.move_to(path)
    except BrokenPipeError:
        # The reader of our progress output is gone; the folder is fine.
        raise
    except OSError as error:
        raise unwritable(UsageError, "checkpoint folder", path.parent, error) from error
    return np.lib.format.open_memmap(path, mode="r")


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


def _fine_tune(model: Any, phase: Phase, session: Session, reached: tuple[float, float]) -> None:
    config = session.config
    first = set_trainable(model, config.unfreeze, config.train_batch_norm)
    if not any(layer.trainable_weights for layer in backbone_layers(model)):
        session.progress(
            Event(phase.name, message=f"{phase.name}: skipped, no layer of the backbone is trainable")
        )
        return
    cut = 0 if config.unfreeze == "all" else last_cut(model, first)
    if cut > 0:
        _on_activations(model, cut, phase, session, reached)
        return
    train, val = pixel_feeds(session)
    run_phase(session, phase, model, train, val, to_beat=reached)


def _on_activations(
    model: Any, cut: int, phase: Phase, session: Session, reached: tuple[float, float] | None
) -> tuple[float, float]:
    """Trains the layers after the cut, on the cached activations of the layer at the cut."""
    front, tail = split_model(model, cut)
    pixels, folder = session.pixels, session.checkpoint.folder
    augment = tuple(name for name in session.augment if name not in MIXING)
    count = session.config.views if augment else 1
    total = count * len(session.train) + len(session.val)
    session.progress(
        Event("features", 0, 0, f"{phase.name}: running {total} images through the {cut} frozen layers")
    )

    def activations(name: str, chosen: Any, view: int) -> Any:
        return cached_activations(
            front, pixels, chosen, folder / f"{phase.name}-{name}.npy", augment=augment if view else (),
            seed=session.config.seed + view, progress=session.progress,
        )  # fmt: skip

    views = [activations(f"train-{view}", session.train, view) for view in range(count)]
    val = activations("val", session.val, 0)
    # One view that exceeds the range of float16 makes all of them float32.
    kind = np.result_type(*views, val)
    return run_phase(
        session, phase, tail, Feed(views, pixels.labels[session.train], kind),
        Feed((val,), pixels.labels[session.val], kind), to_beat=reached,
    )  # fmt: skip


def _parents(layer: Any) -> list[Any]:
    """The layers whose outputs a layer was called on when the model was built."""
    node = layer._inbound_nodes[0]
    return [tensor._keras_history.operation for tensor in node.input_tensors]


def _with_view(front: Any, augment: tuple[str, ...], seed: int) -> Any:
    keras = load_keras()
    image = keras.Input(front.input.shape[1:], name="image")
    return keras.Model(image, front(image_layer(augment, seed, always=True)(image)))


def _load(path: Path, shape: tuple[int, ...]) -> Any:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape else None


def _store(
    model: Any,
    pixels: Pixels,
    chosen: Int64Array,
    file: BinaryIO,
    shape: tuple[int, ...],
    kind: type[np.floating[Any]],
    progress: Progress,
) -> bool:
    """Writes the file from its start; False when a value does not fit the type."""
    dtype = np.dtype(kind)
    file.seek(0)
    # Written rather than memory-mapped: on a full disk a write fails, a mapping kills the process.
    np.lib.format.write_array_header_1_0(file, {"descr": dtype.str, "fortran_order": False, "shape": shape})
    for values in predict_batches(model, pixels.array, chosen, "features", progress):
        if not np.abs(values).max() <= np.finfo(dtype).max:
            return False
        file.write(np.ascontiguousarray(values, dtype).tobytes())
    return True
