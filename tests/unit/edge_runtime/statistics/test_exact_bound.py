from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_runtime.statistics.exact_bound import STEPS, lower_bound
from edge_runtime.statistics.paired_score import score_bound

pytestmark = pytest.mark.slow


@cache
def every_bound(n: int) -> dict[tuple[int, int], float]:
    return {(lost, won): lower_bound(lost, won, n) for lost in range(n + 1) for won in range(n + 1 - lost)}


@pytest.mark.parametrize("n", [4, 20, 30])
def test_bound_is_above_the_true_difference_in_at_most_one_case_of_twenty(n: int) -> None:
    """Every result of n images, in a grid of worlds from a drop of 90 points to a rise of as much."""
    bounds = every_bound(n)
    lost, won = (np.array(column) for column in zip(*bounds, strict=True))
    values = np.array(list(bounds.values()))
    ways = np.array([math.comb(n, a + b) * math.comb(a + b, a) for a, b in bounds], dtype=float)
    worst = 0.0
    for drop in (-0.9, -0.5, -0.1, -0.02, 0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 0.6, 0.9):
        above = values > -drop
        for q in (1 - abs(drop)) / 2 * np.sin(np.linspace(0.0, np.pi / 2, 60)) ** 2:
            lost_rate, won_rate = q + max(drop, 0.0), q + max(-drop, 0.0)
            tied = max(0.0, 1 - lost_rate - won_rate)
            chance = ways * lost_rate**lost * won_rate**won * tied ** (n - lost - won)
            worst = max(worst, float(chance[above].sum()))
    assert 0.03 < worst <= 0.05


@pytest.mark.parametrize("n", [1, 2, 3, 8, 20, 30])
def test_one_more_loss_never_helps_and_one_more_win_never_hurts(n: int) -> None:
    bounds = every_bound(n)
    for (lost, won), bound in bounds.items():
        # Never more than what was seen.
        assert bound <= (won - lost) / n
        assert bound == -1.0 if lost == n else bound > -1.0
        for worse in ((lost + 1, won), (lost, won - 1), (lost + 1, won - 1)):
            assert bounds.get(worse, -1.0) <= bound


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_same_for_more_images(data: st.DataObject) -> None:
    n = data.draw(st.integers(31, 1500))
    lost = data.draw(st.integers(0, n - 1) | st.integers(0, 20))
    won = data.draw(st.integers(0, n - lost - 1) | st.integers(0, min(20, n - lost - 1)))
    bound = lower_bound(lost, won, n)
    assert lower_bound(lost + 1, won, n) <= bound <= lower_bound(lost, won + 1, n)
    assert -1.0 <= bound <= (won - lost) / n
    assert bound == round(bound * STEPS) / STEPS


@pytest.mark.parametrize(("margin", "n"), [(0.05, 59), (0.02, 149), (0.01, 299), (0.005, 598)])
def test_fewest_images_without_a_loss(margin: float, n: int) -> None:
    assert lower_bound(0, 0, n) > -margin
    assert lower_bound(0, 0, n - 1) <= -margin
    # Where nothing changes, the bound is that on a proportion: (1 - p)^n = 0.05.
    assert -lower_bound(0, 0, n) == pytest.approx(1 - 0.05 ** (1 / n), abs=1e-5)


@pytest.mark.parametrize(
    ("lost", "won", "n", "points"),
    [
        (6, 6, 1000, -0.6329),
        (18, 8, 1000, -1.9371),
        (15, 15, 1000, -0.9422),
        (300, 5, 1000, -31.9876),
        (5, 300, 1000, 27.0930),
        (40, 30, 5000, -0.4857),
        (0, 20, 20, 72.1766),
        (19, 0, 20, -99.7440),
        (0, 0, 1, -95.0010),
    ],
)
def test_values_do_not_drift(lost: int, won: int, n: int, points: float) -> None:
    assert 100 * lower_bound(lost, won, n) == pytest.approx(points, abs=2e-4)


def test_many_images_take_the_same_rule_which_comes_close_to_the_score_bound() -> None:
    assert lower_bound(130, 120, 20_000) == pytest.approx(score_bound(130, 120, 20_000), abs=2e-5)
