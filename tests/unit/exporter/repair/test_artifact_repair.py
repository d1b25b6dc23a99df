from __future__ import annotations

import numpy as np
import pytest

from exporter.repair.artifact_repair import close_ups, corners


def quadrants(channels: int = 3) -> np.ndarray:
    """Forty images of 20x20 whose four corners have levels of their own: 10, 60, 110 and 160."""
    image = np.empty((20, 20, channels), np.uint8)
    image[:10, :10], image[:10, 10:], image[10:, :10], image[10:, 10:] = 10, 60, 110, 160
    return np.repeat(image[np.newaxis], 40, axis=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_gives_two_opposite_corners(channels: int) -> None:
    seen = corners(quadrants(channels), 0.5)
    assert seen.shape == (80, 20, 20, channels)
    first, second = seen[:40, 10, 10, 0], seen[40:, 10, 10, 0]
    assert np.all(first + second == 170)
    # All four in turn, and not in the order in which classes take turns.
    assert set(first.tolist()) == {10, 60, 110, 160}
    assert set(first[::4].tolist()) == {10, 60, 110, 160}
    assert np.array_equal(corners(quadrants(channels), 0.5), seen)


def test_corners_are_as_small_as_leaves_most_answers() -> None:
    images = quadrants()

    def score(pixels: np.ndarray) -> np.ndarray:
        # Sees whether the image has parts of both kinds, which a corner of half a side has not.
        mixed = np.ptp(pixels.reshape(len(pixels), -1), axis=1) > 60
        return np.stack([mixed, ~mixed], axis=1).astype(np.float32)

    seen = close_ups(images, score)
    assert np.array_equal(seen, corners(images, 0.6))


def test_images_stay_as_they_are_where_any_corner_changes_the_answers() -> None:
    images = quadrants()

    def score(pixels: np.ndarray) -> np.ndarray:
        whole = np.all(pixels == images[0], axis=(1, 2, 3))
        return np.stack([whole, ~whole], axis=1).astype(np.float32)

    assert np.array_equal(close_ups(images, score), images)


def test_few_images_do() -> None:
    one = quadrants()[:1]
    assert len(close_ups(one, lambda pixels: np.ones((len(pixels), 2), np.float32))) == 2
