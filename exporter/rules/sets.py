"""Which labels may be true: the smallest sets that hold the true class for a wanted share of images.

A label is in the set of an image if its score reaches a threshold, which is chosen so that the score of the true
class does for the wanted share of images (:mod:`exporter.statistics.conformal`): the sets cover at least that share,
on average over the images that made the rule.

The score of the true class itself (least ambiguous sets; Sadinle, Lei and Wasserman 2019, Journal of the American
Statistical Association 114, 223-234) gives the smallest sets on average of all that cover as much. Adaptive sets
(Romano, Sesia and Candes 2020) grow for hard images and cover them more evenly, but are larger: by how much is in
the result of ``benchmarks/abstain_promise.py``.

The best class is always in the set. Where the model's top-1 is above the wanted share, the sets cover about as much
as the top-1 alone, and most have one label.
"""

from __future__ import annotations

import numpy as np

from edge_runtime.bundle.rules import SetRule
from edge_runtime.common.arrays import BoolArray, IntArray
from edge_runtime.engines.result import Float32Array
from exporter.evidence.rules_record import SET_SIZES, SetReport
from exporter.statistics.conformal import conformal_threshold, fewest_images
from exporter.statistics.row_blocks import row_blocks


def fit_sets(scores: Float32Array, truth: IntArray, coverage: float) -> SetReport:
    """Makes the rule.

    Args:
        scores: float32 ``[n, classes]``.
        truth: True class indices ``[n]``.
        coverage: Share of images whose true class should be in the set, above 0 and below 1.
    """
    n = len(truth)
    threshold = conformal_threshold(scores[np.arange(n), truth], coverage)
    if threshold is None:
        needed = fewest_images(coverage)
        reason = f"sets that cover {100 * coverage:g} % need {needed} images; here are {n}, {needed - n} are missing"
        return SetReport(coverage, None, needed - n, reason)
    rule = SetRule(coverage, threshold)
    counts, _ = set_sizes(scores, threshold, truth)
    sizes = np.bincount(np.minimum(counts, SET_SIZES), minlength=SET_SIZES + 1)[1:]
    return SetReport(
        coverage,
        rule,
        mean_size=float(counts.mean()),
        largest=int(counts.max()),
        sizes=tuple(int(size) for size in sizes),
    )


def set_sizes(scores: Float32Array, threshold: float, truth: IntArray) -> tuple[IntArray, BoolArray]:
    """How many labels the sets have, and which of them hold the true class.

    Args:
        scores: float32 ``[n, classes]``.
        threshold: The least score of a label; the best one is in any case.
        truth: True class indices ``[n]``.

    Returns:
        int64 ``[n]`` and bool ``[n]``.
    """
    sizes, covered = np.empty(len(truth), dtype=np.int64), np.empty(len(truth), dtype=np.bool_)
    for rows in row_blocks(len(truth)):
        inside = members(scores[rows], threshold)
        sizes[rows] = inside.sum(axis=1)
        covered[rows] = inside[np.arange(len(inside)), truth[rows]]
    return sizes, covered


def members(scores: Float32Array, threshold: float) -> BoolArray:
    """Which labels are in the sets, as the runtime decides it.

    Args:
        scores: float32 ``[n, classes]``.
        threshold: The least score of a label; the best one is in any case.

    Returns:
        bool ``[n, classes]``.
    """
    inside: BoolArray = scores.astype(np.float64) >= threshold
    inside[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return inside
