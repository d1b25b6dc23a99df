from __future__ import annotations

import numpy as np
import pytest

from exporter.statistics.drift import KL_FLOOR, expected_calibration_error, floored_kl, worst_class


def test_kl_of_equal_scores_is_zero() -> None:
    table = np.random.default_rng(0).dirichlet(np.ones(10), 20).astype(np.float32)
    assert floored_kl(table, table) == pytest.approx(0.0, abs=1e-12)


def test_kl_does_not_see_what_lies_below_the_floor() -> None:
    full = np.array([[1 - 3e-4, 1e-4, 1e-4, 1e-4]], dtype=np.float32)
    rounded = np.array([[1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    assert floored_kl(full, rounded) == pytest.approx(0.0, abs=1e-6)
    assert KL_FLOOR == 1 / 512


def test_kl_of_many_images_is_that_of_its_parts() -> None:
    random = np.random.default_rng(0)
    full, small = (random.dirichlet([1, 1, 1], 10_000).astype(np.float32) for _ in "ab")
    parts = [floored_kl(full[place::4], small[place::4]) for place in range(4)]
    assert floored_kl(full, small) == pytest.approx(np.mean(parts), rel=1e-9)


def test_kl_by_hand() -> None:
    full, small = np.array([[0.5, 0.5]], dtype=np.float32), np.array([[0.75, 0.25]], dtype=np.float32)
    assert floored_kl(full, small) == pytest.approx(0.5 * np.log(0.5 / 0.75) + 0.5 * np.log(0.5 / 0.25))


def test_calibration_error_by_hand() -> None:
    # Four answers at 0.8, three of them right: the gap is 0.05 in the one bin that is used.
    table = np.tile(np.array([[0.8, 0.2]], dtype=np.float32), (4, 1))
    assert expected_calibration_error(table, np.array([0, 0, 0, 1])) == pytest.approx(0.05)


def test_calibration_error_of_sure_and_right_is_zero() -> None:
    table = np.tile(np.array([[1.0, 0.0]], dtype=np.float32), (4, 1))
    assert expected_calibration_error(table, np.zeros(4, dtype=np.int64)) == 0.0


def test_worst_class_leaves_out_classes_without_images() -> None:
    truth = np.array([0, 0, 2, 2])
    right, now = np.array([True, True, True, True]), np.array([True, False, True, True])
    found = worst_class(right, now, truth, ("a", "b", "c"))
    assert (found.label, found.delta) == ("a", -0.5)
