from __future__ import annotations

import numpy as np
import pytest

from exporter.evidence.temperature import (
    FLOOR_MASS,
    T_RANGE,
    cross_fitted,
    fit_temperature,
    log_scores,
    softened,
    temperature_report,
)
from exporter.statistics.drift import expected_calibration_error


def planted(temperature: float, *, n: int = 6000, classes: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from honest scores, and the scores that a model gives that is too sure by T."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0.0, 1.5, (n, classes))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in honest], dtype=np.int64)
    sharp = np.exp(logits * temperature)
    return (sharp / sharp.sum(axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.0])
def test_temperature_recovers_what_was_planted(temperature: float) -> None:
    scores, truth = planted(temperature)
    assert fit_temperature(scores, truth) == pytest.approx(temperature, rel=0.05)


def test_report_of_a_model_that_is_too_sure() -> None:
    scores, truth = planted(2.0)
    found = temperature_report(scores, truth)
    assert found.ece == expected_calibration_error(scores, truth) > 0.1
    assert found.ece_after < 0.03


def test_softened_scores_sum_to_one_and_keep_the_answer() -> None:
    scores, _ = planted(1.0, n=50)
    soft = softened(scores, 3.0)
    assert soft.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (soft.argmax(axis=1) == scores.argmax(axis=1)).all()
    assert (soft.max(axis=1) < scores.max(axis=1)).all()


def test_after_is_measured_on_images_that_did_not_choose() -> None:
    # One half is always right, the other always wrong: no temperature of one suits the other.
    scores = np.tile(np.array([[0.8, 0.2]], dtype=np.float32), (40, 1))
    truth = (np.arange(40) % 2).astype(np.int64)
    after = cross_fitted(scores, truth)
    assert after[0, 0] == pytest.approx(softened(scores[:1], T_RANGE[1])[0, 0], abs=1e-3)
    assert after[1, 0] == pytest.approx(1.0, abs=1e-3)


def test_zero_scores_have_a_logarithm_and_weigh_little() -> None:
    scores = np.zeros((1, 1000), dtype=np.float32)
    scores[0, 5] = 1.0
    logs = log_scores(scores)
    assert np.isfinite(logs).all()
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=FLOOR_MASS)


def test_one_image_is_no_error() -> None:
    one = temperature_report(np.array([[0.7, 0.3]], dtype=np.float32), np.array([0]))
    assert T_RANGE[0] <= one.temperature <= T_RANGE[1]
