"""The compiled ranking says what NumPy's says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines import result

_native = pytest.importorskip(
    "edge_runtime._native", reason="not compiled here: no C compiler at installation"
)


@given(
    scores=arrays.arrays(
        np.float32, st.integers(1, 60), elements=st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, 3e-45])
    ),
    count=st.integers(1, 70),
)
def test_both_rankings_agree_on_ties(scores: result.Float32Array, count: int) -> None:
    compiled = _native.best(scores, count)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(result, "_native", None)
        assert result._best(scores, count) == compiled


def test_more_classes_than_there_are_give_all() -> None:
    scores = np.random.default_rng(0).random(1000, dtype=np.float32)
    labels = [str(index) for index in range(1000)]
    for count in (100, 101, 999, 1000, 2**40, 10**30):
        found = result.rank(scores, labels, count).predictions
        assert [entry.index for entry in found] == list(np.argsort(-scores, kind="stable"))[:count]


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("without", [False, True])
@pytest.mark.parametrize("at", [0, 3, 9])
def test_scores_that_are_no_numbers_have_no_order(
    wrong: float, without: bool, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.linspace(0, 1, 10, dtype=np.float32)
    scores[at] = wrong
    if without:
        monkeypatch.setattr(result, "_native", None)
    for among in (None, np.array([1, 2])):
        with pytest.raises(ModelFileError, match="finite"):
            result.rank(scores, [str(index) for index in range(10)], 3, among)


def test_what_is_no_row_of_scores_is_refused() -> None:
    for scores in (np.zeros(4, np.float64), b"1234"):
        with pytest.raises(ValueError, match="float32"):
            _native.best(scores, 2)
    with pytest.raises(ValueError, match="at least 1"):
        _native.best(np.zeros(4, np.float32), 0)
    with pytest.raises((BufferError, ValueError)):
        _native.best(np.zeros(8, np.float32)[::2], 2)
    assert _native.best(np.zeros(0, np.float32), 2) == []
    assert _native.best(np.ones(3, np.float32), 2**40) == [(0, 1.0), (1, 1.0), (2, 1.0)]
