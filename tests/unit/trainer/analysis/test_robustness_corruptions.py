"""Changed images: seeded, monotone, and nothing at severity 0."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from trainer.analysis.robustness import CORRUPTIONS, SEVERITIES, Corruption, corrupted


def picture(channels: int, side: int = 48) -> np.ndarray:
    """Smooth shapes with an edge and some texture, as photos have; far from black and white."""
    rows, columns = np.mgrid[0:side, 0:side] / side
    base = 90 + 50 * np.sin(5 * rows + 2 * columns) + 40 * (np.hypot(rows - 0.5, columns - 0.4) < 0.25)
    texture = np.random.default_rng(1).normal(0, 4, (side, side, channels))
    return np.clip(base[..., None] + texture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("family", CORRUPTIONS, ids=lambda family: family.name)
@pytest.mark.parametrize("channels", [1, 3])
def test_more_severity_changes_more(family: Corruption, channels: int) -> None:
    image = picture(channels)
    distances = []
    for severity in (0, *SEVERITIES):
        changes = [corrupted(image, family, severity, seed) for seed in range(8)]
        assert all(one.shape == image.shape and one.dtype == np.uint8 for one in changes)
        distances.append(np.mean([np.abs(one.astype(int) - image).mean() for one in changes]))
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert len(set(distances)) == len(distances)


@pytest.mark.parametrize("family", CORRUPTIONS, ids=lambda family: family.name)
def test_same_seed_same_change_and_the_image_is_left_alone(family: Corruption) -> None:
    image = picture(3)
    before = image.copy()
    for severity in SEVERITIES:
        first, again = (corrupted(image, family, severity, 7) for _ in range(2))
        assert np.array_equal(first, again)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", ["rotation", "noise", "shift"])
def test_another_seed_is_another_change(name: str) -> None:
    family = next(family for family in CORRUPTIONS if family.name == name)
    image = picture(3)
    seen = {corrupted(image, family, 3, seed).tobytes() for seed in range(10)}
    assert len(seen) > 1


def test_shift_moves_whole_pixels_and_repeats_the_edge() -> None:
    family = next(family for family in CORRUPTIONS if family.name == "shift")
    image = picture(3, 100)
    padded = np.pad(image, ((18, 18), (18, 18), (0, 0)), mode="edge")
    windows = {
        padded[row : row + 100, column : column + 100].tobytes()
        for row in (0, 18, 36)
        for column in (0, 18, 36)
    }
    assert all(corrupted(image, family, 5, seed).tobytes() in windows for seed in range(10))


@pytest.mark.parametrize("shape", [(9, 9, 1), (8, 24, 3), (31, 7, 3)])
def test_tiny_and_oblong_images_keep_their_shape(shape: tuple[int, ...]) -> None:
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for family in CORRUPTIONS:
        for severity in SEVERITIES:
            assert corrupted(image, family, severity, 0).shape == shape


@pytest.mark.parametrize("severity", [-1, 6])
def test_unknown_severity_is_refused(severity: int) -> None:
    with pytest.raises(UsageError, match=f"Received: {severity}"):
        corrupted(picture(1), CORRUPTIONS[0], severity, 0)
