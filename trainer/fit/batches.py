"""Batches from memory-mapped arrays, for every Keras backend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.backend import load_keras
from trainer.core.cache import Int64Array
from trainer.progress import Event, Progress
from trainer.ranks.group import Share

BATCH = 64
"""Images per batch of a prediction."""

WHOLE = Share()
"""The share of one process with one device."""


@dataclass(frozen=True)
class Feed:
    """Images with labels to train or evaluate on.

    Attributes:
        views: Arrays ``[n, ...]`` of one shape and dtype: pixels, or activations of views of the
            same images in the same order. Memory-mapped arrays are read batch by batch.
        labels: int64 ``[n]``.
        dtype: Type of the batches; None for that of the views.
    """

    views: Sequence[Any]
    labels: Int64Array
    dtype: Any = None

    @property
    def kind(self) -> np.dtype[Any]:
        """The type of the batches."""
        found: np.dtype[Any] = np.dtype(self.dtype or self.views[0].dtype)
        return found


def predict_batches(
    model: Any, array: UInt8Array, chosen: Int64Array, stage: str, progress: Progress
) -> Iterator[Float32Array]:
    """Yields the model's outputs for images, batch by batch, in order.

    Args:
        model: A ``keras.Model`` on raw pixels.
        array: uint8 ``[n, height, width, channels]``.
        chosen: Indices of the images, int64.
        stage: The stage that progress is reported for.
        progress: Progress callback, called after every batch.

    Yields:
        float32 ``[at most BATCH, ...]``.
    """
    starts, predict = range(0, len(chosen), BATCH), in_one_shape(model.predict_on_batch)
    for index, start in enumerate(starts):
        rows = chosen[start : start + BATCH]
        yield np.asarray(predict(array[rows].astype(np.float32)), np.float32)
        progress(Event(stage, index + 1, len(starts), images=start + len(rows)))


def in_one_shape(predict: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Fills smaller batches up to the size of the largest before: a new shape would be compiled again.

    Args:
        predict: From a batch ``[n, ...]`` to an output ``[n, ...]``, or to a list of outputs.

    Returns:
        The same function, for batches of any size.
    """
    largest = 0

    def run(batch: Any) -> Any:
        nonlocal largest
        count = len(batch)
        largest = max(largest, count)
        if count < largest:
            batch = np.concatenate([batch, np.zeros((largest - count, *batch.shape[1:]), batch.dtype)])
        found = predict(batch)
        return [output[:count] for output in found] if isinstance(found, list | tuple) else found[:count]

    return run


def fit_batches(
    feed: Feed, *, batch_size: int, seed: int, shuffle: bool, first_epoch: int = 0, share: Share = WHOLE
) -> Any:
    """Returns batches for the training model of :mod:`trainer.fit.training_model`.

    Every epoch is one pass over the images. If they are shuffled, the last batch is filled up
    with the epoch's first images: batches of one size are compiled once, and none is too small
    for batch normalisation. With several views, each image uses the next one every epoch, so
    all are used equally.

    Where several devices train, each batch is padded with images of its own until they can share it
    equally, and its images weigh so much that the mean over the padded batch is that over them; the
    padding weighs nothing. Only batch normalisation sees it. The orders are those of one process; of
    every batch a process yields its part.

    Args:
        feed: Images and labels.
        batch_size: Images per batch; the last one may be smaller.
        seed: Seed of the order.
        shuffle: Whether to draw a new order every epoch.
        first_epoch: Epoch to start at, so that a resumed run sees the same batches.
        share: This process's part of every batch.

    Returns:
        A ``keras.utils.PyDataset`` of ``({"image", "label"}, label)``; where several devices train,
        of ``({"image", "label"}, label, weight)``, weights float32 ``[n]``. Its ``total_weight`` is that
        of an epoch's images on all devices.
    """
    views, labels = feed.views, feed.labels
    size = min(batch_size, len(labels)) if shuffle else batch_size
    keras = load_keras()

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        """One epoch of batches."""

        def __init__(self) -> None:
            super().__init__(workers=1)
            self._epoch = first_epoch
            self._reorder()
            self.total_weight = len(self._order) * share.padded(size) / size

        def __len__(self) -> int:
            return -(-len(labels) // size)

        def __getitem__(self, index: int) -> tuple[Any, ...]:
            drawn = self._order[index * size : (index + 1) * size]
            if share.devices == 1:
                return self._batch(drawn)
            # Every batch of one size: another would be compiled again.
            images, padded = len(drawn), share.padded(size)
            part = share.part(padded)
            weights = np.zeros(padded, np.float32)
            weights[:images] = padded / size
            return *self._batch(np.resize(drawn, padded)[part]), weights[part]

        def on_epoch_end(self) -> None:
            self._epoch += 1
            self._reorder()

        def _batch(self, drawn: Int64Array) -> tuple[dict[str, Any], Any]:
            # Read in file order, then restore the drawn order: batches mix neighbouring images, and
            # folders are sorted by class.
            forwards = np.argsort(drawn, kind="stable")
            place = np.empty_like(forwards)
            place[forwards] = np.arange(len(drawn))
            found = labels[drawn].astype(np.int32)
            return {"image": self._take(drawn[forwards])[place], "label": found}, found

        def _take(self, rows: Int64Array) -> Any:
            if len(views) == 1:
                return views[0][rows].astype(feed.kind, copy=False)
            which = (rows + self._epoch) % len(views)
            batch = np.empty((len(rows), *views[0].shape[1:]), feed.kind)
            for place, view in enumerate(views):
                batch[which == place] = view[rows[which == place]]
            return batch

        def _reorder(self) -> None:
            random = np.random.default_rng((seed, self._epoch))
            self._order = np.arange(len(labels))
            if shuffle:
                order = random.permutation(len(labels))
                self._order = np.concatenate([order, order[: len(self) * size - len(labels)]])

    return Batches()


class Rows:
    """Some rows of a memory-mapped array, read on access."""

    def __init__(self, array: UInt8Array, chosen: Int64Array) -> None:
        """Copies nothing.

        Args:
            array: uint8 ``[n, ...]``.
            chosen: Indices of the rows, int64.
        """
        self._array, self._chosen = array, chosen
        self.shape = (len(chosen), *array.shape[1:])
        self.dtype = array.dtype

    def __getitem__(self, rows: Int64Array) -> UInt8Array:
        """Returns copies of the rows."""
        found: UInt8Array = self._array[self._chosen[rows]]
        return found
