"""A test of a mean that may be looked at after every observation: betting, and its bound.

Somebody bets, one observation after another, that the mean is above m; if it is not, no way of betting
has an expected gain. With observations X in -1..1 and f, the share of the wealth that the bet could lose::

    wealth_f(n) = product over i of (1 + f (X_i - m) / (1 + m)),        0 <= f < 1
    wealth(n)   = sum over 12 fixed f of weight_f wealth_f(n)

An observation of -1 loses the share f, the most that any can. If the mean of X, given all before it, is
at most m, the wealth is a non-negative supermartingale that starts at 1, so the probability that it
*ever* reaches 20 is at most 5 % (Ville 1939; Howard, Ramdas, McAuliffe and Sekhon 2020, Probability Surveys 17,
257-317; the bets are those of Waudby-Smith and Ramdas 2024, Journal of the Royal Statistical Society B 86, 1-27).
Nothing is approximated, and it does not matter when or why one stops.

Every factor falls as m rises, so the means that are rejected are all those up to one number: the lower
bound of the mean. It holds at every look, and so whenever one stops. The upper bound is that of -X, negated.

**The choice of the bets.** The best f for a mean D and a variance v of X is about (D - m) (1 + m) / v, which is
unknown: from 0.1 (a drop of 3 points that is to be called more than 2) to 1 (nothing is ever lost). So 12 shares
spread geometrically from 0.05 to 0.95, weighted by the root of the share: large shares decide earlier, and what a
loss takes from them, the small ones keep. Among spreads from 0.02, 0.03, 0.05 or 0.1 to 0.9, 0.95 or 0.98 with equal
weights, weights by the root and by the share itself, this one was never far from the best over margins
of 1, 2 and 5 points, for models as good and for worse ones (``python -m benchmarks.sequential_gate``).

For paired differences X is -1 where only the full model is right (lost), 1 where only the artifact is (won),
and 0 elsewhere, and the wealth depends on how many there are of each, not on their order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from edge_runtime.common.arrays import BoolArray, Float64Array
from edge_runtime.statistics.exact_bound import LEVEL, STEPS

SHARES: Float64Array = np.geomspace(0.05, 0.95, 12)
"""Shares of the wealth that the bets could lose on one observation."""

WEIGHTS: Float64Array = np.sqrt(SHARES) / np.sqrt(SHARES).sum()
"""How much of the first wealth is put on each bet; they add up to 1."""

DECISIVE = -math.log(LEVEL)
"""Logarithm of the wealth that decides."""

PAIRED = (-1.0, 0.0, 1.0)
"""The values of a paired difference: lost, equal, won."""


def log_wealth(times: Any, mean: float, values: Sequence[float] | Float64Array = PAIRED) -> Float64Array:
    """Logarithm of the wealth of bets that the mean is above a value.

    Args:
        times: How often each value was observed, ``[..., values]``; fractions are allowed.
        mean: m, above -1 and below 1.
        values: What was observed, each in -1..1. For observations that are all different, the
            observations, and ones as ``times``.

    Returns:
        float64 ``[...]``: at :data:`DECISIVE` or above, a mean of at most m is rejected.
    """
    counts = np.asarray(times, dtype=np.float64)
    observed = np.asarray(values, dtype=np.float64)
    # log(1 - f + f (1 + x) / (1 + m)): above log(1 - f), so never minus infinity.
    gains = np.log1p(SHARES * ((observed[:, np.newaxis] - mean) / (1.0 + mean)))
    terms = counts @ gains + np.log(WEIGHTS)
    top = terms.max(axis=-1)
    found: Float64Array = top + np.log(np.exp(terms - top[..., np.newaxis]).sum(axis=-1))
    return found


def lower_bound(times: Any, values: Sequence[float] | Float64Array = PAIRED) -> float:
    """Lower 95 % bound of the mean that holds at every look.

    Args:
        times: How often each value was observed, ``[values]``.
        values: What was observed, each in -1..1.

    Returns:
        A multiple of 1e-6, rounded down; -1 if nothing is excluded.
    """
    low, high = -STEPS, STEPS
    # Every mean up to low / STEPS is excluded; the search keeps to a mean above -1 and below 1.
    while high - low > 1:
        middle = (low + high) // 2
        excluded = bool(log_wealth(times, middle / STEPS, values) >= DECISIVE)
        low, high = (middle, high) if excluded else (low, middle)
    return low / STEPS


@lru_cache(maxsize=4096)
def paired_lower_bound(lost: int, won: int, n: int) -> float:
    """Lower 95 % bound of a paired difference that holds at every look.

    Args:
        lost: Pairs of which only the first is right.
        won: Pairs of which only the second is right.
        n: All pairs, at least ``lost + won``.

    Returns:
        Of the second's share that is right, minus the first's; a multiple of 1e-6.
    """
    return lower_bound((lost, n - lost - won, won))


def paired_interval(lost: int, won: int, n: int) -> tuple[float, float]:
    """Lower and upper 95 % bound of a paired difference, each of which holds at every look.

    Args:
        lost: Pairs of which only the first is right.
        won: Pairs of which only the second is right.
        n: All pairs.
    """
    return paired_lower_bound(lost, won, n), 0.0 - paired_lower_bound(won, lost, n)


def excludes(lost: Any, won: Any, n: Any, margin: float) -> BoolArray:
    """Whether a drop of the margin or more is excluded: exactly where the lower bound is above -margin.

    With lost and won exchanged and the margin negated: whether a drop of the margin or less is.

    Args:
        lost: Pairs of which only the first is right; a number or an array.
        won: Pairs of which only the second is right; as ``lost``.
        n: All pairs; as ``lost``.
        margin: A drop, above -1 and below 1.

    Returns:
        bool, of the shape of the numbers.
    """
    lost, won, n = np.broadcast_arrays(lost, won, n)
    times = np.stack([lost, n - lost - won, won], axis=-1)
    return log_wealth(times, _step_above(-margin)) >= DECISIVE


def _step_above(mean: float) -> float:
    """The first value of a bound above a mean."""
    step = math.floor(mean * STEPS) + 1
    return (step if step / STEPS > mean else step + 1) / STEPS
