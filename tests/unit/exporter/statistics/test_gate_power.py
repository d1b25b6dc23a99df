"""Honest statistics: how often the gate is wrong and how often it decides, by enumeration.

The sets of results that pass and fail are those of :mod:`benchmarks.gate_rules`, which asks the bound
that ships at their edge; here the verdict itself is asked too. The probabilities are plain sums.
``python -m benchmarks.gate_size`` does the same for all numbers of images.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gate_rules import largest, passes_by_former, passes_by_score, probability
from exporter.statistics.gate import DEFAULT_MARGIN, decide
from exporter.statistics.gate_limits import passing as passes_by_bound

pytestmark = pytest.mark.slow

MARGINS = (0.005, 0.01, 0.02, 0.05)


def worlds(margin: float) -> np.ndarray:
    """The smaller of the two rates, from 0 until every image is discordant."""
    return (1 - margin) / 2 * np.sin(np.linspace(0.0, np.pi / 2 - 1e-6, 90)) ** 2


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("n", [20, 59, 100, 150, 300, 1000])
def test_gate_errs_at_most_once_in_twenty_whatever_the_world(n: int, margin: float) -> None:
    """These numbers of images are among the worst of the former rule and of the plain score test."""
    assert largest(passes_by_bound(n, margin), margin, worlds(margin)) <= 0.05
    assert largest(passes_by_bound(n, -margin), -margin, worlds(margin)) <= 0.05


@pytest.mark.parametrize("margin", MARGINS)
def test_what_passes_and_fails_is_what_the_verdict_says(margin: float) -> None:
    n = 40
    passing, failing = passes_by_bound(n, margin), passes_by_bound(n, -margin)
    for lost in range(n + 1):
        for won in range(n + 1 - lost):
            verdict = decide(lost, won, n, margin)
            assert (verdict == "pass") == (lost <= passing[lost + won])
            assert (verdict == "fail") == (won <= failing[lost + won])


@pytest.mark.parametrize(
    ("rule", "n", "drop", "rate"),
    [
        (passes_by_former, 150, 0.02, 0.0758),
        (passes_by_former, 300, 0.01, 0.0717),
        (passes_by_former, 1000, 0.02, 0.068),
        (passes_by_score, 150, -0.02, 0.0888),
    ],
)
def test_this_kind_of_sum_finds_the_faults_of_other_rules(
    rule: object, n: int, drop: float, rate: float
) -> None:
    margin = abs(drop)
    few = (0.3 - margin) / 2 * np.linspace(0.0, 1.0, 81) ** 2
    assert largest(rule(n, drop), drop, few) == pytest.approx(rate, abs=5e-4)  # type: ignore[operator]


def test_gate_is_as_powerful_as_it_can_be() -> None:
    """1,000 images, 1.5 % lost and won: no test of size 5 % passes more than 96.9 %."""
    assert probability(passes_by_bound(1000, DEFAULT_MARGIN), 0.015, 0.015) >= 0.9675
    assert probability(passes_by_bound(300, 0.05), 0.015, 0.015) >= 0.99
    assert probability(passes_by_bound(1000, 0.01), 0.015, 0.015) < 0.6


def test_gate_fails_what_is_clearly_worse() -> None:
    # 4 points worse at a margin of 2: 4.5 % lost, 0.5 % won.
    assert probability(passes_by_bound(1000, -0.02), 0.005, 0.045) > 0.9
