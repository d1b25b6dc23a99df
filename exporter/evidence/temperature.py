"""A temperature per model, so that a score of 0.8 means the same in all of them.

Guo et al. 2017, On Calibration of Modern Neural Networks: a single T that minimises the negative
log likelihood of the true classes under ``softmax(z / T)``. Scores p are softmax outputs, whose logarithms
are the logits up to a constant, so ``softmax(z / T)`` is ``p^(1/T)`` renormalised.
"""

from __future__ import annotations

import math

import numpy as np

from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.engines.result import Float32Array
from exporter.evidence.record import TemperatureReport
from exporter.source.score_table import score_table
from exporter.statistics.drift import expected_calibration_error
from exporter.statistics.row_blocks import row_blocks

FLOOR_MASS = 1.0 / 512.0
"""Total mass of the floors of all classes: half a step of an 8-bit score.

A score of 0 has no logarithm. A floor of 1/512 per class would do for ten classes, but with a thousand
the floors would outweigh the answer.
"""

T_RANGE = (0.05, 20.0)
"""Search range of the temperature; for a model that is always right there is no minimum."""

_HALVINGS = 26


def log_scores(scores: Float32Array) -> Float64Array:
    """Logits up to a constant: log p with p floored at :data:`FLOOR_MASS` / classes.

    Args:
        scores: ``[n, classes]``, 0..1.
    """
    floored = np.maximum(scores.astype(np.float64), FLOOR_MASS / scores.shape[1])
    logs: Float64Array = np.log(floored)
    return logs


def softened(scores: Float32Array, temperature: float) -> Float32Array:
    """Scores at a temperature: ``p^(1/T)`` renormalised, float32 ``[n, classes]``.

    Args:
        scores: ``[n, classes]``, 0..1.
        temperature: T; above 1 lowers the confidence.
    """
    soft = score_table(*scores.shape)
    _soften(scores, temperature, soft)
    return soft


def _soften(scores: Float32Array, temperature: float, soft: Float32Array) -> None:
    for rows in row_blocks(len(scores)):
        logs = log_scores(scores[rows]) / temperature
        soft[rows] = _softmax(logs, 1.0, logs)


def fit_temperature(scores: Float32Array, truth: IntArray) -> float:
    """The T at which the true classes are most likely, within :data:`T_RANGE`.

    The likelihood is log-concave in 1/T, so its slope changes sign once and bisection finds it.

    Args:
        scores: ``[n, classes]``, 0..1.
        truth: True class indices ``[n]``.
    """
    # In blocks, or 50,000 images of 1,000 classes would take gigabytes.
    blocks = list(row_blocks(len(truth)))
    # The logarithms of one block are kept, which is most often all.
    first = log_scores(scores[blocks[0]])
    powers = np.empty_like(first)

    def slope(inverse: float) -> float:
        total = 0.0
        for rows in blocks:
            logits = log_scores(scores[rows]) if rows.start else first
            shares = _softmax(logits, inverse, powers[: len(logits)])
            expected = np.sum(np.multiply(shares, logits, out=shares), axis=1)
            total += float(np.sum(expected - logits[np.arange(len(logits)), truth[rows]]))
        return total / len(truth)

    low, high = math.log(1.0 / T_RANGE[1]), math.log(1.0 / T_RANGE[0])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if slope(math.exp(middle)) < 0.0:
            low = middle
        else:
            high = middle
    return math.exp(-(low + high) / 2)


def cross_fitted(scores: Float32Array, truth: IntArray) -> Float32Array:
    """Scores at a temperature fitted on the other half of the images.

    Halves are every other image: sets are sorted by class, and each half has all of them.

    Args:
        scores: ``[n, classes]``, 0..1.
        truth: True class indices ``[n]``.

    Returns:
        float32 ``[n, classes]``; unchanged if there is only one image.
    """
    if len(truth) < 2:
        return scores
    after = score_table(*scores.shape)
    even, odd = slice(0, None, 2), slice(1, None, 2)
    for half, other in ((even, odd), (odd, even)):
        # Views, no copies: each half may be gigabytes.
        _soften(scores[half], fit_temperature(scores[other], truth[other]), after[half])
    return after


def temperature_report(scores: Float32Array, truth: IntArray) -> TemperatureReport:
    """Measures one model.

    Args:
        scores: ``[n, classes]``, 0..1.
        truth: True class indices ``[n]``.
    """
    return TemperatureReport(
        temperature=fit_temperature(scores, truth),
        ece=expected_calibration_error(scores, truth),
        ece_after=expected_calibration_error(cross_fitted(scores, truth), truth),
    )


def _softmax(logits: Float64Array, factor: float, out: Float64Array) -> Float64Array:
    """``softmax(factor * logits)``, written to ``out``: fresh memory would cost as much as the arithmetic."""
    np.multiply(logits, factor, out=out)
    np.subtract(out, out.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    np.divide(out, out.sum(axis=1, keepdims=True), out=out)
    return out
