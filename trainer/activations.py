"""What the frozen part of a model makes of every image, computed once and kept.

Training what follows then costs only what follows. An augmented view is another pass
with changed images; each pass is a file that is mapped into memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from trainer.augmentation import image_layer
from trainer.backend import load_keras
from trainer.batches import index_batches
from trainer.cache import Int64Array, Pixels
from trainer.progress import Event, Progress

_BATCH = 64


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
    """Returns the activations of images, computing them unless the file is there.

    Args:
        front: A ``keras.Model`` on raw pixels, frozen.
        pixels: The images.
        chosen: Indices of those wanted, int64.
        path: The ``.npy`` file to keep them in.
        augment: Augmentations of this view, none for the images as they are.
        seed: Of the augmentation.
        progress: Told of every batch.

    Returns:
        ``[len(chosen), ...]``, mapped, read-only. Feature vectors are float32; feature maps
        are float16 unless a value is beyond its range.
    """
    shape = (len(chosen), *front.output.shape[1:])
    found = _load(path, shape)
    if found is not None:
        return found
    model = _with_view(front, augment, seed) if augment else front
    dtype = np.float16 if len(shape) > 2 else np.float32
    if not _store(model, pixels, chosen, path, shape, dtype, progress):
        _store(model, pixels, chosen, path, shape, np.float32, progress)
    return np.lib.format.open_memmap(path, mode="r")


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
    path: Path,
    shape: tuple[int, ...],
    dtype: Any,
    progress: Progress,
) -> bool:
    """Writes the file; False, and no file, when a value does not fit the type."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
    batches = index_batches(chosen, _BATCH)
    limit, done = np.finfo(dtype).max, 0
    for index, rows in enumerate(batches):
        batch = pixels.array[rows].astype(np.float32)
        if index and len(rows) < _BATCH:
            # The shape of the batches before: another one would be compiled again.
            batch = np.concatenate([batch, np.zeros((_BATCH - len(rows), *batch.shape[1:]), np.float32)])
        values = np.asarray(model.predict_on_batch(batch), np.float32)[: len(rows)]
        if np.abs(values).max() > limit:
            return False
        array[done : done + len(rows)] = values
        done += len(rows)
        progress(Event("features", index + 1, len(batches)))
    array.flush()
    del array
    os.replace(temporary, path)
    return True
