"""The exact one-sided 95 % bound on a paired difference: wrong in at most 5 % of all cases.

Of n images, L are lost and W won. The results are ordered by their score bound
(:mod:`exporter.paired_score`), which is independent of any margin. The bound is then Buehler's (1957,
Journal of the American Statistical Association 52, 482-493), the highest that respects that order::

    better = all results that are at least as good as (L, W)
    size(d) = largest P(better) over all models of the truth in which the artifact is worse by d
    bound = -(the smallest d with size(d) <= 5 %)

With each result, the set ``better`` also contains every result with fewer losses or more wins (Barnard
1947, Biometrika 34, 123-138, requires this of a test). Every truth with a larger drop follows from one
with drop d by turning wins into ties or ties into losses, which only makes ``better`` less likely. So
size(d) falls as d rises, and for every margin

- all results with bound > -margin together have a probability of at most 5 % if the true drop is the
  margin or more: they are in the set ``better`` of the worst of them, whose size at the margin is at most 5 %;
- one more loss or one win less never raises the bound;
- what passes at a margin passes at every wider one.

One rule covers every result and any number of images. The upper end of the interval is this bound with
the two models swapped. The size is itself bounded from above (:mod:`exporter.region_size`),
and drops are searched in steps of 1e-6, a ten-thousandth of a point; both make the bound slightly lower.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

from exporter.paired_score import at_least_as_good, score_bound
from exporter.region_size import Region, size

LEVEL = 0.05
"""Probability with which a bound may exceed the true difference."""

STEPS = 1_000_000
"""Steps of a drop in 1: bounds are whole steps."""


@lru_cache(maxsize=4096)
def lower_bound(lost: int, won: int, n: int) -> float:
    """Exact one-sided 95 % lower bound of the top-1 difference, artifact minus full model.

    Takes about 20 ms at 1,000 images and a second at 50,000; results are cached.

    Args:
        lost: Images that only the full model names right.
        won: Images that only the artifact names right.
        n: All images, at least 1 and at least ``lost + won``.

    Returns:
        In fractions of 1, a multiple of 1e-6, at least -1.
    """
    if lost >= n:
        return -1.0
    region = Region(at_least_as_good(lost, won, n))

    def excess(step: int) -> float:
        """Logarithm of the size at a drop in units of the level; positive if it is too large."""
        return math.log(size(region, step / STEPS) / LEVEL)

    # The score bound is close; from there, search outwards until the answer is between low and high.
    start = min(max(math.ceil(-score_bound(lost, won, n) * STEPS), 2 - STEPS), STEPS - 1)
    low = high = start
    above = below = excess(start)
    stride = max(1, STEPS // (2 * n))
    while below > 0.0:
        if high == STEPS - 1:
            return -1.0
        low, above = high, below
        high = min(high + stride, STEPS - 1)
        below, stride = excess(high), 3 * stride
    while above <= 0.0:
        if low == 1 - STEPS:
            return -low / STEPS
        high, below = low, above
        low = max(low - stride, 1 - STEPS)
        above, stride = excess(low), 3 * stride
    return -_first(excess, low, high, above, below) / STEPS


def _first(excess: Callable[[int], float], low: int, high: int, above: float, below: float) -> int:
    """The first step whose excess is at most 0, by false position (the Illinois form).

    Args:
        excess: Falls as the step rises.
        low: A step whose excess is ``above``, which is positive.
        high: A later step whose excess is ``below``, at most 0.
        above: See ``low``.
        below: See ``high``.
    """
    last = 0
    while high - low > 1:
        guess = high + round((high - low) * below / (above - below))
        guess = min(max(guess, low + 1), high - 1)
        value = excess(guess)
        if value > 0.0:
            low, above = guess, value
            below = below / 2.0 if last > 0 else below
            last = 1
        else:
            high, below = guess, value
            above = above / 2.0 if last < 0 else above
            last = -1
    return high
