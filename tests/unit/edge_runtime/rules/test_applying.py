"""Rules on scores: thresholds, lists, temperature, candidates and their order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edge_runtime.bundle.rules import AbstainRule, KnownRule, Rules, SetRule
from edge_runtime.engines.result import Float32Array, Result, rank
from edge_runtime.options import ResultOptions
from edge_runtime.rules.applying import ArtifactRules
from edge_runtime.rules.known_score import KnownScorer

LABELS = ("red", "green", "blue", "gray")
SCORES = np.array([0.1, 0.55, 0.25, 0.1], np.float32)


def sure(threshold: float, score: Any = "top") -> AbstainRule:
    return AbstainRule(0.05, score, threshold, 100, 1)


def known(threshold: float) -> KnownRule:
    return KnownRule("entropy", threshold, 0.95)


def applied(scores: Float32Array = SCORES, options: ResultOptions | None = None, **fields: Any) -> Result:
    rules = Rules(100, "0" * 64, **fields)
    scorer = KnownScorer.of(rules.known, None) if rules.known is not None else None
    ranked = options and options.bound_to(LABELS, 1.0).rank(scores, 2)
    result = rank(scores, LABELS, 2) if ranked is None else ranked
    found = ArtifactRules(rules, LABELS, scorer).applied(result, scores, None)
    assert (found.predictions, found.margin) == (result.predictions, result.margin)
    return found


def said(result: Result) -> tuple[bool | None, bool | None, list[str] | None]:
    return result.known, result.answered, None if result.candidates is None else labels(result)


def labels(result: Result) -> list[str]:
    assert result.candidates is not None
    return [entry.label for entry in result.candidates]


def test_each_rule_fills_its_own_fields() -> None:
    assert said(applied()) == (None, None, None)
    assert said(applied(abstain=sure(0.5))) == (None, True, None)
    assert said(applied(abstain=sure(0.6))) == (None, False, None)
    assert said(applied(known=known(-1.5))) == (True, True, None)
    assert said(applied(known=known(-1.0))) == (False, False, None)
    assert said(applied(sets=SetRule(0.9, 0.2))) == (None, None, ["green", "blue"])
    assert Rules(1, "", known=known(0)).fields == ("known", "answered")
    assert Rules(1, "", abstain=sure(0.5), sets=SetRule(0.9, 0.2)).fields == ("answered", "candidates")


def test_an_answer_must_be_known_and_sure() -> None:
    for least_known, least_sure, expected in (
        (-1.5, 0.5, (True, True)),
        (-1.5, 0.6, (True, False)),
        (-1.0, 0.5, (False, False)),
        (-1.0, 0.6, (False, False)),
    ):
        found = applied(known=known(least_known), abstain=sure(least_sure))
        assert (found.known, found.answered) == expected


def test_margin_is_the_best_minus_the_second_best() -> None:
    exact = float(SCORES[1]) - float(SCORES[2])
    assert applied(abstain=sure(exact, "margin")).answered is True
    assert applied(abstain=sure(math.nextafter(exact, 1), "margin")).answered is False


def test_thresholds_are_float64_and_reached_at_equality() -> None:
    # As float32, all three thresholds would be the same number.
    exact = float(np.float32(0.55))
    above, below = math.nextafter(exact, 1), math.nextafter(exact, 0)
    for threshold, expected in ((below, True), (exact, True), (above, False)):
        assert np.float32(threshold) == np.float32(exact)
        assert applied(abstain=sure(threshold)).answered is expected
    third = float(np.float32(0.25))
    assert labels(applied(sets=SetRule(0.9, third))) == ["green", "blue"]
    assert labels(applied(sets=SetRule(0.9, math.nextafter(third, 1)))) == ["green"]


def test_candidates_are_ordered_by_score_then_class_and_hold_the_best() -> None:
    found = applied(sets=SetRule(0.9, float(np.float32(0.1))))
    assert labels(found) == ["green", "blue", "red", "gray"]
    assert found.candidates is not None
    assert [entry.score for entry in found.candidates] == [
        float(SCORES[entry.index]) for entry in found.candidates
    ]
    assert labels(applied(sets=SetRule(0.9, 2.0))) == ["green"]
    assert labels(applied(np.full(4, 0.25, np.float32), sets=SetRule(0.9, 0.25))) == list(LABELS)


def test_options_change_what_is_returned_and_not_the_verdict() -> None:
    rules = {"abstain": sure(0.5), "known": known(-1.5), "sets": SetRule(0.9, 0.2)}
    plain = applied(**rules)
    for temperature in (0.2, 5.0):
        found = applied(options=ResultOptions(temperature=temperature), **rules)
        assert found.top.score != plain.top.score
        assert (found.known, found.answered, found.candidates) == (
            plain.known,
            plain.answered,
            plain.candidates,
        )


@pytest.mark.parametrize(
    ("options", "answered"),
    [
        (ResultOptions(category_denylist=["red"]), True),
        (ResultOptions(category_allowlist=["green", "blue"]), True),
        (ResultOptions(category_denylist=["green"]), False),
        (ResultOptions(category_allowlist=["blue"]), False),
        (ResultOptions(score_threshold=0.5), True),
        (ResultOptions(score_threshold=0.9), False),
    ],
)
def test_an_answer_is_the_class_returned_first(options: ResultOptions, answered: bool) -> None:
    found = applied(options=options, abstain=sure(0.5), known=known(-1.5), sets=SetRule(0.9, 0.2))
    assert (found.known, found.answered) == (True, answered)
    # A list of the caller does not make another class possible.
    assert labels(found) == ["green", "blue"]


def test_what_cannot_be_judged_is_not_known() -> None:
    class Broken(KnownScorer):
        def score(self, scores: Float32Array, extra: Float32Array | None) -> float:
            return float("nan")

    rules = ArtifactRules(Rules(1, "", known=known(-5.0)), LABELS, Broken(None))
    found = rules.applied(rank(SCORES, LABELS, 1), SCORES, None)
    assert (found.known, found.answered) == (False, False)
