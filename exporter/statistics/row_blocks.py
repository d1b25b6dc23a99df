"""Large score tables, some rows at a time: a float64 copy of 50,000 times 1,000 scores would take 400 MB."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from edge_runtime.common.arrays import BoolArray, Float64Array
from edge_runtime.engines.result import Float32Array

ROWS = 4096
"""Images processed at once. Sums over blocks depend on it in their last bits."""


def row_blocks(count: int) -> Iterator[slice]:
    """Yields slices of :data:`ROWS` rows, the last one shorter.

    Args:
        count: Rows of the table.
    """
    for start in range(0, count, ROWS):
        yield slice(start, start + ROWS)


def largest_changes(one: Float32Array, other: Float32Array) -> Float64Array:
    """The largest difference of any score of each image.

    Args:
        one: Scores ``[n, classes]``.
        other: Scores ``[n, classes]``.

    Returns:
        float64 ``[n]``, 0 or more.
    """
    found = np.empty(len(one), dtype=np.float64)
    for rows in row_blocks(len(one)):
        found[rows] = np.abs(one[rows].astype(np.float64) - other[rows]).max(axis=1)
    return found


def finite_rows(scores: Float32Array) -> BoolArray:
    """Of which images all scores are numbers, bool ``[n]``.

    Args:
        scores: ``[n, classes]``.
    """
    found = np.empty(len(scores), dtype=np.bool_)
    for rows in row_blocks(len(scores)):
        found[rows] = np.isfinite(scores[rows]).all(axis=1)
    return found
