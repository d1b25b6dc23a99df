"""How sure a model is of its answer, from its scores."""

from __future__ import annotations

import numpy as np

from edge_runtime.bundle.rules import Confidence
from edge_runtime.common.arrays import Float64Array
from edge_runtime.engines.result import Float32Array
from exporter.statistics.row_blocks import row_blocks


def confidence_of(scores: Float32Array, kind: Confidence = "margin") -> Float64Array:
    """How sure a model is of each image, as :class:`~edge_runtime.engines.result.Result` computes it.

    Args:
        scores: float32 ``[n, classes]``.
        kind: Best score, or margin.

    Returns:
        float64 ``[n]``, 0..1. The margin is best score minus second best in 64 bits; of a single class, 1 - score.
    """
    if scores.shape[1] == 1:
        best, second = scores[:, 0].astype(np.float64), 1.0 - scores[:, 0].astype(np.float64)
        return best if kind == "top" else second
    found = np.empty(len(scores), dtype=np.float64)
    for rows in row_blocks(len(scores)):
        two = np.partition(scores[rows], scores.shape[1] - 2, axis=1)[:, -2:].astype(np.float64)
        found[rows] = two[:, 1] if kind == "top" else two[:, 1] - two[:, 0]
    return found
