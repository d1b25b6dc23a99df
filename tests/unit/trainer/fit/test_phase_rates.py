"""The range test's choice, from losses alone."""

from __future__ import annotations

import math

import pytest

from trainer.fit.phase import smoothed, steepest


def test_smoothed_average_is_corrected_for_its_start() -> None:
    assert smoothed([2.0, 2.0, 2.0]) == pytest.approx([2.0, 2.0, 2.0])
    assert smoothed([1.0, 0.0])[1] == pytest.approx(0.09 / 0.19)


def test_steepest_is_where_the_loss_falls_fastest_not_where_it_is_lowest() -> None:
    losses = [2.0] * 30 + [2.0 - 0.15 * step for step in range(10)] + [0.5] * 20 + [5.0, 50.0, float("inf")]
    place = math.log2(steepest(losses, 1.0, 2.0))
    assert 30 <= place <= 41


def test_steepest_of_a_loss_that_never_falls_is_the_lowest_rate() -> None:
    assert steepest([1.0, 2.0, 3.0], 1e-6, 1.2) == 1e-6
    assert steepest([float("nan")], 1e-6, 1.2) == 1e-6
