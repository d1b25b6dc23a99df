"""The promise of the abstain rule, exactly and by simulation, and what happens with too few images."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge_runtime.common.arrays import BoolArray, Float64Array
from edge_runtime.statistics.binomial import at_most, most_errors
from exporter.evidence.rules_record import AbstainReport
from exporter.rules import abstain
from exporter.rules.abstain import curve, fit_abstain, images_missing


def made(n: int, wrong: int = 0, limit: float = 0.05) -> AbstainReport:
    """Distinct confidences, the lowest of them wrong."""
    return fit_abstain(np.linspace(1.0, 0.1, n), np.arange(n) >= n - wrong, limit)


@pytest.mark.parametrize(("limit", "fewest"), [(0.05, 59), (0.02, 149), (0.01, 299)])
def test_as_few_images_as_possible_make_a_rule_and_one_less_is_missing(limit: float, fewest: int) -> None:
    enough, few = made(fewest, limit=limit), made(fewest - 7, limit=limit)
    assert enough.rule is not None
    assert (enough.rule.threshold, enough.rule.answered, enough.rule.errors) == (0.0, fewest, 0)
    assert (few.rule, few.missing) == (None, 7)
    assert "7 are missing" in few.reason


def test_a_good_model_gets_a_rule_that_answers_all_and_a_poor_one_answers_its_surest() -> None:
    all_right, some, none = made(400), made(400, 80), made(400, 390)
    assert all_right.rule is not None
    assert all_right.rule.threshold == 0.0
    assert all_right.certifying == all_right.rule.answered == 360
    assert some.rule is not None
    assert 0.2 < some.rule.threshold < 0.5
    assert some.rule.errors <= most_errors(some.rule.answered, 0.05)
    assert (none.rule, none.missing) == (None, None)
    assert "would not help" in none.reason


def test_testing_ends_at_the_first_threshold_that_fails() -> None:
    """Wrong among the surest and right below: all together would pass, and were never tested."""
    wrong = np.zeros(500, dtype=np.bool_)
    wrong[:80:5] = True
    found = fit_abstain(np.linspace(1.0, 0.1, 500), wrong, 0.05)
    assert most_errors(450, 0.05) >= 14
    assert found.errors > most_errors(found.answered, 0.05)
    assert found.rule is None


def test_missing_images_would_settle_it() -> None:
    missing = images_missing(150, 4, 0.05)
    assert missing is not None
    assert most_errors(150, 0.05) < 4
    assert most_errors(150 + missing, 0.05) >= 4 * (150 + missing) / 150 > most_errors(150, 0.05)


def test_equal_confidences_are_answered_together() -> None:
    confidence = np.repeat([0.99609375, 0.5, 0.25], [300, 60, 40])
    wrong = np.zeros(400, dtype=np.bool_)
    wrong[300:] = True
    found = fit_abstain(confidence, wrong, 0.05)
    assert found.rule is not None
    assert found.rule.threshold == 0.99609375
    assert [(point.answered, point.errors) for point in found.curve] == [(300, 0), (360, 60), (400, 100)]


def test_curve_of_many_images_is_short_and_ends_with_all() -> None:
    generator = np.random.default_rng(1)
    confidence = generator.random(5000)
    wrong = generator.random(5000) > confidence
    found = curve(confidence, wrong)
    assert len(found) <= 60
    assert (found[-1].answered, found[-1].errors) == (5000, int(wrong.sum()))
    assert curve(confidence[:0], wrong[:0]) == ()


def test_certifying_breaks_the_promise_in_at_most_5_per_cent_exactly() -> None:
    """Fixed-sequence testing at three thresholds, summed over all numbers of errors; rates that rise and fall."""
    counts = np.array([60, 60, 80])
    answered = np.cumsum(counts)
    allowed = [most_errors(int(n), 0.05) for n in answered]
    errors = np.arange(16)
    first, second, third = np.meshgrid(errors, errors, errors, indexing="ij")
    passed = np.logical_and.accumulate(
        [
            total <= most
            for total, most in zip((first, first + second, first + second + third), allowed, strict=True)
        ]
    )
    last = passed.sum(axis=0) - 1
    worst = 0.0
    for rates in itertools.product((0.0, 0.03, 0.051, 0.1, 0.3), repeat=3):
        overall = np.append(np.cumsum(counts * rates) / answered, 0.0)
        tails = [
            [at_most(int(e), int(n), rate) for e in errors] for n, rate in zip(counts, rates, strict=True)
        ]
        spread = [np.diff(tail, prepend=0.0) for tail in tails]
        likely = spread[0][:, None, None] * spread[1][:, None] * spread[2]
        # Without a rule, the place is -1, where no promise was made.
        worst = max(worst, float(likely[overall[last] > 0.05].sum()))
    assert 0.01 < worst <= 0.05


def worlds(name: str, confidence: Float64Array) -> Float64Array:
    """Error rate by confidence: flat just above the limit; rising as confidence falls; a bad top; a bad middle."""
    if name == "flat":
        return np.full(len(confidence), 0.0505)
    if name == "falling":
        return 0.2 * (1.0 - confidence)
    if name == "bad top":
        return np.where(confidence > 0.5, 0.0505, 0.0) + np.where(confidence < 0.45, 0.06, 0.0)
    return np.where((confidence < 0.55) & (confidence > 0.3), 0.15, 0.02)


@pytest.mark.parametrize(
    ("world", "n"), [("flat", 500), ("falling", 200), ("bad top", 500), ("bad middle", 200)]
)
def test_rules_of_drawn_images_break_the_promise_in_at_most_5_per_cent(world: str, n: int) -> None:
    """300 simulated exports: at a true rate of 5 %, more than 26 violations have a probability of 0.2 %."""
    fine = np.linspace(0.0, 1.0, 20_001)
    above = np.cumsum(worlds(world, fine)[::-1])[::-1] / np.arange(len(fine), 0, -1)
    generator = np.random.default_rng(n)
    broken = 0
    for _ in range(300):
        confidence = generator.random(n)
        wrong: BoolArray = generator.random(n) < worlds(world, confidence)
        rule = fit_abstain(confidence, wrong, 0.05).rule
        broken += rule is not None and above[np.searchsorted(fine, rule.threshold)] > 0.05
    assert broken <= 26


def test_taking_the_best_threshold_instead_breaks_it() -> None:
    """What the order is for: the loosest of all thresholds whose own test passes, in the flat world."""
    generator = np.random.default_rng(3)
    broken = 0
    for _ in range(200):
        wrong = generator.random(500) < 0.0505
        errors = np.cumsum(wrong)
        broken += any(errors[k - 1] <= most_errors(k, 0.05) for k in range(59, 501))
    assert broken > 20


def test_choosing_images_do_not_certify(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Float64Array] = []
    kept = abstain.thresholds
    monkeypatch.setattr(abstain, "thresholds", lambda given, first: seen.append(given) or kept(given, first))
    confidence = np.linspace(1.0, 0.1, 500)
    found = fit_abstain(confidence, np.zeros(500, dtype=np.bool_), 0.05)
    assert len(seen[0]) == 50
    assert found.certifying == 450
