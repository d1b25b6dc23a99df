"""What frozen layers compute, kept on disk: one pass for each view of the images, whatever is trained on it.

A pass gives every output that a phase will need: the features for the head, and the activations
where the frozen part ends for fine-tuning. Each is one memory-mapped file in the checkpoint's folder,
so a resumed run does not compute it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.common.temporary import temporary_file
from trainer.augmentation import image_layer
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array, Pixels, unwritable
from trainer.fit.batches import in_one_shape
from trainer.fit.forward import Forward
from trainer.progress import Event, Progress

BATCH = 32
"""Images per batch: larger ones are no faster, and MobileNetV2 at 224 needs 5 MB for each image."""


def cached_activations(
    forward: Callable[[], Forward],
    shapes: Sequence[tuple[int, ...]],
    pixels: Pixels,
    chosen: Int64Array,
    paths: Sequence[Path],
    *,
    augment: tuple[str, ...] = (),
    seed: int = 0,
    progress: Progress,
) -> list[Any]:
    """Returns the activations of images, computing them unless the files exist.

    Args:
        forward: Returns the frozen layers as :func:`trainer.fit.forward.forward_pass`; called
            only if there is something to compute.
        shapes: Shape of each output, without the batch.
        pixels: The images.
        chosen: Indices of the images to use, int64.
        paths: The ``.npy`` file of each output.
        augment: Augmentations of this view; empty for unchanged images.
        seed: Seed of the augmentation.
        progress: Progress callback, called for every batch.

    Raises:
        DataError: A value is not finite.
        UsageError: The disk is full.

    Returns:
        ``[len(chosen), *shape]`` for each output, memory-mapped, read-only. Feature vectors are
        float32; feature maps are float16 unless a value exceeds its range.
    """
    wanted = [(len(chosen), *shape) for shape in shapes]
    found = [_load(path, shape) for path, shape in zip(paths, wanted, strict=True)]
    if all(array is not None for array in found):
        return found
    kinds: list[Any] = [np.float16 if len(shape) > 2 else np.float32 for shape in wanted]
    run = forward()
    try:
        while (
            overflow := _store(run, pixels, chosen, paths, wanted, kinds, augment, seed, progress)
        ) is not None:
            if kinds[overflow] is np.float32:
                raise DataError(
                    "The outputs of the frozen layers must be finite. Received: infinity or NaN. "
                    "Use --precision float32, or other weights."
                )
            kinds[overflow] = np.float32
    except BrokenPipeError:
        # The reader of our progress output is gone; the folder is fine.
        raise
    except OSError as error:
        raise unwritable(UsageError, "checkpoint folder", paths[0].parent, error) from error
    return [np.lib.format.open_memmap(path, mode="r") for path in paths]


def _load(path: Path, shape: tuple[int, ...]) -> Any:
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape else None


def _store(
    forward: Forward,
    pixels: Pixels,
    chosen: Int64Array,
    paths: Sequence[Path],
    shapes: Sequence[tuple[int, ...]],
    kinds: Sequence[Any],
    augment: tuple[str, ...],
    seed: int,
    progress: Progress,
) -> int | None:
    """Writes the files whole; returns the first output with a value that does not fit its type, if any."""
    change = _augmenting(pixels.array.shape[1:], augment, seed) if augment else None
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        made = [stack.enter_context(temporary_file(path.parent)) for path in paths]
        for entry, shape, kind in zip(made, shapes, kinds, strict=True):
            # Written rather than memory-mapped: on a full disk a write fails, a mapping kills the process.
            header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(entry.file, header)
        for start in range(0, len(chosen), BATCH):
            rows = chosen[start : start + BATCH]
            batch = pixels.array[rows].astype(np.float32)
            if change is not None:
                batch = change(batch)
            for place, values in enumerate(forward(batch)):
                if not np.abs(values).max() <= np.finfo(kinds[place]).max:
                    return place
                made[place].file.write(np.ascontiguousarray(values, kinds[place]).tobytes())
            done = start + len(rows)
            progress(Event("features", done, len(chosen), images=done))
        for entry, path in zip(made, paths, strict=True):
            entry.move_to(path)
    return None


def _augmenting(shape: tuple[int, ...], augment: tuple[str, ...], seed: int) -> Callable[[Any], Any]:
    """The augmentation as a compiled function; its random numbers are the seed's, batch after batch."""
    keras = load_keras()
    image = keras.Input(shape, name="image")
    model = keras.Model(image, image_layer(augment, seed, always=True)(image))
    return in_one_shape(model.predict_on_batch)
