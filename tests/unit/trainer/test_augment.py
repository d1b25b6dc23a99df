"""Changed copies keep the shape, come from the seed alone, and never leave the picture."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.augment import cropped, mirrored, shifted


@pytest.mark.parametrize("change", [cropped, shifted])
@pytest.mark.parametrize("shape", [(28, 28, 1), (20, 31, 3), (10, 10, 3)])
def test_shape_type_and_seed(change: object, shape: tuple[int, int, int]) -> None:
    assert callable(change)
    image = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    before = image.copy()
    copies = [change(image, np.random.default_rng(seed)) for seed in (0, 0, 1, 2, 3)]
    assert all(copy.shape == shape and copy.dtype == np.uint8 for copy in copies)
    np.testing.assert_array_equal(copies[0], copies[1])
    assert any((copy != copies[0]).any() for copy in copies[2:])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("change", [cropped, shifted])
def test_no_colour_is_made_up(change: object) -> None:
    assert callable(change)
    for seed in range(50):
        out = change(np.full((24, 18, 3), 200, np.uint8), np.random.default_rng(seed))
        assert (out == 200).all()


def test_shift_never_mirrors() -> None:
    ramp = np.broadcast_to(np.arange(28, dtype=np.uint8)[None, :, None], (28, 28, 1))
    for seed in range(20):
        assert (np.diff(shifted(ramp, np.random.default_rng(seed))[0, :, 0].astype(int)) >= 0).all()


def test_mirrored_twice_is_the_picture() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    np.testing.assert_array_equal(mirrored(mirrored(image)), image)
    np.testing.assert_array_equal(mirrored(image)[:, 0], image[:, -1])
