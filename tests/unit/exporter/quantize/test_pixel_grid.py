from __future__ import annotations

import numpy as np
import pytest

from exporter.quantize.graph import LinearLayer
from exporter.quantize.pixel_grid import Affine, folded


def layer() -> LinearLayer:
    weights = np.random.default_rng(2).normal(size=(4, 3, 3, 3)).astype(np.float32)
    return LinearLayer("c", "conv", weights, np.arange(4, dtype=np.float32), "x", "y")


def affine(steps: list[tuple[str, list[float]]]) -> Affine:
    made = Affine.identity(3)
    for operation, constant in steps:
        after = made.then(operation, np.array(constant))
        assert after is not None
        made = after
    return made


def apply(of: LinearLayer, window: np.ndarray) -> np.ndarray:
    assert of.bias is not None
    return np.einsum("ohwi,hwi->o", of.weights.astype(np.float64), window) + of.bias


@pytest.mark.parametrize(
    ("steps", "padded", "shift"),
    [
        ([("mul", [1 / 127.5]), ("add", [-1.0])], True, -128),
        ([("div", [127.5]), ("sub", [1.0])], False, 0),
        ([("mul", [1 / 255])], True, 0),
        ([("mul", [1 / 255]), ("sub", [0.5, 0.4, 0.3]), ("div", [0.2, 0.3, 0.4])], False, 0),
    ],
)
def test_folded_layer_gives_the_same_from_shifted_pixels(
    steps: list[tuple[str, list[float]]], padded: bool, shift: int
) -> None:
    chain = affine(steps)
    result = folded(layer(), chain, padded=padded)
    assert result is not None
    assert result[1] == shift
    pixels = np.random.default_rng(3).integers(0, 256, (3, 3, 3)).astype(np.float64)
    normalised = pixels * chain.factor + chain.offset
    np.testing.assert_allclose(
        apply(result[0], pixels + shift), apply(layer(), normalised), rtol=1e-5, atol=1e-5
    )


def test_folded_refuses_padding_that_differs_by_channel() -> None:
    chain = affine([("sub", [103.939, 116.779, 123.68])])
    assert folded(layer(), chain, padded=True) is None
    assert folded(layer(), chain, padded=False) is not None


def test_affine_refuses_constants_of_another_shape() -> None:
    assert Affine.identity(3).then("add", np.zeros((4, 4))) is None
    assert Affine.identity(3).then("add", np.zeros((3, 1))) is None
