from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from exporter.quantize.graph import on_grid
from exporter.quantize.onnx_saturation import LARGEST_SUM, narrow_scales, pair_sums

WEIGHTS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(1, 5)),
    elements=st.floats(-4, 4, width=32),
)


def test_the_largest_sum_is_the_last_that_fits_16_bits() -> None:
    assert 255 * LARGEST_SUM <= np.iinfo(np.int16).max < 255 * (LARGEST_SUM + 1)
    assert -255 * LARGEST_SUM >= np.iinfo(np.int16).min > -255 * (LARGEST_SUM + 1)


def test_pair_sums_are_of_neighbours_of_one_sign() -> None:
    steps = np.array([[127, 1, -127, 3], [9, 64, 64, -5], [-127, 2, -127, -2], [5, 0, 0, 0]], np.int8)
    assert pair_sums(steps).tolist() == [128, 128, 129, 5]
    assert pair_sums(np.array([[127]], np.int8)).tolist() == [127]
    assert pair_sums(np.full((1, 3, 3, 2), -128, np.int8)).tolist() == [256]


def test_pair_sums_take_channels_innermost_and_taps_innermost() -> None:
    # [out, height, width, in]
    for other in ((0, 0, 0, 1), (0, 0, 1, 0), (0, 1, 0, 0)):
        steps = np.zeros((1, 3, 3, 2), np.int8)
        steps[0, 0, 0, 0] = steps[other] = 100
        following = other != (0, 1, 0, 0)
        assert pair_sums(steps).tolist() == [200 if following else 100]
    # From the last tap of a channel to the first of the next, and across a row's end.
    steps = np.zeros((1, 3, 3, 2), np.int8)
    steps[0, 2, 2, 0] = steps[0, 0, 0, 1] = 100
    assert pair_sums(steps).tolist() == [200]


def test_narrow_scales_leave_a_lone_large_weight_its_range() -> None:
    alone = np.array([[2.0, 0.01, 2.0, -2.0]], np.float32)
    np.testing.assert_allclose(narrow_scales(alone), [2.0 / 127], rtol=0.01)
    twice = np.array([[2.0, 2.0, -0.5, 0.1]], np.float32)
    np.testing.assert_allclose(narrow_scales(twice), [4.0 / 128], rtol=0.01)
    assert narrow_scales(np.zeros((2, 3), np.float32)).tolist() == [1.0, 1.0]


@given(WEIGHTS)
def test_on_narrow_scales_no_pair_passes_16_bits(weights: np.ndarray) -> None:
    scales = narrow_scales(weights)
    assert scales.dtype == np.float32
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    # As ONNX Runtime's quantizer rounds: in float32.
    for steps in (
        np.round(rows / scales[:, np.newaxis].astype(np.float64)),
        np.round(rows.astype(np.float32) / scales[:, np.newaxis]),
    ):
        assert np.abs(steps).max() <= 127
        assert pair_sums(steps.reshape(weights.shape)).max() <= LARGEST_SUM


@given(WEIGHTS)
def test_narrow_grids_are_at_most_about_twice_as_coarse(weights: np.ndarray) -> None:
    largest = np.abs(weights.reshape(len(weights), -1)).max(axis=1)
    scales, known = narrow_scales(weights), largest > 1e-30
    assert np.all(scales[known] <= 2.04 * largest[known] / 127)
    moved = np.abs(on_grid(weights, scales) - weights).reshape(len(weights), -1)
    assert np.all(moved.max(axis=1) <= 0.501 * scales)
