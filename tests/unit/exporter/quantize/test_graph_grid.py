from __future__ import annotations

import numpy as np

from exporter.quantize.graph import on_grid


def test_on_grid_has_one_scale_per_output_channel() -> None:
    weights = np.array([[1.27, 0.013, -0.5], [127.0, 1.4, -63.6], [0.0, 0.0, 0.0]], dtype=np.float32)
    expected = [[1.27, 0.01, -0.5], [127.0, 1.0, -64.0], [0.0, 0.0, 0.0]]
    np.testing.assert_allclose(on_grid(weights), expected, atol=1e-5)


def test_on_grid_moves_nothing_by_more_than_half_a_step() -> None:
    weights = np.random.default_rng(0).normal(size=(8, 3, 3, 4)).astype(np.float32)
    steps = np.abs(weights).max(axis=(1, 2, 3)) / 127
    moved = np.abs(on_grid(weights) - weights).max(axis=(1, 2, 3))
    assert np.all(moved <= steps / 2 * (1 + 1e-5))
    assert np.all(moved > steps / 4)
