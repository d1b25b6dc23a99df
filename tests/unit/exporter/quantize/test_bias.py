from __future__ import annotations

import numpy as np
import pytest

from exporter.quantize.bias import mean_shift
from exporter.quantize.graph import LinearLayer, on_grid


def test_mean_shift_of_a_dense_layer_is_its_mean_error() -> None:
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(5, 7)).astype(np.float32)
    inputs = generator.normal(2.0, 1.0, size=(50, 7)).astype(np.float32)
    layer = LinearLayer("d", "dense", weights, None, "x", "y")
    measured = (inputs @ on_grid(weights).T - inputs @ weights.T).mean(axis=0)
    np.testing.assert_allclose(
        mean_shift(layer, on_grid(weights), inputs.mean(axis=0)), measured, rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize(("op", "groups", "outputs"), [("conv", 1, 5), ("conv", 2, 4), ("depthwise", 6, 12)])
def test_mean_shift_of_a_convolution_is_its_mean_error(op: str, groups: int, outputs: int) -> None:
    generator = np.random.default_rng(1)
    weights = generator.normal(size=(outputs, 3, 3, 6 // groups)).astype(np.float32)
    windows = generator.normal(1.0, 1.0, size=(20, 3, 3, 6)).astype(np.float32)
    layer = LinearLayer("c", op, weights, None, "x", "y", groups=groups)  # type: ignore[arg-type]
    error = on_grid(weights) - weights
    per_group, width = outputs // groups, 6 // groups
    measured = [
        np.mean(np.sum(windows[..., o // per_group * width :][..., :width] * error[o], axis=(1, 2, 3)))
        for o in range(outputs)
    ]
    np.testing.assert_allclose(
        mean_shift(layer, on_grid(weights), windows.mean(axis=0)), measured, rtol=1e-3, atol=1e-5
    )
