"""Decodes many images: in order, on all cores, with a bounded number in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from edge_runtime.dataset.imageset import ImageSet, Item
from edge_runtime.errors import DataError, ImageError
from edge_runtime.preprocess import UInt8Array, pixels
from edge_runtime.spec import InputSpec


def cores() -> int:
    """Number of cores available to this process; fewer than the machine has in a container or under taskset."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def decode_all(
    images: ImageSet, spec: InputSpec, *, workers: int | None = None
) -> Iterator[tuple[Item, UInt8Array | str]]:
    """Yields every image's pixels, in the order of the set.

    Args:
        images: The set.
        spec: The model's input.
        workers: Threads; None for one per core.

    Yields:
        The item and its uint8 pixels ``spec.shape``, or the item and the reason why it does not decode.
        Collect the reasons by ref and pass them to :meth:`ImageSet.without`.
    """
    count = workers or cores()

    def one(item: Item) -> UInt8Array | str:
        try:
            return pixels(images.read(item), spec)
        except (ImageError, DataError) as error:
            return str(error)

    with ThreadPoolExecutor(count) as pool:
        waiting: deque[tuple[Item, Future[UInt8Array | str]]] = deque()
        try:
            for item in images.items:
                waiting.append((item, pool.submit(one, item)))
                if len(waiting) >= 4 * count:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            # Reached on Ctrl-C and when the caller stops early: do not decode the rest.
            for _, future in waiting:
                future.cancel()
