"""Figures against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainer.evaluation.metrics import (
    ECE_BINS,
    by_class,
    calibration_error,
    confusion,
    log_loss,
    macro,
    reliability,
    top1,
    top_k,
)

SCORES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]], np.float32)
TRUTH = np.array([0, 2, 1, 2], np.int64)


def test_top1_gives_ties_to_the_first_class() -> None:
    assert top1(SCORES, TRUTH) == 0.5


def test_top_k_counts_the_k_best() -> None:
    assert top_k(SCORES, TRUTH, 1) == top1(SCORES, TRUTH)
    assert top_k(SCORES, TRUTH, 2) == 1.0
    assert top_k(SCORES, TRUTH, 5) == 1.0


def test_log_loss_is_the_mean_cross_entropy() -> None:
    expected = -(math.log(0.7) + math.log(0.3) + math.log(0.4) + math.log(1.0)) / 4
    assert log_loss(SCORES, TRUTH) == pytest.approx(expected, rel=1e-6)


def test_log_loss_of_a_zero_is_finite() -> None:
    assert log_loss(np.array([[1.0, 0.0]], np.float32), np.array([1])) == pytest.approx(-math.log(1e-7))


def test_calibration_error_is_zero_for_a_calibrated_model() -> None:
    scores = np.tile(np.array([[0.75, 0.25]], np.float32), (4, 1))
    assert calibration_error(scores, np.array([0, 0, 0, 1])) == pytest.approx(0.0, abs=1e-7)
    assert calibration_error(scores, np.array([1, 1, 1, 1])) == pytest.approx(0.75)


def test_calibration_error_weighs_bins_by_their_images() -> None:
    scores = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.6, 0.4]], np.float32)
    # 1.0 claimed and 2/3 right on three images, 0.6 claimed and right on one.
    assert calibration_error(scores, np.array([0, 0, 1, 0])) == pytest.approx((3 * (1 / 3) + 0.4) / 4)


def test_confusion_has_the_truth_in_rows() -> None:
    assert confusion(SCORES, TRUTH).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 1]]


def test_recall_and_precision_of_a_class_without_images_or_answers_are_none() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    first, second, third = by_class(counts, ("a", "b", "c"))
    assert (first.images, first.recall, first.precision) == (4, 0.75, 0.6)
    assert (second.images, second.recall, second.precision) == (0, None, 0.0)
    assert (third.images, third.recall, third.precision) == (2, 0.0, None)


def test_f1_is_the_harmonic_mean_of_recall_and_precision() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    first, second, third = by_class(counts, ("a", "b", "c"))
    # TP 3, FN 1, FP 2: 2 * 3 / (2 * 3 + 2 + 1) = 2 / (1 / 0.75 + 1 / 0.6).
    assert first.f1 == pytest.approx(6 / 9) == pytest.approx(2 / (1 / 0.75 + 1 / 0.6))
    assert second.f1 is None
    assert third.f1 == 0.0


def test_macro_averages_the_classes_with_images() -> None:
    counts = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    found = macro(by_class(counts, ("a", "b", "c")))
    assert found.recall == pytest.approx(0.75 / 2)
    assert found.precision == pytest.approx(0.6 / 2)
    # The mean of the F1s, not the F1 of the means.
    assert found.f1 == pytest.approx((6 / 9) / 2)


def test_macro_is_what_scikit_learn_says() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    truth, answers = random.integers(0, 6, 200), random.integers(0, 7, 200)
    counts = np.bincount(truth * 8 + answers, minlength=64).reshape(8, 8)
    found = macro(by_class(counts, tuple("abcdefgh")))
    expected = sklearn.precision_recall_fscore_support(
        truth, answers, labels=np.unique(truth), average="macro", zero_division=0
    )
    assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3])


def test_reliability_puts_each_answer_into_its_bin() -> None:
    scores = np.array([[1.0, 0.0], [0.97, 0.03], [0.61, 0.39], [0.5, 0.5]], np.float32)
    bins = reliability(scores, np.array([0, 1, 0, 0]))
    assert len(bins) == ECE_BINS == 15
    filled = {index: bin_ for index, bin_ in enumerate(bins) if bin_.images}
    # 0.5 * 15 = 7.5, 0.61 * 15 = 9.15, 0.97 * 15 = 14.55, and 1.0 belongs to the last.
    assert {index: bin_.images for index, bin_ in filled.items()} == {7: 1, 9: 1, 14: 2}
    assert filled[14].confidence == pytest.approx(0.985)
    assert filled[14].accuracy == 0.5
    assert (bins[9].low, bins[9].high) == pytest.approx((0.6, 10 / 15))
    assert bins[0].accuracy is None
    ece = (2 * abs(0.985 - 0.5) + abs(0.61 - 1) + abs(0.5 - 1)) / 4
    assert calibration_error(scores, np.array([0, 1, 0, 0])) == pytest.approx(ece)
