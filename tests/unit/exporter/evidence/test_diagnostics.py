"""Attribution, on scores made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.evidence.diagnostics import model_steps, step


def answers(*best: int, classes: int = 3) -> np.ndarray:
    scores = np.full((len(best), classes), 0.1, dtype=np.float32)
    scores[np.arange(len(best)), best] = 0.8
    return scores


def test_attribution_splits_the_disagreements_exactly() -> None:
    # Image 1 moves in conversion, 2 in quantization, 3 in both, 4 moves and comes back.
    full = answers(0, 0, 0, 0, 0)
    converted, quantized = answers(0, 1, 0, 1, 1), answers(0, 1, 2, 2, 0)
    total, (conversion, quantization) = model_steps(full, converted, quantized, is_float=False)
    assert total == 3
    assert (conversion.share, quantization.share) == (2, 1)
    assert (conversion.changed, quantization.changed) == (3, 3)
    assert (conversion.name, quantization.name) == ("conversion", "quantization")


@pytest.mark.parametrize(("is_float", "name"), [(True, "conversion"), (False, "conversion and quantization")])
def test_attribution_without_a_float_file_is_one_step(is_float: bool, name: str) -> None:
    total, steps = model_steps(answers(0, 1), None, answers(0, 2), is_float=is_float)
    assert (total, [one.name for one in steps], steps[0].share) == (1, [name], 1)


def test_step_is_the_mean_of_the_largest_changes() -> None:
    before = np.array([[0.5, 0.5], [0.9, 0.1]], dtype=np.float32)
    after = np.array([[0.6, 0.4], [0.9, 0.1]], dtype=np.float32)
    assert step("engine", before, after, "").dp == pytest.approx(0.05)
