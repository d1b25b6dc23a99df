"""The threshold for unknown things keeps its share, whatever the score is, and says how many images are missing."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from edge_runtime.engines import Engine
from edge_runtime.rules.known_score import KnownScorer
from exporter.rules.known import (
    Observed,
    fit_known,
    fit_observed,
    nearest_parameters,
)

rng = np.random.default_rng(0)


def test_too_few_images_make_no_rule_and_say_how_many_are_missing() -> None:
    scores = rng.dirichlet(np.ones(3), 12).astype(np.float32)
    report = fit_observed(Observed(scores), None, kind="tflite-int8")
    assert report.rule is None
    assert report.missing == 7
    assert "here are 12, 7 are missing" in report.reason
    assert not report.files


def test_rule_from_features_keeps_known_and_refuses_other_directions() -> None:
    # Three classes as three directions in 200 dimensions; unknown things point elsewhere.
    centres = 10 * rng.normal(size=(3, 200))

    def known(count: int) -> np.ndarray:
        return (centres[rng.integers(3, size=count)] + 5 * rng.normal(size=(count, 200))).astype(np.float32)

    def scores(count: int) -> np.ndarray:
        return np.full((count, 3), 1 / 3, np.float32)

    report = fit_observed(
        Observed(scores(400), known(400)),
        known(90),
        kind="tflite-fp32",
        output="features",
    )
    assert report.rule is not None
    assert report.rule.score == "nearest"
    assert report.rule.output == "features"
    assert list(report.files) == ["rules/tflite-fp32_known.bin"]
    scorer = KnownScorer.of(report.rule, report.parameters)
    fresh = [scorer.score(scores(1)[0], one) for one in known(2000)]
    # One val set of 400 keeps 95 % with a standard deviation of 1.1 points, 2,000 images show it to 0.5.
    assert np.mean(np.array(fresh) >= report.rule.threshold) == pytest.approx(0.95, abs=0.05)
    strange = [scorer.score(scores(1)[0], one) for one in 15 * rng.normal(size=(200, 200)).astype(np.float32)]
    assert np.mean(np.array(strange) >= report.rule.threshold) < 0.05


def test_parameters_stay_small_and_images_are_spread_over_all() -> None:
    found = nearest_parameters(rng.normal(size=(501, 2048)).astype(np.float32))
    assert 470_000 < len(found.encoded()) <= 480_000
    assert len(found.images) == 500
    np.testing.assert_allclose(
        found.directions @ found.directions.T, np.eye(len(found.directions)), atol=1e-9
    )


def test_features_that_never_differ_make_finite_parameters() -> None:
    found = nearest_parameters(np.ones((30, 8), np.float32))
    assert all(np.isfinite(part).all() for part in found)
    assert nearest_parameters(np.zeros((30, 8), np.float32)).encoded()


class _Scoring:
    """An engine without a further output, which nobody needs to run."""

    outputs = ()


@pytest.mark.parametrize(
    ("truth", "refused", "said"),
    [
        (np.zeros(40, np.int64), "its scores would change", "its scores would change"),
        (np.zeros(40, np.int64), "", "the file has no features output"),
        (None, "its scores would change", "there are no calibration images of the model's classes"),
        (np.zeros(12, np.int64), "", "here are 12, 8 are missing"),
    ],
)
def test_rule_without_features_says_why(truth: np.ndarray | None, refused: str, said: str) -> None:
    val = np.zeros((30, 1, 1, 1), np.uint8)
    engine = cast("Engine", _Scoring())
    scores = np.full((30, 2), 0.5, np.float32)
    asked = fit_known(engine, scores, val, val, truth, "features", kind="onnx-fp16", refused=refused)
    assert asked.rule is None
    assert said in asked.reason
    auto = fit_known(engine, scores, val, val, truth, "auto", kind="onnx-fp16", refused=refused)
    assert auto.rule is not None
    assert (auto.rule.score, auto.rule.output, auto.files) == ("entropy", "", {})
    assert said in auto.reason
    assert fit_known(engine, scores, val, val, truth, "scores", kind="onnx-fp16").reason == ""
