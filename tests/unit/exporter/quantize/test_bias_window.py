from __future__ import annotations

import numpy as np

from exporter.quantize.bias import Geometry, layer_means, mean_maps, window_means
from exporter.quantize.graph import LinearLayer


def test_window_means_count_padding_as_zeros() -> None:
    ones = np.ones((5, 5, 1), dtype=np.float32)
    means = window_means(ones, (3, 3), Geometry((1, 1), (1, 1), (1, 1), (5, 5)))
    # The corner of the kernel lies on padding in 9 of 25 places, an edge's middle in 5.
    np.testing.assert_allclose(
        means[..., 0], [[0.64, 0.8, 0.64], [0.8, 1, 0.8], [0.64, 0.8, 0.64]], rtol=1e-6
    )


def test_window_means_follow_strides_and_dilations() -> None:
    rows = np.arange(6, dtype=np.float32)[:, np.newaxis, np.newaxis].repeat(6, axis=1)
    means = window_means(rows, (2, 1), Geometry((2, 2), (2, 1), (0, 0), (2, 3)))
    np.testing.assert_allclose(means[:, 0, 0], [1.0, 3.0])


def test_window_means_give_the_mean_output_of_a_convolution() -> None:
    generator = np.random.default_rng(1)
    image = generator.normal(size=(7, 6, 2)).astype(np.float32)
    kernel = generator.normal(size=(3, 2, 2)).astype(np.float32)
    padded = np.pad(image, ((1, 1), (0, 1), (0, 0)))
    outputs = [
        np.sum(padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 2] * kernel) for y in range(4) for x in range(3)
    ]
    means = window_means(image, (3, 2), Geometry((2, 2), (1, 1), (1, 0), (4, 3)))
    np.testing.assert_allclose(np.sum(means * kernel), np.mean(outputs), rtol=1e-5)


def test_layer_means_of_a_dense_layer_are_its_inputs_means() -> None:
    layer = LinearLayer("d", "dense", np.zeros((4, 3), np.float32), None, "x", "y")
    samples = iter(
        [{"x": np.array([[1.0, 2.0, 3.0]], np.float32)}, {"x": np.array([[3.0, 2.0, 5.0]], np.float32)}]
    )
    means = layer_means((layer,), mean_maps(samples, {"x"}), {})
    np.testing.assert_allclose(means["d"], [2.0, 2.0, 4.0])
