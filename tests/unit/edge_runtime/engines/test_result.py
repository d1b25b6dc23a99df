"""Scores -> the best classes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.result import rank

LABELS = tuple("abcdef")


def scores(*values: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)


def test_best_first() -> None:
    result = rank(scores(0.1, 0.5, 0.05, 0.3, 0.03, 0.02), LABELS, 3)
    assert [entry.label for entry in result.predictions] == ["b", "d", "a"]
    assert [entry.index for entry in result.predictions] == [1, 3, 0]
    assert result.top.score == pytest.approx(0.5)
    assert result.margin == pytest.approx(0.2)


@pytest.mark.parametrize("top_k", [1, 2, 3, 5, 6, 100])
def test_ties_keep_the_order_of_the_classes(top_k: int) -> None:
    result = rank(scores(0.1, 0.2, 0.2, 0.2, 0.2, 0.1), LABELS, top_k)
    assert [entry.label for entry in result.predictions] == list("bcdeaf")[:top_k]
    assert result.margin == 0.0


def test_margin_does_not_depend_on_top_k() -> None:
    values = scores(0.6, 0.25, 0.15)
    assert {rank(values, LABELS[:3], k).margin for k in (1, 2, 3)} == {rank(values, LABELS[:3], 9).margin}


def test_one_class() -> None:
    result = rank(scores(0.75), ["only"], 5)
    assert len(result.predictions) == 1
    assert result.margin == pytest.approx(0.25)


def test_random_scores_are_ranked_as_a_full_sort_does() -> None:
    generator = np.random.default_rng(0)
    for _ in range(200):
        values = (generator.integers(0, 9, 30) / 9).astype(np.float32)
        expected = sorted(range(30), key=lambda index: (-values[index], index))
        found = rank(values, [str(index) for index in range(30)], 7)
        assert [entry.index for entry in found.predictions] == expected[:7]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_an_error(bad: float) -> None:
    with pytest.raises(ModelFileError, match="finite"):
        rank(scores(0.1, bad, 0.3), LABELS[:3], 2)
    with pytest.raises(ModelFileError, match="finite"):
        rank(scores(bad, bad, bad), LABELS[:3], 1)


def test_to_dict_is_json() -> None:
    record = json.loads(json.dumps(rank(scores(0.25, 0.75), ["a", "b"], 2).to_dict()))
    assert record["label"] == "b"
    assert record["score"] == 0.75
    assert record["margin"] == 0.5
    assert record["predictions"][1] == {"label": "a", "index": 0, "score": 0.25}
