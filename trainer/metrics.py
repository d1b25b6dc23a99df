"""How good scores are, from scores and labels alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.result import Float32Array
from trainer.cache import Int64Array

ECE_BINS = 15
"""Bins of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)."""

FLOOR = 1e-7
"""Smallest probability that a logarithm is taken of, as Keras does."""


@dataclass(frozen=True)
class ClassMetrics:
    """One class.

    Attributes:
        label: Its name.
        images: Images of the class.
        recall: Share of them that are named right, 0..1; None without images.
        precision: Share of what is named so that is right, 0..1; None when nothing is.
    """

    label: str
    images: int
    recall: float | None
    precision: float | None


def top1(scores: Float32Array, labels: Int64Array) -> float:
    """Share of images whose best class is right, 0..1; ties go to the first class.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    return float((scores.argmax(axis=1) == labels).mean())


def top_k(scores: Float32Array, labels: Int64Array, k: int) -> float:
    """Share of images whose class is among the k best, 0..1.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
        k: At least 1.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def log_loss(scores: Float32Array, labels: Int64Array) -> float:
    """Mean cross-entropy in nats.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    right = scores[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(right, FLOOR, 1.0)).mean())


def calibration_error(scores: Float32Array, labels: Int64Array) -> float:
    """Expected calibration error over :data:`ECE_BINS` equal bins, 0..1.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    sure = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == labels
    place = np.minimum((sure * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = [
        abs(float(sure[place == bin_].sum()) - float(right[place == bin_].sum())) for bin_ in range(ECE_BINS)
    ]
    return sum(gaps) / len(labels)


def confusion(scores: Float32Array, labels: Int64Array) -> Int64Array:
    """Counts, int64 ``[classes, classes]``: row the true class, column the answer.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    classes = scores.shape[1]
    flat: Any = np.bincount(labels * classes + scores.argmax(axis=1), minlength=classes * classes)
    return np.asarray(flat, np.int64).reshape(classes, classes)


def by_class(counts: Int64Array, labels: tuple[str, ...]) -> tuple[ClassMetrics, ...]:
    """Recall and precision of every class.

    Args:
        counts: What :func:`confusion` returns.
        labels: Class names.
    """
    result = []
    for index, label in enumerate(labels):
        images, answers = int(counts[index].sum()), int(counts[:, index].sum())
        right = int(counts[index, index])
        recall = right / images if images else None
        precision = right / answers if answers else None
        result.append(ClassMetrics(label, images, recall, precision))
    return tuple(result)
