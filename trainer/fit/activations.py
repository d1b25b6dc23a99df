"""What frozen layers compute, kept on disk: one pass for each view of the images, whatever is trained on it.

A pass gives every output that a phase will need: the features for the head, and the activations
where the frozen part ends for fine-tuning. Each is one memory-mapped file in the checkpoint's folder,
so a resumed run does not compute it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.common.temporary import TemporaryFile, temporary_file
from trainer.augmentation import image_layer
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array, Pixels, unwritable
from trainer.fit.batches import in_one_shape
from trainer.fit.forward import Forward
from trainer.progress import Event, Progress
from trainer.ranks.ranks import Ranks

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
    ranks: Ranks | None = None,
) -> list[Any]:
    """Returns the activations of images, computing them unless the files exist.

    Processes that see the same folder each compute some of the batches, and all read one file.

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
        ranks: Those that train together, all of which call this; None for one process.

    Raises:
        DataError: A value is not finite.
        UsageError: The disk is full.

    Returns:
        ``[len(chosen), *shape]`` for each output, memory-mapped, read-only. Feature vectors are
        float32; feature maps are float16 unless a value exceeds its range.
    """
    wanted = [(len(chosen), *shape) for shape in shapes]
    found = [_load(path, shape) for path, shape in zip(paths, wanted, strict=True)]
    ranks = ranks or Ranks()
    # Where one machine has nothing, all compute: what ranks do together, none may leave out.
    if all(ranks.group.gather(b"1" if all(array is not None for array in found) else b"")):
        return found
    kinds: list[Any] = [np.float16 if len(shape) > 2 else np.float32 for shape in wanted]
    run = forward()
    try:
        while (
            overflow := _store(run, pixels, chosen, paths, wanted, kinds, augment, seed, progress, ranks)
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
    ranks: Ranks,
) -> int | None:
    """Writes the files whole; returns the first output with a value that does not fit its type, if any."""
    change = _augmenting(pixels.array.shape[1:], augment, seed) if augment else None
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    mine, together = ranks.members.index(ranks.group.rank), len(ranks.members)
    with ExitStack() as stack:
        files = _Files(stack, paths, shapes, kinds, ranks)
        overflow: int | None = None
        for number, start in enumerate(range(0, len(chosen), BATCH)):
            rows = chosen[start : start + BATCH]
            if change is None and number % together != mine:
                continue
            batch = pixels.array[rows].astype(np.float32)
            if change is not None:
                # By every process: the random numbers of a batch follow those of the one before.
                batch = change(batch)
            if number % together != mine:
                continue
            overflow = files.write(start, forward(batch))
            if overflow is not None:
                break
            done = start + len(rows)
            progress(Event("features", done, len(chosen), images=done))
        return files.finish(overflow)


class _Files:
    """The files of one view, which one process makes and all that see the folder fill."""

    def __init__(
        self, stack: ExitStack, paths: Sequence[Path], shapes: Sequence[tuple[int, ...]], kinds: Sequence[Any],
        ranks: Ranks,
    ) -> None:  # fmt: skip
        self._paths, self._kinds, self._ranks = paths, kinds, ranks
        self._row_bytes = [
            math.prod(shape[1:]) * np.dtype(kind).itemsize for shape, kind in zip(shapes, kinds, strict=True)
        ]
        self._made: list[TemporaryFile] = []
        if ranks.leads:
            self._made = [stack.enter_context(temporary_file(path.parent)) for path in paths]
            for entry, shape, kind in zip(self._made, shapes, kinds, strict=True):
                # Written rather than memory-mapped: on a full disk a write fails, a mapping kills the process.
                header = {"descr": np.dtype(kind).str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(entry.file, header)
                entry.file.flush()
        note = json.dumps([[str(entry.path), entry.file.tell()] for entry in self._made])
        places = json.loads(ranks.group.gather(note.encode())[ranks.members[0]])
        self._starts: list[int] = [begin for _, begin in places]
        self._files: list[Any] = [entry.file for entry in self._made]
        if not ranks.leads:
            # Closed below, where the writes must have arrived.
            self._files = [open(path, "r+b") for path, _ in places]  # noqa: SIM115
            for file in self._files:
                stack.callback(file.close)

    def write(self, start: int, outputs: Sequence[Any]) -> int | None:
        """Writes rows of every output; returns the first output with a value that does not fit, if any."""
        for place, values in enumerate(outputs):
            if not np.abs(values).max() <= np.finfo(self._kinds[place]).max:
                return place
            self._files[place].seek(self._starts[place] + start * self._row_bytes[place])
            self._files[place].write(np.ascontiguousarray(values, self._kinds[place]).tobytes())
        return None

    def finish(self, overflow: int | None) -> int | None:
        """Moves the files to their places when all have written; returns the first overflow of all."""
        for file in self._files:
            file.flush()
            if not self._ranks.leads:
                file.close()
        notes = self._ranks.group.gather(b"" if overflow is None else str(overflow).encode())
        overflows = [int(note) for note in notes if note]
        if overflows:
            return min(overflows)
        for entry, path in zip(self._made, self._paths, strict=False):
            entry.move_to(path)
        self._ranks.wait()
        return None


def _augmenting(shape: tuple[int, ...], augment: tuple[str, ...], seed: int) -> Callable[[Any], Any]:
    """The augmentation as a compiled function; its random numbers are the seed's, batch after batch."""
    keras = load_keras()
    image = keras.Input(shape, name="image")
    model = keras.Model(image, image_layer(augment, seed, always=True)(image))
    return in_one_shape(model.predict_on_batch)
