"""Compares an artifact's scores with the full model's on the same labelled images, and lets a gate decide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_runtime.bundle.manifest import WorstClass
from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import DataError
from edge_runtime.engines.result import Float32Array
from exporter.statistics.drift import agreement, expected_calibration_error, floored_kl, worst_class
from exporter.statistics.gate import DEFAULT_MARGIN, Gate, GateVerdict, Stop, fixed_gate
from exporter.statistics.row_blocks import finite_rows, largest_changes

EXACT_DP = 1e-4
"""Largest score difference of a float export; a larger one is a conversion error."""


class _Stopped(Strict, frozen=True, kw_only=True):
    """Holds the one field that older records lack, so that the others stay positional."""

    stop: Stop | None = None


class Comparison(_Stopped, frozen=True):
    """An artifact against the full model, on the same labelled images.

    Attributes:
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        reason: The reason, in words.
        top1: The artifact's top-1, 0..1.
        delta: Its top-1 minus the full model's.
        bound: Lower end of the one-sided 95 % interval of delta.
        upper: Upper end of the one-sided 95 % interval of delta.
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        agreement: Share of images with the same top-1.
        kl: Mean KL divergence in nats, scores floored at 1/512.
        max_abs_dp: Largest change of any score.
        ece: Expected calibration error, 15 bins.
        worst_class: The class that lost most.
        images_needed: How many images like these would decide; None if it is decided, or if no number
            would.
        stop: Where a sequential check stopped; ``bound`` and ``upper`` are then those of that look, and hold at
            every look. None after a check of a fixed number of images.
    """

    verdict: GateVerdict
    reason: str
    top1: float
    delta: float
    bound: float
    upper: float
    lost: int
    won: int
    agreement: float
    kl: float
    max_abs_dp: float
    ece: float
    worst_class: WorstClass
    images_needed: int | None


def compare(
    reference: Float32Array,
    candidate: Float32Array,
    truth: IntArray,
    labels: Sequence[str],
    *,
    margin: float = DEFAULT_MARGIN,
    exact: bool = False,
    gate: Gate = fixed_gate,
) -> Comparison:
    """Compares an artifact's scores with the full model's.

    Args:
        reference: The full model's scores, float32 ``[n, classes]``.
        candidate: The artifact's, of the same images.
        truth: True class indices, int64 ``[n]``.
        labels: Class names.
        margin: Largest top-1 drop that passes, in fractions of 1.
        exact: Also require equal scores, within :data:`EXACT_DP`.
        gate: Decides on the top-1 difference.

    Raises:
        DataError: There are no images, or the shapes differ.
    """
    n = len(truth)
    if not n or reference.shape != candidate.shape or reference.shape != (n, len(labels)):
        raise DataError(
            "A comparison needs the same labelled images for both models. Received: scores "
            f"{list(reference.shape)} and {list(candidate.shape)}, {n} labels of {len(labels)} classes. "
            "Pass --data with images of these classes."
        )
    right = reference.argmax(axis=1) == truth
    right_now = candidate.argmax(axis=1) == truth
    lost = int(np.sum(right & ~right_now))
    won = int(np.sum(~right & right_now))
    found = gate(right, right_now, margin)
    verdict, reason = found.verdict, found.reason
    finite = bool(finite_rows(candidate).all())
    if not finite:
        # Zeros from here on: the record of a failure must still hold numbers.
        candidate = np.nan_to_num(candidate, nan=0.0, posinf=0.0, neginf=0.0)
    max_abs_dp = float(largest_changes(candidate, reference).max())
    if exact and max_abs_dp > EXACT_DP:
        verdict, reason = "fail", exact_reason(max_abs_dp)
    if not finite:
        verdict, reason = "fail", "some of its scores are not numbers"
    return Comparison(
        verdict=verdict,
        reason=reason,
        top1=float(right_now.mean()),
        delta=(won - lost) / n,
        bound=found.bound,
        upper=found.upper,
        lost=lost,
        won=won,
        agreement=agreement(reference, candidate),
        kl=floored_kl(reference, candidate),
        max_abs_dp=max_abs_dp,
        ece=expected_calibration_error(candidate, truth),
        worst_class=worst_class(right, right_now, truth, labels),
        images_needed=found.images_needed if verdict == "inconclusive" else None,
        stop=found.stop,
    )


def exact_reason(max_abs_dp: float) -> str:
    """Why a float export fails, in words.

    Args:
        max_abs_dp: The largest change of any score, above :data:`EXACT_DP`.
    """
    return f"a float export's scores must equal the full model's to {EXACT_DP:g}, not {max_abs_dp:.2g}"
