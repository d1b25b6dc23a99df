"""Label sets cover what they promise, and need enough images."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.common.arrays import IntArray
from edge_runtime.engines.result import Float32Array
from exporter.rules.sets import fit_sets, members


def drawn(n: int, top1: float, seed: int = 0, classes: int = 12) -> tuple[Float32Array, IntArray]:
    """Scores whose best class is right about as often as wished."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes))
    logits[np.arange(n), truth] += np.where(generator.random(n) < top1, 4.0, 0.0)
    powers = np.exp(logits)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize(("coverage", "fewest"), [(0.9, 9), (0.95, 19), (0.99, 99)])
def test_as_few_images_as_possible(coverage: float, fewest: int) -> None:
    scores, truth = drawn(fewest, 0.8)
    found = fit_sets(scores, truth, coverage)
    assert found.rule is not None
    # All of the fewest images are covered: their lowest score is the threshold.
    assert found.rule.threshold == float(scores[np.arange(fewest), truth].min())
    few = fit_sets(scores[:-2], truth[:-2], coverage)
    assert (few.rule, few.missing) == (None, 2)
    assert f"need {fewest} images" in few.reason


def test_mean_coverage_over_200_halves_is_what_was_asked_for() -> None:
    scores, truth = drawn(600, 0.75)
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        order = generator.permutation(600)
        rule = fit_sets(scores[order[:300]], truth[order[:300]], 0.9).rule
        assert rule is not None
        rest = order[300:]
        covered.append(members(scores[rest], rule.threshold)[np.arange(300), truth[rest]].mean())
    assert 0.89 <= np.mean(covered) <= 0.915


def test_best_class_is_always_among_them_and_equal_scores_are_alike() -> None:
    scores = np.array([[0.3, 0.3, 0.4], [0.5, 0.25, 0.25]], dtype=np.float32)
    assert members(scores, 0.9).tolist() == [[False, False, True], [True, False, False]]
    assert members(scores, float(np.float32(0.3))).tolist() == [[True, True, True], [True, False, False]]


def test_sizes_are_counted() -> None:
    scores, truth = drawn(200, 0.6, classes=30)
    found = fit_sets(scores, truth, 0.95)
    assert sum(found.sizes) == 200
    assert found.sizes[-1] > 0
    assert found.largest >= 10
