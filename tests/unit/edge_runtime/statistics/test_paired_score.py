from __future__ import annotations

import math

import numpy as np
import pytest

from edge_runtime.statistics.paired_score import at_least_as_good, results_from, score_bound, supports


def all_results(n: int) -> tuple[np.ndarray, np.ndarray]:
    lost, won = (axis.ravel() for axis in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
    possible = lost + won <= n
    return lost[possible], won[possible]


def test_statistic_by_hand() -> None:
    # 3 lost, 1 won of 100, D = -0.1: a = 200, b = -(4) - 0.1 * 202 = -24.2, c = 3 * 0.1 * 1.1 = 0.33.
    rate = (24.2 + math.sqrt(24.2**2 - 4 * 200 * 0.33)) / 400
    value = (1 - 3 - 4 / 101 + 10) / math.sqrt(100 * (2 * rate - 0.1 * 1.1))
    assert value == pytest.approx(2.509, abs=0.001)
    assert supports(3, 1, 100, -0.1)
    assert not supports(3, 1, 100, -0.05)
    # The bound is where the statistic is 1.645.
    bound = score_bound(3, 1, 100)
    b = 200 * bound - 4 + 2 * bound
    c = -3 * bound * (1 - bound)
    rate = (math.sqrt(b * b - 800 * c) - b) / 400
    value = (-2 - 4 / 101 - 100 * bound) / math.sqrt(100 * (2 * rate + bound * (1 - bound)))
    assert value == pytest.approx(1.6448536, abs=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 13, 20, 33, 60])
def test_order_respects_losses_and_wins_and_knows_no_margin(n: int) -> None:
    """What the exact bound rests on, for every result: T falls in D, losses make it worse, wins better."""
    lost, won = all_results(n)
    differences = np.linspace(-1 + 1e-9, 1 - 1e-9, 801)
    before = np.ones(len(lost), bool)
    for difference in differences:
        supported = supports(lost, won, n, difference)
        assert not np.any(supported & ~before), "T rises in D"
        before = supported
        most = results_from(difference, n)
        # The closure in results_from adds nothing: the sets are closed by themselves.
        assert np.array_equal(supported, lost <= most[lost + won])
        assert set(np.diff(most)) <= {0, 1}


@pytest.mark.parametrize(
    ("lost", "won", "n"), [(0, 0, 149), (3, 1, 100), (5, 300, 1000), (0, 20, 20), (19, 0, 20)]
)
def test_a_result_is_as_good_as_itself_and_no_worse_neighbour(lost: int, won: int, n: int) -> None:
    most = at_least_as_good(lost, won, n)
    assert most[lost + won] == lost
    if lost + won < n:
        assert most[lost + won + 1] <= lost


def test_losing_every_image_is_as_bad_as_can_be() -> None:
    assert score_bound(20, 0, 20) == -1.0
    assert list(at_least_as_good(20, 0, 20)) == list(range(21))
