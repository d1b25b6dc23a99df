"""Cached activations of a model's frozen layers, computed once per image and view.

Training the layers after them then costs no pass through the frozen ones. Each view is one
memory-mapped file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edge_runtime.errors import DataError
from edge_runtime.temporary import temporary_file
from trainer.augmentation import image_layer
from trainer.backend import load_keras
from trainer.batches import predict_batches
from trainer.cache import Int64Array, Pixels
from trainer.checkpoint import unwritable
from trainer.progress import Progress


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
        raise unwritable(path.parent, error) from error
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
