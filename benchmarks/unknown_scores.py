"""Scores of how known an image looks that :mod:`benchmarks.unknown_images` compares; higher is more known.

============================ =================================================================================
from scores                  best score, margin, entropy, and the best logit above the mean logit
from features                Mahalanobis distance to the nearest class mean, with and without features of length
                             1, relative to one Gaussian of all classes; cosine of and distance to the nearest
                             train images; what a principal subspace leaves out (the residual of ViM)
``nearest``                  what an export uses; see :mod:`edge_runtime.rules.known_score`
============================ =================================================================================

The energy score needs logits; from scores of a softmax their sum cannot be had, and what is left of it is the best
logit above the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from edge_runtime.bundle.rules import Confidence
from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.engines.result import Float32Array
from edge_runtime.rules.known_score import NearestParameters, nearest, negative_entropy
from exporter.rules.known import nearest_parameters
from exporter.statistics.confidence import confidence_of

Values: TypeAlias = Float64Array

_TINY = 1e-12


@dataclass(frozen=True)
class Seen:
    """What a file says of some images.

    Attributes:
        scores: float32 ``[n, classes]``.
        features: float32 ``[n, size]``.
    """

    scores: Float32Array
    features: Float32Array


Score = Callable[[Seen], Values]
Prepare = Callable[[Seen, IntArray, Seen], Score]
"""Train images, their classes, val images -> the score. Only combinations look at val images, for their scale."""


def _confidence(kind: Confidence) -> Prepare:
    return lambda fit, truth, val: lambda seen: confidence_of(seen.scores, kind)


def _best_logit(fit: Seen, truth: IntArray, val: Seen) -> Score:
    def score(seen: Seen) -> Values:
        logits = np.log(np.maximum(seen.scores.astype(np.float64), _TINY))
        return np.asarray(logits.max(axis=1) - logits.mean(axis=1))

    return score


def _entropy(fit: Seen, truth: IntArray, val: Seen) -> Score:
    return lambda seen: np.array([negative_entropy(scores) for scores in seen.scores])


def _unit(features: Any) -> Float64Array:
    raw = np.asarray(features, dtype=np.float64)
    return np.asarray(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), _TINY))


def _raw(features: Any) -> Float64Array:
    return np.asarray(features, dtype=np.float64)


def _precision(rows: Float64Array, shrinkage: float) -> Float64Array:
    """The inverse of a covariance that is shrunk towards a multiple of the identity."""
    size = rows.shape[1]
    covariance = rows.T @ rows / len(rows)
    ridge = max(_TINY, float(np.trace(covariance)) / size)
    return np.asarray(np.linalg.inv((1.0 - shrinkage) * covariance + shrinkage * ridge * np.eye(size)))


def _squared(rows: Float64Array, means: Float64Array, precision: Float64Array) -> Float64Array:
    apart = [rows - mean for mean in means]
    return np.asarray(np.min([((one @ precision) * one).sum(axis=1) for one in apart], axis=0))


def _mahalanobis(
    form: Callable[[Any], Float64Array], *, shrinkage: float = 0.1, relative: bool = False
) -> Prepare:
    def prepare(fit: Seen, truth: IntArray, val: Seen) -> Score:
        rows = form(fit.features)
        means = np.stack([rows[truth == label].mean(axis=0) for label in np.unique(truth)])
        within = _precision(rows - means[np.unique(truth, return_inverse=True)[1]], shrinkage)
        middle = rows.mean(axis=0, keepdims=True)
        everything = _precision(rows - middle, shrinkage) if relative else None

        def score(seen: Seen) -> Values:
            found = form(seen.features)
            distance = _squared(found, means, within)
            return -distance if everything is None else _squared(found, middle, everything) - distance

        return score

    return prepare


def _neighbours(k: int, *, centred: bool = False) -> Prepare:
    def prepare(fit: Seen, truth: IntArray, val: Seen) -> Score:
        middle = _raw(fit.features).mean(axis=0) if centred else 0.0
        bank = _unit(_raw(fit.features) - middle)
        return lambda seen: np.sort(_unit(_raw(seen.features) - middle) @ bank.T, axis=1)[:, -k]

    return prepare


def _residual(rank: int, *, form: Callable[[Any], Float64Array] = _raw) -> Prepare:
    def prepare(fit: Seen, truth: IntArray, val: Seen) -> Score:
        rows = form(fit.features)
        middle = rows.mean(axis=0)
        directions = np.linalg.svd(rows - middle, full_matrices=False)[2][:rank]

        def score(seen: Seen) -> Values:
            found = form(seen.features) - middle
            inside = found @ directions.T
            return np.asarray(-np.maximum(0.0, (found**2).sum(axis=1) - (inside**2).sum(axis=1)))

        return score

    return prepare


def _nearest(fit: Seen, truth: IntArray, val: Seen) -> Score:
    parameters = NearestParameters.decoded(nearest_parameters(fit.features).encoded(), "parameters")
    return lambda seen: np.array([nearest(parameters, features) for features in seen.features])


def _sum(*parts: Prepare) -> Prepare:
    """The sum of scores, each in standard deviations of val images."""

    def prepare(fit: Seen, truth: IntArray, val: Seen) -> Score:
        scores = [part(fit, truth, val) for part in parts]
        scales = [max(_TINY, float(score(val).std())) for score in scores]
        return lambda seen: np.asarray(
            sum(score(seen) / scale for score, scale in zip(scores, scales, strict=True))
        )

    return prepare


CANDIDATES: dict[str, Prepare] = {
    "best score": _confidence("top"),
    "margin": _confidence("margin"),
    "entropy": _entropy,
    "best logit above the mean": _best_logit,
    "length of the features": lambda fit, truth, val: lambda seen: np.linalg.norm(seen.features, axis=1),
    "Mahalanobis, class means": _mahalanobis(_raw),
    "Mahalanobis, relative": _mahalanobis(_raw, relative=True),
    "Mahalanobis, class means, length 1": _mahalanobis(_unit),
    "cosine to the nearest image": _neighbours(1),
    "cosine to the 5th nearest image": _neighbours(5),
    "cosine to the nearest image, centred": _neighbours(1, centred=True),
    "residual of 64 directions": _residual(64),
    "residual of 64 directions, length 1": _residual(64, form=_unit),
    "entropy + cosine to the nearest image": _sum(_entropy, _neighbours(1)),
    "entropy + nearest": _sum(_entropy, _nearest),
    "nearest (what an export uses)": _nearest,
}
"""By name, in the order of the table."""
