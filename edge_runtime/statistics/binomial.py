"""Exact statements about one error rate, of which a number of independent images were seen.

If each of n images is wrong with probability p, E ~ Binomial(n, p) of them are. The test of "p is at least r"
rejects if P(E <= e | r) is at most the level, and Clopper and Pearson's bound (1934, Biometrika 26, 404-413) is the
smallest r that it rejects. Both hold for any n, at one rate that was chosen without these images: taking the best
of many thresholds needs a rule of its own (:mod:`exporter.rules.abstain`).

Probabilities are sums of at most n + 1 terms from their logarithms, within 1e-9 of the truth up to a million images.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from edge_runtime.common.arrays import Float64Array

LEVEL = 0.05
"""Probability with which a bound may be wrong, and with which a test may reject what is true."""

_HALVINGS = 60


def at_most(errors: int, n: int, rate: float) -> float:
    """The probability of at most so many errors, 0..1.

    Args:
        errors: The number of errors, 0 to n.
        n: Images, at least 1.
        rate: The probability of an error, 0..1.
    """
    if errors >= n or rate <= 0.0:
        return 1.0
    if errors < 0 or rate >= 1.0:
        return 0.0
    return min(1.0, float(np.exp(_log_terms(errors, n, rate)).sum()))


def most_errors(n: int, rate: float, level: float = LEVEL) -> int:
    """The most errors of n images that still show that the error rate is below a rate; -1 if not even 0 do.

    Args:
        n: Images, 0 or more.
        rate: The rate to exclude, above 0 and below 1.
        level: Probability with which images of exactly that rate may pass, above 0 and below 1.
    """
    return _most_errors(n, rate, level) if n > 0 else -1


@lru_cache(maxsize=65536)
def _most_errors(n: int, rate: float, level: float) -> int:
    if n * math.log1p(-rate) > math.log(level):
        return -1
    # No more than the mean: half of the probability, more than any level in use, is at or below it.
    upper = min(n - 1, math.ceil(n * rate) + 1) if level < 0.4 else n - 1
    total = np.cumsum(np.exp(_log_terms(upper, n, rate)))
    return int(np.searchsorted(total, level, side="right")) - 1


def fewest_without_error(rate: float, level: float = LEVEL) -> int:
    """How many images without an error exclude an error rate: 59 for 5 %, 149 for 2 %, 299 for 1 %.

    Args:
        rate: The rate to exclude, above 0 and below 1.
        level: As for :func:`most_errors`.
    """
    found = max(1, math.ceil(math.log(level) / math.log1p(-rate)))
    while most_errors(found, rate, level) < 0:
        found += 1
    while found > 1 and most_errors(found - 1, rate, level) >= 0:
        found -= 1
    return found


def upper_rate(errors: int, n: int, level: float = LEVEL) -> float:
    """Clopper and Pearson's one-sided upper bound of an error rate, 0..1.

    Args:
        errors: Errors seen, 0 to n.
        n: Images, at least 1.
        level: Probability with which the true rate may be above the bound.
    """
    if errors >= n:
        return 1.0
    low, high = errors / n, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if at_most(errors, n, middle) > level else (low, middle)
    return high


def lower_rate(errors: int, n: int, level: float = LEVEL) -> float:
    """Clopper and Pearson's one-sided lower bound of an error rate, 0..1.

    Args:
        errors: Errors seen, 0 to n.
        n: Images, at least 1.
        level: Probability with which the true rate may be below the bound.
    """
    return 1.0 - upper_rate(n - errors, n, level)


def _log_terms(errors: int, n: int, rate: float) -> Float64Array:
    """Logarithms of the probabilities of 0, 1, ... ``errors`` errors."""
    counts = np.arange(errors, dtype=np.float64)
    odds = math.log(rate) - math.log1p(-rate)
    ratios = np.log((n - counts) / (counts + 1.0)) + odds
    terms: Float64Array = n * math.log1p(-rate) + np.concatenate(([0.0], np.cumsum(ratios)))
    return terms
