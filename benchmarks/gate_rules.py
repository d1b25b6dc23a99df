"""Which results pass by which rule, and how probable they are, for :mod:`benchmarks.gate_size`.

A set of results is an int64 ``[n + 1]``: for m discordant images (lost or won), the largest number that may
be lost, -1 for no such number. The failing results are the passing ones with lost and won exchanged and a
negative drop.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.statistics.paired_score import Z_95


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
