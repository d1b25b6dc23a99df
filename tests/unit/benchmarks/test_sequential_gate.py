"""A sequential check errs in at most 5 % over all looks and stops as early as promised, by dynamic programming."""

from __future__ import annotations

import itertools
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sequential_gate import order_stops
from benchmarks.stopping_times import stopping_times
from exporter.statistics.sequential_gate import verdict_at


def test_stopping_times_are_those_of_every_sequence_of_images() -> None:
    lost, won, most, margin = 0.6, 0.35, 8, 0.1
    verdict_of = lru_cache(verdict_at)
    passed, failed = np.zeros(most + 1), np.zeros(most + 1)
    for sequence in itertools.product((-1, 0, 1), repeat=most):
        chance = np.prod([{-1: lost, 0: 1.0 - lost - won, 1: won}[step] for step in sequence])
        for n in range(1, most + 1):
            verdict = verdict_of(sequence[:n].count(-1), sequence[:n].count(1), n, margin)
            if verdict != "inconclusive":
                (passed if verdict == "pass" else failed)[n] += chance
                break
    exact = stopping_times(lost, won, margin, most)
    assert exact.passed == pytest.approx(passed)
    assert exact.failed == pytest.approx(failed)
    assert passed.sum() > 0.001
    assert failed.sum() > 0.01


@pytest.mark.parametrize(
    ("margin", "won", "looks"),
    [(0.005, 0.0, 4000), (0.005, 0.01, 3000), (0.02, 0.0, 4000), (0.02, 0.015, 2000), (0.05, 0.01, 1500),
     (0.2, 0.05, 400), (0.2, 0.39, 250)],
)  # fmt: skip
def test_errors_over_all_looks_are_at_most_one_in_twenty(margin: float, won: float, looks: int) -> None:
    at_the_margin = stopping_times(won + margin, won, margin, looks)
    assert 0.002 < at_the_margin.passed.sum() <= 0.05
    assert 0.002 < at_the_margin.failed.sum() <= 0.05


def test_models_as_good_as_each_other_pass_after_a_median_of_600_images() -> None:
    # 3 % discordant; the fixed gate is advised with 1,000.
    median = stopping_times(0.015, 0.015, 0.02, 3000).quantile(0.5)
    assert median is not None
    assert 500 < median <= 600


def test_10_points_worse_fails_after_a_median_of_110_images() -> None:
    found = stopping_times(0.105, 0.005, 0.02, 1000)
    median = found.quantile(0.5)
    assert median is not None
    assert median <= 110
    assert found.failed.sum() > 0.999


def test_3_points_worse_fails_nine_times_out_of_ten_within_6000_images() -> None:
    assert stopping_times(0.035, 0.005, 0.02, 6000).failed.sum() >= 0.9


def test_imagenet_pair_is_decided_after_a_median_of_450_photos(shared: Path) -> None:
    scores = shared / "data" / "imagenet-scores.npz"
    if not scores.is_file():
        pytest.skip("needs the scores of 1,000 photos in ../shared")
    # Raises where an order does not end with a pass.
    taken = order_stops(scores, 500, seed=0)
    assert np.median(taken) <= 450
