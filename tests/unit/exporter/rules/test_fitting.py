"""The rules and reference statistics of an artifact, from scores alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.bundle.rules import KnownRule
from edge_runtime.common.arrays import IntArray
from edge_runtime.engines.result import Float32Array
from exporter.rules.fitting import RuleWishes, answers, fit_rules, try_rules
from exporter.rules.known import FittedKnown

Scored = tuple[Float32Array, Float32Array, IntArray]


@pytest.fixture(scope="module")
def photos(shared: Path) -> Scored:
    """fp32 scores, int8 scores and truth of 1,000 photos."""
    stored = np.load(shared / "data" / "imagenet-scores.npz")
    return (
        stored["fp32"].astype(np.float32),
        stored["int8"].astype(np.float32),
        stored["truth"].astype(np.int64),
    )


WISHES = RuleWishes(max_error=0.05, sets=0.9)


def test_rules_and_statistics_count_the_same_images(photos: Scored) -> None:
    scores, _, truth = photos
    found = fit_rules(scores, truth, WISHES, data_sha256="a" * 64, chose_epoch=True)
    assert found.rules is not None
    assert found.reference is not None
    assert found.rules.abstain is not None
    assert found.rules.sets is not None
    assert (found.rules.images, found.reference.images) == (1000, 1000)
    assert (
        sum(found.reference.classes)
        == sum(found.reference.top_scores)
        == sum(found.reference.margins)
        == 1000
    )
    trial = try_rules(scores, truth, found.rules)
    assert found.reference.answered == trial.answered
    assert trial.errors is not None
    assert trial.answered is not None
    assert trial.errors <= 0.05 * trial.answered
    assert trial.covered is not None
    assert trial.covered >= 900
    assert found.report.chose_epoch
    assert list(found.report.unmet()) == []


def test_without_any_rule_there_are_no_statistics(photos: Scored) -> None:
    scores, _, truth = photos
    found = fit_rules(scores[:40], truth[:40], RuleWishes(max_error=0.02), data_sha256="")
    assert (found.rules, found.reference) == (None, None)
    assert len(list(found.report.unmet())) == 1


def test_fp32_and_int8_answer_alike_and_sets_cover_on_other_images(photos: Scored) -> None:
    scores, quantized, truth = photos
    generator = np.random.default_rng(0)
    alike, covered = [], []
    for _ in range(40):
        order = generator.permutation(1000)
        half, rest = order[:500], order[500:]
        both = np.ones(500, dtype=np.bool_)
        for one in (scores, quantized):
            rules = fit_rules(one[half], truth[half], WISHES, data_sha256="").rules
            assert rules is not None
            trial = try_rules(one[rest], truth[rest], rules)
            assert trial.covered is not None
            covered.append(trial.covered / 500)
            answered = answers(one[rest], rules)
            both &= np.False_ if answered is None else answered
        if both.any():
            same = scores[rest][both].argmax(axis=1) == quantized[rest][both].argmax(axis=1)
            alike.append(float(same.mean()))
    assert min(alike) >= 0.99
    assert len(alike) > 20
    assert 0.89 <= np.mean(covered) <= 0.915


def test_images_that_look_unknown_neither_certify_nor_are_answered(photos: Scored) -> None:
    scores, _, truth = photos
    known = FittedKnown(KnownRule("entropy", 0.0, 0.95), np.arange(1000) - 100.0)
    found = fit_rules(scores, truth, WISHES, data_sha256="", known=known)
    assert found.rules is not None
    assert found.rules.known == known.rule
    assert found.reference is not None
    assert found.reference.known == 900
    assert found.report.abstain is not None
    # The image at the threshold itself chose it: 899 take part, a tenth of them chooses.
    assert found.report.abstain.certifying == 899 - 89
    assert found.reference.answered is not None
    assert found.reference.answered < 900
