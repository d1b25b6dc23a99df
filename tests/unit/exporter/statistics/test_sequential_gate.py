"""The sequential gate stops at the first image that decides, and never looks at the bound of a fixed number."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.statistics.gate import decide
from exporter.statistics.sequential_gate import sequential_gate, verdict_at


def outcomes(n: int, lost: list[int], won: list[int]) -> tuple[np.ndarray, np.ndarray]:
    right, right_now = np.ones(n, bool), np.ones(n, bool)
    right_now[lost] = False
    right[won] = False
    return right, right_now


def test_passes_at_the_first_image_that_decides_and_ignores_the_rest() -> None:
    right, right_now = outcomes(1000, list(range(300, 1000)), [])
    found = sequential_gate(right, right_now, 0.02)
    assert found.verdict == "pass"
    assert found.stop is not None
    assert (found.stop.images, found.stop.lost, found.stop.won) == (229, 0, 0)
    assert verdict_at(0, 0, 228, 0.02) == "inconclusive"
    assert -0.02 < found.bound < 0.0
    assert (
        found.reason == "after 229 images a drop of 2 points is excluded: at most 1.99 (95 %, at every look)"
    )


def test_fails_an_artifact_that_loses_a_fifth() -> None:
    right, right_now = outcomes(1000, list(range(0, 1000, 5)), [])
    found = sequential_gate(right, right_now, 0.02)
    assert found.verdict == "fail"
    assert found.stop is not None
    assert found.stop.images <= 60
    assert found.upper < -0.02
    assert "after" in found.reason
    assert "it is worse by more than 2 points" in found.reason


def test_undecided_is_inconclusive_although_the_fixed_bound_would_pass() -> None:
    right, right_now = outcomes(160, [], [])
    found = sequential_gate(right, right_now, 0.02)
    assert decide(0, 0, 160, 0.02) == "pass"
    assert found.verdict == "inconclusive"
    assert found.stop is not None
    assert found.stop.images == 160
    assert found.images_needed == 229
    assert "about 229 images would decide" in found.reason


def test_no_number_of_images_decides_at_the_margin_itself() -> None:
    right, right_now = outcomes(100, [7, 60], [])
    found = sequential_gate(right, right_now, 0.02)
    assert found.images_needed is None
    assert "no number of images like these" in found.reason


@pytest.mark.parametrize("margin", [0.01, 0.05])
def test_what_passes_at_a_margin_passes_no_later_at_a_wider_one(margin: float) -> None:
    random = np.random.default_rng(1)
    right, right_now = outcomes(3000, list(random.choice(3000, 6, replace=False)), [5, 900])
    narrow, wide = (sequential_gate(right, right_now, one) for one in (margin, 1.5 * margin))
    assert narrow.verdict == wide.verdict == "pass"
    assert narrow.stop is not None
    assert wide.stop is not None
    assert wide.stop.images <= narrow.stop.images
