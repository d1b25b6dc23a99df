from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from exporter.quantize.graph import LinearLayer
from exporter.repair.equalization import divided, multiplied, unequal_pairs


def pair(factor: float = 300.0) -> tuple[LinearLayer, LinearLayer]:
    """Two dense layers; channels 1 and 4 between them are planted."""
    generator = np.random.default_rng(0)
    scales = np.ones(6, np.float32)
    scales[[1, 4]] = factor
    writer = LinearLayer(
        "w", "dense", generator.uniform(0.5, 1.0, (6, 5)).astype(np.float32), np.ones(6, np.float32), "x", "h",
        readers=("r",),
    )  # fmt: skip
    reader = LinearLayer("r", "dense", generator.uniform(0.5, 1.0, (3, 6)).astype(np.float32), None, "h", "y")
    return divided(writer, 1 / scales), multiplied(reader, 1 / scales)


def test_unequal_pairs_finds_the_planted_channels_and_no_others() -> None:
    (found,) = unequal_pairs(pair())
    assert (found.writer, found.readers) == ("w", ("r",))
    assert list(np.flatnonzero(found.scales != 1.0)) == [1, 4]
    np.testing.assert_allclose(found.scales[[1, 4]], 300.0, rtol=0.5)


def test_equalised_layers_compute_the_same_with_even_channels() -> None:
    writer, reader = pair()
    (found,) = unequal_pairs((writer, reader))
    x = np.random.default_rng(1).normal(size=5).astype(np.float32)
    assert writer.bias is not None
    before = reader.weights @ (writer.weights @ x + writer.bias)
    writer, reader = divided(writer, found.scales), multiplied(reader, found.scales)
    assert writer.bias is not None
    np.testing.assert_allclose(reader.weights @ (writer.weights @ x + writer.bias), before, rtol=1e-4)
    sizes = np.abs(writer.weights).max(axis=1)
    assert sizes.max() / sizes.min() < 4
    assert not unequal_pairs((writer, reader))


def test_multiplied_reaches_the_right_group_of_a_depthwise_layer() -> None:
    layer = LinearLayer("d", "depthwise", np.ones((6, 3, 3, 1), np.float32), None, "h", "y", groups=3)
    scaled = multiplied(layer, np.array([1.0, 2.0, 5.0], np.float32))
    assert [float(value) for value in scaled.weights[:, 0, 0, 0]] == [1, 1, 2, 2, 5, 5]


@pytest.mark.parametrize(
    "change",
    [{"readers": ("r", "add")}, {"readers": ()}, {"activation": "relu6"}],
    ids=["a residual addition reads it too", "it is the output", "a ReLU6 is in between"],
)
def test_unequal_pairs_leaves_out(change: dict[str, object]) -> None:
    writer, reader = pair()
    assert unequal_pairs((replace(writer, **change), reader)) == ()  # type: ignore[arg-type]


def test_unequal_pairs_ignores_less_than_ten_times_and_dead_channels() -> None:
    assert unequal_pairs(pair(5.0)) == ()
    writer, reader = pair(1.0)
    writer.weights[2] = 0.0
    assert unequal_pairs((writer, reader)) == ()


def test_unequal_pairs_measures_channels_against_each_other() -> None:
    writer, reader = pair(1.0)
    assert unequal_pairs((divided(writer, np.full(6, 1e-3, np.float32)), reader)) == ()
