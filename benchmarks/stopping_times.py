"""When a sequential check stops, by dynamic programming over (lost, won): exact, without random numbers.

After n images the wealth depends on how many are lost and won only, so the check is a Markov chain over
(lost, won) with an absorbing end. For every (lost, won) the first n that passes and the last n that
fails are found by bisection: an image on which both models agree raises the wealth of one bet and
lowers that of the other. Then the probabilities of all (lost, won) are moved on, image by image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_runtime.common.arrays import BoolArray, Float64Array, IntArray
from edge_runtime.statistics.betting import excludes

_NEVER = 1 << 20
_NEGLIGIBLE = 1e-15
"""States at the edge with less probability in their whole row are dropped: below 1e-10 in all."""


@dataclass(frozen=True)
class StoppingTimes:
    """How likely a check stops at each image.

    Attributes:
        passed: Probability of ``pass`` at image n, float64 ``[most + 1]``.
        failed: Of ``fail``.
    """

    passed: Float64Array
    failed: Float64Array

    def quantile(self, share: float) -> int | None:
        """Images after which a share of all checks have stopped; None if fewer do.

        Args:
            share: 0..1.
        """
        total = np.cumsum(self.passed + self.failed)
        return int(np.searchsorted(total, share)) if total[-1] >= share else None


def stopping_times(lost_rate: float, won_rate: float, margin: float, most: int) -> StoppingTimes:
    """Computes the distribution of the stopping time for one truth.

    Args:
        lost_rate: Probability that an image is lost.
        won_rate: Probability that it is won; together at most 1.
        margin: Largest drop that passes.
        most: Images on hand.
    """
    # Ten standard deviations: what is beyond has a probability below 1e-15.
    shape = (_room(most, lost_rate), _room(most, won_rate))
    lost, won = np.indices(shape)
    passes = _first(lost, won, lambda n: excludes(lost, won, n, margin))
    last = _first(lost, won, lambda n: ~excludes(won, lost, n, -margin)) - 1
    chances = np.zeros((shape[0] + 1, shape[1] + 1))
    chances[0, 0] = 1.0
    passed, failed = np.zeros(most + 1), np.zeros(most + 1)
    top = right = 1
    low = left = 0
    for n in range(1, most + 1):
        top, right = min(top + 1, shape[0]), min(right + 1, shape[1])
        here = chances[low:top, left:right]
        moved = here * (1.0 - lost_rate - won_rate)
        moved[1:] += lost_rate * here[:-1]
        moved[:, 1:] += won_rate * here[:, :-1]
        good, bad = passes[low:top, left:right] <= n, last[low:top, left:right] >= n
        passed[n], failed[n] = moved[good].sum(), moved[bad].sum()
        moved[good | bad] = 0.0
        chances[low:top, left:right] = moved
        if n % 16 == 0:
            rows = np.flatnonzero(moved.sum(axis=1) > _NEGLIGIBLE)
            columns = np.flatnonzero(moved.sum(axis=0) > _NEGLIGIBLE)
            if not len(rows) or not len(columns):
                break
            kept = chances[
                low + rows[0] : low + rows[-1] + 1, left + columns[0] : left + columns[-1] + 1
            ].copy()
            chances[low:top, left:right] = 0.0
            low, left = low + int(rows[0]), left + int(columns[0])
            top, right = low + kept.shape[0], left + kept.shape[1]
            chances[low:top, left:right] = kept
    return StoppingTimes(passed, failed)


def _room(most: int, rate: float) -> int:
    return min(most, int(most * rate + 10.0 * np.sqrt(most * rate) + 20.0)) + 1


def _first(lost: IntArray, won: IntArray, holds: Callable[[IntArray], BoolArray]) -> IntArray:
    """The first n for which a condition holds that stays true, at each (lost, won)."""
    low, high = lost + won - 1, np.full(lost.shape, _NEVER)
    while np.any(high - low > 1):
        middle = np.where(high - low > 1, (low + high) // 2, high)
        good = holds(middle)
        low, high = np.where(good, low, middle), np.where(good, middle, high)
    return high
