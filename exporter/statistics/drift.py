"""How much an artifact's scores differ from the full model's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.bundle.manifest import WorstClass
from edge_runtime.common.arrays import BoolArray, IntArray
from edge_runtime.engines.result import Float32Array
from exporter.statistics.row_blocks import row_blocks

KL_FLOOR = 1.0 / 512.0
"""Half a step of an 8-bit score: without it, the KL is 0.65 on ImageNet at no loss of accuracy."""

ECE_BINS = 15
"""Bins of equal width, as in Guo et al. 2017, On Calibration of Modern Neural Networks."""


def agreement(reference: Float32Array, candidate: Float32Array) -> float:
    """Share of images with the same best class, 0..1.

    Args:
        reference: Scores ``[n, classes]``.
        candidate: Scores ``[n, classes]``.
    """
    return float(np.mean(reference.argmax(axis=1) == candidate.argmax(axis=1)))


def floored_kl(reference: Float32Array, candidate: Float32Array) -> float:
    """Mean KL(reference || candidate) in nats, both floored at :data:`KL_FLOOR` and renormalised.

    Args:
        reference: Scores ``[n, classes]``.
        candidate: Scores ``[n, classes]``.
    """
    total = 0.0
    for rows in row_blocks(len(reference)):
        full = np.maximum(reference[rows].astype(np.float64), KL_FLOOR)
        small = np.maximum(candidate[rows].astype(np.float64), KL_FLOOR)
        full /= full.sum(axis=1, keepdims=True)
        small /= small.sum(axis=1, keepdims=True)
        total += float(np.sum(full * np.log(full / small)))
    return total / len(reference)


def expected_calibration_error(scores: Float32Array, truth: IntArray) -> float:
    """Mean gap between the best score and how often it is right, over :data:`ECE_BINS` bins, 0..1.

    Args:
        scores: ``[n, classes]``.
        truth: True class indices ``[n]``.
    """
    best = scores.max(axis=1).astype(np.float64)
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    bins = np.clip((best * ECE_BINS).astype(np.int64), 0, ECE_BINS - 1)
    gaps = np.bincount(bins, weights=right - best, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(truth))


def worst_class(right: BoolArray, right_now: BoolArray, truth: IntArray, labels: Sequence[str]) -> WorstClass:
    """The class whose top-1 fell most.

    Args:
        right: Images that the full model names right ``[n]``.
        right_now: Images that the artifact names right ``[n]``.
        truth: True class indices ``[n]``.
        labels: Class names.
    """
    images = np.bincount(truth, minlength=len(labels))
    change = np.bincount(truth, weights=right_now.astype(float) - right, minlength=len(labels))
    present = np.flatnonzero(images)
    deltas = change[present] / images[present]
    place = int(np.argmin(deltas))
    return WorstClass(label=labels[int(present[place])], delta=float(deltas[place]))
