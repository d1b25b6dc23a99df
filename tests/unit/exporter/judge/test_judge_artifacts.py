"""The parity matrix, on scores made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.judge.judge_artifacts import FULL_MODEL, parity_report


def answers(*best: int, classes: int = 3) -> np.ndarray:
    scores = np.full((len(best), classes), 0.1, dtype=np.float32)
    scores[np.arange(len(best)), best] = 0.8
    return scores


def test_parity_is_symmetric_and_right() -> None:
    full, one, two = answers(0, 1, 2, 0), answers(0, 1, 2, 1), answers(1, 1, 2, 1)
    found = parity_report(full, {"a": one, "b": two})
    assert found.names == (FULL_MODEL, "a", "b")
    table, change = np.array(found.agreement), np.array(found.max_abs_dp)
    assert (table == table.T).all()
    assert (change == change.T).all()
    assert table[0].tolist() == [1.0, 0.75, 0.5]
    assert table[1, 2] == 0.75
    assert change[0, 1] == pytest.approx(0.7)
    assert change.diagonal().tolist() == [0.0, 0.0, 0.0]
