"""The gate: is an artifact as good as the full model, on the same labelled images?

The top-1 difference is judged by a paired one-sided 95 % bound (Agresti and Min 2005:
half an image is added to each of the four cells of the paired table). With n images,
L that only the full model names right and W that only the artifact does::

    n' = n + 2   l = L + 0.5   w = W + 0.5   D = (w - l) / n'
    se = sqrt((w + l) - (w - l)^2 / n') / n'
    bound = D - 1.645 se         upper = D + 1.645 se

``pass`` where bound > -margin: worse by the margin is excluded. ``fail`` where
upper < -margin: the artifact is worse by more than the margin. Else ``inconclusive``.

Where nothing is won the normal approximation is too sure of itself (81 images without a loss
would exclude 2 points, which an artifact 2 points worse passes one time in five), so the exact
bound on a proportion (Clopper and Pearson 1934) counts where it is lower::

    p = the rate at which L losses or fewer of n have probability 0.05       bound = min(bound, -p)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from edge_runtime.errors import DataError, UsageError
from edge_runtime.manifest import WorstClass
from edge_runtime.result import Float32Array
from exporter.drift import agreement, expected_calibration_error, floored_kl, worst_class

DEFAULT_MARGIN = 0.02
"""Largest top-1 drop that passes, in fractions of 1."""

EXACT_DP = 1e-4
"""Largest score difference of a float export; a larger one is a conversion error."""

Z_95 = 1.6448536269514722
"""Normal quantile of a one-sided 95 % bound."""

_MOST_IMAGES = 10_000_000

GateVerdict = Literal["pass", "fail", "inconclusive"]
IntArray: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Comparison:
    """An artifact against the full model on n images; fields as in the manifest's Metrics.

    Attributes:
        verdict: ``pass``, ``fail`` or ``inconclusive``.
        reason: Why, in words.
        n: Images.
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
        images_needed: How many images like these would decide; None where it is
            decided, or where no number would.
    """

    verdict: GateVerdict
    reason: str
    n: int
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


def check_margin(margin: float) -> float:
    """Returns the margin if it can be one.

    Raises:
        UsageError: It is not between 0 and 1.
    """
    if not 0.0 < margin < 1.0:
        raise UsageError(
            f"A margin must be above 0 and below 1 (0.02 is 2 points). Received: {margin}. Pass --margin 0.02."
        )
    return margin


def paired_interval(lost: float, won: float, n: float) -> tuple[float, float]:
    """One-sided 95 % bounds of the top-1 difference, artifact minus full model.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.

    Returns:
        Lower and upper bound, in fractions of 1.
    """
    total, low, high = n + 2.0, lost + 0.5, won + 0.5
    difference = (high - low) / total
    error = math.sqrt((high + low) - (high - low) ** 2 / total) / total
    bound = difference - Z_95 * error
    return bound if won else min(bound, -most_losses(lost, n)), difference + Z_95 * error


def decide(lost: float, won: float, n: float, margin: float) -> GateVerdict:
    """The verdict on the top-1 difference alone.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.
        margin: Largest drop that passes.
    """
    bound, upper = paired_interval(lost, won, n)
    if bound > -margin:
        return "pass"
    return "fail" if upper < -margin else "inconclusive"


def most_losses(lost: float, n: float) -> float:
    """Exact one-sided 95 % upper bound on the rate of losses (Clopper and Pearson 1934), 0..1.

    Args:
        lost: Losses seen.
        n: Images.
    """
    from scipy.special import betaincinv

    return 1.0 if lost >= n else float(betaincinv(lost + 1.0, n - lost, 0.95))


def images_needed(lost: int, won: int, n: int, margin: float) -> int | None:
    """How many images, with losses and wins at the same rates, would decide.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.
        margin: Largest drop that passes.

    Returns:
        The number of images; None if even ten million would not decide.
    """

    def decided(count: int) -> bool:
        return decide(lost * count / n, won * count / n, count, margin) != "inconclusive"

    if decided(n):
        return n
    high = n
    while not decided(high):
        if high >= _MOST_IMAGES:
            return None
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def compare(
    reference: Float32Array,
    candidate: Float32Array,
    truth: IntArray,
    labels: Sequence[str],
    *,
    margin: float = DEFAULT_MARGIN,
    exact: bool = False,
) -> Comparison:
    """Compares an artifact's scores with the full model's.

    Args:
        reference: The full model's scores, float32 ``[n, classes]``.
        candidate: The artifact's, of the same images.
        truth: True class indices, int64 ``[n]``.
        labels: Class names.
        margin: Largest top-1 drop that passes, in fractions of 1.
        exact: Also ask for scores that are equal to :data:`EXACT_DP`.

    Raises:
        DataError: There is no image, or the shapes differ.
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
    bound, upper = paired_interval(lost, won, n)
    finite = bool(np.isfinite(candidate).all())
    if not finite:
        # Counted as zeros from here on: the record of a failure must still be numbers.
        candidate = np.nan_to_num(candidate, nan=0.0, posinf=0.0, neginf=0.0)
    max_abs_dp = float(np.max(np.abs(candidate.astype(np.float64) - reference.astype(np.float64))))
    verdict, reason = _verdict(lost, won, n, margin, max_abs_dp if exact else 0.0)
    if not finite:
        verdict, reason = "fail", "its scores are not all numbers"
    return Comparison(
        verdict=verdict,
        reason=reason,
        n=n,
        top1=float(right_now.mean()),
        delta=(won - lost) / n,
        bound=bound,
        upper=upper,
        lost=lost,
        won=won,
        agreement=agreement(reference, candidate),
        kl=floored_kl(reference, candidate),
        max_abs_dp=max_abs_dp,
        ece=expected_calibration_error(candidate, truth),
        worst_class=worst_class(right, right_now, truth, labels),
        images_needed=images_needed(lost, won, n, margin) if verdict == "inconclusive" else None,
    )


def _verdict(lost: int, won: int, n: int, margin: float, must_be_small: float) -> tuple[GateVerdict, str]:
    if must_be_small > EXACT_DP:
        return (
            "fail",
            f"a float export's scores must equal the full model's to {EXACT_DP:g}, not {must_be_small:.2g}",
        )
    bound, upper = paired_interval(lost, won, n)
    verdict = decide(lost, won, n, margin)
    points = f"{100 * margin:g} points"
    if verdict == "pass":
        return verdict, f"a drop of {points} is excluded: at most {-100 * bound:.2f} (95 %)"
    if verdict == "fail":
        return verdict, f"it is worse by more than {points}: at least {-100 * upper:.2f} (95 %)"
    needed = images_needed(lost, won, n, margin)
    about = (
        f"about {needed:,} images would decide" if needed else "no number of images like these would decide"
    )
    return verdict, f"{n:,} images cannot tell whether the drop is below {points}; {about}"


def overall(verdicts: Sequence[GateVerdict]) -> GateVerdict:
    """The verdict on a bundle: the worst of its artifacts'."""
    order: tuple[GateVerdict, ...] = ("fail", "inconclusive", "pass")
    return min(verdicts, key=order.index)
