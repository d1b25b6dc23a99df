"""The size of a set of results, against sums over every result and against another bound."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_runtime.statistics.exact_bound import ALLOWANCE, Region, interpolation_errors, size
from edge_runtime.statistics.paired_score import at_least_as_good, results_from


def by_hand(most: np.ndarray, lost_rate: float, won_rate: float) -> float:
    n, tied = len(most) - 1, 1.0 - lost_rate - won_rate
    return math.fsum(
        math.comb(n, m) * math.comb(m, lost) * lost_rate**lost * won_rate ** (m - lost) * tied ** (n - m)
        for m in range(n + 1)
        for lost in range(int(most[m]) + 1)
    )


@pytest.mark.parametrize(("lost", "won", "n"), [(0, 0, 1), (1, 1, 12), (4, 0, 25), (0, 9, 25), (30, 28, 70)])
@pytest.mark.parametrize("rates", [(0.02, 1e-9), (0.03, 0.01), (0.01, 0.2), (0.45, 0.54)])
def test_probability_is_the_sum_over_all_results(
    lost: int, won: int, n: int, rates: tuple[float, float]
) -> None:
    most = at_least_as_good(lost, won, n)
    found = Region(most).probability(np.array([rates[0], 0.3]), np.array([rates[1], 0.3]))
    assert found == pytest.approx([by_hand(most, *rates), by_hand(most, 0.3, 0.3)], abs=1e-9)


@pytest.mark.parametrize("drop", [0.02, 0.0, -0.05])
@pytest.mark.parametrize(("lost", "won", "n"), [(0, 0, 149), (3, 1, 60), (9, 14, 60)])
def test_size_lies_between_a_dense_grid_and_a_bound_that_needs_no_interpolation(
    drop: float, lost: int, won: int, n: int
) -> None:
    region = Region(at_least_as_good(lost, won, n))
    found = size(region, drop)
    edges = (1.0 - abs(drop)) / 2.0 * np.sin(np.linspace(1e-4, np.pi / 2 - 1e-4, 4001)) ** 2
    largest = region.probability(edges + max(drop, 0.0), edges + max(-drop, 0.0)).max()
    assert found >= largest
    # Between two neighbours on the grid: the losses of the lower and the wins of the higher.
    low, high = np.concatenate(([1e-12], edges[:-1])), edges
    rising = region.probability(low + max(drop, 0.0), high + max(-drop, 0.0)).max()
    assert rising <= largest + 0.01
    assert largest + ALLOWANCE * 0.999 <= found <= rising + 2e-4


@pytest.mark.parametrize("drop", [0.0, 0.005, -0.05, 0.5, 0.999])
@pytest.mark.parametrize("n", [1, 2, 20, 149, 1000, 50_000, 1_000_000])
def test_interpolation_errors_stay_far_below_the_allowance(n: int, drop: float) -> None:
    pieces = math.ceil(0.35 * math.sqrt(n)) + 1
    edges = (1.0 - abs(drop)) / 2.0 * np.sin(np.linspace(0.0, np.pi / 2.0, pieces + 1)) ** 2
    assert interpolation_errors(n, drop, edges).max() < 0.1 * ALLOWANCE


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.49), (0.0, 0.1), (0.3, 0.49)])
def test_interpolation_error_of_a_wide_interval_is_bounded_too(low: float, high: float) -> None:
    """The bound is one: where 30 nodes are too few, the true error is visible and below it."""
    region = Region(at_least_as_good(6, 2, 400))

    def probability(x: np.ndarray) -> np.ndarray:
        rate = (low + high) / 2 + (high - low) / 2 * x
        return region.probability(rate + 0.02, rate)

    interpolant = np.polynomial.chebyshev.chebinterpolate(probability, 29)
    fine = np.linspace(-1 + 1e-9, 1 - 1e-9, 2001)
    error = np.abs(np.polynomial.chebyshev.chebval(fine, interpolant) - probability(fine)).max()
    assert 1e-9 < error < interpolation_errors(400, 0.02, np.array([low, high]))[0]


@pytest.mark.parametrize(("n", "drop"), [(149, 0.02), (300, -0.01), (1000, 0.02), (1000, -0.05)])
def test_size_refuses_one_result_too_many(n: int, drop: float) -> None:
    """The largest set within 5 % and the next one, a result or two larger, are told apart."""
    within, beyond = 1.0, -1.0
    for _ in range(48):
        middle = (within + beyond) / 2
        if size(Region(results_from(middle, n)), drop) <= 0.05:
            within = middle
        else:
            beyond = middle
    added = results_from(beyond, n) - results_from(within, n)
    assert 1 <= added.sum() <= 2
    assert size(Region(results_from(within, n)), drop) <= 0.05 < size(Region(results_from(beyond, n)), drop)
