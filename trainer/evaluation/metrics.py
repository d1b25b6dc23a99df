"""Metrics computed from scores and labels, and the scored images that the pages show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.core.cache import Int64Array

ECE_BINS = 15
"""Bins of the expected calibration error (Guo et al. 2017, arXiv 1706.04599)."""

FLOOR = 1e-7
"""Smallest probability in a logarithm, as in Keras."""


@dataclass(frozen=True)
class ScoredImages:
    """Labelled images with a model's scores.

    Attributes:
        labels: Class names in the order of the scores.
        refs: Name of each image.
        scores: float32 ``[n, classes]``, rows summing to 1.
        targets: int64 ``[n]``, the true classes.
        pixels: Returns the raw pixels of one image by index, uint8 ``[height, width, channels]``.
        predict: Scores further images, uint8 ``[m, height, width, channels]`` to float32
            ``[m, classes]``.
        model: The ``keras.Model`` on raw pixels; None for a bundle.
    """

    labels: tuple[str, ...]
    refs: tuple[str, ...]
    scores: Float32Array
    targets: Int64Array
    pixels: Callable[[int], UInt8Array]
    predict: Callable[[UInt8Array], Float32Array]
    model: Any = None


@dataclass(frozen=True)
class ClassMetrics:
    """Metrics of one class.

    Attributes:
        label: Its name.
        images: Number of images of the class.
        recall: Share of them that are classified correctly, 0..1; None without images.
        precision: Share of the predictions of this class that are correct, 0..1; None without any.
        f1: 2 TP / (2 TP + FP + FN), the harmonic mean of both, 0..1 (van Rijsbergen 1979,
            Information Retrieval, chapter 7); None without images.
    """

    label: str
    images: int
    recall: float | None
    precision: float | None
    f1: float | None


@dataclass(frozen=True)
class MacroMetrics:
    """Unweighted means over the classes with images.

    A class that is never predicted counts with precision 0. The macro F1 is the mean of the
    classes' F1, not the F1 of the two means (Opitz and Burst 2019, arXiv 1911.03347).

    Attributes:
        recall: Mean recall, also called balanced accuracy, 0..1.
        precision: Mean precision, 0..1.
        f1: Mean F1, 0..1.
    """

    recall: float
    precision: float
    f1: float


@dataclass(frozen=True)
class ReliabilityBin:
    """One bar of the reliability diagram (Niculescu-Mizil and Caruana 2005, ICML).

    Attributes:
        low: Lower bound of the confidence, 0..1, inclusive.
        high: Upper bound, exclusive; inclusive in the last bin.
        images: Number of images whose highest score is in the bin.
        confidence: Their mean highest score; None without images.
        accuracy: Share of them that is correct; None without images.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


def top1(scores: Float32Array, labels: Int64Array) -> float:
    """Returns the top-1 accuracy, 0..1; ties go to the first class.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    return float((scores.argmax(axis=1) == labels).mean())


def top_k(scores: Float32Array, labels: Int64Array, k: int) -> float:
    """Returns the top-k accuracy, 0..1.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
        k: At least 1.
    """
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(axis=1).mean())


def log_loss(scores: Float32Array, labels: Int64Array) -> float:
    """Returns the mean cross-entropy in nats.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    right = scores[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(right, FLOOR, 1.0)).mean())


def reliability(scores: Float32Array, labels: Int64Array) -> tuple[ReliabilityBin, ...]:
    """Returns the accuracy per confidence, in :data:`ECE_BINS` bins of equal width.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    sure = scores.max(axis=1).astype(np.float64)
    right = scores.argmax(axis=1) == labels
    place = np.minimum((sure * ECE_BINS).astype(int), ECE_BINS - 1)
    bins = []
    for index in range(ECE_BINS):
        inside = place == index
        count = int(inside.sum())
        bins.append(
            ReliabilityBin(
                low=index / ECE_BINS,
                high=(index + 1) / ECE_BINS,
                images=count,
                confidence=float(sure[inside].mean()) if count else None,
                accuracy=float(right[inside].mean()) if count else None,
            )
        )
    return tuple(bins)


def calibration_error(scores: Float32Array, labels: Int64Array) -> float:
    """Returns the expected calibration error, 0..1 (Guo et al. 2017, arXiv 1706.04599, equation 3).

    The distance between confidence and accuracy of each bin, averaged over all images.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    gaps = [
        bin_.images * abs(bin_.confidence - bin_.accuracy)
        for bin_ in reliability(scores, labels)
        if bin_.confidence is not None and bin_.accuracy is not None
    ]
    return sum(gaps) / len(labels)


def confusion(scores: Float32Array, labels: Int64Array) -> Int64Array:
    """Returns the confusion matrix, int64 ``[classes, classes]``: rows are true classes, columns predicted ones.

    Args:
        scores: float32 ``[n, classes]``.
        labels: int64 ``[n]``.
    """
    classes = scores.shape[1]
    flat: Any = np.bincount(labels * classes + scores.argmax(axis=1), minlength=classes * classes)
    return np.asarray(flat, np.int64).reshape(classes, classes)


def by_class(counts: Int64Array, labels: tuple[str, ...]) -> tuple[ClassMetrics, ...]:
    """Returns recall, precision and F1 of every class.

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
        # images + answers = (TP + FN) + (TP + FP).
        f1 = 2 * right / (images + answers) if images else None
        result.append(ClassMetrics(label, images, recall, precision, f1))
    return tuple(result)


def macro(per_class: tuple[ClassMetrics, ...]) -> MacroMetrics:
    """Returns the means over the classes with images.

    Args:
        per_class: What :func:`by_class` returns; at least one class must have images.
    """
    present = [entry for entry in per_class if entry.images]

    def mean(values: list[float | None]) -> float:
        return sum(value or 0.0 for value in values) / len(values)

    return MacroMetrics(
        recall=mean([entry.recall for entry in present]),
        precision=mean([entry.precision for entry in present]),
        f1=mean([entry.f1 for entry in present]),
    )
