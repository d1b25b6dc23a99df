"""The gate: is an artifact as good as the full model on the same labelled images?

Of n images, only the full model classifies L correctly ("lost") and only the artifact W ("won").
The true top-1 difference, artifact minus full model, is estimated by (W - L) / n and bounded on
either side by an exact one-sided 95 % bound (:mod:`edge_runtime.statistics.exact_bound`)::

    lower_bound(L, W, n) = -(the smallest drop d at which results as good as (L, W), or better,
                             have a probability of at most 5 %, for any share of wins)
    bound = lower_bound(L, W, n)         upper = -lower_bound(W, L, n)

A result is better than another if its score bound is higher (Tango 1998, :mod:`edge_runtime.statistics.paired_score`);
the bound that respects an order in this way is Buehler's (1957).

``pass`` if bound > -margin: worse by the margin is excluded. ``fail`` if upper < -margin: the artifact
is worse by more than the margin. Otherwise ``inconclusive``.

Exact means that it relies on no approximation. For any n, margin and share of changed answers: of all
sets of n images that could have been drawn, at most 5 % pass an artifact whose true drop is the margin
or more, and at most 5 % fail one whose true drop is the margin or less. One more loss never helps, one
more win never hurts, and what passes at a margin passes at any wider one.

The guarantee holds for a single look at images that nothing was fitted to. With images that
calibrated an artifact, or that were checked repeatedly until it passed, it is weaker.

The fewest images that can pass, with none lost: 59 for a margin of 5 points, 149 for 2, 299 for 1, 598
for half a point. ``python -m benchmarks.gate_size`` measures how often the gate errs and how
often it can decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edge_runtime.bundle.manifest import WorstClass
from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.arrays import IntArray
from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.engines.result import Float32Array
from edge_runtime.statistics.exact_bound import lower_bound
from edge_runtime.statistics.paired_score import score_bound
from exporter.statistics.drift import agreement, expected_calibration_error, floored_kl, worst_class

DEFAULT_MARGIN = 0.02
"""Largest top-1 drop that passes, in fractions of 1."""

EXACT_DP = 1e-4
"""Largest score difference of a float export; a larger one is a conversion error."""

_MOST_IMAGES = 10_000_000

_EXACT_IMAGES = 10_000
"""Up to this number of images, :func:`images_needed` is confirmed with the exact bound."""

GateVerdict = Literal["pass", "fail", "inconclusive"]


class Comparison(Strict, frozen=True):
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


def check_margin(margin: float) -> float:
    """Returns the margin if it is valid.

    Raises:
        UsageError: It is not between 0 and 1.
    """
    if not 0.0 < margin < 1.0:
        raise UsageError(
            f"A margin must be above 0 and below 1 (0.02 is 2 points). Received: {margin}. Pass --margin 0.02."
        )
    return margin


def paired_interval(lost: int, won: int, n: int) -> tuple[float, float]:
    """Exact one-sided 95 % bounds of the top-1 difference, artifact minus full model.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.

    Returns:
        Lower and upper bound, in fractions of 1.
    """
    return lower_bound(lost, won, n), 0.0 - lower_bound(won, lost, n)


def decide(lost: int, won: int, n: int, margin: float) -> GateVerdict:
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


def images_needed(lost: int, won: int, n: int, margin: float) -> int | None:
    """About how many images, with losses and wins at the same rates, would decide.

    The score bound gives a starting point; from there the number is raised until the exact bound decides
    too, up to :data:`_EXACT_IMAGES`.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.
        margin: Largest drop that passes.

    Returns:
        The number of images; None if even ten million would not decide.
    """
    if decide(lost, won, n, margin) != "inconclusive":
        return n
    # With more images the bounds approach the observed difference, on whichever side of the margin it is.
    passes = (won - lost) / n > -margin

    def roughly(count: int) -> bool:
        share = count / n
        if passes:
            return score_bound(lost * share, won * share, count) > -margin
        return score_bound(won * share, lost * share, count) > margin

    def exactly(count: int) -> bool:
        losses = round(lost * count / n)
        wins = min(round(won * count / n), count - losses)
        return decide(losses, wins, count, margin) == ("pass" if passes else "fail")

    low = high = n
    while not roughly(high):
        if high >= _MOST_IMAGES:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if roughly(middle) else (middle, high)
    count = max(high, n + 1)
    while count <= _EXACT_IMAGES and not exactly(count):
        count += max(1, count // 100)
    return count


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
        exact: Also require equal scores, within :data:`EXACT_DP`.

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
    bound, upper = paired_interval(lost, won, n)
    needed = images_needed(lost, won, n, margin) if decide(lost, won, n, margin) == "inconclusive" else None
    finite = bool(np.isfinite(candidate).all())
    if not finite:
        # Zeros from here on: the record of a failure must still hold numbers.
        candidate = np.nan_to_num(candidate, nan=0.0, posinf=0.0, neginf=0.0)
    max_abs_dp = float(np.max(np.abs(candidate.astype(np.float64) - reference.astype(np.float64))))
    verdict, reason = _verdict(lost, won, n, margin, needed, max_abs_dp if exact else 0.0)
    if not finite:
        verdict, reason = "fail", "some of its scores are not numbers"
    return Comparison(
        verdict=verdict,
        reason=reason,
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
        images_needed=needed if verdict == "inconclusive" else None,
    )


def _verdict(
    lost: int, won: int, n: int, margin: float, needed: int | None, must_be_small: float
) -> tuple[GateVerdict, str]:
    if must_be_small > EXACT_DP:
        return "fail", exact_reason(must_be_small)
    bound, upper = paired_interval(lost, won, n)
    verdict = decide(lost, won, n, margin)
    points = f"{100 * margin:g} points"
    if verdict == "pass":
        return verdict, f"a drop of {points} is excluded: at most {-100 * bound:.2f} (95 %)"
    if verdict == "fail":
        return verdict, f"it is worse by more than {points}: at least {-100 * upper:.2f} (95 %)"
    about = (
        f"about {needed:,} images would decide" if needed else "no number of images like these would decide"
    )
    return verdict, f"{n:,} images cannot tell whether the drop is below {points}; {about}"


def exact_reason(max_abs_dp: float) -> str:
    """Why a float export fails, in words.

    Args:
        max_abs_dp: The largest change of any score, above :data:`EXACT_DP`.
    """
    return f"a float export's scores must equal the full model's to {EXACT_DP:g}, not {max_abs_dp:.2g}"


def overall(verdicts: Sequence[GateVerdict]) -> GateVerdict:
    """The verdict on a bundle: the worst of its artifacts'."""
    order: tuple[GateVerdict, ...] = ("fail", "inconclusive", "pass")
    return min(verdicts, key=order.index)
