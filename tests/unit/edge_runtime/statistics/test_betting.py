"""The wealth is a fair game at its mean, counts stand for observations, and bound and decision are one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.statistics.betting import (
    DECISIVE,
    SHARES,
    WEIGHTS,
    excludes,
    log_wealth,
    lower_bound,
    paired_interval,
)


@pytest.mark.parametrize("mean", [-0.9, -0.02, 0.0, 0.3])
def test_wealth_of_counts_is_the_product_over_observations(mean: float) -> None:
    seen = [0.0, -1.0, 1.0, 0.0, 0.0, -1.0, 0.0]
    stakes = SHARES / (1.0 + mean)
    by_hand = sum(
        weight * np.prod([1.0 + stake * (value - mean) for value in seen])
        for weight, stake in zip(WEIGHTS, stakes, strict=True)
    )
    assert float(log_wealth((2, 4, 1), mean)) == pytest.approx(np.log(by_hand))
    assert float(log_wealth(np.ones(len(seen)), mean, seen)) == pytest.approx(np.log(by_hand))


@pytest.mark.parametrize("margin", [0.005, 0.02, 0.3])
@pytest.mark.parametrize("won", [0.0, 0.01, 0.2])
def test_nobody_gains_on_average_where_the_mean_is_the_tested_one(margin: float, won: float) -> None:
    chances = np.array([won + margin, 1.0 - margin - 2.0 * won, won])
    for state in itertools.product((0, 3, 40), (0, 5, 2000), (0, 7)):
        now = np.exp(log_wealth(state, -margin))
        after = [np.exp(log_wealth(np.add(state, step), -margin)) for step in np.eye(3)]
        assert float(np.dot(chances, after)) == pytest.approx(now, rel=1e-9)
        # And loses where the mean is lower.
        lower = chances + np.array([0.01, -0.01, 0.0])
        assert float(np.dot(lower, after)) < now


def test_bound_and_decision_agree_everywhere() -> None:
    for lost, won, equal, margin in itertools.product(
        (0, 1, 9), (0, 4), (0, 100, 228, 229, 700), (0.02, 0.05, 0.29)
    ):
        n = lost + won + equal
        if n:
            low, high = paired_interval(lost, won, n)
            assert bool(excludes(lost, won, n, margin)) == (low > -margin), (lost, won, n, margin)
            assert bool(excludes(won, lost, n, -margin)) == (high < -margin), (lost, won, n, margin)


def test_bound_falls_with_a_loss_and_rises_with_a_win() -> None:
    low, high = paired_interval(5, 5, 400)
    assert low < 0.0 < high
    assert (low, high) == (-high, -low)
    assert paired_interval(6, 5, 400)[0] < low < paired_interval(5, 6, 400)[0]
    assert paired_interval(5, 5, 800)[0] > low


def test_bounds_of_any_values_in_their_range() -> None:
    seen = np.random.default_rng(4).uniform(-0.5, 0.9, 2000)
    low = lower_bound(np.ones(len(seen)), seen)
    high = -lower_bound(np.ones(len(seen)), -seen)
    assert low < seen.mean() < high < low + 0.2


def test_many_images_stay_numbers() -> None:
    far = log_wealth([(10**7, 10**9, 0), (0, 10**9, 10**7)], -0.5)
    assert np.isfinite(far).all()
    assert far[1] > far[0] > DECISIVE
    assert float(log_wealth((10**8, 0, 0), 0.99)) > -np.inf
    assert paired_interval(5, 0, 5) == (-1.0, pytest.approx(0.165, abs=1e-3))
