"""The exact one-sided 95 % bound on a paired difference: wrong in at most 5 % of all cases.

Of n images, L are lost and W won. The results are ordered by their score bound
(:mod:`edge_runtime.statistics.paired_score`), which is independent of any margin. The bound is then Buehler's (1957,
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
the two models swapped. The size is itself bounded from above (see below), and drops are searched in
steps of 1e-6, a ten-thousandth of a point; both make the bound slightly lower.

The size of a set of results is how probable it can be if the artifact is truly worse by a given drop.
Of n images, L are lost and W won with rates pL and pW, so (L, W) is trinomial. Given the drop
d = pL - pW, one rate remains unknown: q, the smaller of the two, anywhere in 0 .. (1 - |d|) / 2. The
size of a set of results is its largest probability for any q. Between grid points it is bounded, not
assumed:

1. The probability P(q) is a polynomial. The range of q is cut into intervals, equal in the arcsine
   of the root of q, so that each is a few standard errors of q wide, and P is computed at 30
   Chebyshev points of each and interpolated.
2. The interpolant differs from P by at most 4 M rho^-29 / (rho - 1), if |P| is at most M on the
   ellipse with foci at the ends of the interval and semi-axes that add up to rho half-widths
   (Trefethen, Approximation Theory and Approximation Practice, theorem 8.2), for any rho > 1. For
   a complex q every term of P has a modulus of at most the trinomial's with the moduli of the three
   rates in place of the rates, so M = (|pL| + |pW| + |1 - pL - pW|)^n at its largest. That sum is
   convex in q, so it is largest at a corner of a polygon around the ellipse.
3. A polynomial of degree k that is at most B on the N Chebyshev points of an interval, N > k, is at
   most B / cos(k pi / 2N) on all of it (Ehlich and Zeller 1964, Mathematische Zeitschrift 86,
   41-44). The interpolant is evaluated at N = 1,920.

Steps 2 and 3 add up to less than 1e-5 wherever the size is 5 % or less; at least that much is always
added. Rounding and omitted results add less than 1e-8, which is included.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from edge_runtime.common.arrays import Float64Array, IntArray
from edge_runtime.statistics.paired_score import at_least_as_good, score_bound

LEVEL = 0.05
"""Probability with which a bound may exceed the true difference."""

STEPS = 1_000_000
"""Steps of a drop in 1: bounds are whole steps."""

ALLOWANCE = 1e-5
"""Minimum that is added to the largest probability found."""

_ROUNDING = 1e-8
_NODES = 30
_FINE = 64 * _NODES
_INTERVALS = 0.35
"""Intervals per root of n: fewer need more nodes, more need fewer; this is fastest."""

_RHO = np.geomspace(1.5, 12.0, 24)
_CORNERS = 8
"""Corners of the polygon around the upper half of an ellipse; the lower half mirrors it."""

_DEVIATIONS, _MORE = 6.5, 25.0
"""Numbers of discordant images this far from their mean, in standard deviations and images more,
have a probability below 2e-9 together, by Bernstein's inequality."""


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


class Region:
    """A set of results of n images that contains, with each, all that lost fewer or won more.

    Attributes:
        n: Images.
    """

    def __init__(self, most_lost: IntArray) -> None:
        """Precomputes the terms of every probability of the region.

        Args:
            most_lost: int64 ``[n + 1]``: for m images lost or won, the largest number that may be lost;
                -1 if none of these results is in the region. From one m to the next it stays equal or
                rises by one.
        """
        from scipy.special import gammaln

        self.n = n = len(most_lost) - 1
        self._most = most_lost
        factorial = gammaln(np.arange(n + 2) + 1.0)
        self._count = np.arange(n + 1.0)
        self._ways = factorial[n] - factorial[: n + 1] - factorial[n::-1]
        # With share = pL / (pL + pW) and Q(m) = P(at most most_lost[m] of m are lost), one image
        # more changes Q by -share P(exactly most_lost[m] of m) where most_lost stays, and by
        # (1 - share) P(exactly most_lost[m] + 1 of m) where it rises: one term of a binomial each.
        self._rises = np.diff(most_lost) > 0
        edge = np.where(self._rises, most_lost[1:], most_lost[:-1])
        images = np.arange(n)
        possible = (edge >= 0) & (edge <= images)
        edge = np.where(possible, edge, 0)
        ways = factorial[images] - factorial[edge] - factorial[images - edge]
        self._edge_ways = np.where(possible, ways, -np.inf)
        self._edge_lost, self._edge_won = edge.astype(np.float64), (images - edge).astype(np.float64)

    def probability(self, lost_rate: Float64Array, won_rate: Float64Array) -> Float64Array:
        """Probability of the region.

        Args:
            lost_rate: pL, float64 ``[rates]``, above 0; close values save time.
            won_rate: pW, the same; pL + pW must be below 1.

        Returns:
            float64 ``[rates]``.
        """
        from scipy.special import bdtr

        rate = lost_rate + won_rate
        share = (lost_rate / rate)[:, np.newaxis]
        reach = _DEVIATIONS * np.sqrt(self.n * rate * (1.0 - rate)) + _MORE
        first = max(0, math.floor(np.min(self.n * rate - reach)))
        last = min(self.n, math.ceil(np.max(self.n * rate + reach)))
        here, steps = slice(first, last + 1), slice(first, last)
        discordant = np.exp(
            self._ways[here]
            + np.log(rate)[:, np.newaxis] * self._count[here]
            + np.log1p(-rate)[:, np.newaxis] * (self.n - self._count[here])
        )
        change = np.exp(
            self._edge_ways[steps]
            + np.log(share) * self._edge_lost[steps]
            + np.log1p(-share) * self._edge_won[steps]
        )
        change *= np.where(self._rises[steps], 1.0 - share, -share)
        inside = np.empty_like(discordant)
        most = int(self._most[first])
        inside[:, :1] = bdtr(most, first, share) if most >= 0 else 0.0
        np.cumsum(change, axis=1, out=inside[:, 1:])
        inside[:, 1:] += inside[:, :1]
        found: Float64Array = np.sum(discordant * inside, axis=1)
        return found


def size(region: Region, drop: float) -> float:
    """An upper bound on the region's probability for any q, at most about 1e-5 too high.

    Args:
        region: The results.
        drop: d = pL - pW, above -1 and below 1.
    """
    nodes, interpolate, stretch = _interpolation()
    pieces = math.ceil(_INTERVALS * math.sqrt(region.n)) + 1
    edges = (1.0 - abs(drop)) / 2.0 * np.sin(np.linspace(0.0, np.pi / 2.0, pieces + 1)) ** 2
    errors = interpolation_errors(region.n, drop, edges)
    largest = 0.0
    for low, high, error in zip(edges[:-1], edges[1:], errors, strict=True):
        rate = (low + high) / 2.0 + (high - low) / 2.0 * nodes
        values = interpolate @ region.probability(rate + max(drop, 0.0), rate + max(-drop, 0.0))
        top = float(values.max())
        slack = float(error) + stretch * (top - float(values.min())) / 2.0 + _ROUNDING
        largest = max(largest, top + max(slack, ALLOWANCE))
    return largest


def interpolation_errors(n: int, drop: float, edges: Float64Array) -> Float64Array:
    """Bounds on how far the interpolants are from the probability (step 2 above).

    Args:
        n: Images.
        drop: d = pL - pW.
        edges: Ends of the intervals of q, float64 ``[intervals + 1]``.

    Returns:
        float64 ``[intervals]``.
    """
    angles = (np.arange(_CORNERS) + 0.5) * np.pi / _CORNERS
    wide, tall = (_RHO + 1.0 / _RHO) / 2.0, (_RHO - 1.0 / _RHO) / 2.0
    corners = wide[:, np.newaxis] * np.cos(angles) + 1j * tall[:, np.newaxis] * np.sin(angles)
    corners /= math.cos(np.pi / (2 * _CORNERS))
    middle, half = (edges[1:] + edges[:-1]) / 2.0, (edges[1:] - edges[:-1]) / 2.0
    rate = middle[:, np.newaxis, np.newaxis] + half[:, np.newaxis, np.newaxis] * corners
    total = np.abs(rate) + np.abs(rate + abs(drop)) + np.abs(1.0 - abs(drop) - 2.0 * rate)
    log_error = n * np.log(total.max(axis=2)) - (_NODES - 1) * np.log(_RHO) + np.log(4.0 / (_RHO - 1.0))
    found: Float64Array = np.exp(log_error.min(axis=1))
    return found


@lru_cache(maxsize=1)
def _interpolation() -> tuple[Float64Array, Float64Array, float]:
    """Nodes in -1..1, the matrix that interpolates, and step 3's factor less one."""
    angles = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    # Both ends as well, where the probability is often largest.
    fine = np.concatenate(([0.0], (np.arange(_FINE) + 0.5) * np.pi / _FINE, [np.pi]))
    degrees = np.arange(_NODES)
    coefficients = 2.0 / _NODES * np.cos(np.outer(degrees, angles))
    coefficients[0] /= 2.0
    stretch = 1.0 / math.cos((_NODES - 1) * np.pi / (2 * _FINE)) - 1.0
    return np.cos(angles), np.cos(np.outer(fine, degrees)) @ coefficients, stretch
