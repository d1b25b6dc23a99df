"""Exact binomial statements against sums in rational numbers, and against figures from the literature."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from math import comb

import pytest

from edge_runtime.statistics.binomial import (
    at_most,
    fewest_without_error,
    lower_rate,
    most_errors,
    upper_rate,
)


def exact(n: int, rate: Fraction) -> list[Fraction]:
    """The probabilities of at most 0, 1, ... n errors."""
    wrong, right = rate.numerator, rate.denominator - rate.numerator
    terms = [comb(n, count) * wrong**count * right ** (n - count) for count in range(n + 1)]
    return [Fraction(total, rate.denominator**n) for total in accumulate(terms)]


@pytest.mark.parametrize("n", [1, 2, 17, 59, 60, 350])
@pytest.mark.parametrize("rate", [Fraction(1, 100), Fraction(1, 20), Fraction(3, 10), Fraction(9, 10)])
def test_tails_and_critical_values_are_those_of_rational_numbers(n: int, rate: Fraction) -> None:
    tails = exact(n, rate)
    assert [at_most(errors, n, float(rate)) for errors in range(n + 1)] == pytest.approx(
        [float(tail) for tail in tails], rel=1e-9
    )
    assert most_errors(n, float(rate)) == sum(tail <= Fraction(1, 20) for tail in tails) - 1


def test_without_an_error_59_149_and_299_images_exclude_5_2_and_1_per_cent() -> None:
    assert [fewest_without_error(rate) for rate in (0.05, 0.02, 0.01)] == [59, 149, 299]
    assert (most_errors(58, 0.05), most_errors(59, 0.05), most_errors(350, 0.05)) == (-1, 0, 10)
    assert most_errors(0, 0.05) == -1


def test_bounds_invert_the_test() -> None:
    for errors, n in ((0, 59), (1, 10), (10, 350), (34, 35)):
        assert at_most(errors, n, upper_rate(errors, n)) == pytest.approx(0.05, abs=1e-9)
        assert (
            1 - at_most(errors - 1, n, lower_rate(errors, n)) == pytest.approx(0.05, abs=1e-9) or not errors
        )
    # Clopper and Pearson, two-sided 95 %, 10 of 100.
    assert (lower_rate(10, 100, 0.025), upper_rate(10, 100, 0.025)) == pytest.approx(
        (0.0490, 0.1762), abs=1e-4
    )
    assert (upper_rate(7, 7), lower_rate(0, 7)) == (1.0, 0.0)
