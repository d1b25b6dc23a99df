"""Draws a representative sample of images."""

from __future__ import annotations

import numpy as np

from trainer.cache import Int64Array


def spread_over_classes(targets: Int64Array, count: int) -> Int64Array:
    """Draws images evenly from the classes.

    Takes one image of each class in turn until there are enough; a class that runs out is
    skipped.

    Args:
        targets: int64 ``[n]``, the true classes.
        count: Maximum number of images.

    Returns:
        Indices into ``targets``, int64, ascending.
    """
    random = np.random.default_rng(0)
    order = random.permutation(len(targets))
    # The turn in which each image is taken.
    turn = np.empty(len(targets), np.int64)
    seen: dict[int, int] = {}
    for place in order:
        label = int(targets[place])
        turn[place] = seen.get(label, 0)
        seen[label] = turn[place] + 1
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return np.sort(chosen).astype(np.int64)
