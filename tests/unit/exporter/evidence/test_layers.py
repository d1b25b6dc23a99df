from __future__ import annotations

import numpy as np
import pytest

from exporter.evidence.layers import NO_ERROR_DB, ErrorSums, TensorPair, layer_reports, worst_first


def test_errors_by_hand() -> None:
    sums = ErrorSums()
    sums.add(np.array([3.0, 4.0]), np.array([3.0, 4.5]))
    sums.add(np.array([0.0, -5.0]), np.array([0.5, -5.0]))
    row = sums.report(TensorPair("x", "CONV_2D", 0.5))
    assert row.rmse == pytest.approx(np.sqrt(0.5 / 4))
    assert row.sqnr_db == pytest.approx(10 * np.log10(50 / 0.5))
    assert row.steps == pytest.approx(row.rmse / 0.5)
    assert row.range == 9.0


def test_rounding_alone_is_a_third_of_a_step() -> None:
    values = np.random.default_rng(0).normal(0, 3, 100_000)
    sums = ErrorSums()
    sums.add(values, np.round(values / 0.25) * 0.25)
    assert sums.report(TensorPair("x", "ADD", 0.25)).steps == pytest.approx(1 / np.sqrt(12), rel=0.01)


def test_no_error_is_a_number_that_json_has() -> None:
    sums = ErrorSums()
    sums.add(np.ones(3), np.ones(3))
    assert sums.report(TensorPair("x", "ADD", None)).sqnr_db == NO_ERROR_DB
    zeros = ErrorSums()
    zeros.add(np.zeros(3), np.zeros(3))
    assert np.isfinite(zeros.report(TensorPair("x", "ADD", None)).sqnr_db)


class _Noise:
    """Two files whose second tensor is worse than the first."""

    pairs = (TensorPair("good", "ADD", None), TensorPair("bad", "CONV_2D", 0.1))

    def run(self, image: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        values = image.astype(np.float64)
        return [(values, values + 0.01), (values, values + 1.0)]


def test_worst_come_first() -> None:
    rows, n = layer_reports(_Noise(), np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1))
    assert [row.name for row in rows] == ["good", "bad"]
    found = worst_first(rows, "tflite-fp32", n)
    assert [row.name for row in found.worst] == ["bad", "good"]
    assert (found.n, found.tensors) == (3, 2)
