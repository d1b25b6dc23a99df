"""The rule that sets a cascade's threshold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exporter.cascade.threshold import BUDGET, overstatements, threshold
from exporter.statistics.confidence import confidence_of


def test_overstatement_exceeds_the_margin_exactly_where_answers_differ() -> None:
    rng = np.random.default_rng(0)
    full = rng.dirichlet(np.full(5, 0.5), 400).astype(np.float32)
    noise = rng.normal(0, 0.3, full.shape)
    first = np.exp(np.log(full.astype(np.float64) + 1e-9) + noise)
    first = (first / first.sum(axis=1, keepdims=True)).astype(np.float32)
    differs = full.argmax(axis=1) != first.argmax(axis=1)
    assert differs.any()
    assert np.array_equal(overstatements(first, full) > confidence_of(first), differs)


def test_equal_models_pass_nothing_on() -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(3), 200).astype(np.float32)
    assert threshold(scores, scores) == 0.0


def test_budget_is_kept_where_the_first_model_is_useless() -> None:
    rng = np.random.default_rng(2)
    first, full = (rng.dirichlet(np.ones(4), 1000).astype(np.float32) for _ in range(2))
    assert np.mean(confidence_of(first) < threshold(first, full)) == pytest.approx(BUDGET, abs=0.002)


def test_halves_of_imagenet_scores_agree_with_the_full_model_on_the_other_half(shared: Path) -> None:
    """Photos that the threshold was not made from: agreement and share passed on, in every one of 100 splits."""
    stored = np.load(shared / "data" / "imagenet-scores.npz")
    full, first = stored["fp32"].astype(np.float32), stored["int8"].astype(np.float32)
    differs = full.argmax(axis=1) != first.argmax(axis=1)
    rng = np.random.default_rng(0)
    for _ in range(100):
        order = rng.permutation(len(full))
        made, judged = order[:500], order[500:]
        kept = confidence_of(first[judged]) >= threshold(first[made], full[made])
        assert np.mean(differs[judged] & kept) <= 0.005
        assert np.mean(~kept) <= 0.20
