"""Orders the results of a paired comparison by how favourable they are for the artifact: a score bound.

Of n images, only the full model classifies L correctly ("lost") and only the artifact W ("won"); with
lost and won rates pL and pW the true difference is D = pW - pL. Tango (1998, Statistics in Medicine 17,
891-908) tests a value of D by the observed difference, in units of its standard error under that
value::

    a = 2 n     b = (2 n - W + L) D - (L + W)     c = -L D (1 - D)
    pL(D) = (sqrt(b^2 - 4 a c) - b) / (2 a)                   most likely pL given D
    T(D) = (W - L - (L + W) / (n + 1) - n D) / sqrt(n (2 pL(D) + D (1 - D)))

The term ``(L + W) / (n + 1)`` is not Tango's but a continuity correction: if the models differ on
nearly every image, W - L changes in steps of two, and half a step is one image; if they differ on few,
it vanishes. The exact bound must hold in both cases, and without the correction the first, which does
not occur in practice, would cost power in the second (96.2 instead of 96.8 % at 1,000 images, a margin
of 2 points and 1.5 % lost and won).

The score bound is the D at which T(D) = 1.645; T falls as D rises. The higher it is, the better the
result. By itself it is an approximate 95 % bound at any number of images; the exact bound
(:mod:`edge_runtime.statistics.exact_bound`) uses only the order it defines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_runtime.common.arrays import BoolArray, IntArray

Z_95 = 1.6448536269514722
"""Normal quantile of a one-sided 95 % bound."""

_ROUNDS, _POINTS = 6, 1025
"""Each round narrows the search by 1,024: 2 / 1024^6 is below a double's precision."""


def supports(lost: Any, won: Any, n: float, difference: Any) -> BoolArray:
    """Whether T(difference) is at least 1.645, which rejects a true difference of that or less.

    Args:
        lost: Images that only the full model names right; a number or an array.
        won: Images that only the artifact names right; as ``lost``.
        n: All images.
        difference: The tested value of D, -1..1; as ``lost``.
    """
    a = 2.0 * n
    b = (a - won + lost) * difference - (lost + won)
    c = -lost * difference * (1.0 - difference)
    root = np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))
    # The second form of the root avoids subtracting two nearly equal numbers.
    with np.errstate(divide="ignore", invalid="ignore"):
        lost_rate = np.where(b <= 0.0, (root - b) / (2.0 * a), -2.0 * c / (root + b))
    variance = n * (2.0 * lost_rate + difference * (1.0 - difference))
    excess = won - lost - (lost + won) / (n + 1.0) - n * difference
    found: BoolArray = (excess > 0.0) & (excess * excess >= Z_95 * Z_95 * variance)
    return found


def score_bound(lost: float, won: float, n: float) -> float:
    """The score bound, rounded down; -1 if every image is lost.

    Args:
        lost: Images that only the full model names right; fractions of images are allowed.
        won: Images that only the artifact names right.
        n: All images.
    """
    low, high = -1.0, 1.0
    for _ in range(_ROUNDS):
        points = np.linspace(low, high, _POINTS)
        place = int(np.count_nonzero(supports(lost, won, n, points[1:])))
        low, high = float(points[place]), float(points[min(place + 1, _POINTS - 1)])
    return low


def at_least_as_good(lost: int, won: int, n: int) -> IntArray:
    """All results of n images at least as good as this one.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images.

    Returns:
        int64 ``[n + 1]``, see :func:`results_from`.
    """
    # Slightly lower, so that this result and ties with it are included.
    return results_from(score_bound(lost, won, n) - 1e-12, n)


def results_from(least: float, n: int) -> IntArray:
    """All results of n images with at least this score bound.

    Args:
        least: A score bound.
        n: All images.

    Returns:
        int64 ``[n + 1]``: for m images lost or won, the largest number that may be lost; -1 if not even m
        wins are enough. From one m to the next it stays equal or rises by one.
    """
    discordant = np.arange(n + 1)
    if least <= -1.0:
        return discordant
    low, high = np.full(n + 1, -1), discordant.copy()
    while np.any(low < high):
        middle = (low + high + 1) // 2
        good = supports(middle, discordant - middle, n, least)
        low, high = np.where(good, middle, low), np.where(good, high, middle - 1)
    # One loss less or one win more is never worse. T has this property wherever it was tested (for
    # all results of up to 60 images); the exact bound depends on it, so it is enforced here.
    fewer_losses = discordant + np.maximum.accumulate((low - discordant)[::-1])[::-1]
    most: IntArray = np.maximum(np.maximum.accumulate(low), fewer_losses)
    return most
