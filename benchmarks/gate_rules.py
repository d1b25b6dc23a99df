"""Which results pass by which rule, and how probable they are, for :mod:`benchmarks.gate_size`.

A set of results is an int64 ``[n + 1]``: for m discordant images (lost or won), the largest number that may
be lost, -1 for no such number. The failing results are the passing ones with lost and won exchanged and a
negative drop.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.statistics.exact_bound import LEVEL, STEPS, Region, lower_bound, size
from edge_runtime.statistics.paired_score import Z_95, results_from, supports


def probability(most_lost: IntArray, lost_rate: float, won_rate: float) -> float:
    """Probability of a set of results, summed up plainly; shares no code with the exporter.

    Args:
        most_lost: The set, int64 ``[n + 1]``.
        lost_rate: Probability that an image is lost.
        won_rate: Probability that it is won.
    """
    from scipy.stats import binom

    n, rate = len(most_lost) - 1, lost_rate + won_rate
    # The rest has a probability below 1e-12.
    first, last = max(0, int(binom.ppf(1e-12, n, rate)) - 1), min(n, int(binom.isf(1e-12, n, rate)) + 1)
    discordant = np.arange(first, last + 1)
    inside = binom.cdf(most_lost[first : last + 1], discordant, lost_rate / rate)
    return float(np.sum(binom.pmf(discordant, n, rate) * inside))


def largest(most_lost: IntArray, drop: float, smaller_rates: Float64Array) -> float:
    """The largest probability of a set of results over a grid of worlds.

    Args:
        most_lost: The set.
        drop: True lost minus won rate.
        smaller_rates: The smaller of the two rates in each world.
    """
    lost, won = smaller_rates + max(drop, 0.0), smaller_rates + max(-drop, 0.0)
    return max(probability(most_lost, *rates) for rates in zip(lost, won, strict=True))


def passes_by_bound(n: int, drop: float) -> IntArray:
    """What passes by the gate that ships: all results with ``lower_bound`` above -drop.

    The set is found by bisection in the order of the results; at its edge the bound itself is asked.

    Args:
        n: Images.
        drop: The margin; minus the margin for what fails.

    Raises:
        AssertionError: The bounds at the edge contradict it.
    """

    def allowed(least: float) -> bool:
        # Bounds are rounded down to a step, so a bound above -drop is one step above.
        return size(Region(results_from(least, n)), drop - 1.0 / STEPS) <= LEVEL

    low = high = -drop
    stride = 1.0 / n
    while not allowed(high):
        low, high, stride = high, min(1.0, high + stride), 3.0 * stride
    stride = 1.0 / n
    while allowed(low):
        low, high, stride = max(-1.0, low - stride), low, 3.0 * stride
    while high - low > 1e-12:
        middle = (low + high) / 2.0
        low, high = (low, middle) if allowed(middle) else (middle, high)
        more = results_from(low, n) - results_from(high, n)
        if more.sum() == 1:
            break
    found = results_from(high, n)
    worst = _worst(found, n)
    assert worst is None or lower_bound(*worst, n) > -drop, (worst, n, drop)
    left = np.flatnonzero(results_from(low, n) > found)
    for m in left[:1]:
        lost = int(found[m]) + 1
        assert lower_bound(lost, int(m) - lost, n) <= -drop, (lost, int(m) - lost, n, drop)
    return found


def _worst(most_lost: IntArray, n: int) -> tuple[int, int] | None:
    """The last result of a set in the order of the score bound; None of an empty set."""
    discordant = np.flatnonzero(most_lost >= 0)
    lost = most_lost[discordant]
    low, high = np.full(len(lost), -1.0), np.ones(len(lost))
    for _ in range(50):
        middle = (low + high) / 2.0
        good = supports(lost, discordant - lost, n, middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    if not len(lost):
        return None
    place = int(np.argmin(low))
    return int(lost[place]), int(discordant[place] - lost[place])


def passes_by_score(n: int, drop: float) -> IntArray:
    """What passes by Tango's score test with the normal quantile 1.645.

    Args:
        n: Images.
        drop: The margin; minus the margin for what fails.
    """

    def passes(lost: IntArray, won: IntArray) -> Float64Array:
        # pW - pL = -drop; the likelihood's maximum under it is a root of a quadratic.
        b = -(lost + won) - (2 * n - won + lost) * drop
        c = lost * drop * (1.0 + drop)
        root = np.sqrt(np.maximum(b * b - 8.0 * n * c, 0.0))
        rate = np.maximum((root - b) / (4.0 * n), max(drop, 0.0))
        variance = n * (2.0 * rate - drop - drop * drop)
        return won - lost + n * drop - Z_95 * np.sqrt(np.maximum(variance, 1e-12))

    return _set(n, passes)


def passes_by_former(n: int, drop: float) -> IntArray:
    """What passed by the gate before: Agresti and Min, and Clopper and Pearson where nothing is won.

    Args:
        n: Images.
        drop: The margin; minus the margin for what fails.
    """
    from scipy.special import betaincinv

    def passes(lost: IntArray, won: IntArray) -> Float64Array:
        difference = (won - lost) / (n + 2.0)
        error = np.sqrt(lost + won + 1.0 - (won - lost) ** 2 / (n + 2.0)) / (n + 2.0)
        bound = difference - Z_95 * error
        if drop > 0.0:
            exact = np.where(lost < n, -betaincinv(lost + 1.0, np.maximum(n - lost, 1), 0.95), -1.0)
            bound = np.where(won == 0, np.minimum(bound, exact), bound)
        return bound + drop

    return _set(n, passes)


def _set(n: int, passes: Callable[[IntArray, IntArray], Float64Array]) -> IntArray:
    """The set of results for which ``passes(lost, won)`` is above 0."""
    discordant = np.arange(n + 1)
    low, high = np.full(n + 1, -1), discordant.copy()
    while np.any(low < high):
        middle = (low + high + 1) // 2
        good = passes(middle, discordant - middle) > 0.0
        low, high = np.where(good, middle, low), np.where(good, high, middle - 1)
    return low
