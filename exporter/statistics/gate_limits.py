"""The gate as a table: for a number of images and a margin, everything that passes and everything that fails.

The results of n images are ordered by their score bound (:mod:`edge_runtime.statistics.exact_bound`), and what
passes is a beginning of that order. So two lists hold the whole gate::

    passes   lost <= most_lost[lost + won]       with  most_lost = passing(n, margin)
    fails    won  <= most_won[lost + won]        with  most_won  = passing(n, -margin)

A page without statistics can then give the same verdicts, and thousands of results are decided at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from edge_runtime.common.arrays import IntArray
from edge_runtime.statistics.exact_bound import LEVEL, STEPS, Region, lower_bound, size
from edge_runtime.statistics.paired_score import results_from, supports
from exporter.statistics.gate import GateVerdict


@dataclass(frozen=True)
class GateLimits:
    """What passes and what fails.

    Attributes:
        most_lost: int64 ``[n + 1]``: of m images lost or won, the most that may be lost by what passes; -1 if
            nothing passes.
        most_won: Of m images lost or won, the most that may be won by what fails; -1 if nothing fails.
    """

    most_lost: IntArray
    most_won: IntArray

    def settled(self, lost: int, won: int, open_: int) -> GateVerdict:
        """The verdict that stands however the open images are labelled.

        One more loss never helps and one more win never hurts, so the two extremes decide: all open images
        lost, or all won.

        Args:
            lost: Images known to be lost.
            won: Images known to be won.
            open_: Images whose answers differ and that have no label.

        Returns:
            ``inconclusive`` also where all labels would not settle it.
        """
        discordant = lost + won + open_
        if lost + open_ <= self.most_lost[discordant]:
            return "pass"
        return "fail" if won + open_ <= self.most_won[discordant] else "inconclusive"


@lru_cache(maxsize=8)
def gate_limits(n: int, margin: float) -> GateLimits:
    """The table of :func:`exporter.statistics.gate.decide`.

    Takes about 0.5 s at 1,000 images and 3 s at 5,000; the last ones are kept.

    Args:
        n: Images.
        margin: Largest drop that passes, in fractions of 1.
    """
    return GateLimits(passing(n, margin), passing(n, -margin))


def passing(n: int, drop: float) -> IntArray:
    """All results whose lower bound is above a drop.

    The set is found by bisection in the order of the results; at its edge the bound itself is asked.

    Args:
        n: Images.
        drop: The margin; minus the margin for what fails, with lost and won exchanged.

    Returns:
        int64 ``[n + 1]``: of m images lost or won, the most that may be lost; -1 for none.

    Raises:
        AssertionError: The bounds at the edge contradict it.
    """
    # Bounds are whole steps, so a bound above -drop is at least at the last step before it.
    last = math.ceil(drop * STEPS)
    while last / STEPS >= drop:
        last -= 1

    def allowed(least: float) -> bool:
        return size(Region(results_from(least, n)), last / STEPS) <= LEVEL

    low = high = -drop
    stride = 1.0 / n
    while not allowed(high):
        if high >= 1.0:
            return np.full(n + 1, -1, dtype=np.int64)
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
