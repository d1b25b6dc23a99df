"""The images of an export: those that calibrate and those that judge, never the same."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import DataError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.dataset import ImageSet, Item, decode_all, open_dataset
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import UInt8Array
from trainer.run.run_json import read_data

Chosen = Literal["val", "train", "all"]


def run_images(run: Path) -> ImageSet:
    """Opens the images that a run was trained and validated on, and no others.

    Args:
        run: A run folder.

    Raises:
        DataError: They are missing or changed.
        RunError: The run's record of them is damaged.
    """
    record = read_data(run)
    images = open_dataset(record.source)
    present = {item.ref: item for item in images.items}
    kept, lost = [], []
    for known in record.items:
        item = present.get(known.ref)
        if item is not None and item.sha256 == known.sha256:
            kept.append(Item(known.ref, known.label, known.split, known.sha256))
        else:
            lost.append(known.ref)
    if lost:
        raise DataError(
            f"A run's images must be unchanged. Received: {len(lost)} of {len(record.items)} missing or "
            f"changed in {record.source}, the first is {lost[0]}. Restore them, or pass --data."
        )
    # The record's classes, not the folder's: a class that was added since is not the run's.
    return replace(images, labels=record.labels, items=tuple(kept))


def choose_split(images: ImageSet, split: Chosen) -> ImageSet:
    """The images of a split, at least one.

    Args:
        images: A set.
        split: ``train``, ``val`` or ``all``.

    Raises:
        DataError: The split is empty.
    """
    chosen = images if split == "all" else images.only(split)
    if not len(chosen):
        raise DataError(
            f"The {split} split must hold images. Received: none in {images.source}. Pass other data."
        )
    return chosen


def balanced(images: ImageSet, count: int) -> ImageSet:
    """Up to ``count`` images, as equally spread over the classes as they allow.

    Args:
        images: A set.
        count: How many.

    Returns:
        The same choice for the same content, whatever the files are called.
    """
    queues: dict[int, list[Item]] = defaultdict(list)
    for item in sorted(images.items, key=lambda item: (item.sha256, item.ref)):
        queues[item.label].append(item)
    turns = [
        (turn, label, item) for label, items in sorted(queues.items()) for turn, item in enumerate(items)
    ]
    turns.sort(key=lambda entry: entry[:2])
    return replace(images, items=tuple(item for _, _, item in turns[:count]))


def without_images_of(images: ImageSet, others: ImageSet) -> ImageSet:
    """Leaves out every image that also occurs in another set, by content.

    Args:
        images: A set.
        others: The set whose content must not be in it.
    """
    taken = {item.sha256 for item in others.items}
    return replace(images, items=tuple(item for item in images.items if item.sha256 not in taken))


def set_sha256(images: ImageSet) -> str:
    """Hash of the set's contents, for the record; 64 hex digits."""
    return hashlib.sha256("".join(sorted(item.sha256 for item in images.items)).encode()).hexdigest()


@dataclass
class PixelTable:
    """Images decoded once, in a memory-mapped file without a name, so that any number of them fits.

    Use as a context manager: the file is deleted at its end, or with the process.

    Attributes:
        pixels: uint8 ``[n, height, width, channels]``.
        truth: True class indices, int64 ``[n]``.
        images: The set, without what does not decode.
        unreadable: What does not, as ``ref: reason``.
    """

    pixels: UInt8Array
    truth: IntArray
    images: ImageSet
    unreadable: tuple[str, ...] = ()

    def __enter__(self) -> PixelTable:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def relabel(self, labels: Sequence[str]) -> None:
        """Gives the same images the class indices of another order of the names.

        Args:
            labels: Class names; may hold classes that this table lacks.

        Raises:
            DataError: An image's class is not among ``labels``.
        """
        self.images = self.images.relabelled(labels)
        self.truth = np.array([item.label for item in self.images.items], dtype=np.int64)

    def close(self) -> None:
        """Releases the file."""
        self.pixels = np.empty((0, *self.pixels.shape[1:]), dtype=np.uint8)


class GrowingTable:
    """Images that are decoded in order, only as far as they are needed.

    Attributes:
        images: The whole set.
    """

    def __init__(self, images: ImageSet, spec: InputSpec) -> None:
        """Reserves a file without a name, which takes no room before it is written.

        Args:
            images: The set, at least one image.
            spec: The model's input.
        """
        self.images = images
        with tempfile.TemporaryFile() as file:
            self._pixels = np.memmap(file, np.uint8, "w+", shape=(len(images), *spec.shape))
        self._found = decode_all(images, spec)
        self._failures: dict[str, str] = {}
        self._read = self._rows = 0

    def grow(self, count: int, *, progress: Progress = no_progress, step: str = "decoding") -> UInt8Array:
        """Decodes the next images.

        Args:
            count: How many, at most.
            progress: Progress callback.
            step: Name of the step, for the callback.

        Returns:
            Their pixels, uint8 ``[k, height, width, channels]``: fewer where some do not decode, and at the end.

        Raises:
            DataError: More than a twentieth of the whole set, or a whole class, does not decode.
        """
        first, failed = self._rows, len(self._failures)
        for item, found in islice(self._found, count):
            self._read += 1
            if isinstance(found, str):
                self._failures[item.ref] = found
            else:
                self._pixels[self._rows] = found
                self._rows += 1
            progress(step, self._read, len(self.images))
        if len(self._failures) > failed:
            self.images.without(self._failures)
        return self._pixels[first : self._rows]

    @property
    def finished(self) -> bool:
        """Whether every image was read."""
        return self._read == len(self.images)

    def seen(self, rows: int | None = None) -> PixelTable:
        """The images so far that decode, as a table; its pixels are not copied.

        Args:
            rows: Only so many of them; None for all.
        """
        kept = self.images.without(self._failures)
        skipped = kept.skipped[len(self.images.skipped) :]
        kept = replace(kept, items=kept.items[: self._rows if rows is None else rows])
        truth = np.array([item.label for item in kept.items], dtype=np.int64)
        return PixelTable(self._pixels[: len(truth)], truth, kept, skipped)

    def close(self) -> None:
        """Stops decoding ahead."""
        self._found.close()


def decode_table(
    images: ImageSet, spec: InputSpec, *, progress: Progress = no_progress, step: str = "decoding"
) -> PixelTable:
    """Decodes a set through the one preprocessing, on all cores.

    Args:
        images: The set, at least one image.
        spec: The model's input.
        progress: Progress callback.
        step: Name of the step, for the callback.

    Raises:
        DataError: More than a twentieth or a whole class does not decode.
    """
    table = GrowingTable(images, spec)
    table.grow(len(images), progress=progress, step=step)
    return table.seen()
