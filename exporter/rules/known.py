"""Which images to refuse: a rule whose threshold keeps 95 % of the images of the model's classes.

Parameters of the score come from images of the calibration side, which trained the model; the threshold from val
images, which did not (:mod:`exporter.statistics.conformal`). So at least 95 % are kept in the mean over val sets,
whatever the score is; one val set of 400 keeps 95 % with a standard deviation of 1.1 points. Nothing is promised
about unknown things: no set of them is all.

Which score is used was settled once by ``benchmarks/unknown_images.py``, and is not chosen on a user's images.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge_runtime.bundle.rules import KnownRule
from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.engines import Engine
from edge_runtime.engines.base import FEATURES
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from edge_runtime.rules.known_score import ENTROPY, NEAREST, KnownScorer, NearestParameters, file_bytes
from exporter.source.scoring import output_scorer
from exporter.statistics.conformal import conformal_threshold, fewest_images

Unknown = Literal["scores", "features", "auto"]
"""What the score is computed from; ``auto`` is features where the file has them, else scores."""

KEPT = 0.95
"""Share of images of the model's classes that count as known."""

MAX_RANK = 128
MAX_IMAGES = 500
MAX_BYTES = 480_000
"""Limits of the parameters, which travel to phones: 128 directions of 1,280 features take 461 kB, of 2,048 92 fit."""

_LEAST_VARIANCE = 1e-12
"""Of features of length 1 that do not differ at all, so that nothing is divided by 0."""

LEAST_IMAGES = 20
"""Fewer images of the calibration side do not say how training images look."""


@dataclass(frozen=True)
class Observed:
    """What a file says of some images.

    Attributes:
        scores: float32 ``[n, classes]``.
        features: float32 ``[n, size]``; None if it was not asked for them.
    """

    scores: Float32Array
    features: Float32Array | None = None


@dataclass(frozen=True)
class FittedKnown:
    """A rule for unknown things, or why there is none.

    Attributes:
        rule: The rule; None if there is none.
        scores: How known each val image looks, ``[n]``; empty without a rule.
        parameters: The content of the rule's file; empty if its score has none.
        missing: Images that are missing for a rule, 0 if it is not for that.
        reason: Why there is none, or why it is computed from scores where features were asked for; else empty.
    """

    rule: KnownRule | None
    scores: Float64Array = field(default_factory=lambda: np.empty(0))
    parameters: bytes = b""
    missing: int = 0
    reason: str = ""

    @property
    def files(self) -> dict[str, bytes]:
        """The rule's file by its path in the bundle; empty without one."""
        return {self.rule.file: self.parameters} if self.rule is not None and self.rule.file else {}


def output_of(engine: Engine, unknown: Unknown) -> str:
    """The further output that a file's rule reads; empty for none.

    Args:
        engine: The loaded file.
        unknown: What was asked for.
    """
    has = any(entry.name == FEATURES for entry in engine.outputs)
    return FEATURES if has and unknown != "scores" else ""


def fit_known(
    engine: Engine,
    scores: Float32Array,
    pixels: UInt8Array,
    calibration: UInt8Array,
    truth: IntArray | None,
    unknown: Unknown,
    *,
    kind: str,
    refused: str = "",
    progress: Progress = no_progress,
) -> FittedKnown:
    """Makes the rule of one artifact.

    Args:
        engine: The artifact, loaded; with its features output if it has one.
        scores: Its scores of the val images, float32 ``[n, classes]``.
        pixels: Val images, uint8 ``[n, height, width, channels]``.
        calibration: Images of the calibration side, uint8 ``[m, height, width, channels]``.
        truth: Their true classes; None if they show other things than the model's classes, and so cannot say how
            known images look.
        unknown: What the score is computed from.
        kind: The artifact's kind, which names the parameter file.
        refused: Why the file has no features output, in words; empty if that is not known.
        progress: Progress callback.
    """
    output = output_of(engine, unknown)
    reason = ""
    if unknown != "scores":
        reason = why_no_features(len(pixels), truth)
        if not (reason or output):
            reason = refused or "the file has no features output"
    if reason and unknown == "features":
        return FittedKnown(None, missing=max(0, fewest_images(KEPT) - len(pixels)), reason=reason)
    if reason:
        output = ""
    if not output:
        return fit_observed(Observed(scores), None, kind=kind, reason=reason)
    features_of = output_scorer(engine, output)
    step = f"looking at known images with {kind}"
    val = Observed(scores, features_of(pixels, progress, step))
    step = f"looking at training images with {kind}"
    seen = features_of(calibration, progress, step)
    return fit_observed(val, seen, kind=kind, output=output)


def why_no_features(val: int, truth: IntArray | None) -> str:
    """Why images do not allow a rule from features, in words; empty if they do.

    Args:
        val: Number of val images.
        truth: True classes of the images of the calibration side; None if there are none, or they show other things.
    """
    if val < fewest_images(KEPT):
        return _missing_val(val)
    if truth is None:
        return "there are no calibration images of the model's classes"
    if len(truth) < LEAST_IMAGES:
        missing = LEAST_IMAGES - len(truth)
        return (
            f"features need {LEAST_IMAGES} calibration images, here are {len(truth)}, {missing} are missing"
        )
    return ""


def fit_observed(
    val: Observed,
    calibration: Float32Array | None,
    *,
    kind: str,
    output: str = "",
    kept: float = KEPT,
    reason: str = "",
) -> FittedKnown:
    """Makes the rule from what an artifact said.

    Args:
        val: Of the val images.
        calibration: Features of images of the calibration side, float32 ``[m, size]``; None for a score without
            parameters.
        kind: The artifact's kind.
        output: The further output that the features are.
        kept: Share of images of the model's classes to keep, above 0 and below 1.
        reason: Why it is not made from features, for the record.
    """
    parameters, scorer = b"", KnownScorer(None)
    if calibration is not None:
        parameters = nearest_parameters(calibration).encoded()
        # As a device reads it: numbers are rounded in the file.
        scorer = KnownScorer(NearestParameters.decoded(parameters, kind))
    found = how_known(scorer, val)
    threshold = conformal_threshold(found, kept)
    if threshold is None:
        return FittedKnown(
            None, missing=fewest_images(kept) - len(found), reason=_missing_val(len(found), kept)
        )
    rule = KnownRule(
        score=NEAREST if parameters else ENTROPY,
        threshold=threshold,
        kept=kept,
        output=output if parameters else "",
        file=f"rules/{kind}_known.bin" if parameters else "",
        sha256=hashlib.sha256(parameters).hexdigest() if parameters else "",
    )
    return FittedKnown(rule, found, parameters, reason=reason)


def how_known(scorer: KnownScorer, seen: Observed) -> Float64Array:
    """How known each image looks, ``[n]``; higher is more known.

    Args:
        scorer: The scorer of a rule.
        seen: What the rule's file said of the images, with the output that the rule reads.
    """
    features = seen.features if seen.features is not None else [None] * len(seen.scores)
    return np.array([scorer.score(*pair) for pair in zip(seen.scores, features, strict=True)])


def _missing_val(val: int, kept: float = KEPT) -> str:
    needed = fewest_images(kept)
    return (
        f"{needed} val images tell which of them are the {100 * (1 - kept):g} % that look least known; "
        f"here are {val}, {needed - val} are missing"
    )


def nearest_parameters(features: Float32Array) -> NearestParameters:
    """The parameters of the score ``nearest``.

    Args:
        features: Of images of the calibration side, float32 ``[m, size]``, m at least 2.

    Returns:
        At most :data:`MAX_RANK` directions and :data:`MAX_IMAGES` images, evenly spread over those given; at most
        :data:`MAX_BYTES` in a file, but at least one direction.
    """
    raw = features.astype(np.float64)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    unit = raw / np.where(lengths > 0.0, lengths, 1.0)
    mean = unit.mean(axis=0)
    centred = unit - mean
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    places = np.unique(np.linspace(0, len(raw) - 1, MAX_IMAGES).astype(np.int64))
    size, count = raw.shape[1], len(places)
    fitting = (MAX_BYTES - file_bytes(size, 0, count)) // (
        file_bytes(size, 1, count) - file_bytes(size, 0, count)
    )
    rank = max(1, min(MAX_RANK, fitting, len(directions)))
    variances = singular**2 / len(raw)
    # A ridge of the mean variance: most of the many directions are seen through a few images only.
    ridge = max(_LEAST_VARIANCE, float(variances.sum()) / size)
    scales = 1.0 / np.sqrt(variances[:rank] + ridge)
    images = (centred[places] @ directions[:rank].T) * scales
    return NearestParameters(mean, scales, 1.0 / ridge, directions[:rank], images)
