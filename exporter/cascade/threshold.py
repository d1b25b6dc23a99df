"""The threshold of a cascade, by a rule that was fixed in advance and needs calibration-side images only.

Answers that differ are too rare to set it by: of 500 photos a dozen, and the largest margin among them is a
matter of luck. How far the first model *overstates* the margin of its answer is measured on every image::

    overstatement = first's margin - the full model's margin of the same answer
    the answers differ  <=>  the full model's margin of it is negative  <=>  overstatement > first's margin

So a threshold that the overstatement stays below on 99 of 100 images keeps a wrong answer on at most one in
a hundred of those just above the threshold, and on far fewer of all: where the margin is large, it would
have to be overstated by even more. No image is passed on beyond the budget, which is below the limit of
:mod:`exporter.cascade.worth`: judging images are harder than those of the calibration side.

By that rule, a threshold from one half of 1,000 ImageNet photos agreed with the full model on at least 99.5 % of
the other half in 500 of 500 random splits, with 13 % passed on (``benchmarks/cascade.py``).
"""

from __future__ import annotations

import numpy as np

from edge_runtime.common.arrays import Float64Array
from edge_runtime.engines.result import Float32Array
from exporter.statistics.confidence import confidence_of

COVERED = 0.99
"""Share of images on which the first model overstates its margin by less than the threshold."""

BUDGET = 0.15
"""Largest share of calibration-side images below the threshold."""


def overstatements(first: Float32Array, full: Float32Array) -> Float64Array:
    """How much larger the first model's margin of its answer is than the full model's margin of that answer.

    Args:
        first: The first model's scores, float32 ``[n, classes]``, two classes or more.
        full: The full model's scores of the same images.

    Returns:
        float64 ``[n]``, -1..2; above the first's margin exactly where the answers differ, but for ties.
    """
    rows, answers = np.arange(len(first)), first.argmax(axis=1)
    others = full.astype(np.float64)
    own = others[rows, answers].copy()
    others[rows, answers] = -np.inf
    found: Float64Array = confidence_of(first) - (own - others.max(axis=1))
    return found


def threshold(first: Float32Array, full: Float32Array) -> float:
    """The margin below which an image is passed on.

    Args:
        first: The first model's scores of calibration-side images, float32 ``[n, classes]``.
        full: The full model's scores of the same images.

    Returns:
        The margin, 0..1.
    """
    covers = float(np.quantile(overstatements(first, full), COVERED))
    most = float(np.quantile(confidence_of(first), BUDGET))
    return min(max(0.0, covers), most, 1.0)
