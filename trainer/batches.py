"""Batches from pixels in memory-mapped files, for every Keras backend."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.preprocess import UInt8Array
from trainer.augment import Augment
from trainer.backend import load_keras
from trainer.cache import Int64Array


def make_batches(
    array: UInt8Array,
    labels: Int64Array,
    chosen: Int64Array,
    *,
    batch_size: int,
    seed: int,
    shuffle: bool,
    augment: Augment | None = None,
) -> Any:
    """Returns a ``keras.utils.PyDataset`` of float32 pixels 0..255 and int64 labels.

    Args:
        array: uint8 ``[n, height, width, channels]``.
        labels: int64 ``[n]``.
        chosen: Indices that take part.
        batch_size: Images per batch; the last one may be smaller.
        seed: Of the order and of the augmentation.
        shuffle: Whether to draw a new order every epoch.
        augment: What to do to each image, None for nothing.
    """
    keras = load_keras()

    class Batches(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        """One epoch of batches."""

        def __init__(self) -> None:
            super().__init__(workers=1)
            self._epoch = 0
            self._reorder()

        def __len__(self) -> int:
            return -(-len(chosen) // batch_size)

        def __getitem__(self, index: int) -> tuple[Any, Any]:
            # Sorted, so that the map is read forwards.
            rows = np.sort(self._order[index * batch_size : (index + 1) * batch_size])
            batch = array[rows]
            if augment is not None:
                random = np.random.default_rng((seed, self._epoch, index))
                batch = np.stack([augment(image, random) for image in batch])
            return batch.astype(np.float32), labels[rows]

        def on_epoch_end(self) -> None:
            self._epoch += 1
            self._reorder()

        def _reorder(self) -> None:
            random = np.random.default_rng((seed, self._epoch))
            self._order = random.permutation(chosen) if shuffle else chosen

    return Batches()
