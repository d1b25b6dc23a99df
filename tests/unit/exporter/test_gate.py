from __future__ import annotations

import math

import numpy as np
import pytest

from edge_runtime.errors import DataError, UsageError
from exporter.gate import (
    EXACT_DP,
    check_margin,
    compare,
    decide,
    images_needed,
    overall,
    paired_interval,
)

LABELS = ("a", "b", "c")


def scores(best: list[int], top: float = 0.9) -> np.ndarray:
    table = np.full((len(best), len(LABELS)), (1 - top) / 2, dtype=np.float32)
    table[np.arange(len(best)), best] = top
    return table


@pytest.mark.parametrize(
    ("lost", "won", "n", "bound_points"),
    # Cases of a published comparison of int8 models: lower bounds in points.
    [(6, 6, 1000, -0.59), (18, 8, 1000, -1.85), (12, 6, 736, -1.78), (6, 3, 736, -1.11)],
)
def test_bound_is_that_of_agresti_and_min(lost: int, won: int, n: int, bound_points: float) -> None:
    assert 100 * paired_interval(lost, won, n)[0] == pytest.approx(bound_points, abs=0.01)


def test_bound_by_hand() -> None:
    # n' = 102, l = 3.5, w = 1.5, D = -2 / 102, se = sqrt(5 - 4 / 102) / 102
    difference, error = -2 / 102, math.sqrt(5 - 4 / 102) / 102
    low, high = paired_interval(3, 1, 100)
    assert low == pytest.approx(difference - 1.6448536 * error)
    assert high == pytest.approx(difference + 1.6448536 * error)


@pytest.mark.parametrize(
    ("lost", "won", "n", "verdict"),
    [
        (0, 0, 400, "pass"),
        (0, 0, 20, "inconclusive"),
        (0, 0, 80, "inconclusive"),
        (0, 0, 149, "pass"),
        (12, 4, 400, "inconclusive"),
        (60, 0, 400, "fail"),
        (0, 60, 400, "pass"),
    ],
)
def test_verdict(lost: int, won: int, n: int, verdict: str) -> None:
    assert decide(lost, won, n, 0.02) == verdict


def test_images_needed_is_where_the_verdict_changes() -> None:
    needed = images_needed(0, 0, 20, 0.02)
    assert needed == 149
    needed = images_needed(3, 2, 100, 0.02)
    assert needed is not None
    assert decide(3 * needed / 100, 2 * needed / 100, needed, 0.02) == "pass"
    assert decide(3 * (needed - 1) / 100, 2 * (needed - 1) / 100, needed - 1, 0.02) == "inconclusive"


def test_images_needed_is_none_where_the_drop_is_the_margin() -> None:
    assert images_needed(12, 4, 400, 0.02) is None


def test_images_needed_of_a_decided_case_is_its_own() -> None:
    assert images_needed(0, 0, 400, 0.02) == 400


def test_comparison_counts_both_directions() -> None:
    truth = np.array([0, 1, 2, 0], dtype=np.int64)
    found = compare(scores([0, 1, 0, 1]), scores([0, 2, 2, 1]), truth, LABELS, margin=0.02)
    assert (found.lost, found.won, found.n) == (1, 1, 4)
    assert found.delta == 0.0
    assert found.top1 == 0.5
    assert found.agreement == 0.5
    assert found.worst_class.label == "b"
    assert found.worst_class.delta == -1.0
    assert found.max_abs_dp == pytest.approx(0.85)


def test_float_export_must_be_equal() -> None:
    truth = np.zeros(200, dtype=np.int64)
    reference = scores([0] * 200)
    moved = reference.copy()
    moved[7, 0] -= 3 * EXACT_DP
    assert compare(reference, moved, truth, LABELS, exact=False).verdict == "pass"
    assert compare(reference, moved, truth, LABELS, exact=True).verdict == "fail"
    moved[7, 0] = reference[7, 0] - 0.5 * EXACT_DP
    assert compare(reference, moved, truth, LABELS, exact=True).verdict == "pass"


@pytest.mark.parametrize("exact", [False, True])
def test_scores_that_are_no_numbers_fail(exact: bool) -> None:
    truth = np.zeros(200, dtype=np.int64)
    broken = scores([0] * 200)
    broken[3] = np.nan
    found = compare(scores([0] * 200), broken, truth, LABELS, exact=exact)
    assert found.verdict == "fail"
    # JSON knows no NaN.
    assert all(math.isfinite(value) for value in (found.kl, found.max_abs_dp, found.ece, found.top1))


def test_a_truly_worse_model_seldom_passes() -> None:
    rng = np.random.default_rng(11)
    n, passed = 700, 0
    for _ in range(400):
        # Right nine times in ten; the candidate loses 3 of 100 and wins 0.5.
        draw = rng.random(n)
        passed += decide(int((draw < 0.03).sum()), int((draw > 0.995).sum()), n, 0.02) == "pass"
    assert passed / 400 <= 0.05


@pytest.mark.parametrize("n", [81, 82, 100, 150, 200, 385, 700, 1000, 3000])
def test_a_model_worse_by_twice_the_margin_passes_at_most_once_in_twenty(n: int) -> None:
    # Exact: the candidate loses each image with probability 0.04 and wins none.
    chance = 0.0
    for lost in range(n + 1):
        if decide(lost, 0, n, 0.02) != "pass":
            break
        chance += math.comb(n, lost) * 0.04**lost * 0.96 ** (n - lost)
    assert chance <= 0.05


def test_an_equal_model_usually_passes() -> None:
    rng = np.random.default_rng(12)
    passed = 0
    for _ in range(400):
        draw = rng.random(1000)
        passed += decide(int((draw < 0.01).sum()), int((draw > 0.99).sum()), 1000, 0.02) == "pass"
    assert passed / 400 >= 0.95


def test_other_shapes_are_an_error() -> None:
    truth = np.zeros(3, dtype=np.int64)
    for reference, candidate in ((scores([0]), scores([0])), (scores([0] * 3), scores([0] * 2))):
        with pytest.raises(DataError, match="same labelled images"):
            compare(reference, candidate, truth, LABELS)


@pytest.mark.parametrize("margin", [0.0, 1.0, -0.1, float("nan")])
def test_margin_out_of_range_is_an_error(margin: float) -> None:
    with pytest.raises(UsageError, match="margin"):
        check_margin(margin)


def test_overall_is_the_worst() -> None:
    assert overall(["pass", "inconclusive", "pass"]) == "inconclusive"
    assert overall(["inconclusive", "fail"]) == "fail"
    assert overall(["pass"]) == "pass"
