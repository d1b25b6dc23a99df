"""Margins and best scores of tables are those of single results, to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.engines.result import rank
from exporter.statistics.confidence import confidence_of


@pytest.mark.parametrize("classes", [1, 2, 7])
def test_confidence_is_that_of_a_result(classes: int) -> None:
    scores = np.random.default_rng(0).random((50, classes)).astype(np.float32)
    if classes > 2:
        scores[0, :2] = scores[0].max()
    results = [rank(row, [""] * classes, 1) for row in scores]
    assert confidence_of(scores).tolist() == [result.margin for result in results]
    assert confidence_of(scores, "top").tolist() == [result.top.score for result in results]
