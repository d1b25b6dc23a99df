"""Tables in blocks of rows: the numbers of the whole table."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.statistics.confidence import confidence_of
from exporter.statistics.row_blocks import ROWS, finite_rows, largest_changes, row_blocks


@pytest.mark.parametrize("count", [0, 1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS + 3])
def test_blocks_are_all_rows_once(count: int) -> None:
    rows = [row for block in row_blocks(count) for row in range(count)[block]]
    assert rows == list(range(count))


def test_numbers_are_those_of_the_whole_table() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 2 * ROWS + 7, 5), dtype=np.float32)
    change = np.abs(one.astype(np.float64) - other).max(axis=1)
    np.testing.assert_array_equal(largest_changes(one, other), change)
    two = np.sort(one, axis=1)[:, -2:].astype(np.float64)
    np.testing.assert_array_equal(confidence_of(one), two[:, 1] - two[:, 0])
    one[ROWS + 2, 3] = np.nan
    one[0, 0] = np.inf
    assert np.flatnonzero(~finite_rows(one)).tolist() == [0, ROWS + 2]
